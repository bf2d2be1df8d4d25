//! CPU and memory of every process that was watched. Pure.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::{Summary, summary_of_times};
use crate::record::{Event, ExitKind, RunData, SampledProcess, Samples};

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
    let mut processes: Vec<SampledProcess> = Vec::new();
    for process in run.samples.iter().flat_map(Samples::processes) {
        let place = *places.entry((process.pid, &process.name)).or_insert(processes.len());
        match processes.get_mut(place) {
            Some(earlier) => earlier.merge(process),
            None => processes.push(process.clone()),
        }
    }
    let known = known(run);
    processes.iter().filter_map(|process| process_row(&known, process)).collect()
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

fn process_row(known: &HashMap<u32, Known<'_>>, process: &SampledProcess) -> Option<ProcessRow> {
    let unknown = Known::default();
    let found = known.get(&process.pid).unwrap_or(&unknown);
    Some(ProcessRow {
        role: found.role.map(str::to_string),
        name: process.name.clone(),
        child: found.child,
        parent: found.parent,
        pid: process.pid,
        samples: usize::try_from(process.samples).unwrap_or(usize::MAX),
        cpu_percent: summary_of_times(&process.cpu_percent),
        rss_mb: summary_of_times(&process.rss_mb)?,
        rss_last_mb: process.rss_last_mb,
        end: found.end.map(|how| how.to_string()),
    })
}
