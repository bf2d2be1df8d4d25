//! One memory reading per task, from whatever file holds them: the results of a
//! run, or a table (CSV, or JSON lines) that something else recorded.
//!
//! [`read`] is the only part that touches files; the others are pure.

mod columns;
mod results;
mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::analysis::Readings;
use crate::error::{Error, ErrorKind, Result};
use crate::journal;
use table::Table;

/// The memory readings of a file, one per task.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Memory after each task, in MB, in the order of the tasks.
    pub after_mb: Vec<f64>,
    /// Resident memory that is backed by files, in MB, where the file tells.
    pub file_mb: Option<f64>,
    /// What was resident beside it (shared, or mapped from files) after each of these tasks, in MB;
    /// empty where the file does not tell.
    pub beside_mb: Vec<f64>,
    /// The column, or the field, that was judged.
    pub column: String,
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
    if journal::is_results(path) {
        return Ok(false);
    }
    let bytes = bytes(path)?;
    Ok(!is_json(&bytes) || !results::is_task(&bytes))
}

/// Reads the file at `path`; with `column`, that column of it is judged, whatever its name.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read; [`ErrorKind::Data`], with the line
/// and the column, if it holds no readings.
pub fn read(path: &Path, column: Option<&str>) -> Result<Series> {
    let bytes = bytes(path)?;
    let name = path.display().to_string();
    let json = is_json(&bytes);
    if json && column.is_none() && results::is_task(&bytes) {
        return results::series(path);
    }
    let table = if json { Table::of_lines(&name, &bytes)? } else { Table::of_csv(&name, &bytes)? };
    table.series(column)
}

/// What is in a file, without the mark that some editors put before UTF-8.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = fs::read(path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "name a results file (.jsonl) or a table (.csv) that exists",
            io::ErrorKind::IsADirectory => "name the files in it",
            _ => "check the file's permissions",
        };
        Error::new(ErrorKind::Io, format!("cannot read `{}`", path.display())).source(error).hint(hint)
    })?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// What a file is called does not say what it holds; its first character does.
fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
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
