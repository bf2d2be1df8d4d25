//! The arguments and their help.

mod examples;
mod plan;
mod run;
mod soak;
mod target;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(super) use plan::{PlanArgs, PresetArg, ThresholdArgs};
pub(super) use run::{InFlight, PhaseArg, RunArgs};
pub(super) use soak::SoakArgs;
pub(super) use target::Target;

use super::judge::JudgeArgs;
use super::watch::args::WatchArgs;
#[cfg(feature = "demo")]
use crate::demo::DemoOptions;
use crate::plan::Override;

/// Proves, from outside, that a running service does not leak memory, and finds
/// how much load it can stably take.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, after_help = examples::TOP, propagate_version = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Test a service: leak check, concurrency ramp, data files, report
    #[command(after_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// Look at processes: a live table, a CSV, a summary; nothing is tested
    #[command(after_help = examples::WATCH)]
    Watch(WatchArgs),
    /// Hold a level of concurrency for a time, and say whether memory accumulates under it
    #[command(after_help = examples::SOAK)]
    Soak(Box<SoakArgs>),
    /// Judge the data of a run again and write its report
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// List the runs in a directory, the newest first
    #[command(after_help = examples::RESULTS)]
    Results(ResultsArgs),
    /// Compare two runs: is a leak fixed, is a version worse than the one before it?
    #[command(after_help = examples::COMPARE)]
    Compare(super::compare::CompareArgs),
    /// Does memory accumulate? Judge a run, or what another tool recorded
    #[command(after_help = examples::JUDGE)]
    Judge(JudgeArgs),
    /// Check everything that a run needs, and say what to do where something is missing
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Write a commented highwater.toml
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Print the completions of a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the manual pages
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
    /// Run the embedded speech service, with real faults planted on request
    #[cfg(feature = "demo")]
    #[command(after_help = examples::DEMO)]
    Demo(Box<DemoOptions>),
}

impl Command {
    /// True where `--json` asks for an object on stdout, which has to come also where nothing can be done.
    pub(super) fn is_for_programs(&self) -> bool {
        match self {
            Command::Run(args) => args.json,
            Command::Watch(args) => args.json,
            Command::Soak(args) => args.json,
            Command::Report(args) => args.json,
            Command::Compare(args) => args.json,
            Command::Judge(args) => args.json,
            Command::Results(args) => args.json,
            Command::Doctor(_) | Command::Init(_) | Command::Completions(_) | Command::Man(_) => false,
            #[cfg(feature = "demo")]
            Command::Demo(_) => false,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A results file (memory_leak_stress_test_….jsonl), or a directory of them [default: the newest run in results]
    pub(super) path: Option<PathBuf>,

    #[command(flatten)]
    pub(super) thresholds: ThresholdArgs,

    /// Overrides any threshold of the run, e.g. `--set leak.severe_delta_mb=400`
    #[arg(long, value_name = "KEY=VALUE", value_parser = plan::assignment, help_heading = "Criteria")]
    pub(super) set: Vec<Override>,

    /// Print the report as JSON instead of Markdown
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// Print every table instead of one for each phase
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(super) full: bool,

    /// Write each picture into this directory as an SVG file of its own, for a paper
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(super) svg: Option<PathBuf>,

    /// Write each picture into this directory as a PNG file, at 288 dots per inch; needs the feature `png`
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(super) png: Option<PathBuf>,

    /// Print the paragraph on methods for a paper: what was measured how, and with which intervals
    #[arg(long, conflicts_with_all = ["json", "full"], help_heading = "Output")]
    pub(super) methods: bool,

    /// Write the criteria as JUnit XML, one test case each
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ResultsArgs {
    /// The directory
    #[arg(default_value = "results")]
    pub(super) directory: PathBuf,

    /// Print a JSON array with an object for each run
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The directory for the pages
    #[arg(default_value = "man")]
    pub(super) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,

    /// Also send one task: a run is sure to begin only where it succeeds
    #[arg(long)]
    pub(super) trial: bool,
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The file to write
    #[arg(default_value = "highwater.toml")]
    pub(super) path: PathBuf,

    /// Write only the lines that such a service needs, instead of every key with its default
    #[arg(long, value_enum, value_name = "KIND")]
    pub(super) preset: Option<PresetArg>,

    /// Overwrite a file that exists
    #[arg(long)]
    pub(super) force: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
