//! The report in Markdown: verdict first, then what it rests on.

use std::fmt::Write;

use super::model::{LeakRow, ProcessRow, Report};
use super::table::table;
use crate::analysis::Level;
use crate::record::{Limit, TaskStatus};

/// The report as a Markdown document.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    criteria(&mut text, report);
    leak_check(&mut text, &report.leak_check);
    levels(&mut text, report);
    processes(&mut text, &report.processes);
    failures(&mut text, report);
    notes(&mut text, report);
    environment(&mut text, report);
    text
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($text:expr, $($arguments:tt)*) => {
        writeln!($text, $($arguments)*).expect("a String takes all that is written to it")
    };
}

fn head(text: &mut String, report: &Report) {
    put!(text, "# highwater: {}\n", report.title);
    match &report.judgement.interrupted {
        Some(reason) => put!(text, "**{}, interrupted**: {reason}\n", report.verdict.word()),
        None => put!(text, "**{}**\n", report.verdict.word()),
    }
    if report.judgement.limit != Limit::NotRun {
        let sentence = report.judgement.limit.sentence();
        put!(text, "{}{}.\n", sentence[..1].to_uppercase(), &sentence[1..]);
    }
}

fn criteria(text: &mut String, report: &Report) {
    put!(text, "## Criteria\n");
    let rows: Vec<Vec<String>> = report
        .judgement
        .criteria
        .iter()
        .map(|criterion| {
            vec![criterion.title.clone(), criterion.verdict.word().to_string(), criterion.detail.clone()]
        })
        .collect();
    if rows.is_empty() {
        put!(text, "Nothing was measured that a criterion could be held against.\n");
        return;
    }
    put!(text, "{}", table(&["criterion", "verdict", "figures"], &rows));
}

fn leak_check(text: &mut String, tasks: &[LeakRow]) {
    if tasks.is_empty() {
        return;
    }
    put!(text, "## Phase 1: memory leak verification\n");
    put!(text, "Worker RSS in MB (1,048,576 bytes), the sum over the role's processes, read when quiet.\n");
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            let warm_up = if task.warm_up { " (warm-up)" } else { "" };
            let moving = if task.settled == Some(false) { "~" } else { "" };
            vec![
                format!("{} {}{warm_up}", task.index, task.input),
                status(task.status).to_string(),
                figure(task.processing_time, 2),
                figure(task.rtf, 3),
                figure(task.before_mb, 1),
                format!("{moving}{}", figure(task.after_mb, 1)),
                task.delta_mb.map_or(ABSENT.to_string(), |delta| format!("{delta:+.1}")),
                figure(task.peak_mb, 1),
            ]
        })
        .collect();
    let header = ["task", "status", "seconds", "RTF", "before", "after", "delta", "peak"];
    put!(text, "{}", table(&header, &rows));
    if tasks.iter().any(|task| task.settled == Some(false)) {
        put!(text, "`~`: memory was still moving, or could not be compared, when it was read.\n");
    }
}

fn levels(text: &mut String, report: &Report) {
    if report.levels.is_empty() {
        return;
    }
    put!(text, "## Phase 2: concurrency limit\n");
    let rows: Vec<Vec<String>> = report.levels.iter().map(level).collect();
    let header = [
        "level",
        "tasks",
        "succeeded",
        "RTF p50",
        "RTF p95",
        "RTF max",
        "seconds max",
        "before",
        "after",
        "peak",
        "outcome",
    ];
    put!(text, "{}", table(&header, &rows));
    put!(text, "Before, after and peak are worker RSS in MB; they belong to the level as a whole.\n");
}

fn level(level: &Level) -> Vec<String> {
    let outcome = match (&level.broke, level.complete) {
        (Some(broke), _) => format!("broke: {}", broke.detail),
        (None, true) => "held".to_string(),
        (None, false) => "cut off".to_string(),
    };
    vec![
        format!("c={}", level.concurrency),
        level.tasks.to_string(),
        level.succeeded.to_string(),
        figure(level.rtf.map(|rtf| rtf.p50), 3),
        figure(level.rtf.map(|rtf| rtf.p95), 3),
        figure(level.rtf.map(|rtf| rtf.max), 3),
        figure(level.seconds.map(|seconds| seconds.max), 2),
        figure(level.memory.before_mb, 1),
        figure(level.memory.after_mb, 1),
        figure(level.memory.peak_mb, 1),
        outcome,
    ]
}

fn processes(text: &mut String, processes: &[ProcessRow]) {
    if processes.is_empty() {
        return;
    }
    put!(text, "## Processes\n");
    put!(text, "CPU in percent of one core, RSS in MB.\n");
    let rows: Vec<Vec<String>> = processes
        .iter()
        .map(|process| {
            vec![
                format!("{} {}", process.role.as_deref().unwrap_or(ABSENT), process.name),
                process.pid.to_string(),
                process.samples.to_string(),
                figure(process.cpu_percent.map(|cpu| cpu.mean), 1),
                figure(process.cpu_percent.map(|cpu| cpu.max), 1),
                format!("{:.1}", process.rss_mb.min),
                format!("{:.1}", process.rss_mb.max),
                format!("{:.1}", process.rss_last_mb),
                process.end.clone().unwrap_or_else(|| "alive".to_string()),
            ]
        })
        .collect();
    let header =
        ["process", "pid", "samples", "CPU mean", "CPU max", "RSS min", "RSS max", "RSS last", "at the end"];
    put!(text, "{}", table(&header, &rows));
}

fn failures(text: &mut String, report: &Report) {
    if report.failures.is_empty() {
        return;
    }
    put!(text, "## Tasks that did not succeed\n");
    for failure in &report.failures {
        put!(text, "- `{}`: {}", failure.test_id, failure.error.replace('\n', " "));
    }
    put!(text, "");
}

fn notes(text: &mut String, report: &Report) {
    let missing =
        report.missing_files.iter().map(|file| format!("`{file}` is not there, so less could be judged"));
    let notes: Vec<String> = report.judgement.notes.iter().cloned().chain(missing).collect();
    if notes.is_empty() {
        return;
    }
    put!(text, "## Notes\n");
    for note in notes {
        put!(text, "- {note}");
    }
    put!(text, "");
}

fn environment(text: &mut String, report: &Report) {
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
        put!(text, "- started {started}, {seconds:.0} s");
    }
    put!(text, "- data: `{}`; judge it again with `highwater report {}`", report.file, report.file);
}

const ABSENT: &str = "–";

fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.to_string(), |value| format!("{value:.digits$}"))
}

fn status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Success => "success",
        TaskStatus::Failed => "failed",
        TaskStatus::Timeout => "timeout",
    }
}
