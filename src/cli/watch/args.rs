//! The flags of `highwater watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::serving::ServeArgs;

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
