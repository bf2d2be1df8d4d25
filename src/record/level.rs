//! A level of the ramp: what it must satisfy, and what was seen of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::footprint::Footprint;

/// What a level must satisfy; the first that breaks names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClauseKind {
    /// No process of the roles died or was replaced.
    WorkerAlive,
    /// Every task succeeded, or enough of them.
    TasksSucceed,
    /// The health endpoint answers.
    Health,
    /// RTF stays below its bound.
    Rtf,
    /// No process was killed for want of memory.
    Oom,
    /// The time from submission to result stays below its bound.
    Latency,
    /// The peak memory of the worker's tree stays below its cap.
    PeakMemory,
    /// The worker's memory is back after the level.
    MemoryBack,
    /// The worker's file descriptors are back after the level.
    FdsBack,
    /// The worker's threads are back after the level.
    ThreadsBack,
    /// The service's log holds no new error.
    ServiceLog,
    /// The level came to its end. Breaks only where highwater or the machine was
    /// stopped during it and the run was resumed.
    Completed,
}

/// A clause that did not hold.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Clause {
    /// Which one.
    pub clause: ClauseKind,
    /// What happened: `worker pid 12345 was killed, signal 9`.
    pub detail: String,
    /// Process ids that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pids: Vec<u32>,
    /// When it was seen to break, in seconds from the first task of the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_s: Option<f64>,
}

/// How a clause was answered at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClauseAnswer {
    /// It held.
    Held,
    /// It broke.
    Broke,
    /// It is asked for, and what it needs was not read: never the same as held.
    NotRead,
    /// It is not asked for; the figure is shown all the same, where there is one.
    Off,
}

/// One clause at one level, with its figure.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct ClauseState {
    /// Which one.
    pub clause: ClauseKind,
    /// The answer.
    pub answer: ClauseAnswer,
    /// The figure, in a few words: `3 of 3`, `RTF p95 0.412 < 1.0`.
    pub figure: String,
}

/// How often a level held and broke.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Tally {
    /// Attempts at which every clause held.
    pub held: u32,
    /// Attempts at which one broke.
    pub broke: u32,
    /// Attempts that say nothing, since highwater was starved.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub invalid: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Tally {
    /// All attempts.
    pub fn attempts(&self) -> u32 {
        self.held + self.broke + self.invalid
    }
}

/// RSS of the worker role around one level, in MB; null where no worker was alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct LevelMemory {
    /// When memory was quiet before the level.
    pub before_mb: Option<f64>,
    /// When memory was quiet after it.
    pub after_mb: Option<f64>,
    /// The highest that was seen in between.
    pub peak_mb: Option<f64>,
    /// All that the worker role's tree held when memory was quiet before the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Footprint>,
    /// The same when it was quiet after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Footprint>,
}

/// What an attempt at a level came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LevelEnd {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// Which attempt at this level it was, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Worker memory around the level; it belongs to the level, not to its tasks.
    pub memory: LevelMemory,
    /// The first clause that broke; absent if the level held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke: Option<Clause>,
    /// Tasks that were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u32>,
    /// Seconds from the first submission to the last result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_s: Option<f64>,
    /// The part of it in which all tasks of the level were outstanding; absent for a single batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<FullLoad>,
    /// What each role used from the first submission to the last result.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, RoleLoad>,
    /// Every clause with its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<ClauseState>,
    /// Why nothing can be concluded from it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
}

/// The part of a level in which all its tasks were outstanding: between its fill and its drain.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct FullLoad {
    /// Seconds from the first submission until it began.
    pub fill_s: f64,
    /// Seconds from then until the last task was sent.
    pub seconds: f64,
    /// Tasks that ended in that time and succeeded.
    pub tasks: u32,
    /// Seconds from then until the last result.
    pub drain_s: f64,
}

/// What a load generator did at a level or in a soak.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorLoad {
    /// What it was asked to do at once.
    pub concurrency: u32,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// What went wrong with it; absent if it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whose summary was read: `k6`, `Locust`, `oha`, `ghz`, `script`; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Requests that it sent, by its summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Those of them that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_s: Option<f64>,
    /// The median time of a request, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    /// The 95th percentile of that time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
}

impl GeneratorLoad {
    /// The load in tasks: how many there were, and how many of them failed. The run is one task where nothing else is
    /// known.
    pub fn tasks(&self) -> (u32, u32) {
        let whole = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let failed = self.failed.map_or(0, whole);
        match self.requests {
            Some(requests) => (whole(requests), failed.min(whole(requests))),
            None => (1, u32::from(self.problem.is_some())),
        }
    }
}

/// What the processes of one role used during a level.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct RoleLoad {
    /// CPU time, user and system, in seconds, that of processes that ended meanwhile among it.
    pub cpu_s: f64,
    /// The same for each second of the level, in percent of one core: 200 is two cores.
    pub cpu_percent: f64,
    /// The highest RSS of the role's tree, in MB; absent if no process of it was alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mb: Option<f64>,
}
