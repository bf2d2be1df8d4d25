//! What a reader must know of a run besides its criteria, as data.

use super::change::Rate;
use crate::record::{CutShort, Damage, Phase, Warning};

/// An observation that is no verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// The first task of a kind retained memory, which is not judged.
    WarmUp {
        /// Which input it sent.
        input: String,
        /// What it retained, in MB.
        delta_mb: f64,
        /// True if that is severe.
        severe: bool,
    },
    /// What memory retains goes with new inputs, or with every task.
    Kept(Kept),
    /// Nothing accumulates, and no input was sent that was never sent before.
    OneInput,
    /// Longer recordings retain more, in proportion to their length.
    PerAudioSecond {
        /// For each second of audio, in MB.
        mb: f64,
    },
    /// Larger inputs retain more, in proportion to their size.
    PerInputMb {
        /// For each MB that was sent, in MB.
        mb: f64,
    },
    /// The check ended with its verdict on growth open.
    Undecided {
        /// True where the heap of a large runtime may still be rising to its limit.
        runtime: bool,
    },
    /// The service's runtime was made to collect before each reading.
    Collected,
    /// Memory came down late.
    LateFree {
        /// When.
        when: LateFree,
        /// The first whose memory did (for [`LateFree::During`], the first task meanwhile).
        first: String,
        /// How many.
        count: usize,
        /// The most of one, in MB.
        most_mb: f64,
    },
    /// Tasks ran in a child of the worker that ended with them.
    Forks {
        /// Children that ended during the leak check.
        children: usize,
        /// Its tasks.
        tasks: usize,
        /// The highest memory of the worker's tree during a task, in MB, where it was sampled.
        peak_mb: Option<f64>,
    },
    /// The levels of the ramp retained memory that is not judged.
    LevelsKept {
        /// Before the first, in MB.
        before_mb: f64,
        /// After the last, in MB.
        after_mb: f64,
        /// Their tasks.
        tasks: usize,
        /// How many levels.
        levels: usize,
    },
    /// There are more tasks with a reading each than are kept one by one.
    Grouped {
        /// Those that are kept.
        kept: usize,
        /// All of them.
        of: usize,
    },
    /// Levels at which tasks failed, and no more often than below.
    Flaky {
        /// The levels.
        levels: Vec<u32>,
    },
    /// Throughput collapses under load.
    Knee {
        /// At this level.
        at: u32,
        /// Tasks per second there.
        throughput: f64,
        /// The level with the best throughput.
        best_at: u32,
        /// Tasks per second there.
        best: f64,
    },
    /// Throughput stopped rising at a level, and the levels above it held all the same.
    Plateau {
        /// At this level.
        at: u32,
        /// Tasks per second there.
        throughput: f64,
        /// The highest level that held.
        held: u32,
        /// Tasks per second there.
        held_throughput: f64,
    },
    /// The answers of a level are suddenly much faster or smaller than those of all levels below it.
    Answers {
        /// At this level.
        at: u32,
        /// The median time of its tasks and the shortest median below, in seconds, if it is faster.
        faster: Option<(f64, f64)>,
        /// The median size of its answers and the smallest median below, in bytes, if they are smaller.
        smaller: Option<(f64, f64)>,
    },
    /// Tasks were sent again after a failure.
    Retries {
        /// Tasks that were.
        tasks: usize,
        /// Of so many.
        of: usize,
        /// Retries in all.
        retries: u32,
    },
    /// A warning of the run's log.
    Warning(Warning),
    /// A phase ended early.
    CutShort {
        /// Which.
        phase: Phase,
        /// Why.
        why: CutShort,
    },
    /// The run was stopped and went on.
    Resumed {
        /// After so many seconds.
        gap_s: f64,
        /// The phase whose readings begin anew, since the worker's processes are others.
        new_series: Option<Phase>,
    },
    /// A line of a file could not be read.
    Damage(Damage),
}

/// When memory came down late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateFree {
    /// While it was waited for.
    Waited,
    /// After it had been read.
    Between,
    /// During another task.
    During,
}

/// Why a run ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interruption {
    /// Its log says why.
    Recorded(String),
    /// Its log has no end: highwater or the machine was stopped, while these tasks were in flight.
    NoEnd {
        /// Their `test_id`s.
        in_flight: Vec<String>,
    },
}

/// Growth of memory on the two arms of the leak check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arms {
    /// MB for each task that sent an input again.
    pub known: Rate,
    /// MB for each task that sent a new one.
    pub new: Rate,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    /// Something for each new input, and at most half as much for one sent before.
    NewInput(Arms),
    /// Something for each task, whatever it sends.
    EveryTask(Arms),
}
