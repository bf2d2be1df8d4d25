//! Load that another program makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

/// Load that another program makes: k6, Locust, oha, a script. highwater sets the level, watches meanwhile, and judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct LoadPlan {
    /// The line for the shell that makes the load of a level of the ramp, or of the whole soak. `{concurrency}` becomes
    /// the level, `{seconds}` how long the load should last, `{url}` the URL of `target.url`, and `{summary}` the path of
    /// a file for the summary, which highwater reads: `k6 run --summary-export {summary}`, `locust --csv {summary}`. What
    /// it prints is read as well (`oha --output-format json`).
    #[schemars(example = &"k6 run --vus {concurrency} --duration {seconds}s --summary-export {summary} load.js")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// How long the load of a level lasts.
    #[default = 30.0]
    #[schemars(range(max = 86400.0), extend("exclusiveMinimum" = 0))]
    pub for_s: f64,
    /// How much longer the program may take to end; then it is killed, and the level has broken.
    #[default = 60.0]
    #[schemars(range(max = 86400.0), extend("exclusiveMinimum" = 0))]
    pub grace_s: f64,
}
