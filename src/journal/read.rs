//! Reads the files of a run back, torn or whole, whatever version wrote them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::files::RunPaths;
use super::lines::Records;
use super::samples::samples;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::record::{Event, EventRecord, RunData, Samples, TaskRecord};

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
        let Some(path) = earlier? else { break };
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
///
/// # Errors
/// [`ErrorKind::Data`] if the log names anything but a file beside its own.
fn earlier_part(tasks_path: &Path, data: &RunData) -> Result<Option<PathBuf>> {
    let named = data.events.iter().find_map(|record| match &record.event {
        Event::Resumed { tasks, .. } => Some(tasks),
        _ => None,
    });
    let Some(named) = named else { return Ok(None) };
    if Path::new(named).file_name() != Some(std::ffi::OsStr::new(named.as_str())) {
        let error = Error::new(
            ErrorKind::Data,
            format!("the log of `{}` goes on from `{named}`, which is no file beside it", data.file),
        );
        return Err(error.hint("the parts of a run lie in one directory"));
    }
    Ok(Some(tasks_path.with_file_name(named)))
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
    let file = files::open(&paths.tasks).map_err(|error| unreadable(&paths.tasks, error))?;
    let mut data = RunData { file: names.tasks.clone(), ..RunData::default() };
    let mut tasks = Records::new(&names.tasks, buffered(file));
    let log = optional(&paths.events)?;
    if log.is_none() {
        data.missing.push(names.events.clone());
    }
    let mut events = log.map(|file| Records::new(&names.events, buffered(file)));
    let mut next_event = || match &mut events {
        Some(events) => events.next::<EventRecord>().map_err(|error| unreadable(&paths.events, error)),
        None => Ok(None),
    };
    // Both are read side by side, since the events of a task come shortly before its line: neither is kept.
    while let Some(task) = tasks.next::<TaskRecord>().map_err(|error| unreadable(&paths.tasks, error))? {
        while task.block.is_none()
            && !data.open.may_end(&task.test_id)
            && let Some(event) = next_event()?
        {
            data.note(event);
        }
        data.take(task);
    }
    while let Some(event) = next_event()? {
        data.note(event);
    }
    data.damage = tasks.damage();
    if data.ended() == 0
        && let Some(line) = data.damage.iter().find(|line| !line.torn)
    {
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` contains no task: {line}", paths.tasks.display()),
        )
        .hint(
            "a results file has one JSON object a line, with at least `test_id`, `concurrency` and `status`",
        ));
    }
    data.damage.extend(events.into_iter().flat_map(Records::damage));
    if let Some(file) = optional(&paths.resources)? {
        let found = samples(&names.resources, buffered(file), &data.roles());
        let (samples, damage) = found.map_err(|error| unreadable(&paths.resources, error))?;
        data.samples.push(samples);
        data.damage.extend(damage);
    } else {
        data.samples.push(Samples::default());
        data.missing.push(names.resources);
    }
    if data.ended() == 0 && data.events.is_empty() {
        // If there is a log of events, the run ended before its first task did.
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` contains no task, and there is no log of events for it", paths.tasks.display()),
        )
        .hint("nothing was measured in this run; start another with `highwater run`"));
    }
    Ok(data)
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "`highwater run` writes such files to `results/`",
        io::ErrorKind::IsADirectory => {
            "name a file in it: the results (memory_leak_stress_test_….jsonl), or the log (events_….jsonl)"
        }
        io::ErrorKind::InvalidInput => "results are regular files",
        _ => "check the file's permissions",
    };
    Error::new(ErrorKind::Io, format!("cannot read the results file `{}`", path.display()))
        .source(error)
        .hint(hint)
}

fn optional(path: &Path) -> Result<Option<File>> {
    match files::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}

/// The samples of a CSV, whatever its name, where `role_of` says which role a pid plays; damaged rows are left out.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read.
pub fn read_samples(path: &Path, role_of: &HashMap<u32, String>) -> Result<Samples> {
    let Some(file) = optional(path)? else { return Ok(Samples::default()) };
    let found = samples(&path.to_string_lossy(), buffered(file), role_of);
    Ok(found.map_err(|error| unreadable(path, error))?.0)
}

fn buffered(file: File) -> BufReader<File> {
    BufReader::with_capacity(1 << 16, file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_soak_of_any_length_is_sums_and_the_tasks_that_were_in_flight() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory_leak_stress_test_20260101_000000.jsonl");
        let event = |event: &str| format!("{{\"time\": \"\", \"elapsed\": 1, {event}}}\n");
        let (mut tasks, mut events) =
            (String::new(), event("\"event\": \"phase_started\", \"phase\": \"soak\""));
        for index in 0..50_000 {
            let id = format!("short_c4_t{index}_1765322145");
            events += &event(&format!("\"event\": \"task_started\", \"test_id\": \"{id}\""));
            if index < 49_998 {
                events += &event(&format!(
                    "\"event\": \"task_answered\", \"test_id\": \"{id}\", \"status\": \"success\", \
                     \"processing_time\": 0.5"
                ));
            }
            if index < 49_997 {
                tasks += &format!(
                    "{{\"test_id\": \"{id}\", \"concurrency\": 4, \"status\": \"success\", \
                     \"processing_time\": 0.5, \"phase\": \"soak\"}}\n"
                );
            }
        }
        fs::write(&path, tasks).unwrap();
        fs::write(RunPaths::beside(&path).events, events).unwrap();
        let run = read(&path).unwrap();
        assert_eq!((run.tasks.len(), run.soaked.tasks, run.events.len()), (0, 49_997, 2));
        let in_flight = crate::analysis::in_flight(&run);
        let expected = [49_997, 49_998, 49_999].map(|index| format!("short_c4_t{index}_1765322145"));
        assert_eq!(in_flight.len(), 3, "{in_flight:?}");
        assert!(expected.iter().all(|id| in_flight.contains(&id.as_str())), "{in_flight:?}");
    }

    #[test]
    fn the_tasks_of_a_level_are_its_sums_whatever_the_order_of_their_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory_leak_stress_test_20260101_000000.jsonl");
        let (mut tasks, mut events) = (String::new(), String::new());
        let mut event = |elapsed: f64, event: &str| {
            events += &format!("{{\"time\": \"\", \"elapsed\": {elapsed}, \"event\": {event}}}\n");
        };
        event(0.0, "\"phase_started\", \"phase\": \"concurrency\"");
        // Twice the same level, as after a failure that was tried again; the lines do not say which.
        for attempt in 0..2 {
            let start = 100.0 * f64::from(attempt);
            event(start, &format!("\"level_started\", \"concurrency\": 4, \"attempt\": {}", attempt + 1));
            for index in 0..30_000 {
                let at = start + 1.0 + f64::from(index) / 1000.0;
                let id = format!("short_c4_t{index}_17653221{attempt}");
                event(at, &format!("\"task_started\", \"test_id\": \"{id}\""));
                let answer = format!(
                    "\"task_answered\", \"test_id\": \"{id}\", \"status\": \"success\", \"processing_time\": 0.5"
                );
                event(at + 0.5, &answer);
                // Two neighbours change places, and the last has no line.
                let index = if index % 2 == 0 { index + 1 } else { index - 1 };
                let seconds = if index == 20_000 { 9.0 } else { 0.5 };
                if index != 29_999 {
                    tasks += &format!(
                        "{{\"test_id\": \"short_c4_t{index}_17653221{attempt}\", \"concurrency\": 4, \"status\": \"success\", \
                         \"processing_time\": {seconds}, \"phase\": \"concurrency\"}}\n"
                    );
                }
            }
        }
        fs::write(&path, tasks).unwrap();
        fs::write(RunPaths::beside(&path).events, events).unwrap();
        let run = read(&path).unwrap();
        assert_eq!((run.tasks.len(), run.ended(), run.ramp.levels.len()), (0, 59_998, 2));
        for level in &run.ramp.levels {
            assert_eq!((level.tasks, level.succeeded, level.sent), (29_999, 29_999, 30_000));
            let late = level.wait_over.reached(8.0).unwrap();
            assert!((late - 20.5).abs() < 1e-6, "{late}");
        }
        assert_eq!(run.open.ids(), ["short_c4_t29999_176532210", "short_c4_t29999_176532211"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_log_that_goes_on_from_elsewhere_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory_leak_stress_test_20260101_000000.jsonl");
        fs::write(&path, "{\"test_id\": \"a\", \"concurrency\": 1, \"status\": \"success\"}\n").unwrap();
        let log = RunPaths::beside(&path).events;
        for elsewhere in ["/dev/zero", "../a.jsonl", "/etc/passwd", "..", ""] {
            let resumed = format!(
                "{{\"time\": \"\", \"elapsed\": 0, \"event\": \"resumed\", \"tasks\": \"{elsewhere}\", \
                 \"in_flight_broke\": false}}\n"
            );
            fs::write(&log, resumed).unwrap();
            assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::Data, "{elsewhere}");
        }
        std::os::unix::fs::symlink("/dev/zero", directory.path().join("zero.jsonl")).unwrap();
        let resumed =
            fs::read_to_string(&log).unwrap().replace("\"tasks\": \"\"", "\"tasks\": \"zero.jsonl\"");
        fs::write(&log, resumed).unwrap();
        assert_eq!(read(&path).unwrap().missing[0], "system_resources_20260101_000000.csv");
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
