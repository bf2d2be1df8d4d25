//! `highwater report`.

use std::path::Path;

use super::args::ReportArgs;
use super::output::say;
use super::printed::printed;
use crate::assessment::{Assessment, assess};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{self, RunPaths};
use crate::plan::{self, Override, Plan};
use crate::record::{Event, RunData};
use crate::report::markdown;
use crate::session::write_report;

pub(super) fn report(args: &ReportArgs) -> Result<u8> {
    let files = if args.path.is_dir() { journal::find_runs(&args.path)? } else { vec![args.path.clone()] };
    let mut overrides = args.set.clone();
    overrides.extend(args.thresholds.overrides());
    let mut assessed: Vec<(RunPaths, Assessment)> = Vec::new();
    for file in &files {
        let run = journal::read(file)?;
        let assessment = assess(&run, &plan_of(&run, &overrides)?);
        let paths = RunPaths::beside(file);
        write_report(&paths.report, &markdown(&assessment))?;
        assessed.push((paths, assessment));
    }
    if args.json {
        print_json(&assessed, args.path.is_dir())?;
    } else {
        for (paths, assessment) in &assessed {
            say!("{}\n<!-- written to {} -->", markdown(assessment), paths.report.display());
        }
    }
    // The worst of all: 130 only if no verdict is worse than "interrupted".
    let worst = assessed.iter().map(|(_, found)| found.judgement.verdict).max();
    let interrupted = assessed.iter().any(|(_, found)| found.judgement.interrupted.is_some());
    Ok(match worst {
        Some(verdict) if assessed.len() > 1 || !interrupted => verdict.exit_code(),
        _ => 130,
    })
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

fn print_json(assessed: &[(RunPaths, Assessment)], many: bool) -> Result<()> {
    let values: Vec<serde_json::Value> =
        assessed.iter().map(|(paths, assessment)| printed(assessment, paths)).collect::<Result<_>>()?;
    match values.as_slice() {
        [only] if !many => say!("{only}"),
        all => say!("{}", serde_json::Value::from(all.to_vec())),
    }
    Ok(())
}
