//! The arguments of `highwater soak`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::plan::{Overrides, PlanArgs, put};
use super::target::Target;
use crate::cli::duration::parse_duration;
use crate::cli::serving::ServeArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct SoakArgs {
    /// Test the embedded service; what follows `--` goes to it (see `highwater demo --help`)
    #[arg(long, help_heading = "Service")]
    pub(in crate::cli) demo: bool,

    #[command(flatten)]
    pub(in crate::cli) plan: PlanArgs,

    /// Tasks outstanding at once [default: 1]
    #[arg(long, short, value_name = "C", help_heading = "Load")]
    pub(in crate::cli) concurrency: Option<u32>,

    /// How long: 30m, 8h, 90s [default: 30m]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration, help_heading = "Load")]
    pub(in crate::cli) duration: Option<Duration>,

    /// Number of tasks to send, instead of a time
    #[arg(long, value_name = "N", conflicts_with = "duration", help_heading = "Load")]
    pub(in crate::cli) tasks: Option<u32>,

    /// Memory that the worker must not exceed, in MB; the report says how long it takes to get there
    #[arg(long, value_name = "MB", allow_negative_numbers = true, help_heading = "Criteria")]
    pub(in crate::cli) cap_mb: Option<f64>,

    /// Continue a soak that was stopped, given its log of events (results/events_….jsonl)
    ///
    /// The plan of that soak is used again; flags override it. New files are written next to the
    /// earlier ones, with one report of both. If the service has been restarted since, the soak
    /// starts again.
    #[arg(long, value_name = "EVENTS", conflicts_with_all = ["config", "results"], help_heading = "Load")]
    pub(in crate::cli) resume: Option<PathBuf>,

    /// The longest that a task may take, in seconds [default: 600]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Load")]
    pub(in crate::cli) timeout: Option<f64>,

    /// End with one JSON object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) json: bool,

    /// Print lines only, also in a terminal
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) plain: bool,

    #[command(flatten)]
    pub(in crate::cli) serve: ServeArgs,

    /// Write the criteria as JUnit XML, one test case each
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) junit: Option<PathBuf>,

    /// Arguments for the embedded service
    #[arg(last = true, value_name = "DEMO ARGS")]
    pub(in crate::cli) demo_args: Vec<String>,
}

impl SoakArgs {
    /// The subject of the test, and where the output goes.
    pub(in crate::cli) fn target(&self) -> Target<'_> {
        Target {
            demo: self.demo,
            demo_args: &self.demo_args,
            json: self.json,
            plain: self.plain,
            serve: &self.serve,
        }
    }

    pub(in crate::cli) fn overrides(&self) -> Overrides {
        let mut overrides = self.plan.overrides();
        put(&mut overrides, "leak.enabled", Some(false));
        put(&mut overrides, "ramp.enabled", Some(false));
        put(&mut overrides, "soak.enabled", Some(true));
        put(&mut overrides, "soak.concurrency", self.concurrency);
        put(&mut overrides, "soak.for_s", self.duration.map(|time| time.as_secs_f64()));
        // A time on the command line overrides a number of tasks in the file.
        put(&mut overrides, "soak.tasks", self.tasks.or(self.duration.map(|_| 0)));
        put(&mut overrides, "soak.cap_mb", self.cap_mb);
        put(&mut overrides, "target.timeout_s", self.timeout);
        overrides
    }
}
