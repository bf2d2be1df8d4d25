//! Resumes a run that was stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::analysis::{ConditionGrowth, Level, WORKER, conditions, levels};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{self, RunPaths};
use crate::plan::{self, Override, Plan};
use crate::record::{Bulk, Condition, Event, EventRecord, Phase, ReadTasks, RunData, SoakRound, TaskRecord};
use crate::units::round;

/// A stopped run, ready to be resumed.
#[derive(Debug, Clone)]
pub struct Resume {
    run: RunData,
    directory: PathBuf,
    /// The phase in which it was stopped.
    phase: Phase,
    event: Event,
}

/// The progress of the resumed phase in the earlier run.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// Tasks of the leak check, if memory can be compared with theirs.
    pub tasks: Vec<TaskRecord>,
    /// How many there were, and the groups of those that are not kept one by one.
    pub read: ReadTasks,
    /// The events with the anatomy of the worker's memory, and the readings after blocks.
    pub events: Vec<EventRecord>,
    /// Tasks of the leak check's blocks.
    pub in_blocks: Bulk,
    /// Completed levels of the ramp.
    pub levels: Vec<Level>,
    /// The last round of the soak.
    pub round: Option<SoakRound>,
    /// Tasks of the soak.
    pub soaked: u32,
    /// The time spent in the phase, in seconds.
    pub seconds: f64,
}

impl Resume {
    /// Reads the run whose log of events is `events` (its task file will do too).
    ///
    /// The interrupted level is tried again if `retry_in_flight` is true. By default it is tried
    /// again if the log says that the run was interrupted. It counts as broken if the log simply ends:
    /// a machine that went down during a level went down for a reason.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] and [`ErrorKind::Data`] if the files cannot be read;
    /// [`ErrorKind::Config`] if there is nothing to resume, or that run is still running.
    pub fn read(events: &Path, retry_in_flight: Option<bool>) -> Result<Resume> {
        let paths = RunPaths::of_log(events);
        if journal::is_being_written(&paths.events) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the run of `{}` is still running", paths.events.display()),
            )
            .hint("wait for its end, or end it with Ctrl+C; then resume it"));
        }
        let mut run = journal::read(&paths.tasks)?;
        let retry_in_flight = retry_in_flight.unwrap_or_else(|| was_interrupted(&run));
        let phase = stopped_in(&run, recorded(&run)?)?;
        let event = Event::Resumed {
            tasks: paths.names().tasks,
            in_flight_broke: !retry_in_flight,
            new_series: None,
            gap_s: gap_s(&run),
        };
        let elapsed = run.events.last().map_or(0.0, |record| record.elapsed);
        // Append it now, so that this run is judged exactly as later readers of both parts will judge it.
        run.events.push(EventRecord { time: String::new(), elapsed, event: event.clone() });
        let directory = paths.tasks.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(Resume { run, directory, phase, event })
    }

    /// The plan of that run with `overrides` applied. The results go to the directory of that run.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if an override does not fit.
    pub fn plan(&self, overrides: &[Override]) -> Result<Plan> {
        let mut recorded = recorded(&self.run)?.clone();
        if let Some(roles) = recorded.get_mut("processes").and_then(serde_json::Value::as_object_mut) {
            // The processes of the embedded service are new ones.
            let filled = |value: &serde_json::Value| !value.as_array().is_some_and(Vec::is_empty);
            roles.retain(|_, role| !role.get("pids").is_some_and(filled));
            // An empty list means "not set" in the plan, but "set to empty" in a file.
            for role in roles.values_mut().filter_map(serde_json::Value::as_object_mut) {
                role.retain(|_, value| filled(value));
            }
        }
        let text = toml::to_string(&recorded).map_err(|error| {
            Error::new(ErrorKind::Data, "the plan in the run's log cannot be read").source(error)
        })?;
        let mut plan = plan::layer(Some((Path::new("the run's log"), &text)), [], overrides)?;
        if let Some(key) = plan::hidden_key(&plan.target) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("`{key}` holds a secret, which the run's log does not have"),
            )
            .hint(format!(
                "give it again with `--set {key}=…`; with `${{NAME}}` in it, the log has the name only"
            )));
        }
        plan.results =
            if self.directory.as_os_str().is_empty() { PathBuf::from(".") } else { self.directory.clone() };
        Ok(plan)
    }

    /// The records of that run, up to the point at which this one continues.
    pub fn run(&self) -> &RunData {
        &self.run
    }

    /// The phase in which that run was stopped.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Takes the present worker processes (pid and start time). If they are other ones than when that run
    /// was stopped, memory cannot be compared with the earlier readings, and the phase starts over.
    pub(crate) fn set_workers(&mut self, workers: impl Iterator<Item = (u32, u64)>) {
        let now: BTreeSet<(u32, u64)> = workers.collect();
        let same = !now.is_empty() && now == last_workers(&self.run);
        if let Event::Resumed { new_series, .. } = &mut self.event {
            *new_series = (!same && self.phase != Phase::Concurrency).then_some(self.phase);
        }
    }

    /// The progress that counts in the phase in which that run was stopped.
    pub fn earlier(&self, plan: &Plan) -> Earlier {
        if matches!(self.event, Event::Resumed { new_series: Some(_), .. }) {
            return Earlier::default();
        }
        let of_phase = |task: &&TaskRecord| task.phase == Some(self.phase) && task.condition.is_none();
        let tasks: Vec<TaskRecord> = self.run.tasks.iter().filter(of_phase).cloned().collect();
        let round = self.run.events.iter().rev().find_map(|record| match record.event {
            Event::SoakRound(round) => Some(round),
            _ => None,
        });
        let read = |event: &Event| {
            matches!(event, Event::Anatomy { .. } | Event::BlockEnded(_) | Event::RolesAfter { .. })
        };
        let looks = self.run.events.iter().filter(|record| read(&record.event));
        Earlier {
            events: looks.cloned().collect(),
            soaked: u32::try_from(self.run.soaked.tasks).unwrap_or(u32::MAX),
            in_blocks: self.run.in_blocks.clone(),
            read: self.run.read.clone(),
            tasks,
            levels: levels(&self.run, &plan.ramp).into_iter().filter(|level| level.complete).collect(),
            round,
            seconds: self.run.seconds_of(self.phase),
        }
    }

    /// The conditions of the probes that need not be tried again; `None` if all probes were completed.
    pub(crate) fn tried(&self, plan: &Plan) -> Option<Vec<Condition>> {
        if self.run.events.iter().any(|record| matches!(record.event, Event::ProbesEnded)) {
            return None;
        }
        let whole = |found: &ConditionGrowth| found.steps >= plan.leak.probe_steps as usize;
        Some(conditions(&self.run).into_iter().filter(whole).map(|found| found.condition).collect())
    }

    /// The event for the new log.
    pub(crate) fn event(&self) -> Event {
        self.event.clone()
    }
}

/// True if the log says that the run was interrupted.
fn was_interrupted(run: &RunData) -> bool {
    let last = run.events.iter().rev().find_map(|record| match record.event {
        Event::RunInterrupted { .. } => Some(true),
        Event::LevelStarted { .. } => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}

/// The phase in which the run was stopped.
fn stopped_in(run: &RunData, plan: &serde_json::Value) -> Result<Phase> {
    let nothing = |what: &str, hint: &str| {
        Err(Error::new(ErrorKind::Config, format!("nothing to resume: {what}")).hint(hint))
    };
    let has = |wanted: &dyn Fn(&Event) -> bool| run.events.iter().any(|record| wanted(&record.event));
    let enabled = |table: &str| plan.get(table).and_then(|table| table.get("enabled")?.as_bool());
    let (leak, ramp, soak) =
        (enabled("leak").unwrap_or(true), enabled("ramp").unwrap_or(true), enabled("soak").unwrap_or(false));
    let ended =
        |wanted: Phase| has(&|event| matches!(event, Event::PhaseEnded { phase, .. } if *phase == wanted));
    if leak && !ended(Phase::Leak) {
        return Ok(Phase::Leak);
    }
    let ramp_ended =
        has(&|event| matches!(event, Event::PhaseEnded { phase: Phase::Concurrency, cut_short: None }));
    if ramp && !ramp_ended {
        return Ok(Phase::Concurrency);
    }
    if soak && !ended(Phase::Soak) {
        return Ok(Phase::Soak);
    }
    let probes = plan.pointer("/leak/probes").and_then(serde_json::Value::as_array);
    if leak
        && !ramp
        && probes.is_some_and(|probes| !probes.is_empty())
        && !has(&|event| matches!(event, Event::ProbesEnded))
    {
        // The probes run between the leak check and the ramp.
        return Ok(Phase::Concurrency);
    }
    let last = match (soak, ramp) {
        (true, _) => "the soak",
        (_, true) => "the ramp",
        _ => "the leak check",
    };
    nothing(&format!("{last} was completed"), "`highwater report` judges it again")
}

/// The worker's processes when the run was stopped; empty if the log does not contain their
/// start times.
fn last_workers(run: &RunData) -> BTreeSet<(u32, u64)> {
    let mut alive = BTreeSet::new();
    for record in &run.events {
        match &record.event {
            // A later part of a run lists all processes again.
            Event::RunStarted { .. } => alive.clear(),
            Event::ProcessFound { role, root: true, pid, start: Some(start), .. } if role == WORKER => {
                alive.insert((*pid, *start));
            }
            Event::ProcessExited { role, root: true, pid: gone, .. } if role == WORKER => {
                alive.retain(|(pid, _)| pid != gone);
            }
            _ => {}
        }
    }
    alive
}

/// Seconds from the last event of `run` until now.
fn gap_s(run: &RunData) -> Option<f64> {
    let last = run.events.iter().rev().find(|record| !record.time.is_empty())?;
    let then: jiff::Timestamp = last.time.parse().ok()?;
    Some(round(jiff::Timestamp::now().duration_since(then).as_secs_f64().max(0.0), 1))
}

fn recorded(run: &RunData) -> Result<&serde_json::Value> {
    match run.start() {
        Some(Event::RunStarted { plan, .. }) => Ok(plan),
        _ => Err(Error::new(ErrorKind::Data, "the run has no log of events, so its plan is not known")
            .hint("name the log: `--resume results/events_….jsonl`")),
    }
}
