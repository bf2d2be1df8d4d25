//! The evidence behind the answer to a clause of a level, as data.

use crate::record::ExitKind;

/// An observation at a level that needs a sentence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LevelFound {
    /// highwater or the machine was stopped during the level.
    GivenUp,
    /// The event loop was late.
    Late {
        /// The 95th percentile of its delays, in seconds.
        lag_s: f64,
        /// At most this is allowed, in seconds.
        bound_s: f64,
    },
    /// The event loop was very late once.
    LateOnce {
        /// The longest delay, in seconds.
        lag_s: f64,
        /// At most this is allowed, in seconds.
        bound_s: f64,
    },
    /// highwater waited for a CPU for much of the level.
    Waited {
        /// The share of the time, in percent.
        percent: f64,
        /// The 95th percentile of the delays, in seconds.
        lag_s: f64,
        /// The median time of a task, in seconds.
        task_s: f64,
    },
    /// The machine's memory was thrashing.
    Thrashing {
        /// The share of the time, in percent.
        percent: f64,
    },
    /// Tasks failed for want of something on highwater's own machine.
    FailedHere {
        /// The number that failed.
        failed: usize,
        /// The number of all.
        all: u32,
        /// The error of the first, if it was recorded.
        error: Option<String>,
    },
    /// A process ended.
    Ended {
        /// Its role.
        role: String,
        /// Its process id.
        pid: u32,
        /// How.
        how: ExitKind,
    },
    /// A process was started in the place of one that ended.
    Replaced {
        /// Its role.
        role: String,
        /// Its process id.
        pid: u32,
    },
    /// Processes ended or were replaced.
    Changes(Vec<LevelFound>),
    /// Processes were killed for want of memory.
    Kills(Vec<LevelFound>),
    /// A process was killed, and not by the kernel for want of memory.
    KilledBySomebody,
    /// No process was killed.
    NoneKilled,
    /// The load generator failed.
    GeneratorFailed(String),
    /// The load generator sent nothing.
    NoRequests,
    /// The load generator ended well, and does not say how many requests it made.
    GeneratorEnded,
    /// Requests of the load generator failed.
    RequestsFailed {
        /// The number that failed.
        failed: u32,
        /// The number of all.
        all: u32,
    },
    /// Tasks failed.
    TasksFailed {
        /// The number that failed.
        failed: usize,
        /// The number of all.
        all: u32,
        /// The error of the first, if it was recorded.
        error: Option<String>,
    },
    /// Tasks left no record.
    Unrecorded {
        /// The number without a record.
        missing: u32,
        /// The number of all.
        all: u32,
    },
    /// The share of tasks that succeeded, with its 95 % interval.
    Share {
        /// The number that succeeded.
        good: u32,
        /// The number of all.
        all: u32,
        /// The lower end, from 0 to 1.
        low: f64,
        /// The upper end, from 0 to 1.
        high: f64,
    },
    /// The health endpoint said no.
    Unhealthy(String),
    /// The service's log holds errors.
    LogErrors {
        /// Lines.
        lines: u32,
        /// The first.
        first: String,
    },
}
