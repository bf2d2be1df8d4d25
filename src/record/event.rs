//! What happened in a run, apart from the tasks: the log of events.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::anatomy::Anatomy;
use super::block::{BlockReading, IdleReading};
use super::criterion_id::Condition;
use super::exit::ExitKind;
use super::figures::RunFigures;
use super::footprint::Footprint;
use super::level::LevelEnd;
use super::lives::LivesReading;
use super::own::{OwnReading, SoakRound};
use super::phase::Phase;
use super::reasons::{CutShort, RampBound, RecoveryProblem, Warning};
use super::sampling::Sampling;
use super::seen::ProcessSeen;
use super::task::TaskStatus;
use super::verdict::Judgement;

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
    /// The baseline that the run is compared with; its memory criteria are then relative to it.
    Baseline {
        /// The figures of the runs of the baseline.
        runs: Vec<RunFigures>,
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
        /// The parent of a descendant; absent for a root, and in logs of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<u32>,
        /// When it started, as the system counts it; with the pid it tells a process from all others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<u64>,
        /// True if it turned up during the run.
        #[serde(default)]
        replacement: bool,
        /// Its RSS when the run started, in MB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rss_mb: Option<f64>,
    },
    /// Another program has made the load of a level or of a soak.
    GeneratorEnded(super::GeneratorLoad),
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
    /// All processes that were watched, told when the watching ends.
    ProcessesSeen {
        /// They, in the order in which they were first measured.
        processes: Vec<ProcessSeen>,
        /// Descendants that had ended and are left out, since there were too many.
        #[serde(default)]
        unlisted: u64,
    },
    /// How completely the processes were sampled, recorded when the sampling ends.
    Sampled(Sampling),
    /// Memory of the worker role at a moment that matters.
    Memory {
        /// Which moment.
        moment: Moment,
        /// RSS of the role in MB; null if no process of it was alive.
        worker_rss_mb: Option<f64>,
    },
    /// The composition of a role's memory at one moment; two of them show where something grew.
    Anatomy {
        /// Which moment.
        moment: Moment,
        /// Which role, if it is not the worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// What they consist of.
        anatomy: Anatomy,
    },
    /// The service's runtime collected before a reading, and will before each that follows (`settle.collect`).
    Collects {},
    /// A block of the leak check began: its tasks follow one another without a reading between them, and each
    /// has its line when it has ended.
    BlockStarted {
        /// Which, from 1.
        block: u32,
        /// Tasks that it will send.
        tasks: u32,
    },
    /// It ended and memory was read.
    BlockEnded(BlockReading),
    /// The leak check waited without sending tasks, to see whether memory grows by itself.
    IdleEnded(IdleReading),
    /// The processes of the worker role were read one by one, because they are replaced as they work.
    Lives(LivesReading),
    /// A step of a probe was done and memory was quiet again.
    ProbeStep {
        /// `repeat`, `pause`, `alternate`, `parallel`, `error`.
        condition: Condition,
        /// Tasks in the step; seconds for `pause`.
        per_step: f64,
        /// All that the worker role's tree held then; null if no worker was alive.
        worker: Option<Footprint>,
    },
    /// The probes are over.
    ProbesEnded,
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
        cut_short: Option<CutShort>,
    },
    /// An attempt at a level of the ramp began.
    LevelStarted {
        /// Tasks that are outstanding at once.
        concurrency: u32,
        /// Which attempt at this level it is, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
        /// Why the level is tried again, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// It ended.
    LevelEnded(Box<LevelEnd>),
    /// After a level that broke the service does not do a single task, and is given time to recover.
    Recovering {
        /// What is wrong.
        problem: RecoveryProblem,
        /// Seconds that it has at most.
        at_most_s: f64,
    },
    /// After a level that broke the service was given time to recover, and asked for one task.
    Recovery {
        /// Absent if it did, else what was wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<RecoveryProblem>,
        /// Seconds that it took.
        seconds: f64,
        /// True if the problem is no effect of load: a role other than the worker is gone, or the health
        /// endpoint says no at rest.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        outage: bool,
    },
    /// After a level that broke one task is sent, to see whether the service has recovered.
    RecoveryProbe {
        /// Which, from 1.
        number: u32,
        /// The task's `test_id`.
        test_id: String,
    },
    /// The run goes on from another one, which was stopped.
    Resumed {
        /// The name of that run's task file, which lies beside this one's.
        tasks: String,
        /// True if the level that was in flight when it ended counts as broken.
        in_flight_broke: bool,
        /// The phase whose readings begin anew, since the worker's processes are others than before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_series: Option<Phase>,
        /// Seconds between the last event of that run and the start of this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap_s: Option<f64>,
    },
    /// A bound of the ramp in levels, tasks or time was met.
    BoundMet {
        /// Which.
        bound: RampBound,
    },
    /// A round of the soak ended.
    SoakRound(SoakRound),
    /// What highwater itself and the machine were doing during a level.
    OwnLoad(OwnReading),
    /// The service's log was read from where it ended when the level began.
    ServiceLog {
        /// Lines that match `ramp.stable.log_pattern`.
        matches: u32,
        /// The first of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<String>,
        /// Why it could not be read, if so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// A task was about to be sent.
    TaskStarted {
        /// The task's `test_id`.
        test_id: String,
    },
    /// A task failed in a way that can pass by itself, and is sent again.
    TaskRetried {
        /// The task's `test_id`.
        test_id: String,
        /// Which retry follows, from 1.
        retries: u32,
        /// Why the attempt before it failed.
        error: String,
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
    /// The memory of the other roles, read when it was quiet after a task.
    RolesAfter {
        /// The task's `test_id`.
        test_id: String,
        /// The sums over their trees.
        roles: BTreeMap<String, Footprint>,
    },
    /// Memory came down after it had been read as what a task or a level left.
    LateFree {
        /// The `test_id` of the task, or the level (`c=3`), whose memory it was.
        of: String,
        /// By how much, in MB.
        mb: f64,
        /// The task that ran when the memory came down, if one did: its delta is too low by that amount.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        during: Option<String>,
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
        message: Warning,
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
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
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
