//! Growth by condition: which rate belongs to what was done.

use std::fmt::Write;

use super::doc::Doc;
use super::figures::put;
use super::table::ABSENT;
use super::table::Column::{Left, Right};
use crate::analysis::{ConditionGrowth, Growth, Rate};
use crate::units::round;

/// The section, where there were probes: a row for the leak check, then one for each condition.
pub(super) fn section(text: &mut Doc, check: Option<&Growth>, conditions: &[ConditionGrowth]) {
    if conditions.is_empty() {
        return;
    }
    put!(text, "## Growth by condition\n\nPer task (per second for `pause`), with the 98 % interval.\n");
    let columns = [
        Left("condition"),
        Right("readings"),
        Right("memory, MB"),
        Right("98 % interval"),
        Right("descriptors"),
        Right("threads"),
        Left("verdict"),
    ];
    let rows: Vec<Vec<String>> =
        check.map(leak_check).into_iter().chain(conditions.iter().map(row)).collect();
    text.table(&columns, &rows);
}

fn leak_check(growth: &Growth) -> Vec<String> {
    vec![
        "leak check".to_string(),
        growth.tasks.to_string(),
        figure(growth.rate_mb_per_task),
        interval(growth.low.zip(growth.high)),
        ABSENT.to_string(),
        ABSENT.to_string(),
        growth.verdict().word().to_string(),
    ]
}

fn row(condition: &ConditionGrowth) -> Vec<String> {
    let per_task = |rate: Option<Rate>| figure(rate.map(|rate| rate.per_task));
    vec![
        format!("`{}`", condition.condition),
        condition.steps.to_string(),
        per_task(condition.memory),
        interval(condition.memory.map(|rate| (rate.low, rate.high))),
        per_task(condition.descriptors),
        per_task(condition.threads),
        condition.verdict.word().to_string(),
    ]
}

fn figure(value: Option<f64>) -> String {
    value.map_or(ABSENT.to_string(), |value| round(value, 2).to_string())
}

fn interval(ends: Option<(f64, f64)>) -> String {
    ends.map_or(ABSENT.to_string(), |(low, high)| format!("{} to {}", round(low, 2), round(high, 2)))
}
