//! What became of growth between two versions, as data: rates, signals and the reason for a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::by_input::InputRate;

/// Growth per task with its 98 % interval, in the signal's unit.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Rate {
    /// Growth per task.
    pub per_task: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
    /// Tasks that it is owed to, warm-up left out.
    pub tasks: usize,
}

/// The growth after minus the growth before, per task.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Difference {
    /// After minus before.
    pub per_task: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
    /// How the interval was made.
    pub method: Method,
}

/// How two sides were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The same inputs in the same order: batch by batch.
    Paired,
    /// Different inputs: two means with unequal variances.
    Welch,
    /// Tasks in blocks, or a check that ended early: two rates, each from its own readings.
    Rates,
}

/// What became of growth between two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub enum Change {
    /// It grew before, and does not any more.
    #[serde(rename = "fixed")]
    Fixed,
    /// It grows less than before, or what is left of it could not be excluded.
    #[serde(rename = "better")]
    Better,
    /// The two differ by less than what matters.
    #[serde(rename = "no change")]
    NoChange,
    /// It grows, and more than before.
    #[serde(rename = "worse")]
    Worse,
    /// The readings do not tell.
    #[serde(rename = "not enough data")]
    NotEnoughData,
}

impl Change {
    /// The verdict in words, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Change::Fixed => "fixed",
            Change::Better => "better",
            Change::NoChange => "no change",
            Change::Worse => "worse",
            Change::NotEnoughData => "not enough data",
        }
    }

    /// The exit code that stands for it: 0 unless it is worse (1) or unknown (2).
    pub fn exit_code(self) -> u8 {
        match self {
            Change::Fixed | Change::Better | Change::NoChange => 0,
            Change::Worse => 1,
            Change::NotEnoughData => 2,
        }
    }
}

/// Growth per task that the verdict over doublings calls flat, in MB…
const LEAST_IN_BLOCKS_MB: f64 = 10.0 / 1024.0;
/// …and what an allocator may add in the last doubling.
const WANDERING_MB: f64 = 3.0;

/// What is read of the worker after each task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Memory: the best figure of retained memory that both sides have.
    Memory,
    /// What is resident besides private memory: shared segments, mapped files. Where RSS is
    /// compared, it is contained in that already.
    Shared,
    /// Open file descriptors.
    Descriptors,
    /// Threads.
    Threads,
}

impl Signal {
    /// The unit of its figures in files.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Signal::Memory | Signal::Shared => "MB",
            Signal::Descriptors => "fds",
            Signal::Threads => "threads",
        }
    }

    /// The least growth per task that counts as growth, in the signal's unit.
    ///
    /// 50 KB a task of memory is what page-wise accounting and allocators do by themselves.
    pub(crate) fn least(self) -> f64 {
        match self {
            Signal::Memory | Signal::Shared => 0.05,
            Signal::Descriptors | Signal::Threads => 0.02,
        }
    }

    /// The same where `tasks` tasks were sent in blocks, which tell smaller leaks from an allocator's wandering.
    pub(super) fn least_over(self, tasks: f64) -> f64 {
        match self {
            Signal::Memory | Signal::Shared => {
                LEAST_IN_BLOCKS_MB.max(2.0 * WANDERING_MB / tasks).min(self.least())
            }
            Signal::Descriptors | Signal::Threads => self.least(),
        }
    }

    /// Two rates nearer to each other than this are alike, in the signal's unit per task.
    pub(super) fn alike(self) -> f64 {
        match self {
            Signal::Memory | Signal::Shared => 0.5,
            Signal::Descriptors | Signal::Threads => 0.2,
        }
    }
}

/// Why a signal was judged as it was.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeReason {
    /// A worker ended or was replaced in a run of this side.
    WorkerChanged {
        /// What was read of it.
        signal: Signal,
        /// Which side.
        side: Side,
    },
    /// It was not read after every task of both sides.
    Unread {
        /// What was not.
        signal: Signal,
    },
    /// A side has too few readings.
    TooFew {
        /// At least so many are needed.
        needed: usize,
    },
    /// The figures say so.
    Judged(JudgedChange),
}

/// The version before, or the one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before.
    Before,
    /// After.
    After,
}

/// The figures behind a verdict on one signal.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedChange {
    /// Which signal.
    pub signal: Signal,
    /// The verdict.
    pub verdict: Change,
    /// Growth before.
    pub before: Rate,
    /// Growth after.
    pub after: Rate,
    /// After minus before.
    pub difference: Difference,
    /// Growth of less than this per task counts as none, in the signal's unit.
    pub least: f64,
    /// True if the verdict was withheld because the difference slows down.
    pub slowing: bool,
    /// Tasks a side that would probably decide it; absent where it is decided.
    pub tasks_needed: Option<usize>,
    /// How to send as many; absent where that is not known, or it is decided.
    pub more: Option<More>,
    /// What each input retains before and after; empty where inputs do not differ.
    pub by_input: [Vec<InputRate>; 2],
}

/// How to send more tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// With so many repeats of each input (`leak.repeats`).
    Repeats(usize),
    /// For a longer time (`leak.for_s`): tasks were sent in blocks.
    Longer,
}
