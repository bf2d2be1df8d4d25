//! What the concurrency ramp does: the search, and what a level is.

use serde::{Deserialize, Serialize};

use super::AudioKind;

/// The concurrency ramp: levels of tasks outstanding at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RampPlan {
    /// False leaves the phase out.
    pub enabled: bool,
    /// How the limit is searched for.
    pub search: SearchKind,
    /// Concurrency of the first level.
    pub start: u32,
    /// Difference between two levels of the linear search.
    pub step: u32,
    /// The bound: no level goes above it.
    pub max: u32,
    /// The bound in levels, each attempt counted; 0 for none.
    pub max_levels: u32,
    /// The bound in tasks, checked before a level; 0 for none.
    pub max_tasks: u32,
    /// The bound in time, checked before a level, in seconds; 0 for none.
    pub max_s: f64,
    /// True tries a level that broke once more, unless a process died.
    pub repeat_broken: bool,
    /// True tries the level below the limit once more.
    pub confirm: bool,
    /// How long a service gets to recover from a broken level, in seconds.
    pub recover_s: f64,
    /// A level sends at least so many tasks for each that is outstanding.
    pub rounds: u32,
    /// A level goes on for at least so long, in seconds; 0 for one batch of each round.
    pub hold_s: f64,
    /// Where the first batch's tasks took less than this each, in seconds, a level goes on
    /// to three for each that is outstanding and `short_tasks` at least.
    pub short_s: f64,
    /// The fewest tasks of a level of short tasks.
    pub short_tasks: u32,
    /// The most that the queue may take to drain before a level, in seconds.
    pub drain_s: f64,
    /// What every task of the ramp sends.
    pub audio: AudioKind,
    /// The service must hold at least this level for the run to pass.
    pub required: u32,
    /// RTF (processing time / audio time) must stay below this.
    pub max_rtf: f64,
    /// True makes RTF part of "the level holds", so that the ramp stops where it is exceeded.
    pub stop_at_rtf: bool,
    /// What "a level holds" means.
    pub stable: StablePlan,
    /// highwater's event loop may be so late, in seconds (and by a tenth of the time of a task, if
    /// that is longer); where it is later, the level is invalid. It is, too, where highwater waited for
    /// a CPU for half of the level and was late by a tenth of a task. 0 for off.
    pub max_lag_s: f64,
    /// When a worker has exited, its unfinished tasks get this long to end otherwise, in seconds.
    pub exit_grace_s: f64,
}

/// How the limit is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchKind {
    /// From the first level upwards by a step.
    Linear,
    /// Doubling until a level breaks, then halving the gap.
    Bisect,
}

/// Which figure of a level is held against a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// The largest.
    Max,
    /// The 95th percentile.
    P95,
}

/// The clauses of "a level holds" besides RTF; a bound of 0 leaves its clause out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StablePlan {
    /// No process of the roles exits or is replaced.
    pub processes: bool,
    /// No process is killed for want of memory.
    pub oom: bool,
    /// The health endpoint answers after the level.
    pub health: bool,
    /// The share of tasks that must succeed. 1: all of them. Below 1, a level breaks where the
    /// 95 % interval of the share (Wilson) lies wholly below.
    pub min_success: f64,
    /// Which RTF is held against `ramp.max_rtf`, where `ramp.stop_at_rtf` asks for that.
    pub rtf_of: Figure,
    /// The bound of the time from submission to result, in seconds…
    pub max_latency_s: f64,
    /// … and which of the times is held against it.
    pub latency_of: Figure,
    /// The cap of the peak memory of the worker's tree, in megabytes.
    pub max_peak_mb: f64,
    /// The most memory that the worker may keep after a level, in megabytes.
    pub max_kept_mb: f64,
    /// The most file descriptors that the worker may keep after a level.
    pub max_kept_fds: u32,
    /// The most threads that the worker may keep after a level.
    pub max_kept_threads: u32,
    /// The service's log file; empty for none.
    pub log: String,
    /// What an error looks like in it: a regular expression.
    pub log_pattern: String,
}

impl Default for StablePlan {
    fn default() -> StablePlan {
        StablePlan {
            processes: true,
            oom: true,
            health: true,
            min_success: 1.0,
            rtf_of: Figure::Max,
            max_latency_s: 0.0,
            latency_of: Figure::P95,
            max_peak_mb: 0.0,
            max_kept_mb: 0.0,
            max_kept_fds: 0,
            max_kept_threads: 0,
            log: String::new(),
            log_pattern: r"\b(ERROR|CRITICAL|FATAL)\b|Traceback|panicked at".to_string(),
        }
    }
}

impl Default for RampPlan {
    fn default() -> RampPlan {
        RampPlan {
            enabled: true,
            search: SearchKind::Linear,
            start: 1,
            step: 1,
            max: 10,
            max_levels: 0,
            max_tasks: 0,
            max_s: 0.0,
            repeat_broken: true,
            confirm: true,
            recover_s: 60.0,
            rounds: 1,
            hold_s: 0.0,
            short_s: 0.2,
            short_tasks: 20,
            drain_s: 10.0,
            audio: AudioKind::Short,
            required: 3,
            max_rtf: 1.0,
            stop_at_rtf: false,
            stable: StablePlan::default(),
            max_lag_s: 0.25,
            exit_grace_s: 2.0,
        }
    }
}
