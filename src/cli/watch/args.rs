//! The flags of `highwater watch`, and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::ServeArgs;

pub(in crate::cli) const WATCH_EXAMPLES: &str = "\
Examples:
  highwater watch                          the roles of highwater.toml (or its defaults) that are running
  highwater watch worker                   one role of it
  highwater watch 'postgres: writer'       every process with these words in its command line
  highwater watch --pid 4711 --pid 4712    these two
  highwater watch 'rq worker' --for 8h     a working day under real traffic, with a verdict per hour
  highwater watch nginx --for 10m --interval 100ms --csv nginx.csv
  highwater watch worker -- k6 run load.js  while k6 makes load, with a verdict when it ends
  highwater watch worker --for 30s --json | jq 'select(.event == \"sample\") | .rss_mb'

A process is watched with its descendants, including those that appear later. The end of
a process is reported at once, with its exit code or signal if the kernel reports it.
RSS counts shared pages in each process. Private memory is anonymous memory, resident or
swapped out. Peak is the highest RSS since the process started.

With `--for` or a command, a watch ends with a verdict for each role: does the memory of its processes grow per hour
under the traffic that the service has? Ctrl+C ends a watch with its summary.

Exit codes: 0 without `--for` and without a command; with one of them 0 nothing accumulates, 1 a role leaks or
the command fails, 2 inconclusive; 3 could not watch";

#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct WatchArgs {
    /// A role of the configuration, or words of a command line; may be given several times
    #[arg(value_name = "ROLE|WORDS")]
    pub(in crate::cli) what: Vec<String>,

    /// A process by its id; may be given several times
    #[arg(long, value_name = "PID")]
    pub(in crate::cli) pid: Vec<u32>,

    /// End after this time (30s, 5m, 8h), with a verdict on each role, instead of at Ctrl+C
    #[arg(long = "for", value_name = "TIME", value_parser = super::duration)]
    pub(in crate::cli) for_time: Option<Duration>,

    /// Time between two readings, and between two rows of the CSV (at least 10ms)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::duration)]
    pub(in crate::cli) interval: Duration,

    /// The CSV, with a row per process and reading [default: results/watch_<time>.csv]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) csv: Option<PathBuf>,

    /// Do not write a CSV
    #[arg(long, conflicts_with = "csv", help_heading = "Output")]
    pub(in crate::cli) no_csv: bool,

    /// Print JSON lines on stdout: samples, events, and the summary at the end
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) json: bool,

    /// Print lines only, also in a terminal
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) plain: bool,

    #[command(flatten)]
    pub(in crate::cli) serve: ServeArgs,

    /// Start this, watch while it runs, and judge when it ends
    #[arg(last = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,

    /// The configuration file [default: highwater.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "HIGHWATER_CONFIG", help_heading = "Configuration")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Directory for the CSV [default: results]
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    pub(in crate::cli) results: Option<String>,
}
