//! The table of the processes. Pure.

use std::fmt::Write;

use super::doc::Doc;
use super::figures::{figure, put};
use super::table::ABSENT;
use super::table::Column::{Left, Right};
use crate::assessment::ProcessRow;

/// So many ended children of one name have a line each; more of them share one, since
/// a worker that forks for every task would fill the report.
const CHILDREN_APART: usize = 2;

/// The section with the table, if there is anything to show.
pub(super) fn section(text: &mut Doc, processes: &[ProcessRow]) {
    if processes.is_empty() {
        return;
    }
    put!(text, "## Processes\n");
    put!(text, "CPU in percent of one core, RSS in MB.\n");
    let rows: Vec<Vec<String>> = groups(processes).iter().map(|group| row(group)).collect();
    let columns = [
        Left("role"),
        Left("process"),
        Right("pid"),
        Right("samples"),
        Right("CPU mean"),
        Right("CPU max"),
        Right("RSS min"),
        Right("RSS max"),
        Right("RSS last"),
        Left("at the end"),
    ];
    text.table(&columns, &rows);
}

/// Processes that share a line: many children of one role and name; all others are alone.
fn groups(processes: &[ProcessRow]) -> Vec<Vec<&ProcessRow>> {
    let alike = |one: &ProcessRow, other: &ProcessRow| {
        let ended = one.end.is_some() && other.end.is_some();
        // One that lives has a line of its own: it may be the one that grows.
        ended && one.child && other.child && one.role == other.role && one.name == other.name
    };
    let mut groups: Vec<Vec<&ProcessRow>> = Vec::new();
    for process in processes {
        let many = processes.iter().filter(|other| alike(process, other)).count() > CHILDREN_APART;
        match groups.iter_mut().find(|group| many && alike(group[0], process)) {
            Some(group) => group.push(process),
            None => groups.push(vec![process]),
        }
    }
    groups
}

fn row(group: &[&ProcessRow]) -> Vec<String> {
    let first = group[0];
    let samples: usize = group.iter().map(|process| process.samples).sum();
    let cpu = |of: fn(&crate::analysis::Summary) -> f64| {
        group
            .iter()
            .filter_map(move |process| process.cpu_percent.as_ref().map(|cpu| (of(cpu), process.samples)))
    };
    // A mean of means counts each process by its samples; the first of each says nothing about CPU.
    let weight: usize = cpu(|cpu| cpu.mean).map(|(_, samples)| samples - 1).sum();
    let mean = (weight > 0).then(|| {
        cpu(|cpu| cpu.mean).map(|(mean, samples)| mean * (samples - 1) as f64).sum::<f64>() / weight as f64
    });
    let busiest = cpu(|cpu| cpu.max).map(|(max, _)| max).max_by(f64::total_cmp);
    let lowest = group.iter().map(|process| process.rss_mb.min).min_by(f64::total_cmp);
    let highest = group.iter().map(|process| process.rss_mb.max).max_by(f64::total_cmp);
    let alone = group.len() == 1;
    vec![
        first.role.clone().unwrap_or_else(|| ABSENT.to_string()),
        format!("{}{}", first.name, descent(group)),
        if alone { first.pid.to_string() } else { format!("{} of them", group.len()) },
        samples.to_string(),
        figure(mean, 1),
        figure(busiest, 1),
        figure(lowest, 1),
        figure(highest, 1),
        if alone { figure(Some(first.rss_last_mb), 1) } else { ABSENT.to_string() },
        if alone { end(first) } else { ends(group) },
    ]
}

/// Whose child it is: the tree, in words.
fn descent(group: &[&ProcessRow]) -> String {
    match (group[0].child, group[0].parent) {
        (true, Some(parent)) if group.iter().all(|process| process.parent == Some(parent)) => {
            format!(" (child of {parent})")
        }
        (true, _) => " (child)".to_string(),
        (false, _) => String::new(),
    }
}

fn end(process: &ProcessRow) -> String {
    process.end.clone().unwrap_or_else(|| "alive".to_string())
}

/// `22 exited, code 0; 1 was killed, signal 9`.
fn ends(group: &[&ProcessRow]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for process in group {
        let end = end(process);
        match counts.iter_mut().find(|(known, _)| *known == end) {
            Some((_, count)) => *count += 1,
            None => counts.push((end, 1)),
        }
    }
    counts.iter().map(|(end, count)| format!("{count} {end}")).collect::<Vec<_>>().join("; ")
}
