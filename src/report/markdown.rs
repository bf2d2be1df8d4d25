//! The report in Markdown: verdict first, then what it rests on.

use std::fmt::Write;

use super::attribution;
use super::comparison::comparison_text;
use super::conditions;
use super::figures::{digits, figure, put};
use super::levels;
use super::processes;
use super::soak;
use super::table::Column::{Left, Right};
use super::table::{ABSENT, table};
use super::tree;
use crate::analysis::Note;
use crate::assessment::{Assessment, JudgedAgainst, LeakTask};
use crate::record::{Limit, TaskRecord, TaskStatus};
use crate::words::{self, sentence_case};

/// The report as a Markdown document.
pub fn markdown(report: &Assessment) -> String {
    let mut text = String::new();
    head(&mut text, report);
    criteria(&mut text, report);
    leak_check(&mut text, &report.leak_check);
    conditions::section(&mut text, report.growth.as_ref(), &report.conditions);
    attribution::section(&mut text, report.attribution.as_ref());
    if let Some(comparison) = &report.comparison {
        put!(text, "## Against the baseline\n\n{}", comparison_text(comparison));
    }
    levels::section(&mut text, report);
    soak::section(&mut text, report.soak.as_ref());
    failures(&mut text, report);
    tree::section(&mut text, &report.trees);
    processes::section(&mut text, &report.processes);
    notes(&mut text, report);
    skipped(&mut text, report);
    environment(&mut text, report);
    text
}

fn head(text: &mut String, report: &Assessment) {
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

fn criteria(text: &mut String, report: &Assessment) {
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
        put!(text, "{}", table(&[Left("verdict"), Left("criterion"), Left("figures")], &rows));
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

fn leak_check(text: &mut String, tasks: &[LeakTask]) {
    if tasks.is_empty() {
        return;
    }
    put!(text, "## Phase 1: memory leak verification\n");
    put!(text, "One task at a time. Before, after, delta and peak are worker RSS in MB (1,048,576 bytes):");
    put!(text, "the sum over the worker's processes, read when memory is quiet.\n");
    let rows: Vec<Vec<String>> = tasks
        .iter()
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
    put!(text, "{}", table(&columns, &rows));
    if tasks.iter().any(|row| moving(&row.task)) {
        put!(text, "`~`: memory was still moving when it was read.\n");
    }
}

/// True if memory was still moving when it was read.
fn moving(task: &TaskRecord) -> bool {
    task.settled == Some(false) && task.worker_rss_after_mb.is_some()
}

fn failures(text: &mut String, report: &Assessment) {
    if report.failures.is_empty() {
        return;
    }
    put!(text, "## Tasks that did not succeed\n");
    for failure in &report.failures {
        put!(text, "- `{}`: {}", failure.test_id, failure.error.replace('\n', " "));
    }
    put!(text, "");
}

/// Observations; what was skipped has a section of its own.
fn notes(text: &mut String, report: &Assessment) {
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

fn skipped(text: &mut String, report: &Assessment) {
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

fn environment(text: &mut String, report: &Assessment) {
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
