//! The report in Markdown: verdict first, then what it rests on.

use std::fmt::Write;

use super::attribution;
use super::comparison;
use super::conditions;
use super::doc::{Doc, Extent};
use super::figures::{digits, figure, put};
use super::levels;
use super::processes;
use super::soak;
use super::table::ABSENT;
use super::table::Column::{Left, Right};
use super::tree;
use crate::analysis::Note;
use crate::assessment::{Assessment, JudgedAgainst, LeakTask};
use crate::outside::inert;
use crate::record::{Limit, TaskRecord, TaskStatus};
use crate::words::{self, sentence_case};

/// The report as a short Markdown document: the verdict, the criteria, and a table for each phase.
pub fn markdown(report: &Assessment) -> String {
    let mut text = Doc::default();
    head(&mut text, report);
    criteria(&mut text, report);
    let page = report.file.strip_suffix(".jsonl").unwrap_or(&report.file);
    let plain = format!("Pictures, every task and every table: {page}.html");
    if cfg!(feature = "html") {
        put!(text, "{plain}\n");
    }
    sections(&mut text, report, Extent::Short);
    // The only link is our own, and is made after all others are no links any more.
    let link = format!("Pictures, every task and every table: [{page}.html]({page}.html)");
    inert(&text.markdown()).replacen(&plain, &link, 1)
}

/// The report with every table as a Markdown document.
pub fn markdown_full(report: &Assessment) -> String {
    let mut text = Doc::default();
    head(&mut text, report);
    criteria(&mut text, report);
    sections(&mut text, report, Extent::Full);
    inert(&text.markdown())
}

/// Everything but the verdict and the criteria.
pub(super) fn sections(text: &mut Doc, report: &Assessment, extent: Extent) {
    leak_check(text, &report.leak_check, extent);
    conditions::section(text, report.growth.as_ref(), &report.conditions);
    attribution::section(text, "the worker", report.attribution.as_ref());
    for (role, found) in &report.role_attribution {
        attribution::section(text, role, Some(found));
    }
    if let Some(comparison) = &report.comparison {
        put!(text, "## Against the baseline\n");
        comparison::section(text, comparison);
        put!(text, "");
    }
    levels::section(text, report, extent);
    soak::section(text, report.soak.as_ref(), extent);
    failures(text, report, extent);
    if extent == Extent::Full {
        tree::section(text, &report.trees);
        processes::section(text, &report.processes);
    }
    notes(text, report);
    skipped(text, report);
    environment(text, report);
}

fn head(text: &mut Doc, report: &Assessment) {
    put!(text, "# highwater: {}\n", report.title);
    let judgement = &report.judgement;
    let summary = words::summary(&judgement.criteria, judgement.interrupted.is_some());
    put!(text, "**{}**: {}\n", judgement.verdict.word(), summary);
    if let Some(reason) = &report.judgement.interrupted {
        put!(text, "The run did **not come to its end**: {reason}\n");
    }
    if report.judgement.limit != Limit::NotRun {
        put!(text, "{}\n", sentence_case(&report.judgement.limit.to_string()));
    }
}

fn criteria(text: &mut Doc, report: &Assessment) {
    put!(text, "## Criteria\n");
    let rows: Vec<Vec<String>> = report
        .judgement
        .criteria
        .iter()
        .map(|criterion| {
            vec![criterion.verdict.word().to_string(), criterion.title.clone(), criterion.detail.clone()]
        })
        .collect();
    if rows.is_empty() {
        put!(text, "None was judged.\n");
    } else {
        text.table(&[Left("verdict"), Left("criterion"), Left("figures")], &rows);
    }
    let JudgedAgainst { leak, ramp } = &report.thresholds;
    put!(
        text,
        "Thresholds: delta of a task below {} MB (severe above {} MB), back within {} MB of the baseline, \
         {} concurrent tasks, RTF below {}.\n",
        leak.max_delta_mb,
        leak.severe_delta_mb,
        leak.baseline_tolerance_mb,
        ramp.required,
        ramp.max_rtf,
    );
    if !report.overridden.is_empty() {
        put!(text, "**Not the thresholds of the run**: {}.\n", report.overridden.join(", "));
    }
}

fn leak_check(text: &mut Doc, tasks: &[LeakTask], extent: Extent) {
    if tasks.is_empty() {
        return;
    }
    put!(text, "## Phase 1: memory leak verification\n");
    put!(text, "One task at a time. Before, after, delta and peak are worker RSS in MB (1,048,576 bytes):");
    put!(text, "the sum over the worker's processes, read when memory is quiet.\n");
    let worst = |place: usize| {
        let task: &TaskRecord = &tasks[place].task;
        if task.succeeded() { task.worker_rss_delta_mb.unwrap_or_default() } else { f64::INFINITY }
    };
    let shown = extent.rows(tasks.len(), worst);
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|place| &tasks[*place])
        .map(|LeakTask { index, input, warm_up, task }| {
            vec![
                index.to_string(),
                format!("{input}{}", if *warm_up { " (warm-up)" } else { "" }),
                status(task.status).to_string(),
                digits(task.processing_time),
                figure(task.rtf, 3),
                figure(task.worker_rss_before_mb, 1),
                format!("{}{}", if moving(task) { "~" } else { "" }, figure(task.worker_rss_after_mb, 1)),
                task.worker_rss_delta_mb.map_or(ABSENT.to_string(), |delta| format!("{delta:+.1}")),
                figure(task.worker_rss_peak_mb, 1),
            ]
        })
        .collect();
    let columns = [
        Right("#"),
        Left("task"),
        Left("status"),
        Right("seconds"),
        Right("RTF"),
        Right("before"),
        Right("after"),
        Right("delta"),
        Right("peak"),
    ];
    text.named_table("task", &columns, &rows);
    if shown.len() < tasks.len() {
        put!(text, "{} of {} tasks: the first, the last, and the worst.\n", shown.len(), tasks.len());
    }
    if tasks.iter().any(|row| moving(&row.task)) {
        put!(text, "`~`: memory was still moving when it was read.\n");
    }
}

/// True if memory was still moving when it was read.
fn moving(task: &TaskRecord) -> bool {
    task.settled == Some(false) && task.worker_rss_after_mb.is_some()
}

fn failures(text: &mut Doc, report: &Assessment, extent: Extent) {
    if report.failures.is_empty() {
        return;
    }
    put!(text, "## Tasks that did not succeed\n");
    let shown = extent.rows(report.failures.len(), |_| 0.0);
    for failure in shown.iter().map(|place| &report.failures[*place]) {
        put!(text, "- `{}`: {}", failure.test_id, failure.error.replace('\n', " "));
    }
    if shown.len() < report.failures.len() {
        put!(text, "- and {} more", report.failures.len() - shown.len());
    }
    put!(text, "");
}

/// Observations; what was skipped has a section of its own.
fn notes(text: &mut Doc, report: &Assessment) {
    let skipped = |note: &&Note| matches!(note, Note::Damage(_));
    let notes: Vec<&Note> = report.observations.iter().filter(|note| !skipped(note)).collect();
    if notes.is_empty() {
        return;
    }
    put!(text, "## Notes\n");
    for note in notes {
        put!(text, "- {note}");
    }
    put!(text, "");
}

fn skipped(text: &mut Doc, report: &Assessment) {
    if report.skipped_lines.is_empty() && report.missing_files.is_empty() && report.in_flight.is_empty() {
        return;
    }
    put!(text, "## Skipped\n");
    for line in &report.skipped_lines {
        put!(text, "- {line}");
    }
    for task in &report.in_flight {
        put!(text, "- `{task}` had not ended when the run did, and is not counted");
    }
    for file in &report.missing_files {
        put!(text, "- `{file}` is not there, so less could be judged");
    }
    put!(text, "");
}

fn environment(text: &mut Doc, report: &Assessment) {
    put!(text, "## Environment\n");
    if let Some(machine) = &report.machine {
        put!(
            text,
            "- machine: {}, kernel {}, {} CPUs, {:.0} MB of memory",
            machine.os,
            machine.kernel,
            machine.cpus,
            machine.memory_mb
        );
    }
    if let Some(version) = &report.version {
        put!(text, "- highwater {version}");
    }
    if let (Some(started), Some(seconds)) = (&report.started, report.duration_s) {
        put!(text, "- started {started}, took {seconds:.0} s");
    }
    put!(text, "- data: `{}`; judge it again with `highwater report {}`", report.file, report.file);
}

fn status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Success => "success",
        TaskStatus::Failed => "failed",
        TaskStatus::Timeout => "timeout",
    }
}
