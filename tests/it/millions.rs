//! Soaks of very many tasks: highwater's own memory and CPU do not depend on their number.
//!
//! ```text
//! cargo test --test it millions -- --ignored --nocapture
//! ```
//!
//! `HIGHWATER_MILLIONS` sets the number of tasks of the longer soak. The shorter one is long enough to fill every
//! bounded table and series.
#![cfg(target_os = "linux")]

use highwater::plan::Plan;
use highwater::service::{Completion, Input, Inputs, Target, TaskError};
use highwater::session::{End, Session};

use crate::support::alone::again;
use crate::support::helper::Helper;

/// The tasks of the shorter soak.
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

/// Soaks with `tasks` tasks: the highest memory of this process meanwhile in MB, and CPU for each task in µs.
fn soak(tasks: u32, worker: u32) -> (f64, f64) {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = Plan::http("http://127.0.0.1:1", "/").worker_pid(worker);
    plan.results = directory.path().to_path_buf();
    (plan.leak.enabled, plan.ramp.enabled, plan.soak.enabled) = (false, false, true);
    (plan.soak.tasks, plan.soak.concurrency, plan.settle.quiet_s) = (tasks, 16, 0.05);
    let before = cpu_s();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let session =
            Session::builder(plan).target(Prompt).inputs(Inputs::one("request", "x")).start().await.unwrap();
        session.run_plan().await.unwrap();
        session.finish(End::Complete).await.unwrap()
    });
    let soak = outcome.assessment.soak.unwrap();
    assert_eq!((soak.tasks, soak.failed), (tasks, 0), "none is lost");
    (status_mb("VmHWM"), (cpu_s() - before) / f64::from(tasks) * 1e6)
}

const TASKS: &str = "HIGHWATER_SOAK_OF";

/// Runs [`soak`] in a process of its own: memory that an earlier soak freed would still be resident.
fn alone(tasks: u32) -> (f64, f64) {
    let test = concat!(module_path!(), "::millions_of_tasks_cost_what_thousands_do");
    let said = again(test, TASKS, &tasks.to_string());
    let line = said.lines().find_map(|line| line.split_once("cost ")).expect("the figures").1;
    let mut figures = line.split(' ').map(|figure| figure.parse().expect("a figure"));
    let mut next = || figures.next().expect("two figures");
    let (mb, us) = (next(), next());
    println!("{tasks} tasks: {mb:.1} MB, {us:.0} µs of CPU a task");
    (mb, us)
}

#[test]
#[ignore = "minutes of load; see the head of this file"]
fn millions_of_tasks_cost_what_thousands_do() {
    if let Ok(tasks) = std::env::var(TASKS) {
        let (mb, us) = soak(tasks.parse().unwrap(), Helper::spawn().pid);
        return println!("cost {mb} {us}");
    }
    let tasks = std::env::var("HIGHWATER_MILLIONS").ok().and_then(|tasks| tasks.parse().ok());
    let ((few_mb, few_us), (many_mb, many_us)) = (alone(FEW), alone(tasks.unwrap_or(500_000)));
    assert!(many_mb < few_mb + 10.0, "{few_mb} MB became {many_mb} MB");
    assert!(many_us < 1.5 * few_us, "{few_us} µs a task became {many_us} µs");
}
