//! A run from its start to its report: what the command line and the test
//! suites both stand on.

mod builder;
mod checked;
mod embedded;
mod files;
mod reach;
mod space;
mod up;

use std::sync::Arc;

pub use builder::SessionBuilder;
pub(crate) use checked::checked;
pub(crate) use embedded::Embedded;
pub use files::{write_report, write_reports};
pub use reach::{check_service, try_task};
pub(crate) use up::{Up, start_sampler};

use crate::assessment::{Assessment, assess};
use crate::error::Result;
use crate::journal::{self, Journal, RunPaths};
use crate::phases::{self, Rig};
use crate::plan::Plan;
use crate::record::{Event, EventRecord, Judgement, Phase, RunData, Warning};
use crate::report::census;
use crate::resume::{Earlier, Resume};
use crate::sampler::{Sampler, SamplerClient};

/// A run that has started: the sampler samples, the files are open.
///
/// Dropping it without [`Session::finish`] stops the sampler and the embedded
/// service; the log of events then has no end, and says so when it is read.
pub struct Session {
    rig: Rig,
    // In this order they are dropped: first the watching ends, then what is watched.
    sampler: Sampler,
    embedded: Option<Embedded>,
    paths: RunPaths,
    resume: Option<Resume>,
}

/// How a run came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything that was planned was done.
    Complete,
    /// It was stopped before, for this reason.
    Interrupted(String),
}

/// What a run came to, and where its files are.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that is concluded from its files.
    pub assessment: Assessment,
    /// The files.
    pub paths: RunPaths,
}

impl Session {
    /// A run of `plan`, to be started.
    pub fn builder(plan: Plan) -> SessionBuilder {
        SessionBuilder::new(plan)
    }

    /// The files of the run.
    pub fn paths(&self) -> &RunPaths {
        &self.paths
    }

    /// The sampler that watches the processes.
    pub fn sampler(&self) -> SamplerClient {
        self.sampler.client()
    }

    /// The plan as it is run.
    pub fn plan(&self) -> &Plan {
        &self.rig.plan
    }

    /// The embedded service, if that is what is tested.
    #[cfg(feature = "demo")]
    pub fn embedded(&self) -> Option<&Embedded> {
        self.embedded.as_ref()
    }

    /// Runs the leak check; returns true if it ended early because the leak is certain.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the results cannot be written, [`crate::ErrorKind::Interrupted`] if the run is to stop.
    pub async fn leak_check(&self) -> Result<bool> {
        let leaks = Box::pin(phases::leak_check(&self.rig, Earlier::default())).await?;
        phases::probe(&self.rig, &[]).await?;
        Ok(leaks)
    }

    /// Runs the concurrency ramp.
    ///
    /// # Errors
    /// As [`Session::leak_check`].
    pub async fn ramp(&self) -> Result<()> {
        phases::ramp(&self.rig, false, Earlier::default()).await
    }

    /// Runs the phases that the plan asks for.
    ///
    /// # Errors
    /// Those of the phases.
    pub async fn run_plan(&self) -> Result<()> {
        tokio::select! {
            result = self.phases() => result,
            Err(error) = space::watch(&self.rig.recorder, self.rig.plan.results.clone()) => Err(error),
        }
    }

    async fn phases(&self) -> Result<()> {
        let plan = &self.rig.plan;
        let stopped_in = self.resume.as_ref().map(Resume::phase);
        // What the phase that is gone on with had done; the others begin at their beginning.
        let earlier = |phase: Phase| match &self.resume {
            Some(resume) if resume.phase() == phase => resume.earlier(plan),
            _ => Earlier::default(),
        };
        let still_to_come = |phase: Phase| stopped_in.is_none_or(|stopped| stopped <= phase);
        let mut leaks = false;
        if plan.leak.enabled && still_to_come(Phase::Leak) {
            leaks = Box::pin(phases::leak_check(&self.rig, earlier(Phase::Leak))).await?;
        }
        let tried = self.resume.as_ref().map_or(Some(Vec::new()), |resume| resume.tried(plan));
        if let Some(tried) = tried.filter(|_| plan.leak.enabled) {
            phases::probe(&self.rig, &tried).await?;
        }
        if plan.ramp.enabled && still_to_come(Phase::Concurrency) {
            Box::pin(phases::ramp(&self.rig, leaks, earlier(Phase::Concurrency))).await?;
        }
        if plan.soak.enabled {
            phases::soak(&self.rig, earlier(Phase::Soak)).await?;
        }
        Ok(())
    }

    /// Ends the run: stops sampler and embedded service, reads the files back,
    /// judges them and writes the report.
    ///
    /// What is judged is what is on the disk, so that the report at the end of a
    /// run and one made from its files in a year cannot differ.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if a file cannot be written or read.
    pub async fn finish(self, end: End) -> Result<Outcome> {
        let Session { rig, sampler, embedded, paths, resume: _ } = self;
        let plan = rig.plan.clone();
        let recorder = Arc::clone(&rig.recorder);
        rig.workers.caught_up().await;
        // No event of the service's own end may reach the log: the watching ends first.
        drop(rig);
        let summary = sampler.stop()?;
        recorder.rescue().await?;
        if let Some(error) = &summary.csv_first_error {
            let message = Warning::RowsLost { error: error.clone() };
            recorder.event(Event::Warning { message }).await?;
        }
        recorder.event(summary.processes_seen()).await?;
        recorder.event(Event::Sampled(summary.sampling())).await?;
        recorder
            .event(match end {
                End::Complete => Event::RunEnded,
                End::Interrupted(reason) => Event::RunInterrupted { reason },
            })
            .await?;
        drop(recorder);
        if let Some(service) = embedded {
            service.stop();
        }
        let run = journal::read(&paths.tasks)?;
        let assessment = assess(&run, &plan);
        let verdict = verdict_record(&run, assessment.judgement.clone());
        // A log that was deleted meanwhile is not made anew: that would hide the gap.
        if let Some(log) = Journal::reopen(&paths.events)? {
            log.append(&verdict).await?;
        }
        let paths = write_reports(&paths, &run, &assessment)?;
        write_report(&paths.processes, &census(&run))?;
        Ok(Outcome { assessment, paths })
    }
}

fn verdict_record(run: &RunData, judgement: Judgement) -> EventRecord {
    let last = run.events.last();
    EventRecord {
        time: last.map_or_else(String::new, |record| record.time.clone()),
        elapsed: last.map_or(0.0, |record| record.elapsed),
        event: Event::Verdict { judgement },
    }
}
