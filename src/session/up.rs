//! The service that is tested, brought up or reached, and the sampler on its processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::reach::reach;
use crate::demo::Embedded;
use crate::error::Result;
use crate::plan::{Plan, ProcessPlan, TargetKind};
use crate::sampler::{Sampler, SamplerOptions, default_source};
use crate::service::{self, AnyTarget};

/// A service that has said that it is well.
pub(crate) struct Up {
    /// The embedded service, if that is what is tested: it ends when this is dropped.
    pub(crate) embedded: Option<Embedded>,
    /// The way to it.
    pub(crate) target: Arc<dyn AnyTarget>,
    /// What a report calls it.
    pub(crate) subject: String,
}

impl Up {
    /// Starts the embedded service with `embedded`, where that is given, and waits until the service is well.
    ///
    /// `plan` then names the service and its processes.
    pub(crate) async fn bring(
        plan: &mut Plan,
        target: Option<Arc<dyn AnyTarget>>,
        embedded: Option<Vec<String>>,
    ) -> Result<Up> {
        let embedded = match embedded {
            Some(arguments) => Some(Embedded::start(&Embedded::program()?, &arguments)?),
            None => None,
        };
        if let Some(service) = &embedded {
            aim_at_embedded(plan, service);
        }
        let (target, described) = match target {
            Some(target) => (target, None),
            None => (service::of_plan(plan)?, Some(&plan.target)),
        };
        let subject = match &embedded {
            Some(_) => "the embedded demo service".to_string(),
            None => target.describe(),
        };
        reach(&*target, &subject, described).await?;
        Ok(Up { embedded, target, subject })
    }

    /// Lets `plan` name this service and its processes.
    pub(crate) fn aim(&self, plan: &mut Plan) {
        if let Some(service) = &self.embedded {
            aim_at_embedded(plan, service);
        }
    }
}

/// Starts sampling the processes that `plan` names, with a row a process and tick in `csv`.
pub(crate) fn start_sampler(plan: &Plan, csv: Option<PathBuf>) -> Result<Sampler> {
    let options = SamplerOptions {
        interval: Duration::from_secs_f64(plan.sampler.interval_s),
        busy_interval: Duration::from_secs_f64(plan.sampler.busy_interval_s),
        busy_cpu_percent: plan.sampler.busy_cpu_percent,
        csv,
        ..SamplerOptions::new(plan.processes.clone())
    };
    Sampler::start(options, default_source()?)
}

/// The embedded service says itself where it listens and who plays which role.
fn aim_at_embedded(plan: &mut Plan, service: &Embedded) {
    let defaults = Plan::default().target;
    plan.target.kind = TargetKind::Asr;
    plan.target.url = service.ready().url.clone();
    plan.target.health = defaults.health;
    plan.target.asr = defaults.asr;
    // A secret of another service is none of its business.
    plan.target.auth_env = String::new();
    let mut roles: BTreeMap<String, ProcessPlan> = BTreeMap::new();
    for process in &service.ready().processes {
        roles.entry(process.role.name().to_string()).or_default().pids.push(process.pid);
    }
    plan.processes = roles;
}
