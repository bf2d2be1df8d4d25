//! What a run is made of, and how it starts.

use std::sync::Arc;

use sysinfo::System;
use tokio_util::sync::CancellationToken;

use super::Session;
use super::checked::checked;
use super::files::Reservation;
use super::up::{Up, start_sampler};
use crate::analysis::WORKER;
use crate::baseline::read_figures;
use crate::error::{Error, ErrorKind, Result};
use crate::inputs::{bad_input, planned_inputs};
use crate::journal::RunPaths;
use crate::phases::{Observer, Recorder, Rig, Silent, Workers};
use crate::plan::Plan;
use crate::record::{Event, Machine, Warning};
use crate::resume::Resume;
use crate::sampler::{Sampler, Snapshot};
use crate::service::{AnyTarget, Inputs, Target};
use crate::units::{bounded, round, to_mb};

/// What a run is made of, before it starts.
pub struct SessionBuilder {
    plan: Plan,
    up: Option<Up>,
    target: Option<Arc<dyn AnyTarget>>,
    inputs: Option<Inputs>,
    embedded: Option<Vec<String>>,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
    resume: Option<Resume>,
}

impl SessionBuilder {
    pub(super) fn new(plan: Plan) -> SessionBuilder {
        SessionBuilder {
            plan,
            up: None,
            target: None,
            inputs: None,
            embedded: None,
            observer: Arc::new(Silent),
            stop: CancellationToken::new(),
            resume: None,
        }
    }

    /// Uses `target` instead of the one that the plan describes.
    #[must_use]
    pub fn target(self, target: impl Target) -> SessionBuilder {
        self.shared_target(Arc::new(target))
    }

    pub(crate) fn shared_target(mut self, target: Arc<dyn AnyTarget>) -> SessionBuilder {
        self.target = Some(target);
        self
    }

    /// Tests a service that is up already.
    pub(crate) fn up(mut self, up: Option<Up>) -> SessionBuilder {
        self.up = up;
        self
    }

    /// Sends `inputs` instead of those that the plan describes.
    #[must_use]
    pub fn inputs(mut self, inputs: Inputs) -> SessionBuilder {
        self.inputs = Some(inputs);
        self
    }

    /// Starts the embedded service with `arguments` and tests that.
    #[must_use]
    pub fn embedded(mut self, arguments: Vec<String>) -> SessionBuilder {
        self.embedded = Some(arguments);
        self
    }

    /// Tells `observer` of everything that is recorded.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> SessionBuilder {
        self.observer = observer;
        self
    }

    /// Goes on from a run that was stopped: what it did counts.
    #[must_use]
    pub fn resume(mut self, resume: Resume) -> SessionBuilder {
        self.resume = Some(resume);
        self
    }

    /// Lets `stop` end the run.
    #[must_use]
    pub fn stop(mut self, stop: CancellationToken) -> SessionBuilder {
        self.stop = stop;
        self
    }

    /// Starts the run: opens the files, brings up or reaches the service, finds
    /// the processes, starts the sampler.
    ///
    /// # Errors
    /// Those of each of these, with a hint; nothing is left behind then.
    pub async fn start(mut self) -> Result<Session> {
        let embedded = self.up.as_ref().map_or(self.embedded.is_some(), |up| up.embedded.is_some());
        self.plan = checked(self.plan, embedded)?;
        let reservation = Reservation::new(&self.plan.results)?;
        let session = Box::pin(self.start_in(reservation.paths())).await?;
        reservation.keep();
        Ok(session)
    }

    async fn start_in(self, paths: &RunPaths) -> Result<Session> {
        let SessionBuilder { mut plan, up, target, inputs, embedded, observer, stop, mut resume } = self;
        // Read first: a wrong path must not show after an hour of load.
        let baseline = plan.baseline.as_deref().map(read_figures).transpose()?;
        let inputs = match inputs {
            Some(inputs) => inputs,
            None => planned_inputs(&plan)?,
        };
        let bad_input = bad_input(&plan)?;
        let up = match up {
            Some(up) => {
                up.aim(&mut plan);
                up
            }
            None => Up::bring(&mut plan, target, embedded).await?,
        };
        let Up { embedded, target, subject } = up;
        let sampler = start_sampler(&plan, Some(paths.resources.clone()), Some(paths.gpu.clone()))?;
        // Subscribed before the first look, so that no exit falls between them.
        let events = sampler.client().subscribe();
        let snapshot = sampler.client().observe().await?;

        let recorder = Arc::new(Recorder::open(paths, observer)?);
        if let Some(earlier) = &resume {
            recorder.resume_from(earlier.run());
        }
        recorder
            .event(Event::RunStarted {
                title: format!("memory leak and stress test of {subject}"),
                version: env!("CARGO_PKG_VERSION").to_string(),
                machine: machine(&snapshot),
                plan: plan.written().map_err(|error| {
                    Error::new(ErrorKind::Config, "the plan cannot be expressed in JSON").source(error)
                })?,
                files: paths.names(),
            })
            .await?;
        if let Some(runs) = &baseline {
            recorder.event(Event::Baseline { runs: runs.clone() }).await?;
        }
        if let Some(earlier) = &mut resume {
            let workers = sampler.found().roles.get(WORKER).into_iter().flat_map(|role| &role.roots);
            earlier.set_workers(workers.map(|root| (root.id.pid, root.id.start_ticks)));
            recorder.event(earlier.event()).await?;
        }
        record_found(&recorder, &sampler, &snapshot).await?;
        let alive = sampler.found().roles.get(WORKER).into_iter().flat_map(|role| &role.roots);
        let workers = Workers::follow(events, Arc::clone(&recorder), alive.map(|root| root.id.pid));
        let mut rig = Rig::new(plan, target, (inputs, bad_input), sampler.client(), recorder, workers, stop)?;
        rig.baseline = baseline.unwrap_or_default();
        Ok(Session { rig, sampler, embedded, paths: paths.clone(), resume })
    }
}

async fn record_found(recorder: &Recorder, sampler: &Sampler, snapshot: &Snapshot) -> Result<()> {
    let none = Vec::new();
    for (role, found) in &sampler.found().roles {
        if !found.surplus.is_empty() {
            let message =
                Warning::RoleNotWatched { role: role.clone(), problem: found.error(role).to_string() };
            recorder.event(Event::Warning { message }).await?;
        }
        let descendants = sampler.descendants().get(role).unwrap_or(&none);
        let roots = found.roots.iter().map(|root| (root, None));
        for (process, parent) in roots.chain(descendants.iter().map(|child| (child, Some(child.parent)))) {
            let reading = snapshot
                .roles
                .get(role)
                .and_then(|role| role.processes.iter().find(|reading| reading.id == process.id));
            recorder
                .event(Event::ProcessFound {
                    role: role.clone(),
                    pid: process.id.pid,
                    name: bounded(process.name.clone()),
                    command: bounded(process.command_line()),
                    root: parent.is_none(),
                    parent,
                    start: Some(process.id.start_ticks),
                    replacement: false,
                    rss_mb: reading.map(|reading| round(to_mb(reading.rss_bytes), 1)),
                })
                .await?;
        }
    }
    Ok(())
}

fn machine(snapshot: &Snapshot) -> Machine {
    Machine {
        os: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_string()),
        kernel: System::kernel_version().unwrap_or_else(|| "unknown".to_string()),
        cpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        memory_mb: round(to_mb(snapshot.total_memory_bytes), 0),
    }
}
