//! Reads the files of a run back, torn or whole, whatever version wrote them.

use std::fs;
use std::io;
use std::path::Path;

use super::files::RunPaths;
use super::lines::parse_lines;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Damage, Event, ResourceRow, RunData};

/// The longest chain of resumed runs; a longer one is a circle.
const PARTS_AT_MOST: usize = 100;

/// Reads a run: the files of the runs that it resumed, and then its own.
///
/// # Errors
/// Those of its own files. A missing earlier part is reported as damage.
pub fn read(tasks_path: &Path) -> Result<RunData> {
    let mut data = read_part(tasks_path)?;
    let mut earlier = earlier_part(tasks_path, &data);
    for _ in 0..PARTS_AT_MOST {
        let Some(path) = earlier else { break };
        match read_part(&path) {
            Ok(part) => {
                earlier = earlier_part(&path, &part);
                data = data.after(part);
            }
            Err(error) if error.kind() == ErrorKind::Io => {
                data.missing.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(data)
}

/// The task file of the run that this one resumed.
fn earlier_part(tasks_path: &Path, data: &RunData) -> Option<std::path::PathBuf> {
    data.events.iter().find_map(|record| match &record.event {
        Event::Resumed { tasks, .. } => Some(tasks_path.with_file_name(tasks)),
        _ => None,
    })
}

/// Reads a task file and, where they exist, its log of events and its CSV.
///
/// # Errors
/// [`ErrorKind::Io`] if the task file is missing or a file cannot be read;
/// [`ErrorKind::Data`] if none of its lines is a task, unless a log of events
/// shows that the run ended before its first task did.
fn read_part(tasks_path: &Path) -> Result<RunData> {
    let paths = RunPaths::beside(tasks_path);
    let names = paths.names();
    let bytes = fs::read(&paths.tasks).map_err(|error| {
        let error_hint = match error.kind() {
            io::ErrorKind::NotFound => "`highwater run` writes such files to `results/`",
            io::ErrorKind::IsADirectory => {
                "name a file in it: the results (memory_leak_stress_test_….jsonl), or the log (events_….jsonl)"
            }
            _ => "check the file's permissions",
        };
        Error::new(ErrorKind::Io, format!("cannot read the results file `{}`", paths.tasks.display()))
            .source(error)
            .hint(error_hint)
    })?;
    let (tasks, damage) = parse_lines(&names.tasks, &bytes);
    if tasks.is_empty() && damage.iter().any(|line| !line.torn) {
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` contains no task: {}", paths.tasks.display(), damage[0]),
        )
        .hint(
            "a results file has one JSON object a line, with at least `test_id`, `concurrency` and `status`",
        ));
    }
    let mut data = RunData { file: names.tasks, tasks, damage, ..RunData::default() };
    if let Some(bytes) = optional(&paths.events)? {
        let (events, damage) = parse_lines(&names.events, &bytes);
        data.events = events;
        data.damage.extend(damage);
    } else {
        data.missing.push(names.events);
    }
    if let Some(bytes) = optional(&paths.resources)? {
        let (rows, damage) = parse_resources(&names.resources, &bytes);
        data.resources = rows;
        data.damage.extend(damage);
    } else {
        data.missing.push(names.resources);
    }
    if data.tasks.is_empty() && data.events.is_empty() {
        // If there is a log of events, the run ended before its first task did.
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` contains no task, and there is no log of events for it", paths.tasks.display()),
        )
        .hint("nothing was measured in this run; start another with `highwater run`"));
    }
    Ok(data)
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Error::new(ErrorKind::Io, format!("cannot read `{}`", path.display())).source(error))
        }
    }
}

/// The rows of a CSV of samples, whatever its name; damaged rows are left out.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read.
pub fn read_samples(path: &Path) -> Result<Vec<ResourceRow>> {
    let bytes = optional(path)?.unwrap_or_default();
    Ok(parse_resources(&path.to_string_lossy(), &bytes).0)
}

fn parse_resources(file: &str, bytes: &[u8]) -> (Vec<ResourceRow>, Vec<Damage>) {
    let mut rows = Vec::new();
    let mut damage = Vec::new();
    let complete = bytes.ends_with(b"\n");
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let records: Vec<_> = reader.deserialize::<ResourceRow>().collect();
    let last = records.len();
    for (index, record) in records.into_iter().enumerate() {
        match record {
            // A last row without a newline may end in a number cut short, which would parse and be wrong.
            Ok(_) if index + 1 == last && !complete => damage.push(Damage {
                file: file.to_string(),
                line: index + 2,
                torn: true,
                reason: "the row does not end".to_string(),
            }),
            Ok(row) => rows.push(row),
            Err(error) => damage.push(Damage {
                file: file.to_string(),
                line: index + 2,
                torn: index + 1 == last && !complete,
                reason: error.to_string(),
            }),
        }
    }
    (rows, damage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "timestamp,elapsed_seconds,process_name,pid,cpu_percent,memory_rss_mb,memory_percent\n\
                       2025-12-09T23:30:15,0.0,python,12345,15.2,625.3,2.1\n";

    #[test]
    fn a_row_of_the_python_script_reads() {
        let (rows, damage) = parse_resources("a.csv", CSV.as_bytes());
        assert_eq!(damage, []);
        assert_eq!((rows[0].pid, rows[0].memory_rss_mb), (12345, 625.3));
    }

    #[test]
    fn a_number_cut_short_is_not_taken_for_a_smaller_one() {
        let cut = &CSV.as_bytes()[..CSV.len() - 3];
        let (rows, damage) = parse_resources("a.csv", cut);
        assert_eq!(rows, []);
        assert!(damage[0].torn, "{damage:?}");
    }

    #[test]
    fn a_file_that_is_no_results_file_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.jsonl");
        fs::write(&path, "hello\nworld\n").unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
