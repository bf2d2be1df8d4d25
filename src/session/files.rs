//! The files of a run: reserved at its start, the report written at its end.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::assessment::Assessment;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::journal::RunPaths;
use crate::record::RunData;
use crate::report;

/// Writes the reports of a run beside its data: Markdown, and the page if highwater was built with `html`. Returns the
/// paths with the names that they have.
///
/// # Errors
/// [`ErrorKind::Io`] if one cannot be written.
pub fn write_reports(paths: &RunPaths, run: &RunData, assessment: &Assessment) -> Result<RunPaths> {
    let report = write_report(&paths.report, &report::markdown(assessment))?;
    let page = write_page(paths, run, assessment)?;
    Ok(RunPaths { report, page, ..paths.clone() })
}

#[cfg(feature = "html")]
fn write_page(paths: &RunPaths, run: &RunData, assessment: &Assessment) -> Result<PathBuf> {
    write_report(&paths.page, &report::page(run, assessment))
}

/// Without `html` there are no pictures.
#[cfg(not(feature = "html"))]
fn write_page(paths: &RunPaths, _: &RunData, _: &Assessment) -> Result<PathBuf> {
    Ok(paths.page.clone())
}

/// Writes a report beside its data, whole or not at all, and returns where: something else of that name stays, and the
/// report is beside it.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be written.
pub fn write_report(path: &Path, text: &str) -> Result<PathBuf> {
    let path = &place(path);
    let unwritable = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("cannot write the report `{}`", path.display())).source(error).hint(
            "the data files are safe; free space or make the directory writable, then run `highwater report`",
        )
    };
    files::write_whole(path, text.as_bytes()).map_err(unwritable)?;
    Ok(path.clone())
}

/// What each report in Markdown begins with that highwater writes.
const OWN: &str = "# highwater: ";

/// What each of its pages has near its beginning.
const OWN_PAGE: &str = "highwater";

/// `path`, or the name beside it for a report where `path` has something that highwater did not write.
fn place(path: &Path) -> PathBuf {
    let foreign = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => !is_own(path),
        Ok(_) => true,
        // A new file; or one that cannot be written, as the attempt will say.
        Err(_) => false,
    };
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    if foreign { path.with_extension(format!("highwater.{extension}")) } else { path.to_path_buf() }
}

fn is_own(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = files::open(path).and_then(|file| file.take(4096).read_to_end(&mut beginning));
    let text = String::from_utf8_lossy(&beginning);
    let page = text.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("<!DOCTYPE html>"));
    read.is_ok() && (text.starts_with(OWN) || (page && text.contains(OWN_PAGE)))
}

/// The files of a run that has not started yet. Dropped without
/// [`Reservation::keep`] (an error, an interruption), it leaves none behind.
pub(super) struct Reservation(Option<RunPaths>);

impl Reservation {
    /// Names for the files of a run in `directory`, which nobody else has.
    pub(super) fn new(directory: &Path) -> Result<Reservation> {
        Ok(Reservation(Some(RunPaths::reserve(directory)?)))
    }

    pub(super) fn paths(&self) -> &RunPaths {
        self.0.as_ref().expect("only `keep` and `drop` take the paths, and both are the end")
    }

    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(paths) = &self.0 else { return };
        let nothing_measured = fs::metadata(&paths.tasks).is_ok_and(|file| file.len() == 0);
        if nothing_measured {
            for path in [&paths.tasks, &paths.events, &paths.resources] {
                // Most of them were never made.
                drop(fs::remove_file(path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_report_of_highwaters_own_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("before-fix.md");
        assert_eq!(write_report(&path, "# highwater: one").unwrap(), path);
        assert_eq!(write_report(&path, "# highwater: two").unwrap(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "# highwater: two");
        fs::write(&path, "# My notes").unwrap();
        let other = write_report(&path, "# highwater: three").unwrap();
        assert_eq!(other, directory.path().join("before-fix.highwater.md"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "# My notes");
        assert_eq!(fs::read_to_string(&other).unwrap(), "# highwater: three");
    }
}
