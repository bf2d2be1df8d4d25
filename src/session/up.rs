//! The service that is tested, brought up or reached, and the sampler on its processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::embedded::{self, Embedded};
use super::reach::reach;
use crate::error::Result;
use crate::plan::Plan;
use crate::sampler::{Sampler, SamplerOptions, source_of};
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
        let embedded = embedded.map(|arguments| embedded::start(&arguments)).transpose()?;
        if let Some(service) = &embedded {
            embedded::aim(plan, service);
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
            embedded::aim(plan, service);
        }
    }
}

/// Starts sampling the processes that `plan` names, with a row a process and tick in `csv`, and those of GPUs in `gpu_csv`.
pub(crate) fn start_sampler(plan: &Plan, csv: Option<PathBuf>, gpu_csv: Option<PathBuf>) -> Result<Sampler> {
    let options = SamplerOptions {
        interval: Duration::from_secs_f64(plan.sampler.interval_s),
        busy_interval: Duration::from_secs_f64(plan.sampler.busy_interval_s),
        busy_cpu_percent: plan.sampler.busy_cpu_percent,
        csv,
        gpu: plan.sampler.gpu,
        gpu_csv,
        ..SamplerOptions::new(plan.processes.clone())
    };
    let source = source_of(&options.roles)?;
    Sampler::start(options, source)
}
