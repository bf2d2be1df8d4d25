//! How processes are sampled, when their memory counts as quiet, and when the machine comes first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{MOST_MB, WEEK_S};

/// How the processes are sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerPlan {
    /// Time between two rows of a process in the CSV.
    #[default = 1.0]
    #[schemars(range(min = 0.01, max = 3600.0))]
    pub interval_s: f64,
    /// Time between two readings while a task is in flight, so that peaks shorter than `interval_s` are
    /// not missed.
    #[default = 0.02]
    #[schemars(range(min = 0.01, max = 3600.0))]
    pub busy_interval_s: f64,
    /// The most CPU time that these readings may take, in percent of one core; where a reading costs more,
    /// they become rarer.
    #[default = 5.0]
    #[schemars(range(max = 100.0), extend("exclusiveMinimum" = 0))]
    pub busy_cpu_percent: f64,
    /// The most time that reading the PSS (which counts shared pages once) of a process tree may take before
    /// and after a task. The processes stand still meanwhile, some 8 ms per GB. For a larger tree, the sum of
    /// private memory is reported instead. 0 never reads PSS.
    #[default = 0.05]
    #[schemars(range(min = 0.0, max = 60.0))]
    pub pss_budget_s: f64,
    /// Read the memory of NVIDIA GPUs by process, where there are any.
    #[default = true]
    pub gpu: bool,
}

/// When memory counts as quiet, before and after a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct SettlePlan {
    /// Memory is quiet when it has not moved for this long.
    #[default = 0.5]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub quiet_s: f64,
    /// Changes within this range do not count as movement.
    #[default = 1.0]
    #[schemars(range(min = 0.0, max = MOST_MB))]
    pub quiet_mb: f64,
    /// After this time the reading is taken, quiet or not.
    #[default = 10.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub max_s: f64,
    /// Services free late: memory that is quiet, but above its baseline by more than
    /// `leak.baseline_tolerance_mb`, is watched for this much longer.
    #[default = 8.0]
    #[schemars(range(min = 0.0, max = WEEK_S))]
    pub late_free_s: f64,
    /// Makes the service's runtime collect before a reading, so that garbage hides no leak and none is suspected where
    /// there is only garbage. A failure is reported, and fails no task. By default a Java worker collects, as with
    /// `jcmd`, because its heap may rise by a gigabyte without a leak.
    #[schemars(example = &"jcmd")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect: Option<CollectKind>,
    /// The URL that `collect` uses: the service's own endpoint (`url`), the base of Go's profiler if it is not the
    /// service's (`go-pprof`), the inspector if it is not at port 9229 (`node-inspector`).
    pub collect_url: String,
    /// The program of `collect = "command"` with its arguments. It runs once for each process of the worker; `{pid}`
    /// stands for that process.
    pub collect_command: Vec<String>,
}

/// How the service's runtime is made to collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CollectKind {
    /// `POST` to an endpoint of the service's own (`collect_url`).
    Url,
    /// A program, once for each process (`collect_command`).
    Command,
    /// What `jcmd PID GC.run` does, for Java; `jcmd` itself is not needed.
    Jcmd,
    /// `GET /debug/pprof/heap?gc=1`, for Go.
    GoPprof,
    /// `HeapProfiler.collectGarbage` through the inspector, which SIGUSR1 opens, for Node.js.
    NodeInspector,
    /// Remote execution of `gc.collect()` and `malloc_trim`, for CPython from 3.14 on.
    Python,
    /// No collection, not even of a Java machine.
    Off,
}

/// When highwater stops for the sake of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct GuardPlan {
    /// No task is sent while less than this share of the machine's memory is available, in percent.
    #[default = 10.0]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub min_available_percent: f64,
}
