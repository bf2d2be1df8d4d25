//! The flags of `highwater run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::plan::{Overrides, PlanArgs, ThresholdArgs, put};
use super::target::Target;
use crate::cli::serving::ServeArgs;
use crate::plan::Override;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PhaseArg {
    /// Only the leak check
    Leak,
    /// Only the concurrency ramp
    Concurrency,
}

/// What is assumed of a level of which nobody saw the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum InFlight {
    /// It broke: a machine that goes down during a level does so for a reason
    Broken,
    /// It is tried again
    Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SearchArg {
    /// From the first level upwards by a step
    Linear,
    /// Double until a level breaks, then halve the gap
    Bisect,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// Test the embedded service; what follows `--` goes to it (see `highwater demo --help`)
    #[arg(long, help_heading = "Service")]
    pub(in crate::cli) demo: bool,

    #[command(flatten)]
    pub(in crate::cli) plan: PlanArgs,

    #[command(flatten)]
    pub(in crate::cli) thresholds: ThresholdArgs,

    /// Fail over memory only where it grows more than in these results (a file or a directory)
    #[arg(long, value_name = "RESULTS", help_heading = "Criteria")]
    pub(in crate::cli) baseline: Option<String>,

    /// Run one phase only
    #[arg(long, value_enum, value_name = "PHASE", help_heading = "Load")]
    pub(in crate::cli) only: Option<PhaseArg>,

    /// Repeats of each recording in the leak check [default: 5]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(in crate::cli) repeats: Option<u32>,

    /// Most readings of memory in the leak check, where the repeats leave it open [default: 50]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(in crate::cli) max_repeats: Option<u32>,

    /// Most tasks of the leak check, where the repeats leave it open [default: 200000]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(in crate::cli) max_tasks: Option<u32>,

    /// Seconds that the leak check may take where tasks are short [default: 110]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Load")]
    pub(in crate::cli) leak_for: Option<f64>,

    /// Also try conditions one by one after the leak check: repeat, pause, alternate, parallel, error
    /// [if given alone: repeat, pause, parallel, and error with --bad-input]
    #[arg(long, value_name = "CONDITIONS", num_args = 0..=1, default_missing_value = "standard")]
    #[arg(help_heading = "Load")]
    pub(in crate::cli) probe: Option<String>,

    /// A file that the service fails on, to see whether failing leaks (with --probe)
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub(in crate::cli) bad_input: Option<String>,

    /// Highest level of the ramp [default: 10]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(in crate::cli) max_concurrency: Option<u32>,

    /// Go on from a run that was stopped: its log of events (results/events_….jsonl)
    ///
    /// With the plan of that run, flags above it; new files beside the earlier ones, and one report
    /// of both. Where memory is compared (leak check, soak), it goes on if the worker's processes are the same,
    /// and begins anew if they were started again.
    #[arg(long, value_name = "EVENTS", conflicts_with_all = ["config", "results", "only"], help_heading = "Load")]
    pub(in crate::cli) resume: Option<PathBuf>,

    /// What becomes of the level that was in flight when the resumed run ended
    /// [default: retry after Ctrl+C or SIGTERM, broken where the log just ends, as after a crash of the machine]
    #[arg(long, value_enum, value_name = "WHAT", requires = "resume", help_heading = "Load")]
    pub(in crate::cli) in_flight: Option<InFlight>,

    /// How the limit is searched for [default: linear]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Load")]
    pub(in crate::cli) search: Option<SearchArg>,

    /// Most seconds that a task may take [default: 600]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Load")]
    pub(in crate::cli) timeout: Option<f64>,

    /// Seconds between two rows of a process in the CSV [default: 1]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Configuration")]
    pub(in crate::cli) interval: Option<f64>,

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

impl RunArgs {
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
        overrides.extend(self.thresholds.overrides());
        put(&mut overrides, "baseline", self.baseline.as_ref());
        put(&mut overrides, "leak.repeats", self.repeats);
        overrides.extend(self.probe.as_ref().map(|words| Override::text("leak.probes", words)));
        put(&mut overrides, "leak.max_repeats", self.max_repeats);
        put(&mut overrides, "leak.max_tasks", self.max_tasks);
        put(&mut overrides, "leak.for_s", self.leak_for);
        put(&mut overrides, "leak.bad_input", self.bad_input.as_ref());
        put(&mut overrides, "ramp.max", self.max_concurrency);
        put(
            &mut overrides,
            "ramp.search",
            self.search.map(|search| match search {
                SearchArg::Linear => "linear",
                SearchArg::Bisect => "bisect",
            }),
        );
        put(&mut overrides, "target.timeout_s", self.timeout);
        put(&mut overrides, "sampler.interval_s", self.interval);
        put(&mut overrides, "leak.enabled", (self.only == Some(PhaseArg::Concurrency)).then_some(false));
        put(&mut overrides, "ramp.enabled", (self.only == Some(PhaseArg::Leak)).then_some(false));
        overrides
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::args::{Cli, Command};

    #[test]
    fn every_flag_stands_for_a_key_that_exists() {
        let args = [
            "highwater",
            "run",
            "--results",
            "r",
            "--url",
            "http://h",
            "--preset",
            "http",
            "--path",
            "/summarise",
            "--json-body",
            r#"{"text": "item {{n}}", "options": {"deep": [1, true]}}"#,
            "--health",
            "",
            "--worker-pid",
            "7",
            "--max-delta-mb",
            "100",
            "--tolerance-mb",
            "1",
            "--required",
            "2",
            "--max-rtf",
            "0.5",
            "--stop-at-rtf",
            "--repeats",
            "3",
            "--max-repeats",
            "60",
            "--max-tasks",
            "5000",
            "--leak-for",
            "300",
            "--baseline",
            "b.jsonl",
            "--max-concurrency",
            "4",
            "--timeout",
            "5",
            "--interval",
            "0.1",
            "--only",
            "leak",
            "--search",
            "bisect",
            "--set",
            "settle.max_s=3",
        ];
        let Command::Run(run) = Cli::try_parse_from(args).unwrap().command else { panic!() };
        let plan = crate::plan::layer(None, [], &run.overrides()).unwrap();
        assert_eq!((plan.leak.repeats, plan.ramp.max, plan.processes["worker"].pid), (3, 4, Some(7)));
        assert_eq!((&*plan.target.http.path, &*plan.target.health), ("/summarise", ""));
        let body = serde_json::json!({"text": "item {{n}}", "options": {"deep": [1, true]}});
        assert_eq!(plan.target.http.json, Some(body));
        assert_eq!(plan.baseline, Some("b.jsonl".into()));
        assert_eq!(plan.ramp.search, crate::plan::SearchKind::Bisect);
        assert!(!plan.ramp.enabled && plan.leak.enabled && plan.ramp.stop_at_rtf);
    }
}
