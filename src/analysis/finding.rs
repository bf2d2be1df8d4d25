//! What a criterion found, as data: the figures and the reason behind its verdict.

use super::change::{Change, ChangeReason, Rate};
use super::growth::Growth;
use crate::record::{Condition, CriterionId, ExitKind, Limit, RoleSampling, Verdict};

/// The answer to one criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which criterion.
    pub id: CriterionId,
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub evidence: Evidence,
    /// True if no task succeeded, so that the evidence says nothing of the service's work.
    pub without_success: bool,
    /// True if the log of events is incomplete, so that what is missing may say the opposite.
    pub without_log: bool,
    /// What the verdict would be without the baseline, where that decided.
    pub by_itself: Option<Verdict>,
    /// The figure that was compared, in `unit`.
    pub value: Option<f64>,
    /// What it was compared with, in `unit`.
    pub threshold: Option<f64>,
    /// The unit of `value` and `threshold`.
    pub unit: Option<Unit>,
}

/// The unit of a criterion's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Megabytes.
    Mb,
    /// Megabytes per task.
    MbPerTask,
    /// Megabytes per second.
    MbPerSecond,
    /// Megabytes per hour.
    MbPerHour,
    /// Tasks.
    Tasks,
    /// Seconds of CPU time.
    CpuSeconds,
    /// File descriptors.
    Descriptors,
    /// Threads.
    Threads,
    /// Processes.
    Processes,
    /// The share of the sampler's ticks that is missing, in percent.
    PercentOfTicks,
}

/// Why a criterion was answered as it was.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// How many tasks succeeded.
    Succeeded(Succeeded),
    /// What memory retained of single tasks.
    Delta {
        /// True if the long tasks are judged.
        long: bool,
        /// What was read.
        read: DeltaEvidence,
    },
    /// A worker ended or was replaced during the check.
    WorkerChanged,
    /// No task was sent after warm-up.
    NoRepeats,
    /// Memory was not read both after warm-up and at the end.
    BaselineUnread,
    /// Memory at the end, beside the baseline after warm-up.
    Baseline {
        /// At the end, in MB.
        end_mb: f64,
        /// After warm-up, in MB.
        baseline_mb: f64,
        /// `leak.baseline_tolerance_mb`.
        tolerance_mb: f64,
        /// How the difference was judged.
        standing: BaselineStanding,
    },
    /// Whether memory accumulates.
    Growth {
        /// What the readings say.
        growth: Box<Growth>,
        /// What a single task may retain, in MB.
        gate_mb: f64,
    },
    /// Whether the memory of a role other than the worker accumulates, or that of the worker over the levels of a ramp.
    RoleGrowth(Box<Growth>),
    /// A process of the role ended or was replaced during the check.
    RoleChanged,
    /// The role was not read after every repeat.
    RoleUnread,
    /// Descriptors, threads or processes of the role with the worst answer.
    Counts {
        /// The role; absent if nothing was counted.
        role: Option<String>,
        /// What was counted.
        counted: CountEvidence,
    },
    /// Whether the memory of GPUs accumulates, of the role with the worst answer.
    Gpu {
        /// The role.
        role: String,
        /// The result for that role.
        found: GpuFound,
    },
    /// The worker used no CPU while tasks succeeded.
    IdleWorker {
        /// Tasks that succeeded.
        tasks: usize,
        /// Their time in all, in seconds.
        seconds: f64,
    },
    /// No worker was watched.
    NotWatched,
    /// Children of the workers that were killed, in order: process id and how.
    Children {
        /// Those.
        killed: Vec<(u32, ExitKind)>,
        /// Of so many that were watched.
        of: usize,
    },
    /// The log of events is missing.
    NoLog,
    /// What happened to the workers, in order.
    Workers(Vec<WorkerChange>),
    /// How completely the processes were sampled.
    Sampling {
        /// Ticks that were read.
        ticks: u64,
        /// Ticks that were missed.
        missed: u64,
        /// The most of them in a row.
        missed_in_a_row: u64,
        /// What that comes to.
        found: SamplingFound,
    },
    /// Growth under the condition of a probe.
    Probe(ProbeEvidence),
    /// Growth beside the baseline's.
    Compared {
        /// What became of it.
        change: Change,
        /// Why.
        reason: ChangeReason,
    },
    /// Whether memory accumulates under load.
    SoakGrowth {
        /// What the floors say.
        detail: String,
        /// Growth by task and by hour, and the hours until the cap is met.
        rates: SoakRates,
    },
    /// The peak of a soak beside its cap.
    SoakCap {
        /// The peak, in MB, if memory was read.
        peak_mb: Option<f64>,
        /// The cap, in MB.
        cap_mb: f64,
        /// The end of the first round above it, in seconds since the soak began.
        over_after_s: Option<f64>,
    },
    /// How the ramp ended, and what is required of it.
    Required {
        /// How it ended.
        limit: Limit,
        /// The concurrency that must hold.
        required: u32,
    },
    /// The level at which throughput stopped rising.
    Useful {
        /// That level, its tasks per second, and the highest level that held; absent where none was measured.
        found: Option<(u32, f64, u32)>,
        /// The level up to which it must rise.
        required: u32,
    },
    /// The worst RTF up to the required concurrency.
    Rtf {
        /// The worst.
        worst: f64,
        /// At this level.
        at: u32,
        /// It must be below this.
        bound: f64,
        /// The required concurrency.
        required: u32,
        /// What it comes to.
        standing: RtfStanding,
    },
}

/// The result of judging one role's GPU memory.
#[derive(Debug, Clone, PartialEq)]
pub enum GpuFound {
    /// One of its processes ended or was replaced: no reading is compared across that.
    Changed,
    /// The driver gave no figure after some tasks.
    Unread {
        /// So many.
        unread: usize,
        /// Of so many readings.
        of: usize,
    },
    /// Whether it accumulates.
    Read(Box<Growth>),
}

/// Tasks that succeeded, out of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Succeeded {
    /// Those that did.
    pub succeeded: usize,
    /// All of them.
    pub all: usize,
    /// The first that did not, with its error if that was recorded.
    pub first_failure: Option<Option<String>>,
}

/// What was read of the memory around single tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum DeltaEvidence {
    /// Nothing.
    Unread,
    /// Some tasks retained too much.
    Over {
        /// The most that one retained, in MB.
        largest_mb: f64,
        /// What one may retain, in MB.
        limit_mb: f64,
        /// The bound above which it is severe, in MB, where it is.
        severe_mb: Option<f64>,
        /// Tasks over the limit.
        over: usize,
        /// Of so many.
        of: usize,
        /// The task with the largest delta.
        worst: String,
    },
    /// This task had no result in time: the service may have been at work on it still.
    TimedOut {
        /// Its `test_id`.
        test_id: String,
    },
    /// It was not read around some tasks.
    PartlyUnread {
        /// So many.
        unread: usize,
        /// Of so many.
        of: usize,
    },
    /// None retained too much.
    Within {
        /// The most that one retained, in MB.
        largest_mb: f64,
        /// What one may retain, in MB.
        limit_mb: f64,
        /// Tasks that were judged.
        of: usize,
    },
}

/// How memory above the baseline was judged.
#[derive(Debug, Clone, PartialEq)]
pub enum BaselineStanding {
    /// It is within the tolerance.
    Within,
    /// It is a new plateau, for the reason that growth gives.
    Plateau(Box<Growth>),
    /// It is not known whether it stops there.
    Open,
    /// It goes on growing.
    Growing,
}

/// What the counts of one role say.
#[derive(Debug, Clone, PartialEq)]
pub enum CountEvidence {
    /// Nothing was counted.
    Nothing,
    /// A worker ended or was replaced: its counts do not go on.
    WorkerChanged,
    /// It was not counted after some tasks.
    Unread {
        /// So many.
        unread: usize,
        /// Of so many.
        of: usize,
    },
    /// There are too few counts.
    TooFew {
        /// So many.
        readings: usize,
        /// At least so many are needed.
        least: usize,
    },
    /// How they went on.
    Counted {
        /// After the first repeat.
        first: i64,
        /// After the last.
        last: i64,
        /// Repeats.
        tasks: usize,
        /// The lowest of the later half less the lowest of the earlier.
        growth: i64,
        /// How far they may grow.
        limit: u32,
        /// What that comes to.
        standing: CountStanding,
    },
    /// How they went on over doublings of the number of tasks.
    OverDoublings {
        /// The first.
        first: i64,
        /// The last.
        last: i64,
        /// Tasks.
        tasks: usize,
        /// By how much the lowest lately is above the lowest early on, and what that comes to; absent where there
        /// are too few readings.
        growth: Option<(i64, CountStanding)>,
        /// How far they may grow.
        limit: u32,
    },
}

/// How growth of counts was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountStanding {
    /// It is within the limit.
    Within,
    /// It goes on.
    Growing,
    /// It was flat over so many last tasks: something that fills.
    Filled(usize),
    /// It is not known whether it stops there.
    Open,
}

/// What the sampler saw.
#[derive(Debug, Clone, PartialEq)]
pub enum SamplingFound {
    /// These roles were alive and could not be read.
    Unread(Vec<(String, RoleSampling)>),
    /// Reading the processes takes longer than the interval.
    TooSlow,
    /// highwater was suspended, or the machine gave it no CPU.
    Starved,
    /// No process was alive.
    NothingAlive,
    /// Every tick saw these.
    Saw {
        /// The roles.
        roles: Vec<String>,
    },
}

/// What happened to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerChange {
    /// It ended.
    Ended {
        /// Its process id.
        pid: u32,
        /// How.
        how: ExitKind,
    },
    /// Another took its place.
    Replaced {
        /// The other's process id.
        pid: u32,
    },
}

/// Why a probe was answered as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeEvidence {
    /// Under which condition.
    pub condition: Condition,
    /// Readings.
    pub steps: usize,
    /// What they say.
    pub found: ProbeFound,
}

/// What the readings under one condition say; rates are per task, per second for `pause`.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeFound {
    /// These grow.
    Leaks(Vec<(Watched, Rate)>),
    /// There are too few readings, or gaps between them.
    TooFew,
    /// Memory is flat, or comes down.
    Clean(Rate),
    /// Growth of memory is not known well enough.
    Open(Rate),
}

/// What is watched under a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// Private memory (RSS where that is not read), in MB.
    Memory,
    /// Shared or mapped memory, in MB.
    Shared,
    /// Open file descriptors.
    Descriptors,
    /// Threads.
    Threads,
}

/// Growth of a soak by task and by hour.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SoakRates {
    /// In MB per task.
    pub mb_per_task: Option<f64>,
    /// In MB per hour.
    pub mb_per_hour: Option<f64>,
    /// Hours until the cap is met.
    pub hours_to_cap: Option<f64>,
}

/// How the worst RTF was judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RtfStanding {
    /// It is at the bound or above.
    Over,
    /// The required concurrency was not reached.
    NotReached,
    /// It is below, and above the required concurrency it may not be: at this level, the RTF there.
    Within {
        /// The first level above with an RTF at the bound or above.
        beyond: Option<(u32, f64)>,
    },
}

impl Finding {
    /// A finding without figures.
    pub(super) fn new(id: CriterionId, verdict: Verdict, evidence: Evidence) -> Finding {
        Finding {
            id,
            verdict,
            evidence,
            without_success: false,
            without_log: false,
            by_itself: None,
            value: None,
            threshold: None,
            unit: None,
        }
    }
}
