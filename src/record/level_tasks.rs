//! The tasks of one attempt at a level, of which there may be millions: their sums.

use super::first_over::FirstOver;
use super::task::TaskRecord;
use super::times::Times;

/// The sums of the tasks of one attempt at a level.
#[derive(Debug, Clone, Default)]
pub struct LevelTasks {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// Which attempt at this level it is, from 1.
    pub attempt: u32,
    /// When its first task was sent, in seconds since the run started; absent if none was.
    pub first_sent_s: Option<f64>,
    /// Tasks that were sent, as the log of events says.
    pub sent: u64,
    /// Those of them that were answered, as the log of events says.
    pub answered: u64,
    /// Tasks that left a line.
    pub tasks: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed for want of something on highwater's own machine.
    pub failed_here: u64,
    /// What the first of these says.
    pub failed_here_error: Option<String>,
    /// The first that did not succeed: when it ended, where that is known, and what it says.
    pub first_failed: Option<(Option<f64>, Option<String>)>,
    /// Real-time factors of those that succeeded.
    pub rtf: Times,
    /// Seconds from submission to result of those that succeeded.
    pub seconds: Times,
    /// The same of those that did not.
    pub failed_seconds: Times,
    /// Seconds that were waited for those that succeeded: after the last word, where somebody spoke.
    pub waits: Times,
    /// Seconds that those that succeeded waited in the service.
    pub queue_seconds: Times,
    /// Seconds to the first text of those that succeeded, where answers are streams.
    pub first_text_seconds: Times,
    /// Sizes of the answers in bytes.
    pub answer_bytes: Times,
    /// When a real-time factor was first reached.
    pub rtf_over: FirstOver,
    /// When a wait was first reached.
    pub wait_over: FirstOver,
}

impl LevelTasks {
    /// Those of an attempt that has just begun.
    pub fn new(concurrency: u32, attempt: u32) -> LevelTasks {
        LevelTasks { concurrency, attempt, ..LevelTasks::default() }
    }

    /// Counts `task`, which ended `at_s` seconds after the first was sent, where that is known.
    pub fn add(&mut self, task: &TaskRecord, at_s: Option<f64>) {
        self.tasks += 1;
        let wait_s = task.final_seconds.or(task.processing_time);
        if let Some(at_s) = at_s {
            task.rtf.iter().for_each(|rtf| self.rtf_over.add(at_s, *rtf));
            wait_s.iter().for_each(|seconds| self.wait_over.add(at_s, *seconds));
        }
        let add =
            |times: &mut Times, figure: Option<f64>| figure.iter().for_each(|figure| times.add(*figure));
        if task.succeeded() {
            self.succeeded += 1;
            add(&mut self.rtf, task.rtf);
            add(&mut self.seconds, task.processing_time);
            add(&mut self.waits, wait_s);
            add(&mut self.queue_seconds, task.queue_seconds);
            add(&mut self.first_text_seconds, task.first_text_seconds);
            add(&mut self.answer_bytes, task.answer_bytes.map(|bytes| bytes as f64));
            return;
        }
        add(&mut self.failed_seconds, task.processing_time);
        if task.failed_here() {
            if self.failed_here == 0 {
                self.failed_here_error.clone_from(&task.error);
            }
            self.failed_here += 1;
        }
        let when = |at_s: Option<f64>| at_s.unwrap_or(f64::INFINITY);
        if self.first_failed.as_ref().is_none_or(|first| when(at_s) < when(first.0)) {
            self.first_failed = Some((at_s, task.error.clone()));
        }
    }

    /// Those that did not succeed.
    pub fn failures(&self) -> u64 {
        self.tasks - self.succeeded
    }

    /// Seconds from submission to result of all, whether they succeeded or not.
    pub fn all_seconds(&self) -> Times {
        let mut all = self.seconds.clone();
        all.merge(&self.failed_seconds);
        all
    }
}
