//! A run from its start to its report: what the command line and the test
//! suites both stand on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sysinfo::System;
use tokio_util::sync::CancellationToken;

use crate::analysis::WORKER;
use crate::audio::{self, Recording};
use crate::demo::Embedded;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{self, Journal, RunPaths};
use crate::phases::{self, Inputs, Observer, Recorder, Rig, Silent, Workers};
use crate::plan::{AudioKind, Plan, ProcessPlan, TargetKind};
use crate::record::{Event, Machine};
use crate::report::{Report, markdown, report};
use crate::sampler::{Sampler, SamplerOptions, SamplerSummary, Snapshot, default_source};
use crate::target::{self, AnyTarget, Input, Target};
use crate::units::{round, to_mb};

/// How long a service may take to answer its first health check, in steps of [`HEALTH_STEP`].
const HEALTH_TRIES: u32 = 5;
const HEALTH_STEP: Duration = Duration::from_millis(200);

/// What a run is made of, before it starts.
pub struct SessionBuilder {
    plan: Plan,
    target: Option<Arc<dyn AnyTarget>>,
    inputs: Option<Inputs>,
    embedded: Option<Vec<String>>,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
}

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
    /// The judgement, with the tables behind it.
    pub report: Report,
    /// The files.
    pub paths: RunPaths,
}

impl SessionBuilder {
    /// Uses `target` instead of the one that the plan describes.
    #[must_use]
    pub fn target(self, target: impl Target) -> SessionBuilder {
        self.shared_target(Arc::new(target))
    }

    pub(crate) fn shared_target(mut self, target: Arc<dyn AnyTarget>) -> SessionBuilder {
        self.target = Some(target);
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
    pub async fn start(self) -> Result<Session> {
        let reservation = Reservation(Some(RunPaths::reserve(&self.plan.results)?));
        let session = self.start_in(reservation.paths()).await?;
        reservation.keep();
        Ok(session)
    }

    async fn start_in(self, paths: &RunPaths) -> Result<Session> {
        let SessionBuilder { mut plan, target, inputs, embedded, observer, stop } = self;
        if embedded.is_some() {
            // Whatever service the configuration names, the embedded one takes audio.
            plan.target.kind = TargetKind::Asr;
        }
        let inputs = match inputs {
            Some(inputs) => inputs,
            None => planned_inputs(&plan)?,
        };
        let embedded = match embedded {
            Some(arguments) => Some(Embedded::start(&Embedded::program()?, &arguments)?),
            None => None,
        };
        if let Some(service) = &embedded {
            aim_at_embedded(&mut plan, service);
        }
        let target = match target {
            Some(target) => target,
            None => target::of_plan(&plan)?,
        };
        let subject = match &embedded {
            Some(_) => "the embedded demo service".to_string(),
            None => target.describe(),
        };
        reach(&*target, &subject).await?;

        let sampler = Sampler::start(
            SamplerOptions {
                interval: Duration::from_secs_f64(plan.sampler.interval_s),
                csv: Some(paths.resources.clone()),
                ..SamplerOptions::new(plan.processes.clone())
            },
            default_source()?,
        )?;
        // Subscribed before the first look, so that no exit falls between them.
        let events = sampler.client().subscribe();
        let snapshot = sampler.client().observe().await?;

        let recorder = Arc::new(Recorder::open(paths, observer)?);
        recorder
            .event(Event::RunStarted {
                title: format!("memory leak and stress test of {subject}"),
                version: env!("CARGO_PKG_VERSION").to_string(),
                machine: machine(&snapshot),
                plan: serde_json::to_value(&plan).map_err(|error| {
                    Error::new(ErrorKind::Config, "the plan cannot be expressed in JSON").source(error)
                })?,
                files: paths.names(),
            })
            .await?;
        record_found(&recorder, &sampler, &snapshot).await?;
        let alive = sampler.found().roles.get(WORKER).into_iter().flat_map(|role| &role.roots);
        let workers = Workers::follow(events, Arc::clone(&recorder), alive.map(|root| root.id.pid));
        let rig = Rig { plan, target, inputs, sampler: sampler.client(), recorder, workers, stop };
        Ok(Session { rig, sampler, embedded, paths: paths.clone() })
    }
}

impl Session {
    /// A run of `plan`, to be started.
    pub fn builder(plan: Plan) -> SessionBuilder {
        SessionBuilder {
            plan,
            target: None,
            inputs: None,
            embedded: None,
            observer: Arc::new(Silent),
            stop: CancellationToken::new(),
        }
    }

    /// The files of the run.
    pub fn paths(&self) -> &RunPaths {
        &self.paths
    }

    /// The plan as it is run.
    pub fn plan(&self) -> &Plan {
        &self.rig.plan
    }

    /// The embedded service, if that is what is tested.
    pub fn embedded(&self) -> Option<&Embedded> {
        self.embedded.as_ref()
    }

    /// Runs the leak check; returns true if it ended early because the leak is certain.
    ///
    /// # Errors
    /// See [`phases::leak_check`].
    pub async fn leak_check(&self) -> Result<bool> {
        phases::leak_check(&self.rig).await
    }

    /// Runs the concurrency ramp.
    ///
    /// # Errors
    /// See [`phases::ramp`].
    pub async fn ramp(&self) -> Result<()> {
        phases::ramp(&self.rig, false).await
    }

    /// Runs the phases that the plan asks for.
    ///
    /// # Errors
    /// Those of the phases.
    pub async fn run_plan(&self) -> Result<()> {
        let leaks = self.rig.plan.leak.enabled && self.leak_check().await?;
        if self.rig.plan.ramp.enabled {
            phases::ramp(&self.rig, leaks).await?;
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
    /// [`ErrorKind::Io`] if a file cannot be written or read.
    pub async fn finish(self, end: End) -> Result<Outcome> {
        let Session { rig, sampler, embedded, paths } = self;
        let plan = rig.plan.clone();
        let recorder = Arc::clone(&rig.recorder);
        rig.workers.caught_up().await;
        // No event of the service's own end may reach the log: the watching ends first.
        drop(rig);
        let summary = sampler.stop()?;
        for message in sampling_warnings(&summary) {
            recorder.event(Event::Warning { message }).await?;
        }
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
        let judgement = crate::analysis::judge(&run, &plan);
        Journal::open(&paths.events)?.append(&verdict_record(&run, judgement)).await?;
        let report = report(&run, &plan);
        write_report(&paths.report, &markdown(&report))?;
        Ok(Outcome { report, paths })
    }
}

/// Writes a report beside its data, whole or not at all.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be written.
pub fn write_report(path: &Path, text: &str) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("cannot write the report `{}`", path.display())).source(error).hint(
            "the data files are safe; free space or make the directory writable, then run `highwater report`",
        )
    };
    let temporary = path.with_extension("md.part");
    fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path)).map_err(unwritable)
}

fn verdict_record(
    run: &crate::record::RunData,
    judgement: crate::record::Judgement,
) -> crate::record::EventRecord {
    let last = run.events.last();
    crate::record::EventRecord {
        time: last.map_or_else(String::new, |record| record.time.clone()),
        elapsed: last.map_or(0.0, |record| record.elapsed),
        event: Event::Verdict { judgement },
    }
}

/// Asks the service that a plan describes whether it is well, and says which that is.
///
/// # Errors
/// [`ErrorKind::Unreachable`] with what was wrong and a hint.
pub async fn check_service(plan: &Plan) -> Result<String> {
    let target = target::of_plan(plan)?;
    let subject = target.describe();
    reach(&*target, &subject).await?;
    Ok(if plan.target.health.is_empty() {
        format!("{subject}: not asked, it has no health endpoint (`target.health` is empty)")
    } else {
        format!("{subject} is well")
    })
}

/// What the plan's target sends: recordings, or a request.
fn planned_inputs(plan: &Plan) -> Result<Inputs> {
    let http = &plan.target.http;
    if plan.target.kind == TargetKind::Http && http.multipart_field.is_empty() {
        let bytes = http.json.as_ref().map(|json| Bytes::from(json.to_string())).unwrap_or_default();
        let name = format!("{} {}", http.method, http.path);
        let short = Input { kind: AudioKind::Short, stem: "request".to_string(), name, bytes, seconds: None };
        return Ok(Inputs { short, long: None });
    }
    let recordings = audio::load(&plan.audio)?;
    Ok(Inputs { short: input(&recordings.short), long: Some(input(&recordings.long)) })
}

fn input(recording: &Recording) -> Input {
    Input {
        kind: recording.kind,
        stem: recording.stem.clone(),
        name: recording.file_name.clone(),
        bytes: recording.bytes.clone(),
        seconds: Some(recording.seconds),
    }
}

/// The embedded service says itself where it listens and who plays which role.
fn aim_at_embedded(plan: &mut Plan, service: &Embedded) {
    let defaults = Plan::default().target;
    plan.target.url = service.ready().url.clone();
    plan.target.health = defaults.health;
    plan.target.asr = defaults.asr;
    let mut roles: BTreeMap<String, ProcessPlan> = BTreeMap::new();
    for process in &service.ready().processes {
        roles.entry(process.role.name().to_string()).or_default().pids.push(process.pid);
    }
    plan.processes = roles;
}

/// Waits for the service to say that it is well; a service just started gets a moment.
async fn reach(target: &dyn AnyTarget, subject: &str) -> Result<()> {
    let mut problem = String::new();
    for _ in 0..HEALTH_TRIES {
        match target.health().await {
            Ok(()) => return Ok(()),
            Err(what) => problem = what,
        }
        tokio::time::sleep(HEALTH_STEP).await;
    }
    Err(Error::new(ErrorKind::Unreachable, format!("{subject} is not ready: {problem}")).hint(
        "start the service, or say where it is with `--url URL` (or `target.url` in `highwater.toml`)\n\
         `highwater run --demo` needs no service: it tests the embedded one",
    ))
}

async fn record_found(recorder: &Recorder, sampler: &Sampler, snapshot: &Snapshot) -> Result<()> {
    for (role, found) in &sampler.found().roles {
        for root in &found.roots {
            let reading = snapshot
                .roles
                .get(role)
                .and_then(|role| role.processes.iter().find(|process| process.id == root.id));
            recorder
                .event(Event::ProcessFound {
                    role: role.clone(),
                    pid: root.id.pid,
                    name: root.name.clone(),
                    command: root.command_line(),
                    root: true,
                    replacement: false,
                    rss_mb: reading.map(|process| round(to_mb(process.rss_bytes), 1)),
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

fn sampling_warnings(summary: &SamplerSummary) -> Vec<String> {
    let mut warnings = Vec::new();
    if summary.missed_ticks > 0 {
        let all = summary.ticks + summary.missed_ticks;
        warnings.push(format!(
            "the sampler missed {} of {all} ticks: the machine was busy",
            summary.missed_ticks
        ));
    }
    if let Some(error) = &summary.csv_first_error {
        warnings.push(format!("rows of the CSV are missing: {error}"));
    }
    warnings
}

/// The files of a run that has not started yet. Dropped without
/// [`Reservation::keep`] (an error, an interruption), it leaves none behind.
struct Reservation(Option<RunPaths>);

impl Reservation {
    fn paths(&self) -> &RunPaths {
        self.0.as_ref().expect("only `keep` and `drop` take the paths, and both are the end")
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(paths) = &self.0 else { return };
        let nothing_measured = fs::metadata(&paths.tasks).is_ok_and(|file| file.len() == 0);
        if nothing_measured {
            for path in [&paths.tasks, &paths.events, &paths.resources] {
                // Most of them were never made.
                drop(fs::remove_file(path));
            }
        }
    }
}
