//! What a report shows, as data: the same for Markdown and for `--json`.

use std::collections::HashMap;

use serde::Serialize;

use super::tree::{RoleTree, trees};
use crate::analysis::search::Spent;
use crate::analysis::{
    Attribution, Comparison, Condition, Growth, LOOKS, LeakTasks, Level, Scalability, Soak, Summary,
    attributed, baseline_comparison, conditions, in_flight, judge, levels, scalability, soak, spent, summary,
    throughputs,
};
use crate::plan::Plan;
use crate::record::{Clause, Event, Judgement, Machine, ResourceRow, RunData, TaskRecord, Verdict};

/// Everything that a report shows of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was tested.
    pub title: String,
    /// The verdict over all criteria.
    pub verdict: Verdict,
    /// The maximum stable concurrency; null unless it was found.
    pub max_stable_concurrency: Option<u32>,
    /// The highest level that held; null if none did.
    pub highest_level_held: Option<u32>,
    /// The clause that broke; null unless the limit was found.
    pub broke: Option<Clause>,
    /// The judgement in full.
    #[serde(flatten)]
    pub judgement: JudgementRest,
    /// What was judged against.
    pub thresholds: Thresholds,
    /// Keys of `leak` and `ramp` that are not as they were when the run was made: `leak.max_delta_mb 100 (was 200)`.
    pub overridden: Vec<String>,
    /// The leak check, task by task.
    pub leak_check: Vec<LeakRow>,
    /// Growth in the leak check, beside which that of the conditions is shown; absent without probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// Growth by condition, of the probes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Where the worker grew; absent if nothing is to be explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
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
    /// The soak; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// The parts of a [`Judgement`] that a report does not show at its top.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgementRest {
    /// Every criterion.
    pub criteria: Vec<crate::record::Criterion>,
    /// How the ramp ended.
    pub limit: crate::record::Limit,
    /// Observations that are not verdicts.
    pub notes: Vec<String>,
    /// Why the run ended before its end, if it did.
    pub interrupted: Option<String>,
}

/// The thresholds of the criteria.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thresholds {
    /// The most that worker memory may rise over one task, in MB.
    pub max_delta_mb: f64,
    /// A delta above this is severe, in MB.
    pub severe_delta_mb: f64,
    /// Memory has returned within this many MB of its baseline.
    pub baseline_tolerance_mb: f64,
    /// The level that must hold.
    pub required_concurrency: u32,
    /// RTF must stay below this.
    pub max_rtf: f64,
}

/// One task of the leak check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeakRow {
    /// Position in the leak check, from 1.
    pub index: usize,
    /// Which input.
    pub input: String,
    /// True for the first task of its kind.
    pub warm_up: bool,
    /// How it ended.
    pub status: crate::record::TaskStatus,
    /// Seconds from submission to result.
    pub processing_time: Option<f64>,
    /// Real-time factor.
    pub rtf: Option<f64>,
    /// Worker RSS before, in MB.
    pub before_mb: Option<f64>,
    /// Worker RSS after, in MB.
    pub after_mb: Option<f64>,
    /// After minus before, in MB.
    pub delta_mb: Option<f64>,
    /// Highest worker RSS seen meanwhile, in MB.
    pub peak_mb: Option<f64>,
    /// False where memory was still moving when "after" was read.
    pub settled: Option<bool>,
}

/// CPU and memory of one process over the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProcessRow {
    /// The role it played, where the run's log tells.
    pub role: Option<String>,
    /// Its name.
    pub name: String,
    /// True for a descendant of the process that was looked for.
    pub child: bool,
    /// The parent of a descendant, where the run's log tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Its process id.
    pub pid: u32,
    /// Rows in the CSV.
    pub samples: usize,
    /// CPU in percent of one core; absent where there is one sample only.
    pub cpu_percent: Option<Summary>,
    /// RSS in MB.
    pub rss_mb: Summary,
    /// RSS of the last sample in MB.
    pub rss_last_mb: f64,
    /// How it ended, if it did during the run.
    pub end: Option<String>,
}

/// A task that did not succeed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// The task.
    pub test_id: String,
    /// Why.
    pub error: String,
}

/// Judges a run against `plan` and gathers what a report shows of it.
pub fn report(run: &RunData, plan: &Plan) -> Report {
    let Judgement { verdict, criteria, limit, notes, interrupted } = judge(run, plan);
    let (title, version, machine) = match run.start() {
        Some(Event::RunStarted { title, version, machine, .. }) => {
            (title.clone(), Some(version.clone()), Some(machine.clone()))
        }
        _ => ("memory leak and stress test".to_string(), None, None),
    };
    let levels = levels(run, &plan.ramp);
    // Old files tell of levels and not of time.
    let ramp_spent = (run.start().is_some() && !levels.is_empty()).then(|| spent(run, &levels));
    let attribution = attributed(run, &criteria);
    let conditions = conditions(run);
    Report {
        title,
        verdict,
        max_stable_concurrency: limit.max_stable(),
        highest_level_held: limit.held(),
        broke: limit.broke().cloned(),
        judgement: JudgementRest { criteria, limit, notes, interrupted },
        thresholds: Thresholds {
            max_delta_mb: plan.leak.max_delta_mb,
            severe_delta_mb: plan.leak.severe_delta_mb,
            baseline_tolerance_mb: plan.leak.baseline_tolerance_mb,
            required_concurrency: plan.ramp.required,
            max_rtf: plan.ramp.max_rtf,
        },
        overridden: overridden(run, plan),
        leak_check: leak_rows(run),
        growth: (!conditions.is_empty()).then(|| LeakTasks::of(run).growth(LOOKS)),
        conditions,
        attribution,
        comparison: baseline_comparison(run),
        scalability: scalability(&throughputs(&levels)).ok(),
        levels,
        soak: soak(run, plan),
        ramp_spent,
        processes: process_rows(run),
        trees: trees(run),
        failures: run
            .tasks
            .iter()
            .filter(|task| !task.succeeded() && task.condition.as_deref() != Some("error"))
            .map(failure)
            .collect(),
        version,
        machine,
        started: run.events.first().map(|record| record.time.clone()),
        duration_s: duration_s(run),
        file: run.file.clone(),
        missing_files: run.missing.clone(),
        in_flight: in_flight(run).into_iter().map(ToString::to_string).collect(),
        skipped_lines: run.damage.iter().map(ToString::to_string).collect(),
    }
}

impl Report {
    /// The exit code of a command that ends with this report.
    pub fn exit_code(&self) -> u8 {
        if self.judgement.interrupted.is_some() { 130 } else { self.verdict.exit_code() }
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
    let judged = [("leak", serde_json::to_value(&plan.leak)), ("ramp", serde_json::to_value(&plan.ramp))];
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

fn failure(task: &TaskRecord) -> Failure {
    let error = task.error.clone().unwrap_or_else(|| "no reason was recorded".to_string());
    Failure { test_id: task.test_id.clone(), error }
}

fn leak_rows(run: &RunData) -> Vec<LeakRow> {
    let leak = LeakTasks::of(run);
    leak.tasks
        .iter()
        .enumerate()
        .map(|(index, task)| LeakRow {
            index: index + 1,
            input: task.kind.map_or_else(|| task.audio_file.clone(), |kind| kind.word().to_string()),
            warm_up: leak.warm_up.iter().any(|first| std::ptr::eq(*first, *task)),
            status: task.status,
            processing_time: task.processing_time,
            rtf: task.rtf,
            before_mb: task.worker_rss_before_mb,
            after_mb: task.worker_rss_after_mb,
            delta_mb: task.worker_rss_delta_mb,
            peak_mb: task.worker_rss_peak_mb,
            settled: task.settled,
        })
        .collect()
}

/// A row a process, in the order of their first samples.
fn process_rows(run: &RunData) -> Vec<ProcessRow> {
    let mut places: HashMap<(u32, &str), usize> = HashMap::new();
    let mut processes: Vec<Vec<&ResourceRow>> = Vec::new();
    for row in &run.resources {
        let place = *places.entry((row.pid, &row.process_name)).or_insert(processes.len());
        if place == processes.len() {
            processes.push(Vec::new());
        }
        processes[place].push(row);
    }
    processes.iter().filter_map(|rows| process_row(run, rows)).collect()
}

fn process_row(run: &RunData, rows: &[&ResourceRow]) -> Option<ProcessRow> {
    let (first, last) = (rows.first()?, rows.last()?);
    // The first sample has no CPU time to compare with; it reads 0 and says nothing.
    let cpu: Vec<f64> = rows.iter().skip(1).map(|row| row.cpu_percent).collect();
    let rss: Vec<f64> = rows.iter().map(|row| row.memory_rss_mb).collect();
    Some(ProcessRow {
        role: role(run, first.pid),
        name: first.process_name.clone(),
        child: child(run, first.pid),
        parent: parent(run, first.pid),
        pid: first.pid,
        samples: rows.len(),
        cpu_percent: summary(&cpu),
        rss_mb: summary(&rss)?,
        rss_last_mb: last.memory_rss_mb,
        end: end(run, first.pid),
    })
}

fn role(run: &RunData, wanted: u32) -> Option<String> {
    run.events.iter().find_map(|record| match &record.event {
        Event::ProcessFound { role, pid, .. } if *pid == wanted => Some(role.clone()),
        _ => None,
    })
}

fn child(run: &RunData, wanted: u32) -> bool {
    run.events
        .iter()
        .any(|record| matches!(&record.event, Event::ProcessFound { pid, root: false, .. } if *pid == wanted))
}

fn parent(run: &RunData, wanted: u32) -> Option<u32> {
    run.events.iter().find_map(|record| match &record.event {
        Event::ProcessFound { pid, parent, .. } if *pid == wanted => *parent,
        _ => None,
    })
}

fn end(run: &RunData, wanted: u32) -> Option<String> {
    run.events.iter().find_map(|record| match &record.event {
        Event::ProcessExited { pid, how, .. } if *pid == wanted => Some(how.to_string()),
        _ => None,
    })
}
