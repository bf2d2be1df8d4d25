use super::*;
use crate::sampler::process::ProcessId;

const OWN: u32 = 100;

fn process(pid: u32, parent: u32, line: &str) -> ProcessInfo {
    let argv = match line.split_once(" -c ") {
        Some((shell, command)) => vec![shell.to_string(), "-c".to_string(), command.to_string()],
        None => line.split(' ').map(ToString::to_string).collect(),
    };
    ProcessInfo { id: ProcessId { pid, start_ticks: u64::from(pid) }, parent, name: argv[0].clone(), argv }
}

fn plan(patterns: &[&str], optional: bool) -> ProcessPlan {
    ProcessPlan {
        patterns: patterns.iter().map(ToString::to_string).collect(),
        optional,
        ..ProcessPlan::default()
    }
}

fn worker() -> BTreeMap<String, ProcessPlan> {
    BTreeMap::from([("worker".to_string(), plan(&["rq worker", "asr-queue"], false))])
}

/// The pids found for each role, "-" for none, on a machine with `others`
/// beside init, a terminal and highwater.
fn check(roles: &BTreeMap<String, ProcessPlan>, others: &[(u32, u32, &str)], expect: &str) {
    let mut processes = vec![
        process(1, 0, "init"),
        process(90, 1, "bash"),
        process(OWN, 90, "highwater rq worker asr-queue"),
    ];
    processes.extend(others.iter().map(|(pid, parent, line)| process(*pid, *parent, line)));
    let found = find(&processes, roles, OWN);
    let text: Vec<_> = found
        .roles
        .iter()
        .map(|(role, found)| {
            let pids: Vec<_> = found.roots.iter().map(|process| process.id.pid.to_string()).collect();
            format!("{role} {}", if pids.is_empty() { "-".to_string() } else { pids.join("+") })
        })
        .collect();
    assert_eq!(text.join(", "), expect);
}

#[test]
fn all_patterns_must_stand_in_the_command_line() {
    check(
        &worker(),
        &[(200, 1, "python rq worker asr-queue"), (201, 1, "python rq worker mail-queue")],
        "worker 200",
    );
}

#[test]
fn highwater_its_ancestors_and_its_descendants_are_never_matched() {
    check(&worker(), &[(200, OWN, "python rq worker asr-queue")], "worker -");
    let mut processes = vec![process(1, 0, "init"), process(90, 1, "run-all rq worker asr-queue")];
    processes.push(process(OWN, 90, "highwater"));
    assert!(find(&processes, &worker(), OWN).roles["worker"].roots.is_empty());
}

#[test]
fn an_explicit_pid_is_always_accepted() {
    let mut roles = worker();
    roles.get_mut("worker").expect("the role").pid = Some(200);
    check(&roles, &[(200, OWN, "anything"), (201, 1, "rq worker asr-queue")], "worker 200");
    check(&roles, &[(201, 1, "rq worker asr-queue")], "worker -");
}

#[test]
fn a_matching_descendant_belongs_to_the_tree_of_its_root() {
    check(
        &worker(),
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
fn a_launching_shell_is_not_the_worker() {
    check(
        &worker(),
        &[
            (200, 1, "sh -c while true; do rq worker asr-queue; done"),
            (201, 200, "python rq worker asr-queue"),
            (300, 1, "bash run.sh rq worker asr-queue"),
            (301, 300, "rq worker asr-queue"),
        ],
        "worker 201+301",
    );
    // Between two restarts there is only the shell, which is not the worker.
    check(&worker(), &[(200, 1, "sh -c while true; do rq worker asr-queue; done")], "worker -");
}

#[test]
fn a_process_plays_one_role() {
    let roles = BTreeMap::from([
        ("api".to_string(), plan(&["serve"], true)),
        ("backend".to_string(), plan(&["serve"], true)),
        ("worker".to_string(), plan(&["serve --work"], false)),
    ]);
    check(&roles, &[(200, 1, "serve --work"), (201, 1, "serve")], "api 201, backend -, worker 200");
}

#[test]
fn kernel_threads_and_circles_do_no_harm() {
    let kernel = ProcessInfo { argv: Vec::new(), ..process(300, 2, "x") };
    let processes =
        [kernel, process(400, 401, "a"), process(401, 400, "rq worker asr-queue"), process(OWN, 400, "b")];
    let found = find(&processes, &worker(), OWN);
    assert!(found.roles["worker"].roots.is_empty(), "401 is an ancestor of our own");
}

#[test]
fn what_is_missing_is_named_with_what_came_near() {
    let processes = [
        process(OWN, 1, "highwater"),
        process(200, 1, "rq:worker:ab12: listening on asr-queue"),
        process(201, 1, "sh -c sleep 1; rq worker asr-queue"),
        process(202, 1, "vim notes"),
    ];
    let error = find(&processes, &worker(), OWN).check().expect_err("nothing matches");
    assert_eq!(error.kind(), ErrorKind::ProcessNotFound);
    assert_eq!(
        error.render(),
        "error: no process for the role `worker`: no command line contains `rq worker` and `asr-queue`\n  \
         hint: start it, for example with `rq worker asr-queue --url redis://localhost:6379/0`, or choose a \
         process in highwater.toml: `processes.worker.patterns` or `processes.worker.pid`\n        \
         nearly matched:\n          \
         pid 201  sh -c sleep 1; rq worker asr-queue  (a shell that launches a command is never matched)\n          \
         pid 200  rq:worker:ab12: listening on asr-queue"
    );
}

#[test]
fn an_absent_optional_role_is_fine_and_an_absent_pid_is_not() {
    let optional = BTreeMap::from([("backend".to_string(), plan(&["asr-backend"], true))]);
    assert!(find(&[], &optional, OWN).check().is_ok());
    let mut roles = worker();
    roles.get_mut("worker").expect("the role").pid = Some(4_000_000);
    let error = find(&[], &roles, OWN).check().expect_err("no such pid");
    assert_eq!(error.to_string(), "there is no live process 4000000 for the role `worker`");
}
