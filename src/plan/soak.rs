//! What the soak does.

use serde::{Deserialize, Serialize};

/// The soak: one level of tasks outstanding at once, held for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoakPlan {
    /// True makes a run soak after its other phases; `highwater soak` does nothing else.
    pub enabled: bool,
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// How long the level is held, in seconds.
    pub for_s: f64,
    /// How many tasks are sent instead; 0 for as many as fit into the time.
    pub tasks: u32,
    /// The memory that the worker must not exceed, in megabytes: how long it takes until then is told.
    /// 0 for none.
    pub cap_mb: f64,
}

impl Default for SoakPlan {
    fn default() -> SoakPlan {
        SoakPlan { enabled: false, concurrency: 1, for_s: 1800.0, tasks: 0, cap_mb: 0.0 }
    }
}
