//! What stands in the place of load by another program where the feature `command` is off.

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::GeneratorLoad;

/// A program that makes load, which this highwater cannot start.
pub(crate) struct Generator;

impl Generator {
    pub(crate) fn of_plan(plan: &Plan) -> Option<Generator> {
        plan.load.command.as_ref().map(|_| Generator)
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(crate) async fn run(&self, _: u32, _: f64) -> Result<GeneratorLoad> {
        Err(Error::without_feature("`load.command`", "command"))
    }
}
