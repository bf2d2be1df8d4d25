//! The ramp in Markdown: its levels, the clauses at each, what it cost.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::doc::{Doc, Extent};
use super::figures::{digits, figure, put};
use super::table::ABSENT;
use super::table::Column::{Left, Right};
use crate::analysis::{Level, Scalability};
use crate::assessment::Assessment;
use crate::record::{ClauseAnswer, ClauseKind};
use crate::units::significant;

pub(super) fn section(text: &mut Doc, report: &Assessment, extent: Extent) {
    if report.levels.is_empty() {
        return;
    }
    put!(text, "## Phase 2: concurrency limit\n");
    put!(
        text,
        "At c=N, N tasks are outstanding at once. Tasks per second count those that succeeded meanwhile, without fill and"
    );
    put!(
        text,
        "drain; in a single batch, from the first submission to the last result. RTF and seconds are those of the tasks"
    );
    put!(text, "that succeeded. Before, after and peak are worker RSS in MB, of the level as a whole.\n");
    let broken = |place: usize| if report.levels[place].broke.is_some() { 1.0 } else { 0.0 };
    let shown = extent.rows(report.levels.len(), broken);
    let rows: Vec<Vec<String>> = shown.iter().map(|place| row(&report.levels[*place])).collect();
    let columns = [
        Left("level"),
        Left("outcome"),
        Right("tasks"),
        Right("succeeded"),
        Right("tasks/s"),
        Right("RTF p50"),
        Right("RTF p95"),
        Right("RTF max"),
        Right("seconds max"),
        Right("before"),
        Right("after"),
        Right("peak"),
    ];
    text.table(&columns, &rows);
    if shown.len() < report.levels.len() {
        put!(
            text,
            "{} of {} attempts: the first, the last, and those that broke.\n",
            shown.len(),
            report.levels.len()
        );
    }
    for level in &report.levels {
        if let Some(reason) = &level.invalid {
            put!(text, "{} is INVALID, not broken: {reason}\n", name(level));
        }
        if let Some(broke) = &level.broke {
            put!(text, "{} broke: {}\n", name(level), broke);
        }
        if let Some(problem) = &level.unrecovered {
            put!(
                text,
                "The service did not recover from {}, which was not repeated: {problem}\n",
                name(level)
            );
        }
    }
    if let Some(spent) = &report.ramp_spent {
        put!(
            text,
            "The ramp took {} levels (each attempt counted), {} tasks and {:.0} s.\n",
            spent.levels,
            spent.tasks,
            spent.seconds
        );
    }
    if extent == Extent::Full {
        clauses(text, &report.levels);
        lessons(text, report);
    }
    if let Some(law) = &report.scalability {
        prediction(text, law, report);
    }
}

/// What the ramp teaches beside the limit: throughput, latency, memory for each task, and how they scale.
fn lessons(text: &mut Doc, report: &Assessment) {
    if report.levels.iter().all(|level| level.throughput.is_none()) {
        return;
    }
    put!(
        text,
        "Seconds and queue are the times of a task, MB per task what the peak lies above \"before\", for each task; own"
    );
    put!(text, "are highwater's lag, its CPU, and the share of the time in which it waited for a CPU.\n");
    let rows: Vec<Vec<String>> = report.levels.iter().filter(|level| level.complete).map(lesson).collect();
    let columns = [
        Left("level"),
        Right("s fill + full + drain"),
        Right("s p50"),
        Right("s p95"),
        Right("s p99"),
        Right("s max"),
        Right("RTF p99"),
        Right("queue p50"),
        Right("queue max"),
        Right("MB per task"),
        Right("own lag p95 ms"),
        Right("own CPU %"),
        Right("own wait %"),
        Right("CPU pressure %"),
    ];
    text.table(&columns, &rows);
    first_text(text, &report.levels);
    by_role(text, &report.levels);
}

/// What each role used: which of them becomes the bottleneck.
/// How long users of a streamed answer wait for its first text.
fn first_text(text: &mut Doc, levels: &[Level]) {
    let figures = |level: &Level| {
        let first = level.first_text_seconds?;
        let figures = [first.p50, first.p95, first.p99, first.max].map(|seconds| digits(Some(seconds)));
        Some(std::iter::once(name(level)).chain(figures).collect())
    };
    let rows: Vec<Vec<String>> = levels.iter().filter_map(figures).collect();
    if rows.is_empty() {
        return;
    }
    put!(text, "Seconds from the beginning of a task to the first text of its answer.\n");
    text.table(&[Left("level"), Right("p50"), Right("p95"), Right("p99"), Right("max")], &rows);
}

fn by_role(text: &mut Doc, levels: &[Level]) {
    let roles: BTreeSet<&String> = levels.iter().flat_map(|level| level.roles.keys()).collect();
    if roles.is_empty() {
        return;
    }
    put!(
        text,
        "By role: CPU in percent of one core and in seconds for each task, and the highest RSS in MB.\n"
    );
    let rows: Vec<Vec<String>> = levels
        .iter()
        .filter(|level| level.complete)
        .map(|level| {
            let cells = roles.iter().flat_map(|role| {
                let load = level.roles.get(*role);
                let per_task = load.map(|load| load.cpu_s / level.tasks.max(1) as f64);
                [
                    figure(load.map(|load| load.cpu_percent), 1),
                    figure(per_task, 2),
                    figure(load.and_then(|load| load.peak_mb), 1),
                ]
            });
            std::iter::once(name(level)).chain(cells).collect()
        })
        .collect();
    let titles: Vec<String> = roles
        .iter()
        .flat_map(|role| [format!("{role} CPU %"), format!("{role} CPU s/task"), format!("{role} peak")])
        .collect();
    let columns: Vec<_> =
        std::iter::once(Left("level")).chain(titles.iter().map(|title| Right(title))).collect();
    text.table(&columns, &rows);
}

fn lesson(level: &Level) -> Vec<String> {
    let per_task = level
        .memory
        .peak_mb
        .zip(level.memory.before_mb)
        .map(|(peak, before)| (peak - before).max(0.0) / f64::from(level.concurrency.max(1)));
    let own = level.own.unwrap_or_default();
    vec![
        name(level),
        level.full.map_or(ABSENT.to_string(), |full| {
            let [fill, full, drain] = [full.fill_s, full.seconds, full.drain_s].map(significant);
            format!("{fill} + {full} + {drain}")
        }),
        digits(level.seconds.map(|seconds| seconds.p50)),
        digits(level.seconds.map(|seconds| seconds.p95)),
        digits(level.seconds.map(|seconds| seconds.p99)),
        digits(level.seconds.map(|seconds| seconds.max)),
        figure(level.rtf.map(|rtf| rtf.p99), 3),
        digits(level.queue_seconds.map(|queue| queue.p50)),
        digits(level.queue_seconds.map(|queue| queue.max)),
        figure(per_task, 1),
        figure(own.lag_p95_s.map(|lag| lag * 1000.0), 1),
        figure(own.cpu_percent, 1),
        figure(own.cpu_wait_percent, 1),
        figure(own.cpu_pressure_percent, 1),
    ]
}

/// The law's words are a prediction, and say so.
fn prediction(text: &mut Doc, law: &Scalability, report: &Assessment) {
    let peak = match law.peak {
        Some(peak) => {
            let high = peak.high.map_or("or never".to_string(), |high| format!("to {high:.1}"));
            format!(
                "throughput is predicted to peak at c={:.1} (95 % interval {:.1} {high}) with {} tasks/s",
                peak.at,
                peak.low,
                significant(peak.throughput)
            )
        }
        None => "throughput is not predicted to fall with concurrency".to_string(),
    };
    put!(
        text,
        "**Prediction**, not a measurement (universal scalability law over {} levels, residual {:.1} %): contention",
        law.levels,
        100.0 * law.residual
    );
    put!(
        text,
        "{:.3}, coherency {:.5}, {} tasks/s alone; {peak}.",
        law.contention,
        law.coherency,
        significant(law.lambda)
    );
    let found = match (report.max_stable_concurrency, report.highest_level_held) {
        (Some(found), _) => format!("The limit that was found is c={found}"),
        (None, Some(held)) => format!("The highest level that was seen to hold is c={held}"),
        (None, None) => "No level was seen to hold".to_string(),
    };
    put!(text, "{found}: the law knows of throughput only, and of no crash, refusal or bound.\n");
}

/// `c=6`, and from the second attempt on `c=6 (2)`.
fn name(level: &Level) -> String {
    match level.attempt {
        0 | 1 => format!("c={}", level.concurrency),
        attempt => format!("c={} ({attempt})", level.concurrency),
    }
}

fn row(level: &Level) -> Vec<String> {
    let outcome = match (&level.invalid, &level.broke, level.complete) {
        (Some(_), ..) => "INVALID",
        (None, Some(_), _) => "broke",
        (None, None, true) => "held",
        (None, None, false) => "cut off",
    };
    vec![
        name(level),
        outcome.to_string(),
        level.tasks.to_string(),
        level.succeeded.to_string(),
        digits(level.throughput),
        figure(level.rtf.map(|rtf| rtf.p50), 3),
        figure(level.rtf.map(|rtf| rtf.p95), 3),
        figure(level.rtf.map(|rtf| rtf.max), 3),
        digits(level.seconds.map(|seconds| seconds.max)),
        figure(level.memory.before_mb, 1),
        figure(level.memory.after_mb, 1),
        figure(level.memory.peak_mb, 1),
    ]
}

/// Every clause that is asked for, at every level; those that are not, in a line.
fn clauses(text: &mut Doc, levels: &[Level]) {
    let mut asked: Vec<ClauseKind> = Vec::new();
    let mut off: Vec<ClauseKind> = Vec::new();
    for state in levels.iter().flat_map(|level| &level.clauses) {
        let list = if state.answer == ClauseAnswer::Off { &mut off } else { &mut asked };
        if !list.contains(&state.clause) {
            list.push(state.clause);
        }
    }
    if asked.is_empty() {
        return;
    }
    put!(text, "A level holds if every clause does (`[ramp.stable]`); ✗ broke, ? was not read.\n");
    let rows: Vec<Vec<String>> = levels
        .iter()
        .filter(|level| level.complete)
        .map(|level| {
            let cell = |kind: &ClauseKind| {
                let state = level.clauses.iter().find(|state| state.clause == *kind);
                state.map_or(ABSENT.to_string(), |state| match state.answer {
                    ClauseAnswer::Broke => format!("✗ {}", state.figure),
                    ClauseAnswer::NotRead => format!("? {}", state.figure),
                    ClauseAnswer::Held | ClauseAnswer::Off => state.figure.clone(),
                })
            };
            std::iter::once(name(level)).chain(asked.iter().map(cell)).collect()
        })
        .collect();
    let columns: Vec<_> =
        std::iter::once(Left("level")).chain(asked.iter().map(|kind| Left(kind.title()))).collect();
    text.table(&columns, &rows);
    let off: Vec<&str> = off.iter().filter(|kind| !asked.contains(kind)).map(|kind| kind.title()).collect();
    if !off.is_empty() {
        put!(text, "Not asked for: {}.\n", off.join(", "));
    }
}
