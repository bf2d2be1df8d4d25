//! A recorded run, judged again by its own plan.

use std::path::Path;

use crate::assessment::{Assessment, assess};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::RunPaths;
use crate::plan::{self, Override, Plan};
use crate::record::{Event, RunData};

/// A run with what it came to.
pub(super) struct Judged {
    pub(super) paths: RunPaths,
    pub(super) run: RunData,
    pub(super) assessment: Assessment,
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
