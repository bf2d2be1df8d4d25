//! A build without collections: a plan that asks for one is refused.

#[path = "collected.rs"]
mod collected;

use self::collected::Collected;
use crate::error::{Error, Result};
use crate::plan::{CollectKind, Plan};

/// There is none in this build.
#[derive(Debug)]
pub(crate) enum Collector {}

impl Collector {
    /// # Errors
    /// [`crate::ErrorKind::Config`] if the plan asks for a collection.
    pub(crate) fn of_plan(plan: &Plan) -> Result<Option<Collector>> {
        match plan.settle.collect {
            None | Some(CollectKind::Off) => Ok(None),
            Some(_) => Err(Error::without_feature("`settle.collect`", "collect")),
        }
    }

    pub(crate) fn is_asked_for(&self) -> bool {
        match *self {}
    }

    pub(crate) async fn collect(&self, _: &[u32]) -> std::result::Result<Option<Collected>, String> {
        match *self {}
    }
}
