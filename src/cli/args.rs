//! The arguments and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::demo::DemoOptions;

const EXIT_CODES: &str = "\
Exit codes:
  0    every criterion passed
  1    at least one criterion failed
  2    inconclusive: the evidence does not suffice (never a pass)
  3    could not run: usage, configuration, service unreachable, worker not found
  130  interrupted (Ctrl+C, SIGTERM); what was measured is on the disk

Try it on the embedded service:
  highwater run --demo
  highwater run --demo -- --leak 300MB      plants a leak: exit code 1
  highwater run --demo -- --crash-at 4      plants a crash at four tasks at once

Then on yours:
  highwater init && $EDITOR highwater.toml
  highwater doctor
  highwater run";

/// Proves, from outside, that a running service does not leak memory, and finds
/// how much load it can stably take.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, after_help = EXIT_CODES, propagate_version = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Test a service: leak check, concurrency ramp, data files, report
    #[command(after_help = EXIT_CODES)]
    Run(Box<RunArgs>),
    /// Judge the data of a run again and write its report
    Report(ReportArgs),
    /// Check everything that a run needs, and say what to do where something is missing
    Doctor(PlanArgs),
    /// Write a commented highwater.toml
    Init(InitArgs),
    /// Run the embedded speech service, with real faults planted on request
    Demo(Box<DemoOptions>),
}

/// Where the plan comes from; each rises above the one before:
/// highwater.toml, HIGHWATER_… variables, flags.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct PlanArgs {
    /// The configuration file [default: highwater.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "HIGHWATER_CONFIG", help_heading = "Configuration")]
    pub(super) config: Option<PathBuf>,

    /// Sets any key of the configuration, e.g. `--set settle.max_s=20`
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment, help_heading = "Configuration")]
    pub(super) set: Vec<(String, String)>,

    /// Directory for the data files and the report [default: results]
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    pub(super) results: Option<String>,

    /// Base URL of the service [default: http://localhost:8000]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    pub(super) url: Option<String>,

    /// The worker process, instead of finding it by its command line
    #[arg(long, value_name = "PID", help_heading = "Service")]
    pub(super) worker_pid: Option<u32>,

    /// A short recording of your own [default: 147 s, made on first use]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(super) short: Option<String>,

    /// A long recording of your own [default: 734 s, made on first use]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(super) long: Option<String>,
}

/// What decides the verdict.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ThresholdArgs {
    /// Most that a long task may add to worker memory, in MB [default: 200]
    #[arg(long, value_name = "MB", help_heading = "Criteria")]
    pub(super) max_delta_mb: Option<f64>,

    /// Memory has returned within this many MB of its baseline [default: 50]
    #[arg(long, value_name = "MB", help_heading = "Criteria")]
    pub(super) tolerance_mb: Option<f64>,

    /// Concurrency that must hold [default: 3]
    #[arg(long, value_name = "N", help_heading = "Criteria")]
    pub(super) required: Option<u32>,

    /// RTF must stay below this [default: 1.0]
    #[arg(long, value_name = "RTF", help_heading = "Criteria")]
    pub(super) max_rtf: Option<f64>,

    /// Also end the ramp at the first level whose RTF is not below --max-rtf
    #[arg(long, help_heading = "Criteria")]
    pub(super) stop_at_rtf: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PhaseArg {
    /// Only the leak check
    Leak,
    /// Only the concurrency ramp
    Concurrency,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Test the embedded service; what follows `--` goes to it (see `highwater demo --help`)
    #[arg(long, help_heading = "Service")]
    pub(super) demo: bool,

    #[command(flatten)]
    pub(super) plan: PlanArgs,

    #[command(flatten)]
    pub(super) thresholds: ThresholdArgs,

    /// Run one phase only
    #[arg(long, value_enum, value_name = "PHASE", help_heading = "Load")]
    pub(super) only: Option<PhaseArg>,

    /// Repeats of each recording in the leak check [default: 5]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(super) repeats: Option<u32>,

    /// Highest level of the ramp [default: 10]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(super) max_concurrency: Option<u32>,

    /// Most seconds that a task may take [default: 600]
    #[arg(long, value_name = "SECONDS", help_heading = "Load")]
    pub(super) timeout: Option<f64>,

    /// Seconds between two rows of a process in the CSV [default: 1]
    #[arg(long, value_name = "SECONDS", help_heading = "Configuration")]
    pub(super) interval: Option<f64>,

    /// End with one JSON object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// Arguments for the embedded service
    #[arg(last = true, value_name = "DEMO ARGS")]
    pub(super) demo_args: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A results file (memory_leak_stress_test_….jsonl), or a directory of them
    pub(super) path: PathBuf,

    #[command(flatten)]
    pub(super) thresholds: ThresholdArgs,

    /// Overrides any threshold of the run, e.g. `--set leak.severe_delta_mb=400`
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment, help_heading = "Criteria")]
    pub(super) set: Vec<(String, String)>,

    /// Print the report as JSON instead of Markdown
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The file to write
    #[arg(default_value = "highwater.toml")]
    pub(super) path: PathBuf,

    /// Overwrite a file that exists
    #[arg(long)]
    pub(super) force: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("expected KEY=VALUE, e.g. `leak.repeats=8`".to_string()),
    }
}

/// The dotted overrides that flags stand for.
pub(super) type Overrides = Vec<(String, String)>;

fn put(overrides: &mut Overrides, key: &str, value: Option<impl ToString>) {
    overrides.extend(value.map(|value| (key.to_string(), value.to_string())));
}

impl PlanArgs {
    pub(super) fn overrides(&self) -> Overrides {
        let mut overrides = self.set.clone();
        put(&mut overrides, "results", self.results.as_ref());
        put(&mut overrides, "target.url", self.url.as_ref());
        put(&mut overrides, "processes.worker.pid", self.worker_pid);
        put(&mut overrides, "audio.short", self.short.as_ref());
        put(&mut overrides, "audio.long", self.long.as_ref());
        overrides
    }
}

impl ThresholdArgs {
    pub(super) fn overrides(&self) -> Overrides {
        let mut overrides = Vec::new();
        put(&mut overrides, "leak.max_delta_mb", self.max_delta_mb);
        put(&mut overrides, "leak.baseline_tolerance_mb", self.tolerance_mb);
        put(&mut overrides, "ramp.required", self.required);
        put(&mut overrides, "ramp.max_rtf", self.max_rtf);
        put(&mut overrides, "ramp.stop_at_rtf", self.stop_at_rtf.then_some(true));
        overrides
    }
}

impl RunArgs {
    pub(super) fn overrides(&self) -> Overrides {
        let mut overrides = self.plan.overrides();
        overrides.extend(self.thresholds.overrides());
        put(&mut overrides, "leak.repeats", self.repeats);
        put(&mut overrides, "ramp.max", self.max_concurrency);
        put(&mut overrides, "target.timeout_s", self.timeout);
        put(&mut overrides, "sampler.interval_s", self.interval);
        put(&mut overrides, "leak.enabled", (self.only == Some(PhaseArg::Concurrency)).then_some(false));
        put(&mut overrides, "ramp.enabled", (self.only == Some(PhaseArg::Leak)).then_some(false));
        overrides
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_stands_for_a_key_that_exists() {
        let args = [
            "highwater",
            "run",
            "--results",
            "r",
            "--url",
            "http://h",
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
            "--max-concurrency",
            "4",
            "--timeout",
            "5",
            "--interval",
            "0.1",
            "--only",
            "leak",
            "--set",
            "settle.max_s=3",
        ];
        let Command::Run(run) = Cli::try_parse_from(args).unwrap().command else { panic!() };
        let plan = crate::plan::layer(None, [], &run.overrides()).unwrap();
        assert_eq!((plan.leak.repeats, plan.ramp.max, plan.processes["worker"].pid), (3, 4, Some(7)));
        assert!(!plan.ramp.enabled && plan.leak.enabled && plan.ramp.stop_at_rtf);
    }
}
