//! The parts that every phase works with.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::arms::Arms;
use super::driver::Driver;
use super::memory::MemoryReader;
use super::recorder::Recorder;
use super::stop::Stop;
use super::workers::Workers;
use crate::collect::Collector;
use crate::error::Result;
use crate::plan::Plan;
use crate::record::RunFigures;
use crate::sampler::SamplerClient;
use crate::service::{AnyTarget, Input, Inputs};

/// The parts of a run, each with one job.
///
/// Only the phases hold a rig. A part knows the parts that it needs, and never the rig.
pub struct Rig {
    pub(crate) plan: Plan,
    pub(super) inputs: Inputs,
    /// The runs that this one is compared with (`baseline`).
    pub(crate) baseline: Vec<RunFigures>,
    /// An input on which the service is expected to fail (`leak.bad_input`).
    pub(super) bad_input: Option<Input>,
    /// Hands out inputs that were never sent before.
    pub(super) arms: Arms,
    /// Drives tasks.
    pub(super) driver: Driver,
    /// Reads memory.
    pub(super) memory: MemoryReader,
    /// Records.
    pub(crate) recorder: Arc<Recorder>,
    /// Follows the worker processes.
    pub(crate) workers: Workers,
}

impl Rig {
    /// Joins the parts; `stop` ends the run.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] if `settle.collect` names a URL that is none.
    pub(crate) fn new(
        plan: Plan,
        target: Arc<dyn AnyTarget>,
        (inputs, bad_input): (Inputs, Option<Input>),
        sampler: SamplerClient,
        recorder: Arc<Recorder>,
        workers: Workers,
        stop: CancellationToken,
    ) -> Result<Rig> {
        let collector = Collector::of_plan(&plan)?;
        let stop = Stop::new(stop);
        let driver = Driver::new(target, &plan, Arc::clone(&recorder), workers.clone(), stop.clone());
        let memory = MemoryReader::new(sampler, &plan, Arc::clone(&recorder), stop, collector);
        Ok(Rig {
            plan,
            inputs,
            baseline: Vec::new(),
            bad_input,
            arms: Arms::default(),
            driver,
            memory,
            recorder,
            workers,
        })
    }
}
