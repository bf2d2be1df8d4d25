//! What happened in a run, apart from the tasks: the log of events.

use serde::{Deserialize, Serialize};

use super::exit::ExitKind;
use super::task::{Phase, TaskStatus};
use super::verdict::{Clause, Judgement};

/// One line of `events_<stamp>.jsonl`: when, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Local time with offset, ISO 8601.
    pub time: String,
    /// Seconds since the run started.
    pub elapsed: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began; everything needed to read it in a year is here.
    RunStarted {
        /// The first line that a reader is shown.
        title: String,
        /// highwater's version.
        version: String,
        /// The machine.
        machine: Machine,
        /// The full configuration.
        plan: serde_json::Value,
        /// The other files of this run, by what they hold.
        files: RunFiles,
    },
    /// A monitored process was found, at the start or later.
    ProcessFound {
        /// The role it plays.
        role: String,
        /// Its process id.
        pid: u32,
        /// Its name.
        name: String,
        /// Its command line.
        command: String,
        /// False for a descendant of the process that was looked for.
        root: bool,
        /// True if it turned up during the run.
        #[serde(default)]
        replacement: bool,
        /// Its RSS when the run started, in MB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rss_mb: Option<f64>,
    },
    /// A monitored process ended.
    ProcessExited {
        /// The role it played.
        role: String,
        /// Its process id.
        pid: u32,
        /// Its name.
        name: String,
        /// False for a descendant of the process that was looked for.
        root: bool,
        /// How it ended.
        how: ExitKind,
    },
    /// Memory of the worker role at a moment that matters.
    Memory {
        /// Which moment.
        moment: Moment,
        /// RSS of the role in MB; null if no process of it was alive.
        worker_rss_mb: Option<f64>,
    },
    /// A phase began.
    PhaseStarted {
        /// Which phase.
        phase: Phase,
        /// Tasks it will send, where that is known.
        tasks: Option<u32>,
    },
    /// A phase ended.
    PhaseEnded {
        /// Which phase.
        phase: Phase,
        /// Why it ended before its end, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut_short: Option<String>,
    },
    /// A level of the ramp began.
    LevelStarted {
        /// Tasks that are submitted at once.
        concurrency: u32,
    },
    /// A level of the ramp ended.
    LevelEnded {
        /// Tasks that were submitted at once.
        concurrency: u32,
        /// Worker memory around the level; it belongs to the level, not to its tasks.
        memory: LevelMemory,
        /// The first clause that broke; absent if the level held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broke: Option<Clause>,
    },
    /// A task was about to be sent.
    TaskStarted {
        /// The task's `test_id`.
        test_id: String,
    },
    /// A task's result is known; its line follows when memory is quiet.
    TaskAnswered {
        /// The task's `test_id`.
        test_id: String,
        /// How it ended.
        status: TaskStatus,
        /// Seconds from submission to result.
        processing_time: f64,
    },
    /// The health endpoint was asked.
    Health {
        /// Absent if it answered well, else what was wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Something that a reader of the figures should know.
    Warning {
        /// What it is.
        message: String,
    },
    /// What the run came to.
    Verdict {
        /// The judgement, with its criteria and figures.
        judgement: Judgement,
    },
    /// The run came to its end.
    RunEnded,
    /// The run was ended before its end.
    RunInterrupted {
        /// By what.
        reason: String,
    },
}

/// RSS of the worker role around one level, in MB; null where no worker was alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LevelMemory {
    /// When memory was quiet before the level.
    pub before_mb: Option<f64>,
    /// When memory was quiet after it.
    pub after_mb: Option<f64>,
    /// The highest that was seen in between.
    pub peak_mb: Option<f64>,
}

/// Moments at which worker memory is recorded beside the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the first task.
    Start,
    /// After the first task of each kind: the baseline that memory must return to.
    Baseline,
    /// After the last task of the leak check, when memory had its time to come down.
    Final,
}

/// The machine that a run took place on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and version.
    pub os: String,
    /// Kernel version.
    pub kernel: String,
    /// Logical processors.
    pub cpus: u32,
    /// Total memory in MB.
    pub memory_mb: f64,
}

/// The names of the files of one run (without directories: they lie side by side).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFiles {
    /// One line a task.
    pub tasks: String,
    /// This log.
    pub events: String,
    /// One row a process and tick.
    pub resources: String,
}
