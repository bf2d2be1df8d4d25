//! The soak in Markdown.

use std::fmt::Write;

use super::figures::{figure, put};
use super::table::Column::Right;
use super::table::table;
use crate::analysis::Soak;
use crate::units::time;

/// No more rounds than this are shown; the data files have them all.
const SHOWN: usize = 20;

pub(super) fn section(text: &mut String, soak: Option<&Soak>) {
    let Some(soak) = soak else { return };
    put!(text, "## Soak\n");
    put!(
        text,
        "c={} held for {:.0} s: {} tasks, {} of them without success. Floor and peak are the least and the most private",
        soak.concurrency,
        soak.seconds,
        soak.tasks,
        soak.failed
    );
    put!(text, "memory of the worker's processes in a round, in MB; the first round is warm-up.\n");
    let step = soak.rounds.len().div_ceil(SHOWN).max(1);
    let last = soak.rounds.len().saturating_sub(1);
    let shown = soak.rounds.iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last);
    let rows: Vec<Vec<String>> = shown
        .map(|(_, round)| {
            vec![
                round.round.to_string(),
                round.tasks.to_string(),
                format!("{:.0}", round.seconds),
                figure(round.floor_mb, 1),
                figure(round.peak_mb, 1),
            ]
        })
        .collect();
    let columns = [Right("round"), Right("tasks"), Right("seconds"), Right("floor"), Right("peak")];
    put!(text, "{}", table(&columns, &rows));
    put!(text, "Growth: {}.\n", soak.rates());
    if let Some(times) = soak.latency {
        put!(
            text,
            "Time of a task: p50 {}, p95 {}, p99 {}, max {}.\n",
            time(times.p50),
            time(times.p95),
            time(times.p99),
            time(times.max)
        );
    }
}
