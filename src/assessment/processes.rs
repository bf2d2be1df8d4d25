//! CPU and memory of every process that was watched. Pure.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::{Summary, summary};
use crate::record::{Event, ExitKind, ResourceRow, RunData};

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
    let known = known(run);
    processes.iter().filter_map(|rows| process_row(&known, rows)).collect()
}

/// What the log tells of a process.
#[derive(Default)]
struct Known<'a> {
    role: Option<&'a str>,
    child: bool,
    parent: Option<u32>,
    end: Option<ExitKind>,
}

/// What the log tells of the processes, by their pids; of two with one pid, what it tells first.
fn known(run: &RunData) -> HashMap<u32, Known<'_>> {
    let mut known: HashMap<u32, Known<'_>> = HashMap::new();
    for record in &run.events {
        match &record.event {
            Event::ProcessFound { role, pid, root, parent, .. } => {
                let found = known.entry(*pid).or_default();
                if found.role.is_none() {
                    (found.role, found.parent) = (Some(role.as_str()), *parent);
                }
                found.child |= !root;
            }
            Event::ProcessExited { pid, how, .. } => {
                let end = &mut known.entry(*pid).or_default().end;
                *end = end.or(Some(*how));
            }
            _ => {}
        }
    }
    known
}

fn process_row(known: &HashMap<u32, Known<'_>>, rows: &[&ResourceRow]) -> Option<ProcessRow> {
    let unknown = Known::default();
    let (first, last) = (rows.first()?, rows.last()?);
    // The first sample has no CPU time to compare with; it reads 0 and says nothing.
    let cpu: Vec<f64> = rows.iter().skip(1).map(|row| row.cpu_percent).collect();
    let rss: Vec<f64> = rows.iter().map(|row| row.memory_rss_mb).collect();
    let found = known.get(&first.pid).unwrap_or(&unknown);
    Some(ProcessRow {
        role: found.role.map(str::to_string),
        name: first.process_name.clone(),
        child: found.child,
        parent: found.parent,
        pid: first.pid,
        samples: rows.len(),
        cpu_percent: summary(&cpu),
        rss_mb: summary(&rss)?,
        rss_last_mb: last.memory_rss_mb,
        end: found.end.map(|how| how.to_string()),
    })
}
