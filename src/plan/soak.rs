//! What the soak does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{MOST_MB, WEEK_S};

/// The soak: one level of tasks outstanding at once, held for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct SoakPlan {
    /// True makes `highwater run` soak after its other phases.
    pub enabled: bool,
    /// Tasks outstanding at once.
    #[default = 1]
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: u32,
    /// How long the level is held.
    #[default = 1800.0]
    #[schemars(range(max = WEEK_S), extend("exclusiveMinimum" = 0))]
    pub for_s: f64,
    /// How many tasks are sent, instead of a time; 0 for as many as fit into the time.
    pub tasks: u32,
    /// The memory that the worker must not exceed: the report says how long it takes until then. 0 for no cap.
    #[schemars(range(min = 0.0, max = MOST_MB))]
    pub cap_mb: f64,
}
