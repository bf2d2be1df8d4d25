//! `highwater compare`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::{say, say_error, say_json};
use crate::analysis::{Change, Comparison, compare as compare_runs};
use crate::baseline::read_usable;
use crate::error::{Error, ErrorKind, Result};
use crate::record::RunFigures;
use crate::report::{comparison_comment, comparison_text};

/// The least favourable verdict that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Expectation {
    /// The leak is gone
    Fixed,
    /// It grows less than before
    Better,
    /// It is not worse (the default)
    NoChange,
}

impl Expectation {
    pub(super) fn least(self) -> Change {
        match self {
            Expectation::Fixed => Change::Fixed,
            Expectation::Better => Change::Better,
            Expectation::NoChange => Change::NoChange,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Results of the version before: a file (memory_leak_stress_test_….jsonl, or a table that `judge` can read), or a
    /// directory of such files
    pub(super) before: PathBuf,

    /// Results of the version after
    pub(super) after: PathBuf,

    /// Exit with 1 unless the verdict is at least this
    #[arg(long, value_enum, value_name = "VERDICT", help_heading = "Criteria")]
    pub(super) expect: Option<Expectation>,

    /// Print one JSON object instead of text
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// Print a comment for a pull request
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(super) markdown: bool,

    /// The page with pictures [default: compare_….html beside the results of the version after]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) html: Option<PathBuf>,
}

pub(super) fn compare(args: &CompareArgs) -> Result<u8> {
    let skipped = |file: &Path, error: &Error| {
        say_error(format_args!("skipped `{}`: {}", file.display(), error.render()));
    };
    let before = read_usable(&args.before, skipped)?;
    let after = read_usable(&args.after, skipped)?;
    let comparison = compare_runs(&before, &after);
    let code = exit_code(&comparison, args.expect);
    let page = page(args, &before, &after, &comparison)?;
    if args.json {
        let mut object = serde_json::to_value(&comparison).map_err(|error| {
            Error::new(ErrorKind::Data, "the comparison cannot be expressed in JSON").source(error)
        })?;
        object["exit_code"] = json!(code);
        say_json(&object);
    } else if args.markdown {
        say!("{}", comparison_comment(&comparison).trim_end());
    } else {
        say!("{}", comparison_text(&comparison).trim_end());
        if let (Some(expected), 1, true) = (args.expect, code, comparison.verdict != Change::Worse) {
            say!("\n`{}` was expected: exit code 1", expected.least().word());
        }
        if let Some(page) = page {
            say!("\npictures: {page}");
        }
    }
    Ok(code)
}

/// Writes the page of a comparison: to the file that was named, or else beside results of highwater's own.
#[cfg(feature = "html")]
fn page(
    args: &CompareArgs,
    before: &[RunFigures],
    after: &[RunFigures],
    comparison: &Comparison,
) -> Result<Option<String>> {
    use crate::{journal, report, session};

    let beside = || {
        if args.after.is_dir() {
            return journal::find_runs(&args.after).is_ok().then(|| args.after.join("compare.html"));
        }
        let stem = args.after.file_stem().unwrap_or_default().to_string_lossy();
        journal::is_results(&args.after).then(|| args.after.with_file_name(format!("compare_{stem}.html")))
    };
    let text = || report::compared_page(before, after, comparison);
    match (&args.html, beside()) {
        (Some(path), _) => session::write_report(path, &text()).map(|path| Some(path.display().to_string())),
        // Results may lie where nothing can be written; the comparison is no worse for that.
        (None, Some(path)) => {
            Ok(session::write_report(&path, &text()).is_ok().then(|| path.display().to_string()))
        }
        (None, None) => Ok(None),
    }
}

/// Without `html` there are no pictures.
#[cfg(not(feature = "html"))]
fn page(args: &CompareArgs, _: &[RunFigures], _: &[RunFigures], _: &Comparison) -> Result<Option<String>> {
    match args.html {
        None => Ok(None),
        Some(_) => Err(Error::new(ErrorKind::Config, "highwater was built without pictures")
            .hint("build it with the feature `html`, which is on by default")),
    }
}

/// A verdict that is known to fall short of the expectation fails; an unknown difference is not a failure.
fn exit_code(comparison: &Comparison, expected: Option<Expectation>) -> u8 {
    let goodness = |change: Change| match change {
        Change::Fixed => 3,
        Change::Better => 2,
        Change::NoChange => 1,
        Change::Worse | Change::NotEnoughData => 0,
    };
    match (comparison.verdict, expected) {
        (Change::NotEnoughData, _) | (_, None) => comparison.verdict.exit_code(),
        (verdict, Some(expected)) => u8::from(goodness(verdict) < goodness(expected.least())),
    }
}
