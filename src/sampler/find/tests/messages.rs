//! The messages for a role that is ambiguous or has no process.

use super::*;
use crate::plan::Preset;
use crate::units::MB;

fn default_worker() -> BTreeMap<String, ProcessPlan> {
    worker(Preset::AsrRq.plan().processes["worker"].clone())
}

fn error(
    roles: &BTreeMap<String, ProcessPlan>,
    processes: &[ProcessInfo],
    evidence: &SearchEvidence,
) -> Error {
    find(processes, roles, evidence, OWN).check().expect_err("nothing is found")
}

#[test]
fn what_is_missing_is_named_with_what_came_near_and_why_it_was_not_taken() {
    let processes = machine(&[
        (200, 1, "'rq:worker:ab12: Forked 201 at 1700000000'"),
        (202, 1, "rq worker mail-queue"),
        (203, 1, "sh -c 'sleep 1; rq worker asr-queue'"),
        (204, 1, "vim asr-queue"),
        (205, 1, "vim notes"),
    ]);
    let error = error(&default_worker(), &processes, &SearchEvidence::default());
    assert_eq!(error.kind(), ErrorKind::ProcessNotFound);
    insta::assert_snapshot!(error.render(), @r"
    error: no process for the role `worker`: none is an RQ worker of the queue `asr-queue`
      hint: start it, for example with `rq worker asr-queue --url redis://localhost:6379/0`, or choose a process: `--worker-pid PID`, `--worker-pidfile FILE`, `--worker-port PORT`, or `[processes.worker]` in highwater.toml
            nearly matched:
              pid 200  rq:worker:ab12: Forked 201 at 1700000000
                it is an RQ worker whose title shows no queue while it is busy: search when it is idle, or give `rq.url`
              pid 202  rq worker mail-queue
                it is an RQ worker of `mail-queue`
              pid 203  sh -c sleep 1; rq worker asr-queue
                it is a shell that launches a command, which carries the words and is not the service
              pid 204  vim asr-queue
                it is an editor, which carries the words and is not the service
    ");
}

#[test]
fn too_many_are_listed_with_what_tells_them_apart() {
    let processes =
        machine(&[(200, 1, "rq worker asr-queue"), (300, 1, "python -m rq.cli worker asr-queue")]);
    let clock = Clock { booted_at_s: 0.0, ticks_per_second: 0.01, now_ticks: 400.0 };
    let evidence = SearchEvidence { clock: Some(clock), ..SearchEvidence::default() };
    let mut found = find(&processes, &default_worker(), &evidence, OWN);
    found.roles.get_mut("worker").expect("the role").surplus[0].rss_bytes = Some(83 * MB as u64);
    insta::assert_snapshot!(found.check().expect_err("two").render(), @r#"
    error: 2 processes match the role `worker`, which takes one: each is an RQ worker of the queue `asr-queue`
      hint: choose one: `--worker-pid PID`, `--worker-pidfile FILE`, `--worker-port PORT`, or `[processes.worker]` in highwater.toml
            or ask RQ's registry: `--set processes.worker.rq.url=redis://HOST:PORT/DB`, the Redis of the service
            if all of them belong to the service: `processes.worker.count = "any"`
              pid 200  up 6 h, 83 MB  rq worker asr-queue
              pid 300  up 3 h, RSS unknown  python -m rq.cli worker asr-queue
    "#);
}

#[test]
fn patterns_that_fit_nothing_are_quoted() {
    let error = error(&rq_patterns(), &machine(&[]), &SearchEvidence::default());
    assert_eq!(
        error.to_string(),
        "no process for the role `worker`: no command line contains `rq worker` and `asr-queue`"
    );
}

#[test]
fn evidence_that_names_nobody_is_the_reason() {
    let mut evidence = SearchEvidence::default();
    evidence.facts.listeners.insert(8000, Err("no process listens on port 8000 of this machine".to_string()));
    let port = worker(ProcessPlan { port: Some(8000), ..ProcessPlan::default() });
    assert_eq!(
        error(&port, &machine(&[]), &evidence).to_string(),
        "no process for the role `worker`: no process listens on port 8000 of this machine"
    );
    let mut plan = Preset::AsrRq.plan().processes["worker"].clone();
    plan.rq.url = Some("redis://h".into());
    let key = ("redis://h".to_string(), "asr-queue".to_string());
    evidence.registries.insert(key, Ok(Vec::new()));
    assert_eq!(
        error(&worker(plan), &machine(&[]), &evidence).to_string(),
        "no process for the role `worker`: RQ's registry has no live worker for the queue `asr-queue`"
    );
}

#[test]
fn an_absent_optional_role_is_fine_and_an_absent_pid_is_not() {
    let optional = BTreeMap::from([("backend".to_string(), patterns(&["asr-backend"], true))]);
    assert!(find(&[], &optional, &SearchEvidence::default(), OWN).check().is_ok());
    let absent = worker(ProcessPlan { pid: Some(4_000_000), ..ProcessPlan::default() });
    let error = error(&absent, &[], &SearchEvidence::default());
    assert_eq!(error.to_string(), "there is no live process 4000000 for the role `worker`");
}

#[test]
fn an_optional_role_with_too_many_is_not_watched() {
    let roles = BTreeMap::from([("api".to_string(), Preset::AsrRq.plan().processes["api"].clone())]);
    let found = find(
        &machine(&[(200, 1, "uvicorn a:a"), (201, 1, "uvicorn b:b")]),
        &roles,
        &SearchEvidence::default(),
        OWN,
    );
    assert!(found.check().is_ok());
    assert!(found.roles["api"].roots.is_empty());
    assert!(found.roles["api"].error("api").to_string().starts_with("2 processes match the role `api`"));
}
