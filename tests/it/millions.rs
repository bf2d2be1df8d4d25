//! Very many tasks: highwater's own memory and CPU do not depend on their number.
//!
//! ```text
//! cargo test --test it millions -- --ignored --nocapture
//! ```
//!
//! `HIGHWATER_MILLIONS` sets the number of tasks of the longer run. The shorter one is long enough to fill every
//! bounded table and series.
#![cfg(target_os = "linux")]

use std::io::Write;

use highwater::plan::Plan;
use highwater::service::{Completion, Input, Inputs, Target, TaskError};
use highwater::session::{End, Session};

use crate::support::alone::again;
use crate::support::helper::Helper;

/// The tasks of the shorter run.
const FEW: u32 = 50_000;

/// A service that answers at once.
struct Prompt;

impl Target for Prompt {
    fn describe(&self) -> String {
        "a service that answers at once".to_string()
    }

    async fn perform(&self, _: &Input) -> Result<Completion, TaskError> {
        tokio::task::yield_now().await;
        Ok(Completion::default())
    }
}

/// A figure of `/proc/self/status` in MB.
fn status_mb(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// How tasks are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    /// In a soak.
    Soak,
    /// At one level of a ramp.
    Ramp,
}

/// Sends `tasks` tasks: the highest memory of this process meanwhile in MB, and CPU for each task in µs.
fn sent(mode: Mode, tasks: u32, worker: u32) -> (f64, f64) {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = Plan::http("http://127.0.0.1:1", "/").worker_pid(worker);
    plan.results = directory.path().to_path_buf();
    plan.settle.quiet_s = 0.05;
    plan.leak.enabled = false;
    plan.ramp.enabled = mode == Mode::Ramp;
    plan.soak.enabled = mode == Mode::Soak;
    (plan.soak.tasks, plan.soak.concurrency) = (tasks, 16);
    (plan.ramp.start, plan.ramp.max, plan.ramp.required) = (16, 16, 16);
    (plan.ramp.short_s, plan.ramp.short_tasks) = (100.0, tasks);
    let before = cpu_s();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let session =
            Session::builder(plan).target(Prompt).inputs(Inputs::one("request", "x")).start().await.unwrap();
        session.run_plan().await.unwrap();
        session.finish(End::Complete).await.unwrap()
    });
    let found = outcome.assessment;
    let ended = match mode {
        Mode::Soak => found.soak.map(|soak| (soak.tasks, soak.tasks - soak.failed)),
        Mode::Ramp => found.levels.last().map(|level| (level.tasks as u32, level.succeeded as u32)),
    };
    assert_eq!(ended, Some((tasks, tasks)), "none is lost");
    (status_mb("VmHWM"), (cpu_s() - before) / f64::from(tasks) * 1e6)
}

/// Reads a file of `tasks` tasks of the leak check that have a reading each: memory in MB, and CPU for each task in µs.
fn read(tasks: u32) -> (f64, f64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("memory_leak_stress_test_20260101_000000.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut log = std::io::BufWriter::new(
        std::fs::File::create(directory.path().join("events_20260101_000000.jsonl")).unwrap(),
    );
    let mut event = |event: std::fmt::Arguments<'_>| {
        writeln!(log, "{{\"time\": \"\", \"elapsed\": 1, \"event\": {event}}}").unwrap();
    };
    event(format_args!("\"phase_started\", \"phase\": \"leak\""));
    for index in 0..tasks {
        let (second, mb) = (1_700_000_000 + index, 100 + index % 7);
        let id = format!("request_c1_{second}");
        event(format_args!("\"task_started\", \"test_id\": \"{id}\""));
        event(format_args!(
            "\"task_answered\", \"test_id\": \"{id}\", \"status\": \"success\", \"processing_time\": 0.1"
        ));
        event(format_args!(
            "\"roles_after\", \"test_id\": \"{id}\", \"roles\": {{\"api\": {{\"rss_mb\": 50.0, \"private_mb\": 40.0}}}}"
        ));
        writeln!(
            file,
            "{{\"test_id\": \"{id}\", \"concurrency\": 1, \"status\": \"success\", \"processing_time\": 0.1, \
             \"phase\": \"leak\", \"worker_rss_before_mb\": {mb}, \"worker_rss_after_mb\": {mb}, \
             \"worker_rss_delta_mb\": 0.0, \"worker_after\": {{\"rss_mb\": {mb}, \"private_mb\": {mb}}}}}"
        )
        .unwrap();
    }
    file.flush().unwrap();
    log.flush().unwrap();
    let before = cpu_s();
    let run = highwater::journal::read(&path).unwrap();
    let found = highwater::assessment::assess(&run, &Plan::default());
    assert_eq!(run.ended(), u64::from(tasks), "none is lost");
    assert!(found.growth.is_some_and(|growth| growth.answer == highwater::analysis::Answer::Clean));
    (status_mb("VmHWM"), (cpu_s() - before) / f64::from(tasks) * 1e6)
}

/// Reads a table of `rows` rows: memory in MB, and CPU for each row in µs.
fn table(rows: u32) -> (f64, f64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("memory.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    writeln!(file, "elapsed_seconds,pid,rss_mb").unwrap();
    for row in 0..rows {
        writeln!(file, "{row}.0,4711,{}.{}", 200 + row * 13 % 97, row % 10).unwrap();
    }
    file.flush().unwrap();
    let before = cpu_s();
    let wanted = highwater::readings::Selection { thinned: true, ..Default::default() };
    let recording = highwater::readings::read(&path, &wanted).unwrap();
    assert_eq!(recording.series.len(), 1);
    (status_mb("VmHWM"), (cpu_s() - before) / f64::from(rows) * 1e6)
}

const TASKS: &str = "HIGHWATER_SOAK_OF";

/// Runs `test` in a process of its own: memory that an earlier run of it freed would still be resident.
fn alone(test: &str, tasks: u32) -> (f64, f64) {
    let said = again(test, TASKS, &tasks.to_string());
    let line = said.lines().find_map(|line| line.split_once("cost ")).expect("the figures").1;
    let mut figures = line.split(' ').map(|figure| figure.parse().expect("a figure"));
    let mut next = || figures.next().expect("two figures");
    let (mb, us) = (next(), next());
    println!("{tasks} tasks: {mb:.1} MB, {us:.0} µs of CPU a task");
    (mb, us)
}

/// Compares what few and many tasks take in `measured`.
fn same(test: &str, measured: impl FnOnce(u32) -> (f64, f64)) {
    if let Ok(tasks) = std::env::var(TASKS) {
        let (mb, us) = measured(tasks.parse().unwrap());
        return println!("cost {mb} {us}");
    }
    let tasks = std::env::var("HIGHWATER_MILLIONS").ok().and_then(|tasks| tasks.parse().ok());
    let ((few_mb, few_us), (many_mb, many_us)) = (alone(test, FEW), alone(test, tasks.unwrap_or(500_000)));
    assert!(many_mb < few_mb + 10.0, "{few_mb} MB became {many_mb} MB");
    assert!(many_us < 1.5 * few_us, "{few_us} µs a task became {many_us} µs");
}

#[test]
#[ignore = "minutes of load; see the head of this file"]
fn millions_of_tasks_of_a_soak_cost_what_thousands_do() {
    let test = concat!(module_path!(), "::millions_of_tasks_of_a_soak_cost_what_thousands_do");
    same(test, |tasks| sent(Mode::Soak, tasks, Helper::spawn().pid));
}

#[test]
#[ignore = "minutes of load; see the head of this file"]
fn millions_of_tasks_of_a_level_cost_what_thousands_do() {
    let test = concat!(module_path!(), "::millions_of_tasks_of_a_level_cost_what_thousands_do");
    same(test, |tasks| sent(Mode::Ramp, tasks, Helper::spawn().pid));
}

#[test]
#[ignore = "minutes of load; see the head of this file"]
fn millions_of_tasks_with_a_reading_each_are_read_as_thousands_are() {
    let test = concat!(module_path!(), "::millions_of_tasks_with_a_reading_each_are_read_as_thousands_are");
    same(test, read);
}

#[test]
#[ignore = "minutes of load; see the head of this file"]
fn millions_of_rows_are_read_as_thousands_are() {
    let test = concat!(module_path!(), "::millions_of_rows_are_read_as_thousands_are");
    same(test, table);
}
