//! `highwater report`.

use std::path::{Path, PathBuf};

use super::args::ReportArgs;
use super::junit;
use super::output::{say, say_error, say_json};
use super::pictures;
use super::printed::printed;
use crate::assessment::{Assessment, assess};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{self, RunPaths};
use crate::plan::{self, Override, Plan};
use crate::record::{Event, RunData, Verdict};
use crate::report::{markdown, markdown_full, methods};
use crate::session::write_reports;

/// A run with what it came to.
pub(super) struct Judged {
    pub(super) paths: RunPaths,
    pub(super) run: RunData,
    pub(super) assessment: Assessment,
}

pub(super) fn report(args: &ReportArgs) -> Result<u8> {
    let many = args.path.as_ref().is_some_and(|path| path.is_dir());
    let files = match &args.path {
        Some(path) if many => journal::find_runs(path)?,
        Some(path) => vec![path.clone()],
        None => newest(Path::new("results"))?,
    };
    let mut overrides = args.set.clone();
    overrides.extend(args.thresholds.overrides());
    let mut judged_runs: Vec<Judged> = Vec::new();
    let mut skipped = Skipped::default();
    for file in &files {
        let run = match journal::read(file) {
            Ok(run) => run,
            Err(error) if many => {
                skipped.add(file, error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let assessment = judged(&run, &overrides)?;
        let paths = write_reports(&RunPaths::beside(file), &run, &assessment)?;
        judged_runs.push(Judged { paths, run, assessment });
    }
    if judged_runs.is_empty()
        && let Some(error) = skipped.first
    {
        return Err(error);
    }
    if let Some(path) = &args.junit {
        junit::write(path, &judged_runs.iter().map(|one| &one.assessment).collect::<Vec<_>>())?;
    }
    if let Some(directory) = &args.svg {
        pictures::svg(directory, &judged_runs)?;
    }
    if let Some(directory) = &args.png {
        pictures::png(directory, &judged_runs)?;
    }
    if args.json {
        print_json(&judged_runs, many)?;
    } else if (args.svg.is_none() && args.png.is_none()) || args.methods || args.full {
        for one in &judged_runs {
            let text = match (args.methods, args.full) {
                (true, _) => methods(&one.run, &one.assessment),
                (_, true) => markdown_full(&one.assessment),
                (false, false) => markdown(&one.assessment),
            };
            match args.methods {
                true => say!("{}", text.trim_end()),
                false => say!("{text}\n<!-- written to {} -->", written(&one.paths)),
            }
        }
    }
    let assessed = judged_runs.iter().map(|one| &one.assessment);
    // The worst of all: 130 only if no verdict is worse than "interrupted".
    let worst = assessed.clone().map(|found| found.judgement.verdict).max();
    let interrupted = assessed.clone().any(|found| found.judgement.interrupted.is_some());
    Ok(match worst {
        // What could not be read has not passed.
        Some(Verdict::Pass) if skipped.measured => Verdict::Inconclusive.exit_code(),
        Some(verdict) if judged_runs.len() > 1 || !interrupted => verdict.exit_code(),
        _ => 130,
    })
}

/// The results of a directory that could not be read.
#[derive(Default)]
struct Skipped {
    /// Why the first could not.
    first: Option<Error>,
    /// True if there was anything in one of them: an empty file is what a run leaves that measured nothing.
    measured: bool,
}

impl Skipped {
    fn add(&mut self, file: &Path, error: Error) {
        say_error(format_args!("skipped `{}`: {}", file.display(), error.render()));
        self.measured |= std::fs::metadata(file).is_ok_and(|found| found.len() > 0);
        self.first.get_or_insert(error);
    }
}

/// The newest run in `directory`.
fn newest(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut runs = journal::find_runs(directory)?;
    Ok(runs.split_off(runs.len() - 1))
}

fn written(paths: &RunPaths) -> String {
    if cfg!(feature = "html") {
        format!("{} and {}", paths.report.display(), paths.page.display())
    } else {
        paths.report.display().to_string()
    }
}

/// The assessment of a run by its own plan, with the thresholds that were given overridden.
pub(super) fn judged(run: &RunData, overrides: &[Override]) -> Result<Assessment> {
    Ok(assess(run, &plan_of(run, overrides)?))
}

/// The plan of the run, with the thresholds that were given overridden.
///
/// What the run's log recorded takes the place of the configuration file, so
/// that overrides rise above it and are checked as everywhere.
fn plan_of(run: &RunData, overrides: &[Override]) -> Result<Plan> {
    if let Some(unfit) = overrides.iter().find(|one| !JUDGED.iter().any(|table| one.key().starts_with(table)))
    {
        return Err(Error::new(
            ErrorKind::Config,
            format!("`{}` decides nothing about a run that is over", unfit.key()),
        )
        .hint("a report can override thresholds: keys of `leak`, `ramp` and `soak`"));
    }
    let recorded = match run.start() {
        Some(Event::RunStarted { plan, .. }) => judged_tables(plan),
        _ => None,
    };
    match recorded {
        Some(text) => plan::layer(Some((Path::new("the run's log"), &text)), [], overrides),
        None => plan::layer(None, [], overrides),
    }
}

/// The tables of the configuration that decide a verdict.
const JUDGED: [&str; 3] = ["leak.", "ramp.", "soak."];

fn judged_tables(plan: &serde_json::Value) -> Option<String> {
    let tables: serde_json::Map<String, serde_json::Value> = JUDGED
        .iter()
        .map(|table| table.trim_end_matches('.'))
        .filter_map(|table| Some((table.to_string(), plan.get(table)?.clone())))
        .collect();
    toml::to_string(&tables).ok()
}

fn print_json(runs: &[Judged], many: bool) -> Result<()> {
    let values: Vec<serde_json::Value> =
        runs.iter().map(|one| printed(&one.assessment, &one.paths)).collect::<Result<_>>()?;
    match values.as_slice() {
        [only] if !many => say_json(only),
        all => say_json(&serde_json::Value::from(all.to_vec())),
    }
    Ok(())
}
