//! What a run came to: everything that is concluded from its files, derived once. Pure.
//!
//! [`assess`] is the only way from a run's data to a verdict. The console, the report, `--json`, the test suites
//! and the exit code show its [`Assessment`] and derive nothing themselves.

mod processes;
mod schema;
pub(crate) mod tree;
mod wire;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use processes::ProcessRow;
pub use schema::schema;
pub use tree::{RoleTree, TreeNode};
pub use wire::{JudgedAgainst, LeakTask};

use crate::analysis::search::Spent;
use crate::analysis::{
    Attribution, Comparison, ConditionGrowth, Derived, Finding, GpuGrowth, Growth, Judged, LeakTasks, Level,
    Note, Scalability, Soak, attributed, attributed_roles, in_flight, judge, scalability, spent, throughputs,
};
use crate::plan::Plan;
use crate::record::{Clause, Condition, Event, Judgement, Machine, RunData, TaskRecord};
use crate::words;
use processes::process_rows;
use tree::trees;

/// Everything that is concluded from the files of one run; serialised, it is what `--json` prints.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Assessment {
    /// What was tested.
    pub title: String,
    /// The verdict with the criteria behind it, how the ramp ended, notes, and why the run ended early.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// The criteria as data; `judgement` has their sentences.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// The notes as data; `judgement` has their sentences.
    #[serde(skip)]
    pub observations: Vec<Note>,
    /// The exit code of a command that ends with this: 130 for a run that was interrupted.
    pub exit_code: u8,
    /// The maximum stable concurrency; null unless it was found.
    pub max_stable_concurrency: Option<u32>,
    /// The highest level that held; null if none did.
    pub highest_level_held: Option<u32>,
    /// The clause that broke; null unless the limit was found.
    pub broke: Option<Clause>,
    /// What was judged against.
    pub thresholds: JudgedAgainst,
    /// Keys of `leak`, `ramp` and `soak` that are not as they were when the run was made: `leak.max_delta_mb 100 (was 200)`.
    pub overridden: Vec<String>,
    /// The leak check, task by task.
    pub leak_check: Vec<LeakTask>,
    /// Growth of memory in the leak check; absent if the run has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// The same of the other roles that are judged, by role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub role_growth: BTreeMap<String, Growth>,
    /// Growth of the memory on GPUs in the leak check, by role; absent where no role has any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gpu_growth: BTreeMap<String, Growth>,
    /// Growth by condition, of the probes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionGrowth>,
    /// Where the worker grew; null if nothing is to be explained.
    pub attribution: Option<Attribution>,
    /// Where the other roles grew, by role: of those whose growth did not pass.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub role_attribution: BTreeMap<String, Attribution>,
    /// The run beside its baseline; absent if it was run without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The ramp, level by level.
    pub levels: Vec<Level>,
    /// What the ramp cost; absent if it was not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_spent: Option<Spent>,
    /// The universal scalability law fitted to the throughput by level: a prediction. Absent if there is
    /// no ramp, or if it cannot be fitted well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalability: Option<Scalability>,
    /// The soak; null if there was none.
    pub soak: Option<Soak>,
    /// CPU and memory of every process that was watched.
    pub processes: Vec<ProcessRow>,
    /// Who descended from whom, by role; empty where the run's log does not tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<RoleTree>,
    /// Tasks that did not succeed: their id and why.
    pub failures: Vec<Failure>,
    /// highwater's version, where the run's log tells.
    pub version: Option<String>,
    /// The machine, where the run's log tells.
    pub machine: Option<Machine>,
    /// When the run started: local time with offset.
    pub started: Option<String>,
    /// Seconds from the first event to the last.
    pub duration_s: Option<f64>,
    /// Name of the file with the tasks.
    pub file: String,
    /// Companion files that were not there, so that less could be judged.
    pub missing_files: Vec<String>,
    /// Tasks that were sent and have no line, since the run ended before they did.
    pub in_flight: Vec<String>,
    /// Lines that could not be read.
    pub skipped_lines: Vec<String>,
}

/// A task that did not succeed.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Failure {
    /// The task.
    pub test_id: String,
    /// Why.
    pub error: String,
}

/// Judges a run against `plan`, and gathers everything that is concluded from it.
pub fn assess(run: &RunData, plan: &Plan) -> Assessment {
    let derived = Derived::of(run, plan);
    let Judged { verdict, findings, notes, interruption } = judge(run, plan, &derived);
    let judgement = Judgement {
        verdict,
        criteria: findings.iter().map(words::criterion).collect(),
        limit: derived.limit.clone(),
        notes: notes.iter().map(ToString::to_string).collect(),
        interrupted: interruption.map(|why| why.to_string()),
    };
    let leak_check = leak_tasks(&derived.leak);
    let Derived { leak: _, growth, roles, gpus, conditions, comparison, levels, limit, soak } = derived;
    let (title, version, machine) = match run.start() {
        Some(Event::RunStarted { title, version, machine, .. }) => {
            (title.clone(), Some(version.clone()), Some(machine.clone()))
        }
        _ => ("memory leak and stress test".to_string(), None, None),
    };
    // Files without a log know levels and no times.
    let ramp_spent = (run.start().is_some() && !levels.is_empty()).then(|| spent(run, &levels));
    Assessment {
        title,
        exit_code: judgement.exit_code(),
        max_stable_concurrency: limit.max_stable(),
        highest_level_held: limit.held(),
        broke: limit.broke().cloned(),
        thresholds: JudgedAgainst { leak: plan.leak.clone(), ramp: plan.ramp.clone() },
        overridden: overridden(run, plan),
        leak_check,
        growth,
        role_growth: roles.into_iter().filter_map(|found| Some((found.role, found.growth?))).collect(),
        gpu_growth: gpus.into_iter().filter_map(GpuGrowth::known).collect(),
        conditions,
        attribution: attributed(run, &findings),
        role_attribution: attributed_roles(run, &findings),
        comparison,
        scalability: scalability(&throughputs(&levels)).ok(),
        levels,
        soak,
        ramp_spent,
        processes: process_rows(run),
        trees: trees(run),
        failures: failures(run),
        version,
        machine,
        started: run.events.first().map(|record| record.time.clone()),
        duration_s: duration_s(run),
        file: run.file.clone(),
        missing_files: run.missing.clone(),
        in_flight: in_flight(run).into_iter().map(ToString::to_string).collect(),
        skipped_lines: run.damage.iter().map(ToString::to_string).collect(),
        judgement,
        findings,
        observations: notes,
    }
}

/// Seconds of all parts of a run: one that goes on from another has a clock of its own.
fn duration_s(run: &RunData) -> Option<f64> {
    let last = run.events.last()?;
    let ends = run.events.windows(2).filter(|pair| matches!(pair[1].event, Event::RunStarted { .. }));
    Some(ends.map(|pair| pair[0].elapsed).sum::<f64>() + last.elapsed)
}

/// How the tables that decide a verdict differ from those that the run's log recorded.
fn overridden(run: &RunData, plan: &Plan) -> Vec<String> {
    let Some(Event::RunStarted { plan: recorded, .. }) = run.start() else { return Vec::new() };
    let judged = [
        ("leak", serde_json::to_value(&plan.leak)),
        ("ramp", serde_json::to_value(&plan.ramp)),
        ("soak", serde_json::to_value(&plan.soak)),
    ];
    let mut differences = Vec::new();
    for (table, now) in judged {
        let now = now.ok();
        for (key, value) in now.as_ref().and_then(|now| now.as_object()).into_iter().flatten() {
            let was = recorded.get(table).and_then(|table| table.get(key));
            if let Some(was) = was.filter(|was| *was != value) {
                differences.push(format!("{table}.{key} {value} (was {was})"));
            }
        }
    }
    differences
}

/// Failures that are listed at most.
const FAILURES_LISTED: usize = 10_000;

/// The tasks that did not succeed, but for those that were sent to fail.
fn failures(run: &RunData) -> Vec<Failure> {
    let failed = |task: &&TaskRecord| !task.succeeded() && task.condition != Some(Condition::Error);
    let bulk = [&run.ramp.sums, &run.in_blocks, &run.soaked].into_iter().flat_map(|bulk| &bulk.failed);
    run.tasks.iter().chain(bulk).filter(failed).take(FAILURES_LISTED).map(failure).collect()
}

fn failure(task: &TaskRecord) -> Failure {
    let error = task.error.clone().unwrap_or_else(|| words::NO_REASON.to_string());
    Failure { test_id: task.test_id.clone(), error }
}

fn leak_tasks(leak: &LeakTasks<'_>) -> Vec<LeakTask> {
    let row = |(index, task): (usize, &&TaskRecord)| LeakTask {
        index: index + 1,
        input: task.kind.map_or_else(|| task.audio_file.clone(), |kind| kind.word().to_string()),
        warm_up: leak.warm_up.iter().any(|first| std::ptr::eq(*first, *task)),
        task: (*task).clone(),
    };
    leak.tasks.iter().enumerate().map(row).collect()
}
