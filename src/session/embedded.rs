//! The embedded service as the subject of a run; without the feature `demo`, the error that it is not there.

#[cfg(not(feature = "demo"))]
pub(crate) use absent::*;
#[cfg(feature = "demo")]
pub(crate) use present::*;

#[cfg(feature = "demo")]
mod present {
    use std::collections::BTreeMap;

    pub(crate) use highwater_demo::Embedded;

    use crate::error::Result;
    use crate::plan::{Plan, ProcessPlan, judge_as_asked};

    /// Starts the service with `arguments`.
    pub(crate) fn start(arguments: &[String]) -> Result<Embedded> {
        Ok(Embedded::start(&Embedded::program()?, arguments)?)
    }

    /// The embedded service says itself where it listens and who plays which role.
    pub(crate) fn aim(plan: &mut Plan, service: &Embedded) {
        plan.target.url = service.ready().url.clone();
        let mut roles: BTreeMap<String, ProcessPlan> = BTreeMap::new();
        for process in &service.ready().processes {
            roles.entry(process.role.name().to_string()).or_default().pids.push(process.pid);
        }
        judge_as_asked(&mut roles, &plan.processes);
        plan.processes = roles;
    }
}

#[cfg(not(feature = "demo"))]
mod absent {
    use crate::error::{Error, Result};
    use crate::plan::Plan;

    /// No service: there is no value of this type.
    pub(crate) enum Embedded {}

    impl Embedded {
        pub(crate) fn stop(self) {
            match self {}
        }
    }

    pub(crate) fn start(_: &[String]) -> Result<Embedded> {
        Err(Error::without_feature("the embedded service", "demo"))
    }

    pub(crate) fn aim(_: &mut Plan, service: &Embedded) {
        match *service {}
    }
}
