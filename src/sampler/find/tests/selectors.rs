//! Each way to say which process is meant.

use super::*;
use crate::plan::{Count, RqPlan};

fn argv(words: &[&str]) -> ProcessPlan {
    ProcessPlan { argv: words.iter().map(ToString::to_string).collect(), ..ProcessPlan::default() }
}

/// The worker with `change`d plan.
fn with(change: impl FnOnce(&mut ProcessPlan)) -> BTreeMap<String, ProcessPlan> {
    let mut plan = ProcessPlan::default();
    change(&mut plan);
    worker(plan)
}

#[test]
fn what_highwater_has_started_plays_no_role_whatever_names_it() {
    let by_port = worker(ProcessPlan { port: Some(80), ..ProcessPlan::default() });
    let listeners = BTreeMap::from([(80, Ok(vec![20, 31]))]);
    let facts = crate::sampler::process::ProcessFacts { listeners, ..Default::default() };
    let others = [(20, 1, "server"), (30, OWN, "sh task.sh"), (31, 30, "client")];
    let mut evidence = SearchEvidence { facts, ..SearchEvidence::default() };
    assert_eq!(found(&by_port, &others, &evidence), "worker 20+31", "a test's own service is named exactly");
    evidence.started = std::collections::BTreeSet::from([30]);
    assert_eq!(found(&by_port, &others, &evidence), "worker 20");
}

#[test]
fn each_argument_is_compared_by_itself() {
    let others = [(200, 1, "python worker.py --queue asr"), (201, 1, "python 'worker.py --queue' asr2")];
    check(&worker(argv(&["worker.py", "asr"])), &others, "worker 200");
    check(&worker(argv(&["worker.py --queue"])), &others, "worker 201");
    check(&worker(argv(&["/^asr[0-9]$/"])), &others, "worker 201");
    check(&worker(argv(&["/worker/"])), &others, "worker ?200+201");
    check(&worker(argv(&["worker"])), &others, "worker -");
    check(&worker(argv(&["worker.py"])), &[(200, 1, "vim worker.py")], "worker -");
    check(
        &worker(argv(&["worker.py"])),
        &[(200, 1, "sh run.sh worker.py"), (201, 200, "python worker.py")],
        "worker 201",
    );
}

#[test]
fn by_program_name_and_executable() {
    let others = [(200, 1, "/usr/bin/python3 /srv/serve.py"), (201, 1, "/opt/a-very-long-program-name -x")];
    check(&with(|plan| plan.program = Some("serve.py".into())), &others, "worker 200");
    check(&with(|plan| plan.program = Some("/^serve/".into())), &others, "worker 200");
    check(&with(|plan| plan.program = Some("python3".into())), &others, "worker -");
    check(&with(|plan| plan.name = Some("a-very-long-pro".into())), &others, "worker 201");
    let mut evidence = SearchEvidence::default();
    evidence.facts.exe.insert(200, "/usr/bin/python3.11".to_string());
    for exe in ["/usr/bin/python3.11", "python3.11", "/python3/"] {
        assert_eq!(found(&with(|plan| plan.exe = Some(exe.into())), &others, &evidence), "worker 200");
    }
    // Whoever names an editor means it.
    check(&with(|plan| plan.program = Some("vim".into())), &[(200, 1, "vim a")], "worker 200");
}

#[test]
fn by_pidfile() {
    let mut evidence = SearchEvidence::default();
    evidence.pidfiles.insert("/run/w.pid".to_string(), Ok(200));
    let others = [(200, OWN, "anything"), (201, 200, "child"), (300, 1, "anything")];
    let mut roles = with(|plan| plan.pidfile = Some("/run/w.pid".into()));
    assert_eq!(found(&roles, &others, &evidence), "worker 200", "also one that highwater has started");
    roles.get_mut("worker").expect("the role").program = Some("other".into());
    assert_eq!(found(&roles, &others, &evidence), "worker -", "all that is given must hold");
}

#[test]
fn by_port() {
    let mut evidence = SearchEvidence::default();
    evidence.facts.listeners.insert(8000, Ok(vec![1, 200, 201, 202]));
    let api = "python /venv/bin/uvicorn app:app --workers 2";
    let others = [(200, 1, api), (201, 200, "python -c spawn"), (202, 200, "python -c spawn"), (300, 1, api)];
    let roles = with(|plan| plan.port = Some(8000));
    assert_eq!(found(&roles, &others, &evidence), "worker 200", "init holds the socket of a socket unit");
    evidence.facts.listeners.insert(8000, Ok(vec![200]));
    assert_eq!(found(&roles, &[(200, 1, "docker-proxy -host-port 8000")], &evidence), "worker -");
}

#[test]
fn by_unit_and_control_group() {
    let mut evidence = SearchEvidence::default();
    for pid in [200, 201, 202] {
        evidence.facts.cgroup.insert(pid, "/system.slice/asr-worker.service".to_string());
    }
    evidence.facts.cgroup.insert(300, "/system.slice/asr-worker.service2".to_string());
    let others =
        [(200, 1, "sh -c 'a; b'"), (201, 200, "a"), (202, 201, "a"), (300, 1, "other"), (301, 1, "none")];
    for unit in ["asr-worker", "asr-worker.service", "/^asr-worker.service$/"] {
        let roles = with(|plan| plan.unit = Some(unit.into()));
        assert_eq!(found(&roles, &others, &evidence), "worker 201", "{unit}: the shell launched it");
    }
    let below = with(|plan| plan.cgroup = Some("/system.slice/asr-worker.service".into()));
    assert_eq!(found(&below, &others, &evidence), "worker 201");
    let above = with(|plan| plan.cgroup = Some("/system.slice".into()));
    assert_eq!(found(&above, &others, &evidence), "worker 201+300");
}

/// RQ's registry as it was read, on the machine `here` booted at 0 with 1 tick a second.
fn registry(workers: &[(u32, &str, &str)]) -> SearchEvidence {
    let worker = |&(pid, hostname, birth): &(u32, &str, &str)| RqWorker {
        name: format!("w{pid}"),
        pid,
        hostname: hostname.to_string(),
        birth: Some(birth.parse().expect("a time stamp")),
    };
    let key = ("redis://h".to_string(), "asr-queue".to_string());
    SearchEvidence {
        registries: BTreeMap::from([(key, Ok(workers.iter().map(worker).collect()))]),
        hostname: "here".to_string(),
        clock: Some(Clock { booted_at_s: 0.0, ticks_per_second: 1.0, now_ticks: 1000.0 }),
        ..SearchEvidence::default()
    }
}

fn by_registry() -> BTreeMap<String, ProcessPlan> {
    with(|plan| plan.rq = RqPlan { queue: Some("asr-queue".into()), url: Some("redis://h".into()) })
}

#[test]
fn by_the_registry_of_rq() {
    // Started at second 200, 300 and 400 after boot, as process() has it.
    let others = [(200, 1, "python app.py"), (300, 1, "python app.py"), (400, 1, "rq worker asr-queue")];
    let birth = "1970-01-01T00:05:01Z";
    let here = registry(&[(200, "here", birth), (300, "here", birth)]);
    assert_eq!(found(&by_registry(), &others, &here), "worker 200+300", "and not what merely looks like one");
    let there = registry(&[(200, "there", birth)]);
    assert_eq!(found(&by_registry(), &others, &there), "worker -");
    for both in [[(200, "there", birth), (200, "here", birth)], [(200, "here", birth), (200, "there", birth)]]
    {
        assert_eq!(found(&by_registry(), &others, &registry(&both)), "worker 200", "one pid on two machines");
    }
    let reused = registry(&[(400, "here", birth)]);
    assert_eq!(found(&by_registry(), &others, &reused), "worker -", "the pid belongs to a younger process");
}

#[test]
fn the_registry_knows_pool_workers_and_their_master_is_the_root() {
    let pool = "python /venv/bin/rq worker-pool asr-queue -n 2";
    let others = [(200, 1, pool), (201, 200, pool), (202, 200, "'rq:worker:w202: Listening on asr-queue'")];
    let birth = "1970-01-01T00:05:00Z";
    let evidence = registry(&[(201, "here", birth), (202, "here", birth)]);
    assert_eq!(found(&by_registry(), &others, &evidence), "worker 200");
}

#[test]
fn how_many_a_role_wants_depends_on_how_exactly_it_is_named() {
    let one = |change: fn(&mut ProcessPlan)| {
        let mut plan = ProcessPlan::default();
        change(&mut plan);
        plan.wants_one()
    };
    assert!(one(|plan| plan.program = Some("a".into())));
    assert!(one(|plan| plan.rq.queue = Some("a".into())));
    assert!(one(|plan| plan.argv = vec!["a".into()]));
    assert!(!one(|plan| plan.patterns = vec!["a".into()]));
    assert!(!one(|plan| plan.port = Some(1)));
    assert!(!one(|plan| plan.rq = RqPlan { queue: Some("a".into()), url: Some("redis://h".into()) }));
    assert!(one(|plan| (plan.port, plan.count) = (Some(1), Some(Count::One))));
    assert!(!one(|plan| (plan.program, plan.count) = (Some("a".into()), Some(Count::Any))));
}
