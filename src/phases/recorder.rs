//! Recording: to the disk first, then to whoever watches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::ZonedDateTime;

use super::observer::Observer;
use crate::error::Result;
use crate::journal::{Journal, RunPaths};
use crate::record::{Event, EventRecord, TaskRecord};
use crate::units::round;

/// Where every task and event of a run goes.
pub struct Recorder {
    tasks: Journal,
    events: Journal,
    observer: Arc<dyn Observer>,
    started: Instant,
    sequence: AtomicU32,
    /// The last second given out, by the front of the `test_id`.
    seconds: Mutex<HashMap<String, i64>>,
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
        })
    }

    /// Records a task; gives it its place in the run and its time stamp.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the line is not safely on the disk.
    pub async fn task(&self, mut record: TaskRecord) -> Result<TaskRecord> {
        record.sequence = Some(self.sequence.fetch_add(1, Ordering::Relaxed) + 1);
        record.timestamp = ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string();
        self.tasks.append(&record).await?;
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
        self.observer.event(&record);
        Ok(())
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
