//! The soak in Markdown.

use std::fmt::Write;

use super::doc::{Doc, Extent};
use super::figures::{figure, put};
use super::table::Column::Right;
use crate::analysis::Soak;
use crate::units::time;

pub(super) fn section(text: &mut Doc, soak: Option<&Soak>, extent: Extent) {
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
    let peak = |place: usize| soak.rounds[place].peak_mb.unwrap_or_default();
    let rows: Vec<Vec<String>> = extent
        .rows(soak.rounds.len(), peak)
        .into_iter()
        .map(|place| {
            let round = &soak.rounds[place];
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
    text.table(&columns, &rows);
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
