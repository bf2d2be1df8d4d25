//! The paths and names of a run's files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::record::RunFiles;

const TASKS_PREFIX: &str = "memory_leak_stress_test_";

/// The files of one run, in one directory and with one time stamp.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RunPaths {
    /// One line a task.
    pub tasks: PathBuf,
    /// The log of events.
    pub events: PathBuf,
    /// One row a process and tick.
    pub resources: PathBuf,
    /// One row a GPU and one row a process on it, by tick; made only where there is a GPU, and named only then.
    #[serde(skip_serializing_if = "is_absent")]
    pub gpu: PathBuf,
    /// One row a process: role, parent, command, and how it ended.
    pub processes: PathBuf,
    /// The report in Markdown.
    pub report: PathBuf,
    /// The report as a page with pictures, where highwater was built with `html`.
    pub page: PathBuf,
}

fn is_absent(path: &Path) -> bool {
    !path.exists()
}

impl RunPaths {
    /// Reserves the files of a new run in `directory`, which is created if absent.
    ///
    /// The run reserves its names by creating the task file, which fails if the
    /// file exists. The second of two runs that start in the same second waits for the next second.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the directory cannot be made or written.
    pub fn reserve(directory: &Path) -> Result<RunPaths> {
        fs::create_dir_all(directory).map_err(|error| unwritable(directory, error))?;
        loop {
            let stamp = jiff::ZonedDateTime::now().strftime("%Y%m%d_%H%M%S").to_string();
            let paths = RunPaths::with_stamp(directory, &stamp);
            match OpenOptions::new().write(true).create_new(true).open(&paths.tasks) {
                Ok(_) => {
                    sync_directory(directory);
                    return Ok(paths);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(unwritable(directory, error)),
            }
        }
    }

    /// The files that belong to a task file, derived from its name.
    ///
    /// If the name has another form (renamed, or from elsewhere), the other files are
    /// expected in the same directory, named after it.
    pub fn beside(tasks: &Path) -> RunPaths {
        let directory = tasks.parent().unwrap_or(Path::new(""));
        let stem = tasks.file_stem().unwrap_or_default().to_string_lossy();
        match stem.strip_prefix(TASKS_PREFIX) {
            Some(stamp) => RunPaths { tasks: tasks.to_path_buf(), ..RunPaths::with_stamp(directory, stamp) },
            None => RunPaths {
                tasks: tasks.to_path_buf(),
                events: directory.join(format!("{stem}.events.jsonl")),
                resources: directory.join(format!("{stem}.resources.csv")),
                gpu: directory.join(format!("{stem}.gpu.csv")),
                processes: directory.join(format!("{stem}.processes.csv")),
                report: tasks.with_extension("md"),
                page: tasks.with_extension("html"),
            },
        }
    }

    /// The files of the run that this log of events (or task file) belongs to.
    pub fn of_log(events: &Path) -> RunPaths {
        let name = events.file_name().unwrap_or_default().to_string_lossy();
        let tasks = if let Some(stamp) = name.strip_prefix("events_") {
            format!("{TASKS_PREFIX}{stamp}")
        } else if let Some(stem) = name.strip_suffix(".events.jsonl") {
            format!("{stem}.jsonl")
        } else {
            name.into_owned()
        };
        RunPaths::beside(&events.with_file_name(tasks))
    }

    /// The names alone, for the log of events.
    pub fn names(&self) -> RunFiles {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        RunFiles { tasks: name(&self.tasks), events: name(&self.events), resources: name(&self.resources) }
    }

    fn with_stamp(directory: &Path, stamp: &str) -> RunPaths {
        RunPaths {
            tasks: directory.join(format!("{TASKS_PREFIX}{stamp}.jsonl")),
            events: directory.join(format!("events_{stamp}.jsonl")),
            resources: directory.join(format!("system_resources_{stamp}.csv")),
            gpu: directory.join(format!("gpu_{stamp}.csv")),
            processes: directory.join(format!("processes_{stamp}.csv")),
            report: directory.join(format!("{TASKS_PREFIX}{stamp}.md")),
            page: directory.join(format!("{TASKS_PREFIX}{stamp}.html")),
        }
    }
}

/// The task files in `directory`, oldest first.
///
/// # Errors
/// [`ErrorKind::Io`] if the directory cannot be read, [`ErrorKind::Data`] if it contains no task file.
pub fn find_runs(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot read the directory `{}`", directory.display()))
            .source(error)
    })?;
    let mut runs: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_results(path))
        .collect();
    runs.sort();
    if runs.is_empty() {
        return Err(Error::new(
            ErrorKind::Data,
            format!("no results file (`{TASKS_PREFIX}*.jsonl`) in `{}`", directory.display()),
        )
        .hint("run `highwater run` first, or name the file itself"));
    }
    Ok(runs)
}

/// True if the file at `path` has the name of a task file.
pub(crate) fn is_results(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(TASKS_PREFIX) && name.ends_with(".jsonl")
}

/// Syncs the directory, so that the new name survives a power cut. Some file systems refuse;
/// the data is synced in any case, so a refusal is no reason to stop.
fn sync_directory(directory: &Path) {
    if let Ok(handle) = File::open(directory)
        && let Err(error) = handle.sync_all()
    {
        tracing::debug!(directory = %directory.display(), %error, "directory not synced");
    }
}

fn unwritable(directory: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write to the results directory `{}`", directory.display()))
        .source(error)
        .hint("choose another with `--results DIR`, or make this one writable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reservations_never_share_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let first = RunPaths::reserve(directory.path()).unwrap();
        let second = RunPaths::reserve(directory.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(find_runs(directory.path()).unwrap(), [first.tasks, second.tasks]);
    }

    #[test]
    fn the_files_of_a_run_carry_its_stamp() {
        let paths = RunPaths::beside(Path::new("results/memory_leak_stress_test_20251209_232145.jsonl"));
        assert_eq!(paths.events, Path::new("results/events_20251209_232145.jsonl"));
        assert_eq!(paths.resources, Path::new("results/system_resources_20251209_232145.csv"));
        assert_eq!(paths.report, Path::new("results/memory_leak_stress_test_20251209_232145.md"));
        assert_eq!(RunPaths::of_log(&paths.events), paths);
        assert_eq!(RunPaths::of_log(&paths.tasks), paths);
        let renamed = RunPaths::beside(Path::new("before-fix.jsonl"));
        assert_eq!(RunPaths::of_log(&renamed.events), renamed);
        assert_eq!(renamed.report, Path::new("before-fix.md"));
    }

    #[test]
    fn an_unwritable_directory_says_so_with_a_hint() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunPaths::reserve(&file.join("results")).unwrap_err();
        assert!(error.to_string().contains("results directory"), "{error}");
        assert!(error.hint_text().is_some());
    }
}
