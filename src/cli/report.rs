//! `highwater report`.

use std::path::{Path, PathBuf};

use super::args::ReportArgs;
use super::judged::{Judged, judged};
use super::junit;
use super::output::{say, say_error, say_json};
use super::pictures;
use super::printed::printed;
use crate::error::{Error, Result};
use crate::journal::{self, RunPaths};
use crate::record::Verdict;
use crate::report::{markdown, markdown_full, methods};
use crate::session::write_reports;

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

fn print_json(runs: &[Judged], many: bool) -> Result<()> {
    let values: Vec<serde_json::Value> =
        runs.iter().map(|one| printed(&one.assessment, &one.paths)).collect::<Result<_>>()?;
    match values.as_slice() {
        [only] if !many => say_json(only),
        all => say_json(&serde_json::Value::from(all.to_vec())),
    }
    Ok(())
}
