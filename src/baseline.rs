//! Reads the figures of earlier runs, for a comparison.

use std::path::{Path, PathBuf};

use crate::analysis::run_figures;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{find_runs, read};
use crate::readings;
use crate::record::{RunFigures, TaskFigures};

/// The figures of a run, or of all runs of a directory, oldest first. A table
/// with one memory reading per task ([`readings`]) is a run, too; in a directory,
/// tables count only if there are no results.
///
/// # Errors
/// Those of [`read`], [`find_runs`] and [`readings::read`]; [`ErrorKind::Data`] for a run without a leak check.
pub fn read_figures(path: &Path) -> Result<Vec<RunFigures>> {
    read_usable(path, |_, _| {})
}

/// As [`read_figures`]; `skipped` is called with each results file of a directory that cannot be used, and why.
///
/// # Errors
/// As [`read_figures`], where no file of the directory can be used.
pub(crate) fn read_usable(path: &Path, mut skipped: impl FnMut(&Path, &Error)) -> Result<Vec<RunFigures>> {
    if !path.is_dir() {
        return Ok(vec![figures(path)?]);
    }
    match find_runs(path) {
        Ok(files) => {
            let (mut usable, mut first) = (Vec::new(), None);
            for file in &files {
                match figures(file) {
                    Ok(figures) => usable.push(figures),
                    Err(error) => {
                        skipped(file, &error);
                        first.get_or_insert(error);
                    }
                }
            }
            first.filter(|_| usable.is_empty()).map_or(Ok(usable), Err)
        }
        Err(error) if error.kind() == ErrorKind::Data => {
            let tables = tables(path)?;
            if tables.is_empty() { Err(error) } else { Ok(tables) }
        }
        Err(error) => Err(error),
    }
}

fn figures(file: &Path) -> Result<RunFigures> {
    let figures = if readings::is_table(file)? { of_table(file)? } else { run_figures(&read(file)?) };
    if figures.tasks.is_empty() {
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` contains no task of a leak check", file.display()),
        )
        .hint("growth is compared over tasks that were sent one at a time: `highwater run --only leak`"));
    }
    Ok(RunFigures { file: file.display().to_string(), ..figures })
}

/// The tables of a directory; files without readings, such as a list of labels, are skipped.
fn tables(directory: &Path) -> Result<Vec<RunFigures>> {
    let mut found = Vec::new();
    for (file, _) in readings::find(&[PathBuf::from(directory)])? {
        match figures(&file) {
            Ok(figures) => found.push(figures),
            Err(error) if error.kind() == ErrorKind::Data => {
                tracing::debug!(file = %file.display(), %error, "not compared");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The figures of a table. If it does not name the inputs, those of two tables are taken as different.
fn of_table(file: &Path) -> Result<RunFigures> {
    let series = readings::read(file, &readings::Selection::default())?.only(file)?;
    let private = readings::is_private(&series.column);
    let task = |(index, mb): (usize, &f64)| TaskFigures {
        input: series.inputs.get(index).cloned().unwrap_or_else(|| format!("{} {index}", file.display())),
        rss_mb: (!private).then_some(*mb),
        private_mb: private.then_some(*mb),
        ..TaskFigures::default()
    };
    Ok(RunFigures { tasks: series.after_mb.iter().enumerate().map(task).collect(), ..RunFigures::default() })
}
