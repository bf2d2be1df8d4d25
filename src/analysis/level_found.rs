//! What a clause of a level was answered by, as data.

use crate::record::ExitKind;

/// What was seen at a level, where it takes a sentence to say it.
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
        /// So many.
        failed: usize,
        /// Of so many.
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
        /// So many.
        failed: u32,
        /// Of so many.
        all: u32,
    },
    /// Tasks failed.
    TasksFailed {
        /// So many.
        failed: usize,
        /// Of so many.
        all: u32,
        /// The error of the first, if it was recorded.
        error: Option<String>,
    },
    /// Tasks left no record.
    Unrecorded {
        /// So many.
        missing: u32,
        /// Of so many.
        all: u32,
    },
    /// The share of tasks that succeeded, with its 95 % interval.
    Share {
        /// So many.
        good: u32,
        /// Of so many.
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
