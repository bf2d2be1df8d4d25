//! Records to the disk first, and notifies the observers afterwards.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::ZonedDateTime;
use serde::de::DeserializeOwned;

use super::observer::Observer;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Journal, RunPaths, line_of, parse_line};
use crate::outside::may_steer;
use crate::record::{Event, EventRecord, Phase, RunData, TaskRecord, id_parts};
use crate::units::round;

/// Records that are kept for a second attempt at writing them, at most: the run ends meanwhile.
const KEPT_AT_MOST: usize = 100_000;

/// Records every task and event of a run.
pub struct Recorder {
    tasks: Journal,
    events: Journal,
    observer: Arc<dyn Observer>,
    started: Instant,
    sequence: AtomicU32,
    /// The last second that was used, by the front of the `test_id`.
    seconds: Mutex<HashMap<String, i64>>,
    /// The records since the current level began: a level is judged by what is on the disk.
    level: Mutex<RunData>,
    /// What could not be written, once something could not.
    failed: Mutex<Option<Failed>>,
}

/// A failure to write, after which nothing more is written: a log with a gap would prove what is not so.
#[derive(Debug, Clone)]
struct Failed {
    /// What went wrong, as an error says it.
    message: String,
    /// The events since then, in order.
    events: Vec<EventRecord>,
    /// The tasks since then, in order.
    tasks: Vec<TaskRecord>,
}

impl Failed {
    fn error(&self) -> Error {
        Error::new(ErrorKind::Io, self.message.clone())
            .hint("what was written before is safe; free disk space, then go on with `--resume`")
    }
}

impl Recorder {
    /// Opens the files of a run.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if one cannot be opened.
    pub fn open(paths: &RunPaths, observer: Arc<dyn Observer>) -> Result<Recorder> {
        Ok(Recorder {
            tasks: Journal::open(&paths.tasks)?,
            events: Journal::open(&paths.events)?,
            observer,
            started: Instant::now(),
            sequence: AtomicU32::new(0),
            seconds: Mutex::default(),
            level: Mutex::default(),
            failed: Mutex::default(),
        })
    }

    /// Records a task, with its sequence number and its time stamp.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the line is not safely on the disk.
    pub async fn task(&self, mut record: TaskRecord) -> Result<TaskRecord> {
        record.sequence = Some(self.sequence.fetch_add(1, Ordering::Relaxed) + 1);
        record.timestamp = ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string();
        let after_failure = |failed: &mut Failed| failed.tasks.push(record.clone());
        self.check(after_failure)?;
        let line = line_of(&record)?;
        let shown = shown(&line);
        if let Err(error) = self.tasks.append_line(line).await {
            return Err(self.fail(&error, after_failure));
        }
        let record = shown.unwrap_or(record);
        let mut level = self.level();
        if record.phase == Some(Phase::Concurrency) && !level.events.is_empty() {
            level.take(record.clone());
        }
        drop(level);
        self.observer.task(&record);
        Ok(record)
    }

    /// Records an event.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the line is not safely on the disk.
    pub async fn event(&self, event: Event) -> Result<()> {
        let record = self.stamped(event);
        let after_failure = |failed: &mut Failed| failed.events.push(record.clone());
        self.check(after_failure)?;
        let line = line_of(&record)?;
        let shown = shown(&line);
        if let Err(error) = self.events.append_line(line).await {
            return Err(self.fail(&error, after_failure));
        }
        let record = shown.unwrap_or(record);
        self.follow(&record);
        self.observer.event(&record);
        Ok(())
    }

    /// Writes what could not be written before, if anything could not: a disk that was full may have space again.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if that fails again; nothing more is written then.
    pub(crate) async fn rescue(&self) -> Result<()> {
        let Some(failed) = self.failed().clone() else { return Ok(()) };
        for record in &failed.tasks {
            self.tasks.append(record).await?;
        }
        for record in &failed.events {
            self.events.append(record).await?;
        }
        *self.failed() = None;
        Ok(())
    }

    /// Fails once something could not be written, and `keep`s what was to be written.
    fn check(&self, keep: impl Fn(&mut Failed)) -> Result<()> {
        match &mut *self.failed() {
            Some(failed) => {
                if failed.events.len() + failed.tasks.len() < KEPT_AT_MOST {
                    keep(failed);
                }
                Err(failed.error())
            }
            None => Ok(()),
        }
    }

    /// Notes that something could not be written, and `keep`s it.
    fn fail(&self, error: &Error, keep: impl Fn(&mut Failed)) -> Error {
        let mut failed = self.failed();
        let failed = failed.get_or_insert_with(|| Failed {
            message: error.to_string(),
            events: Vec::new(),
            tasks: Vec::new(),
        });
        keep(failed);
        failed.error()
    }

    fn failed(&self) -> MutexGuard<'_, Option<Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the beginning or the answer of a task, without waiting until it is on the disk: the task's own line,
    /// which is shown, waits for that.
    ///
    /// # Errors
    /// As [`Recorder::event`], also where an event before could not be written.
    pub(super) fn mark(&self, event: Event) -> Result<()> {
        let record = self.stamped(event);
        let after_failure = |failed: &mut Failed| failed.events.push(record.clone());
        self.check(after_failure)?;
        let line = line_of(&record)?;
        let shown = shown(&line);
        if let Err(error) = self.events.post_line(line) {
            return Err(self.fail(&error, after_failure));
        }
        let record = shown.unwrap_or(record);
        self.follow(&record);
        self.observer.event(&record);
        Ok(())
    }

    fn stamped(&self, event: Event) -> EventRecord {
        EventRecord {
            time: ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            elapsed: round(self.started.elapsed().as_secs_f64(), 3),
            event,
        }
    }

    /// Records `events` in their order.
    ///
    /// # Errors
    /// As [`Recorder::event`].
    pub async fn events(&self, events: impl IntoIterator<Item = Event>) -> Result<()> {
        for event in events {
            self.event(event).await?;
        }
        Ok(())
    }

    /// The records since the last level began.
    pub(super) fn level_so_far(&self) -> RunData {
        self.level().clone()
    }

    fn follow(&self, record: &EventRecord) {
        let mut level = self.level();
        // What has been judged is not kept.
        if matches!(record.event, Event::LevelStarted { .. } | Event::LevelEnded(_)) {
            *level = RunData::default();
        }
        if !level.events.is_empty() || matches!(record.event, Event::LevelStarted { .. }) {
            level.note(record.clone());
        }
    }

    fn level(&self) -> MutexGuard<'_, RunData> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the `test_id`s of `earlier`, the run that this one resumes.
    pub fn resume_from(&self, earlier: &RunData) {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let started = earlier.open.ids().into_iter();
        let recorded = earlier.tasks.iter().map(|task| task.test_id.as_str());
        let bulk = [&earlier.ramp.sums, &earlier.soaked, &earlier.in_blocks];
        let bulk = bulk.into_iter().flat_map(|bulk| &bulk.seconds);
        let bulk = bulk.map(|(front, second)| (front.as_str(), *second));
        for (front, second) in started.chain(recorded).filter_map(id_parts).chain(bulk) {
            let last = seconds.entry(front.to_string()).or_insert(second);
            *last = second.max(*last);
        }
    }

    /// The seconds for the `test_id`s of a batch: now, or the second after the
    /// last batch of that name, since two tasks must not share an id.
    pub fn batch_second(&self, front: &str) -> i64 {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let now = jiff::Timestamp::now().as_second();
        let second = seconds.get(front).map_or(now, |last| now.max(last + 1));
        seconds.insert(front.to_string(), second);
        second
    }
}

/// A record as those see it who read its line, where its text may be another then: control characters of a service's
/// error are in the file and nowhere else.
fn shown<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    may_steer(line).then(|| parse_line(line).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_an_event_that_cannot_be_written_nothing_is_until_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let paths = RunPaths::reserve(directory.path()).unwrap();
        let recorder = Recorder::open(&paths, Arc::new(super::super::observer::Silent)).unwrap();
        recorder.event(Event::ProbesEnded).await.unwrap();
        let lost = EventRecord { time: String::new(), elapsed: 0.1, event: Event::RunEnded };
        let full = Error::new(ErrorKind::Io, "no space");
        recorder.fail(&full, |failed| failed.events.push(lost.clone()));
        let error = recorder.event(Event::ProbesEnded).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let lines = |path| std::fs::read_to_string(path).unwrap().lines().count();
        assert_eq!(lines(&paths.events), 1, "a log with a gap would prove what is not so");
        recorder.rescue().await.unwrap();
        assert_eq!(lines(&paths.events), 3);
        recorder.event(Event::RunEnded).await.unwrap();
        assert_eq!(lines(&paths.events), 4);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_ends_what_follows_too() {
        let directory = tempfile::tempdir().unwrap();
        let mut paths = RunPaths::reserve(directory.path()).unwrap();
        paths.events = "/dev/full".into();
        let recorder = Recorder::open(&paths, Arc::new(super::super::observer::Silent)).unwrap();
        recorder.event(Event::ProbesEnded).await.unwrap_err();
        // The file of tasks could be written; the run is over all the same.
        recorder.task(crate::analysis::fixtures::task("short", 1, 0.1)).await.unwrap_err();
        recorder.rescue().await.unwrap_err();
    }

    #[tokio::test]
    async fn a_resumed_run_repeats_no_id() {
        let directory = tempfile::tempdir().unwrap();
        let paths = RunPaths::reserve(directory.path()).unwrap();
        let recorder = Recorder::open(&paths, Arc::new(super::super::observer::Silent)).unwrap();
        let later = jiff::Timestamp::now().as_second() + 1000;
        let test_id = format!("short_c2_t1_{later}");
        let event = Event::TaskStarted { test_id };
        let mut earlier = RunData::default();
        earlier.note(EventRecord { time: String::new(), elapsed: 0.0, event });
        recorder.resume_from(&earlier);
        assert_eq!(recorder.batch_second("short_c2"), later + 1);
        assert!(recorder.batch_second("short_c1") < later);
    }
}
