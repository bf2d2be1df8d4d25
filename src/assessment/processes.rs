//! CPU and memory of every process that was watched. Pure.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::{Summary, summary};
use crate::record::{Event, ResourceRow, RunData};

/// CPU and memory of one process over the run.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
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

/// A row a process, in the order of their first samples.
pub(super) fn process_rows(run: &RunData) -> Vec<ProcessRow> {
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
