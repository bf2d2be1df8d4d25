//! Reads the files of a run back, torn or whole, whatever version wrote them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::files::RunPaths;
use super::lines::for_each;
use super::samples::samples;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::record::{Bulk, Event, EventRecord, ExitKind, Phase, RunData, Samples, TaskRecord};

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
    let mut recent = Recent::default();
    let damage = for_each(&names.tasks, buffered(file), |task: TaskRecord| {
        if Bulk::is_for(&task) {
            recent.push(&task.test_id);
        }
        data.take(task);
    });
    data.damage = damage.map_err(|error| unreadable(&paths.tasks, error))?;
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
    if let Some(file) = optional(&paths.events)? {
        let mut events = Events::default();
        let damage = for_each(&names.events, buffered(file), |record| events.take(record))
            .map_err(|error| unreadable(&paths.events, error))?;
        data.events = events.end(&recent);
        data.damage.extend(damage);
    } else {
        data.missing.push(names.events);
    }
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

/// The ids of the last tasks of which only sums are kept.
#[derive(Default)]
struct Recent {
    order: VecDeque<String>,
    ids: HashSet<String>,
}

/// More than are ever outstanding at once.
const RECENT: usize = 20_000;

impl Recent {
    fn push(&mut self, id: &str) {
        if self.order.len() == RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.order.push_back(id.to_string());
        self.ids.insert(id.to_string());
    }
}

/// Events that are kept of processes that came and went, such as a child for each task.
const CHILDREN: usize = 20_000;

/// The events of a run, in memory that does not depend on the number of tasks.
///
/// The beginning and the end of a task of a soak are kept only of those that have no line.
#[derive(Default)]
struct Events {
    kept: Vec<EventRecord>,
    in_soak: bool,
    /// Tasks of the soak that have begun.
    open: HashMap<String, EventRecord>,
    /// Those of them that have ended lately: their lines came afterwards.
    answered: VecDeque<EventRecord>,
    children: usize,
}

impl Events {
    fn take(&mut self, record: EventRecord) {
        match &record.event {
            Event::PhaseStarted { phase, .. } => self.in_soak = *phase == Phase::Soak,
            Event::PhaseEnded { .. } | Event::RunStarted { .. } => self.in_soak = false,
            Event::TaskStarted { test_id } if self.in_soak => {
                self.open.insert(test_id.clone(), record);
                return;
            }
            Event::TaskAnswered { test_id, .. } if self.in_soak => {
                if self.answered.len() == RECENT {
                    self.answered.pop_front();
                }
                self.answered.extend(self.open.remove(test_id));
                return;
            }
            Event::ProcessExited {
                root: false, how: ExitKind::OutOfMemory | ExitKind::Signal(_), ..
            } => {}
            Event::ProcessFound { root: false, .. } | Event::ProcessExited { root: false, .. } => {
                self.children += 1;
                if self.children > CHILDREN {
                    return;
                }
            }
            _ => {}
        }
        self.kept.push(record);
    }

    /// The events, with the beginnings of those tasks that have no line behind that of the run.
    fn end(self, recent: &Recent) -> Vec<EventRecord> {
        let mut open: Vec<EventRecord> = self.answered.into_iter().chain(self.open.into_values()).collect();
        open.retain(|record| match &record.event {
            Event::TaskStarted { test_id } => !recent.ids.contains(test_id),
            _ => false,
        });
        open.sort_by(|a, b| a.elapsed.total_cmp(&b.elapsed));
        let mut kept = self.kept;
        let place = kept.len().min(1);
        kept.splice(place..place, open);
        kept
    }
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
        assert_eq!((run.tasks.len(), run.soaked.tasks, run.events.len()), (0, 49_997, 4));
        let in_flight = crate::analysis::in_flight(&run);
        let expected = [49_997, 49_998, 49_999].map(|index| format!("short_c4_t{index}_1765322145"));
        assert_eq!(in_flight.len(), 3, "{in_flight:?}");
        assert!(expected.iter().all(|id| in_flight.contains(&id.as_str())), "{in_flight:?}");
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
