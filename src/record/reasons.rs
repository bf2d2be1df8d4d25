//! Why something ended, failed or was left out: as data here, as a sentence in the files.
//!
//! The sentences are made in [`crate::words`]. A file that is read gives the sentence back as `Text`.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::criterion_id::Condition;
use super::exit::ExitKind;

/// Serialises a type as its sentence, and reads any sentence as its variant `Text`.
macro_rules! sentence_in_files {
    ($($name:ident),*) => {
        $(
            impl From<$name> for String {
                fn from(reason: $name) -> String {
                    reason.to_string()
                }
            }

            impl From<String> for $name {
                fn from(text: String) -> $name {
                    $name::Text(text)
                }
            }
        )*
    };
}

/// Serialises a reason as its sentence.
///
/// # Errors
/// Those of the serializer.
pub(crate) fn as_sentence<T: Display, S: Serializer>(reason: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

sentence_in_files!(Warning, CutShort, CannotTell, RampBound, RecoveryProblem, NoLimit);

/// Why the GPU memory of processes could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuUnread {
    /// The device's number; absent where it concerns all.
    pub device: Option<u32>,
    /// Why.
    pub problem: GpuProblem,
}

/// The driver's answer when it gives no figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuProblem {
    /// highwater is not permitted to ask.
    NotPermitted,
    /// The device is split into instances (MIG), and does not list processes.
    Split,
    /// The device or its driver does not support it.
    NotSupported,
    /// The driver lists the processes without their memory.
    WithoutMemory,
    /// The device was lost.
    Lost,
    /// The driver gives no answer.
    NoAnswer,
    /// Anything else, in the driver's words.
    Other(String),
}

/// Something that a reader of a run's figures should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Warning {
    /// PSS was not read, since reading it would have stalled the worker for too long.
    PssUnread {
        /// For about so long, in seconds.
        stall_s: f64,
        /// `sampler.pss_budget_s`.
        budget_s: f64,
    },
    /// The GPU memory of the service's processes was not read.
    GpuUnread(GpuUnread),
    /// The service's runtime was not made to collect before a reading.
    NotCollected {
        /// What went wrong.
        problem: String,
    },
    /// The workers did not fall idle before a level.
    NotIdle {
        /// Within so many seconds: `ramp.drain_s`.
        drain_s: f64,
    },
    /// The probes ended early.
    ProbesCutShort {
        /// With this one.
        condition: Condition,
        /// Why.
        why: CutShort,
    },
    /// Process events were lost, since they came too fast.
    EventsLost {
        /// How many.
        events: u64,
    },
    /// A role is not watched.
    RoleNotWatched {
        /// Which.
        role: String,
        /// Why.
        problem: String,
    },
    /// The limit of open files allows fewer tasks at once than the ramp may try.
    FilesShort {
        /// Open files that are allowed.
        limit: u64,
        /// Tasks at once for which that is enough.
        enough_for: u32,
        /// `ramp.max`.
        max: u32,
    },
    /// The length of the audio that the service gives contradicts the file.
    LengthContradicted {
        /// What the service says, in seconds.
        told_s: f64,
        /// What the file says, in seconds.
        file_s: f64,
        /// The file.
        file: String,
    },
    /// The sampler missed ticks.
    TicksMissed {
        /// How many.
        missed: u64,
        /// Of so many.
        all: u64,
    },
    /// The disk of the results fills.
    DiskFills {
        /// What is free, in MB.
        free_mb: f64,
        /// The pace at which that becomes less.
        mb_per_hour: f64,
        /// When nothing will be left at that pace, in hours.
        left_h: f64,
    },
    /// Rows of the CSV are missing.
    RowsLost {
        /// Why the first of them is.
        error: String,
    },
    /// The sentence of a file.
    Text(String),
}

/// Why a phase, or the probes, ended early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CutShort {
    /// The leak check could not decide within `leak.max_s`.
    VerdictOpen {
        /// The bound, in seconds.
        max_s: f64,
    },
    /// The leak check could not decide within `leak.max_tasks`.
    VerdictOpenAfterTasks {
        /// The bound.
        max_tasks: u32,
    },
    /// Several tasks retained more than one may, and used up half of the memory that the machine had available.
    MemorySpent {
        /// Those that did.
        tasks: usize,
        /// What one may retain, in MB.
        limit_mb: f64,
    },
    /// Tasks in a row had no result within their time.
    TimedOut {
        /// How many.
        in_a_row: usize,
    },
    /// The service could not be reached for tasks in a row.
    Unreached {
        /// How many.
        in_a_row: usize,
    },
    /// Tasks in a row failed.
    TasksFailed {
        /// How many.
        in_a_row: u32,
    },
    /// A worker ended while a task was outstanding: the task's error says how.
    WorkerLost {
        /// The error.
        error: String,
    },
    /// A worker ended.
    WorkerEnded {
        /// Its process id.
        pid: u32,
        /// How.
        how: ExitKind,
    },
    /// Every input that was to be new has been sent.
    NoNewInput,
    /// A worker ended or was replaced.
    WorkerChanged,
    /// The soak's memory is above its cap.
    CapReached {
        /// The worker's memory, in MB.
        peak_mb: f64,
        /// `soak.cap_mb`.
        cap_mb: f64,
    },
    /// The machine is short of memory.
    MemoryShort {
        /// What is available, in percent.
        available_percent: f64,
        /// `guard.min_available_percent`.
        least_percent: f64,
    },
    /// The service leaks for certain, and every further level of the ramp would cost more memory.
    Leaks,
    /// The ramp cannot tell where the limit is.
    CannotTell {
        /// Why.
        why: CannotTell,
        /// What the last level says of it.
        detail: Option<String>,
    },
    /// The sentence of a file.
    Text(String),
}

/// Why the ramp cannot tell where the limit is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CannotTell {
    /// The service did not recover from a level that broke.
    NotRecovered(RecoveryProblem),
    /// Something that the service needs is gone, which is no effect of load.
    Outage(RecoveryProblem),
    /// highwater or the machine was the bottleneck.
    Starved {
        /// At this level.
        concurrency: u32,
        /// So often in a row.
        times: usize,
    },
    /// The service was not healthy at the first level.
    Unhealthy,
    /// The sentence of a file.
    Text(String),
}

/// A bound of the ramp other than that of concurrency.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RampBound {
    /// `ramp.max_levels`.
    Levels(u32),
    /// `ramp.max_tasks`.
    Tasks(u32),
    /// `ramp.max_s`, in seconds.
    Seconds(f64),
    /// The words of a file.
    Text(String),
}

/// What was wrong when a service was given time to recover.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RecoveryProblem {
    /// `ramp.recover_s` is 0: it was given no time.
    NoTime,
    /// No worker is alive.
    NoWorker,
    /// The health endpoint says so.
    Unhealthy {
        /// What it says.
        problem: String,
    },
    /// A role other than the worker, which was there before, is gone.
    RoleGone {
        /// Which.
        role: String,
    },
    /// Workers died again and again, although next to nothing was sent.
    KeepsDying {
        /// So often since the level.
        deaths: usize,
    },
    /// A single task had no result.
    NoResult {
        /// Within so many seconds.
        patience_s: f64,
    },
    /// A single task did not succeed.
    TaskFailed {
        /// Why, if that was recorded.
        error: Option<String>,
    },
    /// The sentence of a file.
    Text(String),
}

/// Why the ramp found no limit.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NoLimit {
    /// The ramp was cut short.
    CutShort {
        /// Why.
        why: CutShort,
        /// Where the limit lies, as far as that is known.
        within: Option<LimitWithin>,
    },
    /// A level broke, and a bound left no attempts to find the level below that holds.
    BoundTooLow {
        /// The bound; absent if the log does not name it.
        bound: Option<RampBound>,
        /// Where the limit lies.
        within: LimitWithin,
    },
    /// Tasks failed now and then, at no level more often than at the levels below it.
    Flaky {
        /// Up to this level.
        up_to: u32,
    },
    /// The run ended during the ramp.
    RunEnded {
        /// Tasks that were in flight.
        in_flight: usize,
        /// Where the limit lies, as far as that is known.
        within: Option<LimitWithin>,
    },
    /// The run ended before the ramp.
    RunEndedBefore,
    /// No level came to its end.
    NoLevel,
    /// The sentence of a file.
    Text(String),
}

/// The levels between which the limit lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitWithin {
    /// The highest that held, if one did.
    pub held: Option<u32>,
    /// The lowest that broke.
    pub broke: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_sentence_in_the_file_and_reads_back_as_that() {
        let reason = CutShort::TimedOut { in_a_row: 2 };
        let text = serde_json::to_string(&reason).unwrap();
        let sentence = "2 tasks in a row had no result within their time";
        assert_eq!(text, format!("\"{sentence}\""));
        assert_eq!(serde_json::from_str::<CutShort>(&text).unwrap(), CutShort::Text(sentence.to_string()));
    }
}
