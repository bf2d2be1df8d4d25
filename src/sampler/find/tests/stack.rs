//! The default roles on the service that highwater was made for: RQ, uvicorn
//! and a Go backend, in all the shapes that they take.

use super::*;
use crate::plan::Preset;

/// The three roles at their defaults.
fn shape(others: &[(u32, u32, &str)], expect: &str) {
    check(&Preset::AsrRq.plan().processes, others, expect);
}

/// The worker alone, at its default.
fn rq(others: &[(u32, u32, &str)], expect: &str) {
    check(&worker(Preset::AsrRq.plan().processes["worker"].clone()), others, expect);
}

const RQ: &str = "/venv/bin/python /venv/bin/rq worker asr-queue --url redis://localhost:6379/0";

#[test]
fn a_forking_worker_and_its_work_horse() {
    rq(&[(200, 1, RQ)], "worker 200");
    rq(&[(200, 1, RQ), (201, 200, RQ)], "worker 200");
}

#[test]
fn a_simple_worker() {
    let line = "/venv/bin/python /venv/bin/rq worker -w rq.worker.SimpleWorker asr-queue -u redis://h";
    rq(&[(200, 1, line)], "worker 200");
}

#[test]
fn the_master_of_a_pool_is_the_root() {
    let pool = "/venv/bin/python /venv/bin/rq worker-pool asr-queue -n 2";
    rq(&[(200, 1, pool), (201, 200, pool), (202, 200, pool), (203, 202, pool)], "worker 200");
    // With setproctitle the workers have titles; the master has none.
    rq(
        &[
            (200, 1, pool),
            (201, 200, "'rq:worker:ab12: Listening on asr-queue...'"),
            (202, 200, "'rq:worker:cd34: Forked 203 at 1700000000'"),
            (203, 202, "'rq:worker:cd34: Processing jobs.asr from asr-queue since 1700000000'"),
        ],
        "worker 200",
    );
}

#[test]
fn a_worker_with_a_title() {
    rq(&[(200, 1, "'rq:worker:ab12: Listening on asr-queue...'")], "worker 200");
    rq(&[(200, 1, "'rq:worker:ab12: Listening on high,asr-queue'")], "worker 200");
    // While it is busy only the work-horse's title shows the queue; the parent is the root.
    rq(
        &[
            (200, 1, "'rq:worker:ab12: Forked 201 at 1700000000'"),
            (201, 200, "'rq:worker:ab12: Processing jobs.asr from asr-queue since 1700000000.1'"),
        ],
        "worker 200",
    );
}

#[test]
fn a_worker_under_a_shell_that_restarts_it() {
    let shell = "sh -c 'while :; do /venv/bin/rq worker asr-queue; sleep 1; done'";
    rq(&[(200, 1, shell), (201, 200, RQ)], "worker 201");
    rq(&[(200, 1, shell), (201, 200, "'rq:worker:ab12: Listening on asr-queue...'")], "worker 201");
    rq(&[(200, 1, shell), (201, 200, "sleep 1")], "worker -");
    rq(
        &[(200, 1, "sh -c '/venv/bin/rq worker-pool asr-queue'"), (201, 200, RQ), (202, 201, RQ)],
        "worker 201",
    );
}

#[test]
fn the_neighbours_worker_has_the_lower_pid_and_another_queue() {
    let neighbours =
        ["/venv/bin/python /venv/bin/rq worker mail-queue", "'rq:worker:zz: Listening on mail-queue'"];
    for neighbour in neighbours {
        rq(&[(150, 1, neighbour), (200, 1, RQ)], "worker 200");
        rq(&[(150, 1, neighbour)], "worker -");
    }
    // A name, a job or an option that sounds like the queue is not the queue.
    rq(&[(150, 1, "rq worker --name asr-queue mail-queue")], "worker -");
    rq(&[(150, 1, "'rq:worker:asr-queue: Listening on mail-queue'")], "worker -");
    rq(&[(150, 1, "'rq:worker:zz: Processing asr-queue.job from mail-queue since 1'")], "worker -");
}

#[test]
fn two_workers_of_the_queue_are_too_many_unless_any_will_do() {
    let two = [(200, 1, RQ), (300, 1, RQ)];
    rq(&two, "worker ?200+300");
    let mut plan = Preset::AsrRq.plan().processes["worker"].clone();
    plan.count = Some(crate::plan::Count::Any);
    check(&worker(plan), &two, "worker 200+300");
}

#[test]
fn uvicorn_and_its_spawned_children() {
    let child =
        "/venv/bin/python3 -c 'from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5)'";
    let tracker = "/venv/bin/python3 -c 'from multiprocessing.resource_tracker import main;main(4)'";
    for api in [
        "/venv/bin/python3 /venv/bin/uvicorn app:app --port 8000",
        "/venv/bin/python3 -m uvicorn app:app --workers 2",
        "/venv/bin/uvicorn app:app --reload",
    ] {
        shape(
            &[(200, 1, api), (201, 200, tracker), (202, 200, child), (203, 200, child)],
            "api 200, backend -, worker -",
        );
        shape(&[(199, 1, "sh -c 'uvicorn app:app'"), (200, 199, api)], "api 200, backend -, worker -");
    }
}

#[test]
fn what_only_mentions_the_api_is_not_the_api() {
    shape(
        &[
            (200, 1, "/venv/bin/python3 /venv/bin/pytest -k uvicorn"),
            (201, 1, "vim uvicorn.py"),
            (202, 1, "less uvicorn"),
            (203, 1, "tail -f uvicorn"),
            (204, 1, "timeout 60 uvicorn app:app"),
            (205, 1, "python3 notes.py uvicorn asr-backend asr-queue rq worker"),
        ],
        "api -, backend -, worker -",
    );
}

#[test]
fn the_whole_stack() {
    shape(
        &[
            (200, 1, "/usr/bin/redis-server 127.0.0.1:6379"),
            (210, 1, "/opt/asr/asr-backend -listen :8080 -api http://localhost:8000"),
            (220, 1, "/venv/bin/python3 /venv/bin/uvicorn app:app"),
            (230, 1, RQ),
            (231, 230, RQ),
            (240, 1, "/venv/bin/python3 /venv/bin/rq worker mail-queue"),
            (250, 1, "vim worker.py"),
        ],
        "api 220, backend 210, worker 230",
    );
}
