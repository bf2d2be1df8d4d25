//! Stopping runs at chosen moments, and reading what they leave.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::runs::{Place, Running, json_lines};

/// The files of the only run in a place.
pub(crate) struct Files {
    pub(crate) tasks: PathBuf,
    pub(crate) events: PathBuf,
    pub(crate) resources: PathBuf,
}

impl Files {
    pub(crate) fn of(place: &Place) -> Files {
        Files::find(place).expect("the run has its files")
    }

    pub(crate) fn find(place: &Place) -> Option<Files> {
        let entries = std::fs::read_dir(place.path("results")).ok()?;
        let names: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        let named = |start: &str, end: &str| {
            let fits = |path: &&PathBuf| {
                let name = path.file_name().unwrap().to_string_lossy();
                name.starts_with(start) && name.ends_with(end)
            };
            let found: Vec<&PathBuf> = names.iter().filter(fits).collect();
            assert!(found.len() <= 1, "{names:?}");
            found.first().map(|path| path.to_path_buf())
        };
        Some(Files {
            tasks: named("memory_leak_stress_test_", ".jsonl")?,
            events: named("events_", ".jsonl")?,
            resources: named("system_resources_", ".csv")?,
        })
    }

    /// The tasks, all of them whole.
    pub(crate) fn tasks(&self) -> Vec<Value> {
        json_lines(&self.tasks)
    }

    /// How many tasks are in the file that may be growing.
    pub(crate) fn tasks_so_far(&self) -> usize {
        whole_lines(&self.tasks).len()
    }

    /// The events in the file that may be growing.
    pub(crate) fn events(&self) -> Vec<Value> {
        whole_lines(&self.events)
    }

    /// The tasks that were sent and have no line.
    pub(crate) fn in_flight(&self) -> Vec<String> {
        // The log first: a task that ends between the two looks is then not in flight.
        let events = self.events();
        let tasks = whole_lines(&self.tasks);
        let sent = events.iter().filter(|event| event["event"] == "task_started");
        let ids = sent.map(|event| event["test_id"].as_str().unwrap().to_string());
        ids.filter(|test_id| !tasks.iter().any(|task| task["test_id"] == **test_id)).collect()
    }
}

fn whole_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Reads stdout up to a line that fits and returns it; `seen` keeps them all.
pub(crate) fn wait_for_line(
    running: &Running,
    seen: &mut Vec<String>,
    fits: impl Fn(&str) -> bool,
) -> String {
    loop {
        let line = running.lines.recv_timeout(Duration::from_secs(60));
        let line = line.unwrap_or_else(|error| panic!("{error}; until then: {seen:#?}"));
        seen.push(line.clone());
        if fits(&line) {
            return line;
        }
    }
}

/// `highwater report FILE --json`: its exit code and what it says.
pub(crate) fn report(place: &Place, tasks: &Path) -> (Option<i32>, Value) {
    let (exit, lines, stderr) =
        Running::start(place.highwater().arg("report").arg(tasks).arg("--json")).ended();
    let object = lines.last().unwrap_or_else(|| panic!("no report: {stderr}"));
    (exit, serde_json::from_str(object).unwrap())
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(id(pid), signal).expect("the process lives");
}

fn id(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// A process that is stopped; it continues when this is dropped.
pub(crate) struct Stopped(u32);

impl Stopped {
    pub(crate) fn new(pid: u32) -> Stopped {
        signal(pid, Signal::STOP);
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill_process(id(self.0), Signal::CONT);
    }
}

/// The children of a process, whichever of its threads made them.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|pids| pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>())
        .collect()
}

/// All that descend from a process.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    for child in found.clone() {
        found.extend(descendants(child));
    }
    found
}

/// True if a thread of this process is a sampler.
pub(crate) fn samples() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let mut names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    // The kernel keeps 15 characters of a thread's name.
    names.any(|name| name.trim_end() == "highwater-sampl")
}
