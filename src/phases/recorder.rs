//! Records to the disk first, and notifies the observers afterwards.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::ZonedDateTime;

use super::observer::Observer;
use crate::error::Result;
use crate::journal::{Journal, RunPaths};
use crate::record::{Event, EventRecord, Phase, RunData, TaskRecord};
use crate::units::round;

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
        })
    }

    /// Records a task, with its sequence number and its time stamp.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the line is not safely on the disk.
    pub async fn task(&self, mut record: TaskRecord) -> Result<TaskRecord> {
        record.sequence = Some(self.sequence.fetch_add(1, Ordering::Relaxed) + 1);
        record.timestamp = ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string();
        self.tasks.append(&record).await?;
        if record.phase == Some(Phase::Concurrency) {
            self.level().tasks.push(record.clone());
        }
        self.observer.task(&record);
        Ok(record)
    }

    /// Records an event.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the line is not safely on the disk.
    pub async fn event(&self, event: Event) -> Result<()> {
        let record = EventRecord {
            time: ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            elapsed: round(self.started.elapsed().as_secs_f64(), 3),
            event,
        };
        self.events.append(&record).await?;
        self.follow(&record);
        self.observer.event(&record);
        Ok(())
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
        if matches!(record.event, Event::LevelStarted { .. }) {
            *level = RunData::default();
        }
        if !level.events.is_empty() || matches!(record.event, Event::LevelStarted { .. }) {
            level.events.push(record.clone());
        }
    }

    fn level(&self) -> MutexGuard<'_, RunData> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the `test_id`s of `earlier`, the run that this one resumes.
    pub fn resume_from(&self, earlier: &RunData) {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let started = earlier.events.iter().filter_map(|record| match &record.event {
            Event::TaskStarted { test_id } => Some(test_id.as_str()),
            _ => None,
        });
        let recorded = earlier.tasks.iter().map(|task| task.test_id.as_str());
        for (front, second) in started.chain(recorded).filter_map(split) {
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

/// Splits a `test_id` into its front, without the index in the batch, and its second.
fn split(test_id: &str) -> Option<(&str, i64)> {
    let (front, second) = test_id.rsplit_once('_')?;
    let in_batch = front.rsplit_once("_t").filter(|(_, index)| index.parse::<u32>().is_ok());
    Some((in_batch.map_or(front, |(front, _)| front), second.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_id_is_split() {
        assert_eq!(split("short_c1_1765322145"), Some(("short_c1", 1_765_322_145)));
        assert_eq!(split("my_take_2_c12_t3_1765322145"), Some(("my_take_2_c12", 1_765_322_145)));
        assert_eq!(split("anything"), None);
    }

    #[tokio::test]
    async fn a_resumed_run_repeats_no_id() {
        let directory = tempfile::tempdir().unwrap();
        let paths = RunPaths::reserve(directory.path()).unwrap();
        let recorder = Recorder::open(&paths, Arc::new(super::super::observer::Silent)).unwrap();
        let later = jiff::Timestamp::now().as_second() + 1000;
        let test_id = format!("short_c2_t1_{later}");
        let event = Event::TaskStarted { test_id };
        let earlier = RunData {
            events: vec![EventRecord { time: String::new(), elapsed: 0.0, event }],
            ..RunData::default()
        };
        recorder.resume_from(&earlier);
        assert_eq!(recorder.batch_second("short_c2"), later + 1);
        assert!(recorder.batch_second("short_c1") < later);
    }
}
