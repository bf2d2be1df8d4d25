//! `highwater judge`.

mod told;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::output::{say, say_error};
use crate::analysis::Answer;
use crate::error::{Error, ErrorKind, Result};
use crate::readings::{self, MemoryUnit, Per, Selection};
pub(super) use told::Judged;
use told::Told;

#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    /// Files, or directories of them; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) paths: Vec<PathBuf>,

    /// Judge the first N tasks only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) first: Option<u32>,

    /// The column (or the field, or the number of a column without a name) that holds the memory [default: found by its name]
    #[arg(long, value_name = "NAME")]
    pub(super) column: Option<String>,

    /// The unit of its figures: bytes, kB, MB, GB [default: what the file says]
    #[arg(long, value_name = "UNIT", value_parser = unit)]
    pub(super) unit: Option<MemoryUnit>,

    /// What the rate is told per [default: hour where the file has times, task otherwise]
    #[arg(long, value_name = "task|hour")]
    pub(super) per: Option<PerArg>,

    /// The gate on a single task whose blindness is told, in MB
    #[arg(long, value_name = "MB", default_value_t = 200.0, value_parser = gate, allow_negative_numbers = true)]
    pub(super) max_delta_mb: f64,

    /// Print a JSON array with an object for each file
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

/// The words of `--per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PerArg {
    Task,
    Hour,
}

fn gate(text: &str) -> std::result::Result<f64, String> {
    let mb: f64 = text.trim().parse().map_err(|_| "not a number".to_string())?;
    if mb.is_finite() && mb > 0.0 { Ok(mb) } else { Err("must be a number above 0".to_string()) }
}

fn unit(text: &str) -> std::result::Result<MemoryUnit, String> {
    MemoryUnit::named(text.trim()).ok_or_else(|| "must be bytes, kB, MB or GB".to_string())
}

/// The exit code of a file that could not be judged.
const UNUSABLE: u8 = 3;

/// Where a file has more series than this, those that are clean are counted and not listed.
const LISTED: usize = 12;

pub(super) fn judge(args: &JudgeArgs) -> Result<u8> {
    let wanted = Selection {
        column: args.column.clone(),
        unit: args.unit,
        per: args.per.map(|per| match per {
            PerArg::Task => Per::Task,
            PerArg::Hour => Per::Hour,
        }),
        // The first rows are all of them.
        thinned: args.first.is_none(),
    };
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
            match readings::read(file, &wanted) {
                Ok(recording) => {
                    let first = args.first.map(|first| first as usize);
                    let judged: Vec<Judged> =
                        recording.series.iter().map(|series| Judged::of(series, first)).collect();
                    let entry = Told::of(file, recording.form, judged);
                    tell(args, file, &entry);
                    told.push((entry.exit_code(), entry));
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
    Ok(worst(codes))
}

/// A leak is the worst; then what could not be judged, then what could not be decided.
pub(super) fn worst(codes: Vec<u8>) -> u8 {
    [1, UNUSABLE, 2, 0].into_iter().find(|code| codes.contains(code)).unwrap_or(UNUSABLE)
}

fn tell(args: &JudgeArgs, path: &Path, entry: &Told) {
    if args.json {
        return;
    }
    let many = entry.judged.len() > LISTED;
    let listed = |judged: &&Judged| !many || judged.growth.answer != Answer::Clean;
    for judged in entry.judged.iter().filter(listed) {
        let name = judged.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
        say!("{}: {name}{}", path.display(), judged.sentence(args.max_delta_mb));
        if let Some(reason) = judged.reason_of_leak() {
            say!("  {reason}");
        }
        say!("  {}", judged.figures());
        for note in &judged.notes {
            say!("  note: {note}");
        }
    }
    if many {
        let clean = entry.judged.iter().filter(|judged| judged.growth.answer == Answer::Clean).count();
        say!("{}: {} series, {clean} of them clean", path.display(), entry.judged.len());
    }
    if entry.form == readings::RESULTS {
        say!("  next: `highwater report {}` has the whole run", path.display());
    }
}
