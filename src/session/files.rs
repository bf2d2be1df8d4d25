//! The files of a run: reserved at its start, the report written at its end.

use std::fs;
use std::path::Path;

use crate::assessment::Assessment;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::RunPaths;
use crate::record::RunData;
use crate::report;

/// Writes the reports of a run beside its data: Markdown, and the page if highwater was built with `html`.
///
/// # Errors
/// [`ErrorKind::Io`] if one cannot be written.
pub fn write_reports(paths: &RunPaths, run: &RunData, assessment: &Assessment) -> Result<()> {
    write_report(&paths.report, &report::markdown(assessment))?;
    write_page(paths, run, assessment)
}

#[cfg(feature = "html")]
fn write_page(paths: &RunPaths, run: &RunData, assessment: &Assessment) -> Result<()> {
    write_report(&paths.page, &report::page(run, assessment))
}

/// Without `html` there are no pictures.
#[cfg(not(feature = "html"))]
fn write_page(_: &RunPaths, _: &RunData, _: &Assessment) -> Result<()> {
    Ok(())
}

/// Writes a report beside its data, whole or not at all.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be written.
pub fn write_report(path: &Path, text: &str) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("cannot write the report `{}`", path.display())).source(error).hint(
            "the data files are safe; free space or make the directory writable, then run `highwater report`",
        )
    };
    let temporary = path.with_extension("part");
    fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        // A half-written report is of no use to anybody; that it cannot be removed changes nothing.
        drop(fs::remove_file(&temporary));
        unwritable(error)
    })
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
