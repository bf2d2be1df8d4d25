//! Memory over tasks or over time, from whatever file holds it: the results of a run, or what another
//! tool recorded (`ps`, `pidstat`, `top`, `docker stats`, Prometheus, CSV, JSON and others).
//!
//! A file goes through four stages, all but the first pure: [`read`] fetches its bytes, `text` decodes
//! them, `forms` turns the text into rows under named columns, and `select` takes the readings out of the
//! rows: which column, in which unit, of whom, and when (`columns`, `amount`, `groups`, `clock`).

mod amount;
mod clock;
mod columns;
mod forms;
mod groups;
mod results;
mod select;
mod steps;
mod streamed;
mod table;
mod text;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::analysis::Readings;
use crate::error::{Error, ErrorKind, Result};
use crate::journal;
use table::Table;

#[cfg(test)]
mod tests;

pub use amount::MemoryUnit;
pub use steps::Steps;

/// The form of the results of a run.
pub(crate) const RESULTS: &str = "results of a run";

/// No recording is larger, in bytes.
const LARGEST: u64 = 1 << 29;

/// How to read a recording whose own names do not say.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The column (or the field) that holds the memory, by its name or, where it has none, its number.
    pub column: Option<String>,
    /// The unit of its figures.
    pub unit: Option<MemoryUnit>,
    /// The unit that the rate is given per.
    pub per: Option<Per>,
    /// True if of a large table only the rows that decide may be kept, so that memory does not depend on its length.
    pub thinned: bool,
}

/// The unit that a rate is given per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Growth per task, or per row where nothing counts tasks.
    Task,
    /// Growth per hour.
    Hour,
}

impl Per {
    /// `task`, `hour`.
    pub fn word(self) -> &'static str {
        match self {
            Per::Task => "task",
            Per::Hour => "hour",
        }
    }
}

/// Where readings stand.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Axis {
    /// One task, or one look, apart.
    #[default]
    Rows,
    /// After so many tasks each.
    Tasks(Vec<f64>),
    /// At these seconds.
    Seconds(Vec<f64>),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryRecording {
    /// What the file is, in words.
    pub form: &'static str,
    /// Its series, never none: one for each process, container or column, and one for the sum of those
    /// that belong together.
    pub series: Vec<Series>,
}

impl MemoryRecording {
    /// The one series of a recording, or the sum of all that it holds.
    ///
    /// # Errors
    /// [`ErrorKind::Data`] where several series do not belong together.
    pub fn only(mut self, name: &Path) -> Result<Series> {
        let sums: Vec<usize> = (0..self.series.len()).filter(|index| self.series[*index].sum).collect();
        let only = match (self.series.len(), &sums[..]) {
            (1, _) => 0,
            (_, [sum]) => *sum,
            (count, _) => {
                return Err(Error::new(ErrorKind::Data, format!("`{}` has {count} series", name.display()))
                    .hint("give each a file of its own, or judge them with `highwater judge`"));
            }
        };
        Ok(self.series.swap_remove(only))
    }
}

/// The memory readings of one process, container, role or column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Whose readings these are, where a file has several.
    pub name: Option<String>,
    /// True for the sum of series that belong together.
    pub sum: bool,
    /// Memory, in MB, in the order of the tasks or of time.
    pub after_mb: Vec<f64>,
    /// Where the readings stand.
    pub at: Axis,
    /// Resident memory that is backed by files, in MB, where the file tells.
    pub file_mb: Option<f64>,
    /// What was resident beside it (shared, or mapped from files) after each of these tasks, in MB;
    /// empty where the file does not tell.
    pub beside_mb: Vec<f64>,
    /// The column, or the field, that was judged.
    pub column: String,
    /// The unit of that column in the file.
    pub unit: Option<MemoryUnit>,
    /// What a reader should know: rows that were left out, a unit that was guessed.
    pub notes: Vec<String>,
    /// What was sent with each task, where a column (`kind`, `input`, `audio_file`, …) says it; empty otherwise.
    pub inputs: Vec<String>,
    /// Why the readings cannot be compared with each other, if they cannot.
    pub incomparable: Option<String>,
}

impl Series {
    /// The readings of the first `first` tasks, or all, as the rule takes them.
    pub fn readings(&self, first: Option<usize>) -> Readings<'_> {
        let end = first.unwrap_or(usize::MAX).min(self.after_mb.len());
        let beside_mb = self.beside_mb.get(..end).unwrap_or_default();
        Readings { file_mb: self.file_mb, beside_mb, ..Readings::new(&self.after_mb[..end]) }
    }

    /// The first `first` readings, or all, as floors of equal steps of their axis; none where the rows are its steps.
    pub fn steps(&self, first: Option<usize>) -> Option<Steps> {
        let positions = match &self.at {
            Axis::Rows => return None,
            Axis::Tasks(positions) | Axis::Seconds(positions) => positions,
        };
        let end = first.unwrap_or(usize::MAX).min(self.after_mb.len());
        Some(Steps::of(&positions[..end], &self.after_mb[..end]))
    }
}

/// True for a column of anonymous or private memory.
pub(crate) fn is_private(column: &str) -> bool {
    matches!(columns::holds(column), Some(columns::Holds::Private | columns::Holds::PssAnonymous))
}

/// True if the file at `path` is a table and not the results of a run, which
/// those that are called so are even if they hold nothing yet.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read.
pub(crate) fn is_table(path: &Path) -> Result<bool> {
    Ok(!is_results(path)?)
}

/// True if the file at `path` is the results of a run.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read.
pub fn is_results(path: &Path) -> Result<bool> {
    Ok(path.to_str() != Some("-") && (journal::is_results(path) || results::is_task(&head(path)?)))
}

/// Reads the file at `path`, or standard input for `-`.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read; [`ErrorKind::Data`], with the line
/// and the column, if it holds no readings.
pub fn read(path: &Path, wanted: &Selection) -> Result<MemoryRecording> {
    let name = path.display().to_string();
    if path.to_str() != Some("-") {
        let head = head(path)?;
        if wanted.column.is_none() && results::is_task(&head) {
            return Ok(MemoryRecording { form: RESULTS, series: vec![results::series(path)?] });
        }
        if wanted.thinned
            && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > LARGE)
            && let Some(table) = streamed(path, &name, &head, wanted)?
        {
            return select::recording(&name, &table, wanted);
        }
    }
    of_bytes(&name, &bytes(path)?, wanted)
}

/// The first bytes of a file, which tell a run's results from other files.
const HEAD: u64 = 1 << 20;

/// The first bytes of a table, which tell its form.
const FORM: usize = 1 << 17;

/// Tables up to this size, in bytes, are read as a whole.
const LARGE: u64 = 1 << 18;

/// The longest line of a table that is read a line at a time, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// The first bytes of the file at `path`.
fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let file = fs::File::open(path).map_err(|error| failed(path, error))?;
    file.take(HEAD).read_to_end(&mut head).map_err(|error| failed(path, error))?;
    Ok(head)
}

/// The table in a file that begins with `head`, read a line at a time; nothing if it has to be read as a whole.
fn streamed(path: &Path, name: &str, head: &[u8], wanted: &Selection) -> Result<Option<Table>> {
    let head = &head[..head.len().min(FORM)];
    let Some(end) = head.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
    let Ok(begun) = std::str::from_utf8(&head[..=end]) else { return Ok(None) };
    // Lines that end in another way, and marks of an encoding, are for those who read it as a whole.
    if begun.contains(['\0', '\u{feff}']) || begun.replace("\r\n", "").contains('\r') {
        return Ok(None);
    }
    let Some(mut table) = streamed::Streamed::of(name, begun, wanted) else { return Ok(None) };
    let mut file = fs::File::open(path).map_err(|error| failed(path, error))?;
    file.seek(io::SeekFrom::Start(end as u64 + 1)).map_err(|error| failed(path, error))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut number) = (Vec::new(), begun.lines().count());
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| failed(path, error))? == 0 {
            return Ok(table.end().ok());
        }
        number += 1;
        let Ok(text) = std::str::from_utf8(&line) else { return Ok(None) };
        let taken = match text.strip_suffix('\n') {
            Some(text) => table.push(number, text.strip_suffix('\r').unwrap_or(text)),
            None if line.len() as u64 == LONGEST_LINE => return Ok(None),
            None => table.push_last(number, text),
        };
        if taken.is_err() {
            return Ok(None);
        }
    }
}

/// The recording in the bytes of a file called `name`.
fn of_bytes(name: &str, bytes: &[u8], wanted: &Selection) -> Result<MemoryRecording> {
    let text = text::text(bytes);
    if text.chars().take(4096).filter(|character| *character == '\0').count() > 8 {
        return Err(Error::new(ErrorKind::Data, format!("`{name}` is no text"))
            .hint("export it as CSV, JSON or text first (`sadf -d`, `promtool query range -o json`)"));
    }
    let plain = || wanted.column.as_ref().and_then(|_| forms::plain(&text));
    match forms::table(&text).or_else(plain) {
        Some(table) => select::recording(name, &table, wanted),
        None => Err(select::unknown(name, &text)),
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            "name a results file (.jsonl) or a recording (.csv, .json, .txt, …) that exists"
        }
        io::ErrorKind::IsADirectory => "name the files in it",
        _ => "check the file's permissions",
    };
    Error::new(ErrorKind::Io, format!("cannot read `{}`", path.display())).source(error).hint(hint)
}

/// Reads any bytes, for tests that change them.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_bytes(bytes: &[u8]) {
    drop(of_bytes("a", bytes, &Selection::default()));
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(mut table) = streamed::Streamed::of("a", text, &Selection::default())
    {
        let again = text.lines().zip(1..).try_for_each(|(line, number)| table.push(number, line));
        drop(again.and_then(|()| table.end()));
    }
}

/// What is in a file.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| failed(path, error);
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(fs::File::open(path).map_err(failed)?),
    };
    source.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` has more than {LARGEST} bytes", path.display()),
        )
        .hint("keep the column that holds the memory, and every tenth row"));
    }
    Ok(bytes)
}

/// The files that `paths` stand for: a directory stands for the results files
/// (`.jsonl`) and the tables (`.csv`) in it. Files that were found in a directory
/// come with `true`: those that hold no readings are skipped, not refused.
///
/// # Errors
/// [`ErrorKind::Io`] if a directory cannot be read, [`ErrorKind::Data`] if it holds no such file.
pub fn find(paths: &[PathBuf]) -> Result<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push((path.clone(), false));
            continue;
        }
        let unreadable = |error: io::Error| {
            Error::new(ErrorKind::Io, format!("cannot read the directory `{}`", path.display())).source(error)
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            // The logs and samples that lie beside the results of a run.
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let beside = name.starts_with("events_") || name.starts_with("system_resources_");
            if matches!(extension, Some("csv" | "jsonl")) && !beside && file.is_file() {
                files.push((file, true));
            }
        }
        if files.is_empty() {
            return Err(Error::new(
                ErrorKind::Data,
                format!("no results file (.jsonl) and no table (.csv) in `{}`", path.display()),
            )
            .hint("name the directory that holds them; those below it are not searched"));
        }
        files.sort();
        found.extend(files);
    }
    Ok(found)
}
