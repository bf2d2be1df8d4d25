//! What the leak check does.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{MOST_MB, WEEK_S};

/// The leak check: short and long recordings, one task at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct LeakPlan {
    /// False leaves the leak check out.
    #[default = true]
    pub enabled: bool,
    /// Repeats of each recording after the first task, which counts as warm-up.
    #[default = 5]
    #[schemars(range(max = 100_000))]
    pub repeats: u32,
    /// Where the repeats leave open whether memory accumulates, more follow, up to this many readings.
    /// Where tasks are slow, a clean service needs about twenty, a leak of 1 MB per task sixty.
    #[default = 50]
    #[schemars(range(max = 100_000))]
    pub max_repeats: u32,
    /// The most time that the additional repeats may take; the first `repeats` are done in any case.
    #[default = 3600.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub max_s: f64,
    /// Where a task takes less time than the wait for quiet memory, tasks are sent in growing blocks with one
    /// reading after each, for this long in all; 0 sends no blocks.
    #[default = 110.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub for_s: f64,
    /// The most tasks that the leak check sends in blocks.
    #[default = 200_000]
    #[schemars(range(max = 100_000_000))]
    pub max_tasks: u32,
    /// The service holds a bounded cache: below this much worker memory, growth is not called a leak but something
    /// that fills; 0 where nothing is known to fill.
    #[schemars(range(min = 0.0, max = MOST_MB))]
    pub fills_to_mb: f64,
    /// The most that worker memory may rise over one long task.
    #[default = 200.0]
    #[schemars(range(max = MOST_MB), extend("exclusiveMinimum" = 0))]
    pub max_delta_mb: f64,
    /// A rise above this is called severe.
    #[default = 500.0]
    #[schemars(range(max = MOST_MB), extend("exclusiveMinimum" = 0))]
    pub severe_delta_mb: f64,
    /// Memory has returned when it is within this distance of its baseline.
    #[default = 50.0]
    #[schemars(range(min = 0.0, max = MOST_MB))]
    pub baseline_tolerance_mb: f64,
    /// Conditions to try after the leak check, one by one: `repeat` (one input again and again), `new`
    /// (inputs that were never sent before), `pause` (nothing is sent), `alternate` (short and long), `parallel`, and `error` (a request that fails).
    /// `standard` stands for repeat, pause, parallel, and error where there is a bad input.
    pub probes: Vec<String>,
    /// Readings under each condition.
    #[default = 12]
    #[schemars(range(min = 8, max = 10_000))]
    pub probe_steps: u32,
    /// Tasks at once under `parallel`.
    #[default = 4]
    #[schemars(range(min = 2, max = 1_000))]
    pub probe_concurrency: u32,
    /// How long nothing is sent under `pause`.
    #[default = 6.0]
    #[schemars(range(max = WEEK_S), extend("exclusiveMinimum" = 0))]
    pub probe_pause_s: f64,
    /// A file that the service fails on, for `error`: sent in place of the recording, or as the body.
    #[schemars(example = "recordings/broken.wav")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_input: Option<PathBuf>,
    /// False does not judge what else may leak in a role: open descriptors, threads, processes.
    #[default = true]
    pub resources: bool,
    /// The most that the open descriptors of a role may grow from the first half of the repeats to the
    /// second, comparing the lowest readings of each.
    #[default = 2]
    #[schemars(range(max = 1_000_000))]
    pub max_fds_growth: u32,
    /// The most that the threads of a role may grow likewise.
    #[default = 2]
    #[schemars(range(max = 1_000_000))]
    pub max_threads_growth: u32,
    /// The most that the processes of a role, zombies included, may grow likewise.
    #[default = 2]
    #[schemars(range(max = 1_000_000))]
    pub max_processes_growth: u32,
}
