//! Which fields of the data files and of the plan an assessment shows, and under which names: those that
//! programs have read since the first version.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::{LeakPlan, RampPlan};
use crate::record::{TaskRecord, TaskStatus};

/// A task of the leak check.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct LeakTask {
    /// Position in the leak check, from 1.
    pub index: usize,
    /// Which input.
    pub input: String,
    /// True for the first task of its kind.
    pub warm_up: bool,
    /// The task's line.
    #[serde(flatten, with = "ShownTask")]
    #[schemars(with = "ShownTask")]
    pub task: TaskRecord,
}

/// What a run was judged against.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct JudgedAgainst {
    /// The thresholds of the leak check.
    #[serde(flatten, with = "ShownLeakPlan")]
    #[schemars(with = "ShownLeakPlan")]
    pub leak: LeakPlan,
    /// The thresholds of the ramp.
    #[serde(flatten, with = "ShownRampPlan")]
    #[schemars(with = "ShownRampPlan")]
    pub ramp: RampPlan,
}

#[derive(JsonSchema, Serialize)]
#[serde(remote = "TaskRecord")]
struct ShownTask {
    /// How it ended.
    status: TaskStatus,
    /// Seconds from submission to result.
    processing_time: Option<f64>,
    /// Real-time factor.
    rtf: Option<f64>,
    /// Worker RSS before, in MB.
    #[serde(rename = "before_mb")]
    worker_rss_before_mb: Option<f64>,
    /// Worker RSS after, in MB.
    #[serde(rename = "after_mb")]
    worker_rss_after_mb: Option<f64>,
    /// After minus before, in MB.
    #[serde(rename = "delta_mb")]
    worker_rss_delta_mb: Option<f64>,
    /// Highest worker RSS seen meanwhile, in MB.
    #[serde(rename = "peak_mb")]
    worker_rss_peak_mb: Option<f64>,
    /// False where memory was still moving when "after" was read.
    settled: Option<bool>,
}

#[derive(JsonSchema, Serialize)]
#[serde(remote = "LeakPlan")]
struct ShownLeakPlan {
    /// The most that worker memory may rise over one task, in MB.
    max_delta_mb: f64,
    /// A delta above this is severe, in MB.
    severe_delta_mb: f64,
    /// Memory has returned within this many MB of its baseline.
    baseline_tolerance_mb: f64,
}

#[derive(JsonSchema, Serialize)]
#[serde(remote = "RampPlan")]
struct ShownRampPlan {
    /// The level that must hold.
    #[serde(rename = "required_concurrency")]
    required: u32,
    /// RTF must stay below this.
    max_rtf: f64,
}
