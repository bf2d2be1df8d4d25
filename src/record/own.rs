//! What was seen over a stretch of load: of highwater itself, and of the service in a round of a soak.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// highwater and the machine during one level; what could not be read is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct OwnReading {
    /// How late highwater's event loop woke up, in seconds: the 95th percentile…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_p95_s: Option<f64>,
    /// … and the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_max_s: Option<f64>,
    /// CPU of highwater, in percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Share of the time in which the thread that drives the load could have run and waited for a CPU, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_wait_percent: Option<f64>,
    /// RSS of highwater, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<f64>,
    /// Share of the time in which some process of the machine waited for a CPU, in percent.
    /// A service that uses all CPUs makes it high: it is shown and never judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure_percent: Option<f64>,
    /// Share of the time in which all of the machine's work stood still for want of memory, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_pressure_percent: Option<f64>,
    /// What the machine swapped in and out, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped_mb: Option<f64>,
}

/// A round of a soak, at its end.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct SoakRound {
    /// Which, from 1.
    pub round: u32,
    /// Tasks that have ended since the soak began.
    pub tasks: u32,
    /// Seconds since it began.
    pub seconds: f64,
    /// The least private memory of the worker's tree that was seen in the round, in MB (RSS where that
    /// is all that can be read): what is left when the tasks' own memory is least.
    pub floor_mb: Option<f64>,
    /// The most.
    pub peak_mb: Option<f64>,
}
