//! The search on lists of processes as they are seen on real machines.

mod messages;
mod selectors;
mod stack;

use std::collections::BTreeMap;

use super::*;
use crate::sampler::process::{Clock, ProcessId};

const OWN: u32 = 100;

/// A process whose arguments are separated by spaces; what stands in quotes
/// (`'…'`) is one argument.
fn process(pid: u32, parent: u32, line: &str) -> ProcessInfo {
    let mut argv: Vec<String> = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            argv.push(part.to_string());
        } else {
            argv.extend(part.split(' ').filter(|word| !word.is_empty()).map(ToString::to_string));
        }
    }
    let name = argv[0].rsplit('/').next().unwrap_or_default().chars().take(15).collect();
    ProcessInfo { id: ProcessId { pid, start_ticks: u64::from(pid) }, parent, name, argv }
}

fn patterns(patterns: &[&str], optional: bool) -> ProcessPlan {
    ProcessPlan {
        patterns: patterns.iter().map(ToString::to_string).collect(),
        optional,
        ..ProcessPlan::default()
    }
}

fn worker(plan: ProcessPlan) -> BTreeMap<String, ProcessPlan> {
    BTreeMap::from([("worker".to_string(), plan)])
}

/// A machine with `others`, init, a terminal, and a highwater whose own
/// arguments contain the words of every role.
fn machine(others: &[(u32, u32, &str)]) -> Vec<ProcessInfo> {
    let mut processes = vec![
        process(1, 0, "init"),
        process(90, 1, "bash"),
        process(OWN, 90, "highwater run rq worker asr-queue uvicorn"),
    ];
    processes.extend(others.iter().map(|(pid, parent, line)| process(*pid, *parent, line)));
    processes
}

/// The pids found for each role, "-" for none, "?" before too many.
fn found(
    roles: &BTreeMap<String, ProcessPlan>,
    others: &[(u32, u32, &str)],
    evidence: &SearchEvidence,
) -> String {
    let found = find(&machine(others), roles, evidence, OWN);
    let text = |(role, found): (&String, &RoleFound)| {
        let surplus = found.surplus.iter().map(|one| &one.process);
        let pids: Vec<_> = found.roots.iter().chain(surplus).map(|one| one.id.pid.to_string()).collect();
        let mark = if found.surplus.is_empty() { "" } else { "?" };
        format!("{role} {mark}{}", if pids.is_empty() { "-".to_string() } else { pids.join("+") })
    };
    found.roles.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn check(roles: &BTreeMap<String, ProcessPlan>, others: &[(u32, u32, &str)], expect: &str) {
    assert_eq!(found(roles, others, &SearchEvidence::default()), expect, "{others:?}");
}

fn rq_patterns() -> BTreeMap<String, ProcessPlan> {
    worker(patterns(&["rq worker", "asr-queue"], false))
}

#[test]
fn all_patterns_must_stand_in_the_command_line() {
    check(
        &rq_patterns(),
        &[(200, 1, "python rq worker asr-queue"), (201, 1, "python rq worker mail-queue")],
        "worker 200",
    );
}

#[test]
fn highwater_its_ancestors_and_its_descendants_are_never_matched() {
    check(&rq_patterns(), &[(200, OWN, "python rq worker asr-queue")], "worker -");
    check(&rq_patterns(), &[(200, 1, "highwater doctor --set x=rq worker asr-queue")], "worker -");
    let processes =
        [process(1, 0, "init"), process(90, 1, "run-all rq worker asr-queue"), process(OWN, 90, "highwater")];
    let found = find(&processes, &rq_patterns(), &SearchEvidence::default(), OWN);
    assert!(found.roles["worker"].roots.is_empty());
}

#[test]
fn an_explicit_pid_is_always_accepted() {
    let roles = worker(ProcessPlan { pid: Some(200), ..ProcessPlan::default() });
    check(&roles, &[(200, OWN, "anything"), (201, 1, "rq worker asr-queue")], "worker 200");
    check(&roles, &[(201, 1, "rq worker asr-queue")], "worker -");
}

#[test]
fn a_matching_descendant_belongs_to_the_tree_of_its_root() {
    check(
        &rq_patterns(),
        &[
            (200, 1, "rq worker asr-queue"),
            (201, 200, "rq worker asr-queue"),
            (202, 200, "helper"),
            (203, 202, "rq worker asr-queue"),
            (300, 1, "rq worker asr-queue"),
        ],
        "worker 200+300",
    );
}

#[test]
fn what_launched_the_worker_is_not_the_worker() {
    for launcher in [
        "sh -c 'while true; do rq worker asr-queue; done'",
        "bash run.sh rq worker asr-queue",
        "timeout 600 rq worker asr-queue",
        "nohup rq worker asr-queue",
        "sudo -u asr env A=1 rq worker asr-queue",
        "python3 supervise.py rq worker asr-queue",
        "uv run rq worker asr-queue",
    ] {
        let tree = [(200, 1, launcher), (201, 200, "python /venv/bin/rq worker asr-queue")];
        check(&rq_patterns(), &tree, "worker 201");
    }
    // Between two restarts there is only the launcher, which is not the worker.
    for alone in ["sh -c 'while true; do rq worker asr-queue; done'", "timeout 600 rq worker asr-queue"] {
        check(&rq_patterns(), &[(200, 1, alone)], "worker -");
    }
}

#[test]
fn a_launcher_of_two_workers_leaves_two() {
    check(
        &rq_patterns(),
        &[
            (200, 1, "python3 supervise.py rq worker asr-queue"),
            (201, 200, "rq worker asr-queue"),
            (202, 200, "rq worker asr-queue"),
            (203, 202, "rq worker asr-queue"),
        ],
        "worker 201+202",
    );
}

#[test]
fn programs_that_carry_the_words_are_not_the_worker() {
    for stranger in [
        "vim rq worker asr-queue",
        "less rq worker asr-queue.log",
        "tail -f rq worker asr-queue.log",
        "grep rq worker asr-queue log",
        "/usr/bin/python3 /venv/bin/pytest -k rq worker asr-queue",
        "python -m pytest tests -k rq worker asr-queue",
        "strace -f rq worker asr-queue",
        "ssh host rq worker asr-queue",
        "docker exec web rq worker asr-queue",
    ] {
        check(&rq_patterns(), &[(200, 1, stranger)], "worker -");
    }
}

#[test]
fn a_process_plays_one_role() {
    let roles = BTreeMap::from([
        ("api".to_string(), patterns(&["serve"], true)),
        ("backend".to_string(), patterns(&["serve"], true)),
        ("worker".to_string(), patterns(&["serve --work"], false)),
    ]);
    check(&roles, &[(200, 1, "serve --work"), (201, 1, "serve")], "api 201, backend -, worker 200");
}

#[test]
fn kernel_threads_and_circles_do_no_harm() {
    let kernel = ProcessInfo { argv: Vec::new(), ..process(300, 2, "x") };
    let processes =
        [kernel, process(400, 401, "a"), process(401, 400, "rq worker asr-queue"), process(OWN, 400, "b")];
    for roles in [rq_patterns(), crate::plan::Preset::AsrRq.plan().processes] {
        let found = find(&processes, &roles, &SearchEvidence::default(), OWN);
        assert!(found.roles["worker"].roots.is_empty(), "401 is an ancestor of our own");
    }
}
