//! `highwater judge`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::output::{say, say_error};
use crate::analysis::{Answer, Growth, Reason, growth};
use crate::error::{Error, ErrorKind, Result};
use crate::readings::{self, Series};
use crate::units::round;

pub(super) const JUDGE_HELP: &str = "\
A file is the results of a run (memory_leak_stress_test_….jsonl), or a table with one row per task
(CSV with a header, or JSON lines). The column is found by its name; anonymous memory is best
(`anon_kb`, `private_mb`), then RSS (`settled_kb`, `worker_rss_after_mb`, `rss_mb`, `memory_mb`).

Exit codes, the worst of all files:
  0  clean: nothing accumulates, down to the size that is told
  1  leak
  2  inconclusive: so many tasks more would tell
  3  a file (or a directory without readings) could not be judged, and none of the others leaks;
     with --json it is an entry with an `error`, whose verdict is `inconclusive`

Examples:
  highwater judge results/                       every file of a directory
  highwater judge worker.csv --first 40          what was known after 40 tasks
  highwater judge worker.csv --column heap_mb    a column of your own
  highwater judge a.csv b.jsonl --json           for programs";

#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    /// Files, or directories of them
    #[arg(required = true, value_name = "FILE")]
    pub(super) paths: Vec<PathBuf>,

    /// Judge the first N tasks only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) first: Option<u32>,

    /// The column (or the field) that holds the memory [default: found by its name]
    #[arg(long, value_name = "NAME")]
    pub(super) column: Option<String>,

    /// The gate on a single task whose blindness is told, in MB
    #[arg(long, value_name = "MB", default_value_t = 200.0, value_parser = gate, allow_negative_numbers = true)]
    pub(super) max_delta_mb: f64,

    /// Print a JSON array with an object for each file
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

fn gate(text: &str) -> std::result::Result<f64, String> {
    let mb: f64 = text.trim().parse().map_err(|_| "not a number".to_string())?;
    if mb.is_finite() && mb > 0.0 { Ok(mb) } else { Err("must be a number above 0".to_string()) }
}

/// The exit code of a file that could not be judged.
const UNUSABLE: u8 = 3;

pub(super) fn judge(args: &JudgeArgs) -> Result<u8> {
    let mut told: Vec<(u8, Told)> = Vec::new();
    for path in &args.paths {
        let before = told.len();
        // What cannot be judged keeps none of the others from being judged.
        let unusable = |path: &Path, error: &Error| {
            say_error(format_args!("{}", error.render()));
            (UNUSABLE, Told::unusable(path, error))
        };
        let files = match readings::find(std::slice::from_ref(path)) {
            Ok(files) => files,
            Err(error) => {
                told.push(unusable(path, &error));
                continue;
            }
        };
        for (file, found) in &files {
            match readings::read(file, args.column.as_deref()) {
                Ok(series) => {
                    let judged = verdict(&series, args.first);
                    tell(args, file, &series, &judged);
                    told.push((judged.verdict().exit_code(), Told::of(file, &series, &judged)));
                }
                // A directory may hold other tables: a list of labels is no failure of the recordings.
                Err(error) if *found && error.kind() == ErrorKind::Data => {
                    say_error(format_args!("skipped: {error}"));
                }
                Err(error) => told.push(unusable(file, &error)),
            }
        }
        if told.len() == before {
            let what = format!("none of the files in `{}` holds memory readings", path.display());
            let error = Error::new(ErrorKind::Data, what);
            let error = error.hint("name a file itself to be told what is wrong with it");
            told.push(unusable(path, &error));
        }
    }
    let (codes, told): (Vec<u8>, Vec<Told>) = told.into_iter().unzip();
    if args.json {
        let array = serde_json::to_string(&told).map_err(|error| {
            Error::new(ErrorKind::Data, "the verdicts cannot be expressed in JSON").source(error)
        })?;
        say!("{array}");
    } else if told.len() > 1 {
        let count = |code: u8| codes.iter().filter(|found| **found == code).count();
        say!(
            "\n{} files: {} leak, {} clean, {} inconclusive, {} unusable",
            told.len(),
            count(1),
            count(0),
            count(2),
            count(UNUSABLE)
        );
    }
    // A leak is the worst; then what could not be judged, then what could not be decided.
    Ok([1, UNUSABLE, 2, 0].into_iter().find(|code| codes.contains(code)).unwrap_or(UNUSABLE))
}

fn verdict(series: &Series, first: Option<u32>) -> Growth {
    let readings = series.readings(first.map(|first| first as usize));
    let judged = growth(&readings);
    match &series.incomparable {
        None => judged,
        Some(reason) => {
            Growth { answer: Answer::Inconclusive, reason: Reason::Incomparable(reason.clone()), ..judged }
        }
    }
}

fn tell(args: &JudgeArgs, path: &Path, series: &Series, judged: &Growth) {
    if args.json {
        return;
    }
    say!("{}: {}", path.display(), judged.sentence(Some(args.max_delta_mb)));
    if judged.answer == Answer::Leak {
        say!("  {}", judged.reason);
    }
    let figure =
        |value: Option<f64>| value.map_or("unknown".to_string(), |value| round(value, 2).to_string());
    say!(
        "  rate {} MB per task, 98 % interval {} to {}; {} tasks of `{}`; detectable: {} MB per task",
        figure(judged.rate_mb_per_task),
        figure(judged.low),
        figure(judged.high),
        judged.tasks,
        series.column,
        figure(judged.detectable_mb_per_task)
    );
    for note in &series.notes {
        say!("  note: {note}");
    }
}

/// A file's verdict for programs.
#[derive(Debug, Serialize)]
struct Told {
    file: String,
    verdict: &'static str,
    reason: String,
    rate_mb_per_task: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    tasks: usize,
    tasks_needed: usize,
    detectable_mb_per_task: Option<f64>,
    column: Option<String>,
    notes: Vec<String>,
    error: Option<String>,
}

impl Told {
    fn of(path: &Path, series: &Series, judged: &Growth) -> Told {
        // A tenth of a kilobyte; more digits are noise.
        let figure = |value: Option<f64>| value.map(|value| round(value, 4));
        Told {
            file: path.display().to_string(),
            verdict: judged.answer.word(),
            reason: judged.reason.to_string(),
            rate_mb_per_task: figure(judged.rate_mb_per_task),
            low: figure(judged.low),
            high: figure(judged.high),
            tasks: judged.tasks,
            tasks_needed: judged.tasks_needed,
            detectable_mb_per_task: figure(judged.detectable_mb_per_task),
            column: Some(series.column.clone()),
            notes: series.notes.clone(),
            error: None,
        }
    }

    fn unusable(path: &Path, error: &Error) -> Told {
        Told {
            file: path.display().to_string(),
            // What could not be read is not known to be clean.
            verdict: Answer::Inconclusive.word(),
            reason: format!("could not be judged: {error}"),
            rate_mb_per_task: None,
            low: None,
            high: None,
            tasks: 0,
            tasks_needed: 20,
            detectable_mb_per_task: None,
            column: None,
            notes: Vec::new(),
            error: Some(error.to_string()),
        }
    }
}
