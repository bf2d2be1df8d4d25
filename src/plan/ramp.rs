//! What the concurrency ramp does: the search, and what a level is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{AudioKind, MOST_MB, WEEK_S};

/// The concurrency ramp: levels of tasks outstanding at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct RampPlan {
    /// False leaves the ramp out.
    #[default = true]
    pub enabled: bool,
    /// How the limit is searched for.
    #[default(SearchKind::Linear)]
    pub search: SearchKind,
    /// Concurrency of the first level.
    #[default = 1]
    #[schemars(range(min = 1, max = 100_000))]
    pub start: u32,
    /// Difference between two levels of the linear search.
    #[default = 1]
    #[schemars(range(min = 1, max = 100_000))]
    pub step: u32,
    /// The highest level that is tried.
    #[default = 10]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: u32,
    /// The most levels, counting each attempt; 0 for no bound.
    #[schemars(range(max = 10_000_000))]
    pub max_levels: u32,
    /// No level begins after this many tasks; 0 for no bound.
    #[schemars(range(max = 10_000_000))]
    pub max_tasks: u32,
    /// No level begins after this time; 0 for no bound.
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub max_s: f64,
    /// True tries a level that broke once more, unless the kernel killed a process for want of memory.
    #[default = true]
    pub repeat_broken: bool,
    /// True tries the level below the limit once more.
    #[default = true]
    pub confirm: bool,
    /// How long the service gets to recover from a broken level.
    #[default = 60.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub recover_s: f64,
    /// A level sends at least this many tasks for each task outstanding at once.
    #[default = 1]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rounds: u32,
    /// A level lasts at least this long: whenever a task ends, the next is sent. 0 for no more than `rounds`
    /// asks for.
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub hold_s: f64,
    /// Tasks shorter than this say little in one batch: the level then goes on to three tasks for each task
    /// outstanding at once, and to `short_tasks` at least; with tasks up to five times as long, to three for each.
    /// 0 for off.
    #[default = 0.2]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub short_s: f64,
    /// The fewest tasks of a level of short tasks.
    #[default = 20]
    #[schemars(range(max = 10_000_000))]
    pub short_tasks: u32,
    /// How long the workers get to fall idle before a level.
    #[default = 10.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub drain_s: f64,
    /// Which recording is sent.
    #[default(AudioKind::Short)]
    pub audio: AudioKind,
    /// The service must hold at least this level for the run to pass.
    #[default = 3]
    #[schemars(range(min = 1, max = 100_000))]
    pub required: u32,
    /// Throughput must go on rising up to this level at least: beyond the level at which it stops, more tasks at once only
    /// wait longer. Not judged where it is absent.
    #[schemars(range(min = 1, max = 100_000), example = 8)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub useful_required: Option<u32>,
    /// RTF (processing time divided by audio time) must stay below this.
    #[default = 1.0]
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0))]
    pub max_rtf: f64,
    /// True ends the ramp at the first level whose RTF is not below `max_rtf`.
    pub stop_at_rtf: bool,
    /// What "a level holds" means, besides RTF. A bound of 0 leaves its condition out.
    pub stable: StablePlan,
    /// Where highwater itself woke up later than this (and than a tenth of a task's time), or waited for a CPU
    /// for half of the level and a tenth of a task's time, the level is invalid, not broken. 0 for off.
    #[default = 0.25]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub max_lag_s: f64,
    /// When a worker has exited, its unfinished tasks get this long to end otherwise.
    #[default = 2.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub exit_grace_s: f64,
}

/// How the limit is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchKind {
    /// From the first level upwards by a step.
    Linear,
    /// Doubling until a level breaks, then halving the gap: far fewer levels where the limit is high.
    Bisect,
}

/// Which figure of a level is compared with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// The largest.
    Max,
    /// The 95th percentile.
    P95,
}

/// What "a level holds" means, besides RTF. A bound of 0 leaves its condition out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct StablePlan {
    /// No process of a role exits or is replaced.
    #[default = true]
    pub processes: bool,
    /// No process is killed for lack of memory.
    #[default = true]
    pub oom: bool,
    /// The health endpoint answers after the level.
    #[default = true]
    pub health: bool,
    /// The share of tasks that must succeed; 1 for all. Below 1, a level breaks only where the 95 % interval
    /// of the share (Wilson) lies wholly below: give it enough tasks.
    #[default = 1.0]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_success: f64,
    /// Which RTF is compared with `ramp.max_rtf`, where `ramp.stop_at_rtf` asks for that.
    #[default(Figure::Max)]
    pub rtf_of: Figure,
    /// The bound of the time from submission to result.
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub max_latency_s: f64,
    /// Which of the times is compared with it.
    #[default(Figure::P95)]
    pub latency_of: Figure,
    /// The cap of the worker's memory, descendants included, under load.
    #[schemars(range(min = 0.0, max = MOST_MB))]
    pub max_peak_mb: f64,
    /// The most memory that the worker may keep after a level.
    #[schemars(range(min = 0.0, max = MOST_MB))]
    pub max_kept_mb: f64,
    /// The most file descriptors that the worker may keep after a level.
    #[schemars(range(max = 10_000_000))]
    pub max_kept_fds: u32,
    /// The most threads that the worker may keep after a level.
    #[schemars(range(max = 10_000_000))]
    pub max_kept_threads: u32,
    /// A log file of the service, read from where it ends when a level begins; empty for none.
    pub log: String,
    /// What an error looks like in that log: a regular expression.
    #[default = r"\b(ERROR|CRITICAL|FATAL)\b|Traceback|panicked at"]
    pub log_pattern: String,
}
