//! A service that is up, with the sampler on its processes.

use super::{Measured, Suite};
#[cfg(feature = "demo")]
use crate::demo::Embedded;
use crate::error::Result;
use crate::plan::Plan;
use crate::sampler::Sampler;
use crate::session::{Up, checked, start_sampler};

/// A service that is up and sampled, and has not been measured: what a test fixture hands out.
///
/// Dropping it stops the sampler, and then the embedded service if that is what is tested, also in a panic.
pub struct Running {
    suite: Suite,
    plan: Plan,
    // In this order they are dropped: first the watching ends, then what is watched.
    sampler: Sampler,
    up: Up,
}

impl Running {
    pub(super) async fn start(suite: Suite) -> Result<Running> {
        let mut plan = checked(suite.plan.clone(), suite.embedded.is_some())?;
        let up = Up::bring(&mut plan, suite.target.clone(), suite.embedded.clone()).await?;
        let sampler = start_sampler(&plan, None, None)?;
        Ok(Running { suite, plan, sampler, up })
    }

    /// The plan, which names the service and its processes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What a report calls the service.
    pub fn service(&self) -> &str {
        &self.up.subject
    }

    /// The embedded service, if that is what is tested.
    #[cfg(feature = "demo")]
    pub fn embedded(&self) -> Option<&Embedded> {
        self.up.embedded.as_ref()
    }

    /// The sampler, which has found the processes of every role.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// Runs the leak check on this service, or finds what this test run has already measured of it.
    ///
    /// The run samples with a sampler of its own, whose samples are on the disk; this one ends here.
    ///
    /// # Errors
    /// If the service, its processes or the files are not what a run needs.
    pub async fn leak_check(self) -> Result<Measured> {
        let Running { suite, sampler, up, .. } = self;
        sampler.stop()?;
        suite.leak_check_of(Some(up)).await
    }

    /// As [`Running::leak_check`], for the concurrency ramp up to `max`.
    ///
    /// # Errors
    /// As [`Running::leak_check`].
    pub async fn ramp(self, max: u32) -> Result<Measured> {
        let Running { suite, sampler, up, .. } = self;
        sampler.stop()?;
        suite.ramp_of(max, Some(up)).await
    }
}
