//! highwater on a real service: Redis, RQ, FastAPI under uvicorn, a Go front (`fixtures/asr-stack`).
//!
//! The mistakes of the script that highwater replaces, and the tests that show what highwater says instead:
//!
//! | the script | here, or in the named test |
//! | --- | --- |
//! | a work-horse that retains: "+0.0, no leak" | `a_work_horse_that_retains_is_seen_at_its_peak_and_its_parent_is_clean` |
//! | setproctitle, a shell's loop, a pool, a neighbour: the wrong process, or none | `the_tree_is_the_right_one` |
//! | uvicorn's children invisible, a test runner and an editor watched | `the_tree_is_the_right_one` |
//! | a model, a cache, a late free called leaks | `memory_that_comes_down_late_…`; `faults.rs`: `a_harmless_look_alike_passes` |
//! | a refused submission skipped, the limit wrong | `a_service_that_refuses_the_third_task_holds_two` |
//! | restarts unmentioned, a killed worker without a cause | `a_worker_that_dies_…`, `a_killed_worker_…` |
//! | times rounded up to 2 s, a batch's delta on each task | `targets.rs`: `polling_backs_off_…`; `delta_shared` below |
//! | short peaks missed | the work-horse's peak; `sampler.rs`: `a_short_peak_is_seen_while_busy` |
//! | a hung job and the innocent one behind it: the same words | `a_hung_task_is_told_from_the_one_behind_it` |
//! | (the registry in Redis, dead entries among it) | `the_registry_names_the_worker_that_lives` |
//! | a stopped run reads as a found limit | `durability.rs`: `a_signal_ends_the_run_with_a_report`; `faults.rs`: `a_ramp_without_a_fault_…` |

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::SystemTime;

use highwater::plan::{Count, ProcessPlan, RqPlan};
use highwater::sampler::{default_source, find_processes};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use serial_test::{parallel, serial};

use crate::support::expect::{Expect, Told, finished};
use crate::support::runs::{Place, Running, eventually};
use crate::support::stack::Stack;

/// One task, and the end.
const ONE_TASK: &str = "--only concurrency --max-concurrency 1 --required 1 --set ramp.short_tasks=0";

/// A machine that does other things meanwhile may be slower than the audio.
const ANY_RTF: &str = "--set ramp.max_rtf=100";

/// `highwater run` as the stack itself advises, with short and long recordings of its own.
fn command(stack: &Stack, place: &Place, long: &str, arguments: &str) -> Command {
    let mut command = place.highwater();
    command.args(["run", "--json", "--results", "results", "--config", stack.text("config")]);
    command.arg("--short").arg(stack.recording("clip.wav")).arg("--long").arg(stack.recording(long));
    command.args("--set settle.quiet_s=0.2".split(' ')).args(ANY_RTF.split(' '));
    command.args(arguments.split_whitespace());
    command
}

/// Runs highwater to its end and holds it against `expect`.
fn check(stack: &Stack, long: &str, arguments: &str, expect: &Expect<'_>) -> Told {
    check_in(&Place::new(1, 1), stack, long, arguments, expect)
}

fn check_in(place: &Place, stack: &Stack, long: &str, arguments: &str, expect: &Expect<'_>) -> Told {
    let (exit, told) = finished(place, Running::start(&mut command(stack, place, long, arguments)));
    told.verify(exit, expect);
    told
}

/// The processes that the log tells of, by role.
fn found(told: &Told, role: &str) -> BTreeSet<u64> {
    told.all("process_found")
        .filter(|event| event["role"] == role)
        .map(|event| event["pid"].as_u64().unwrap())
        .collect()
}

fn megabytes(bytes: &Value) -> f64 {
    bytes.as_f64().unwrap() / (1024.0 * 1024.0)
}

// Each worker class with each way to run uvicorn; with titles, a supervisor, a neighbour and decoys among them.
#[rstest]
#[case::a_forking_worker("--worker fork --api one", "rq worker")]
#[case::a_forking_worker_in_a_loop("--worker fork --loop --api workers", "rq worker")]
#[case::a_forking_worker_with_a_title("--worker fork --proctitle --api reload", "rq worker")]
#[case::a_simple_worker_with_a_title_in_a_loop("--worker simple --proctitle --loop --api one", "rq worker")]
#[case::a_simple_worker("--worker simple --api workers", "rq worker")]
#[case::a_loop_a_neighbour_and_decoys(
    "--worker simple --loop --neighbour --decoys --api reload",
    "rq worker"
)]
#[case::a_pool("--worker pool --api one", "pool master")]
#[case::a_pool_with_titles_and_a_neighbour(
    "--worker pool --proctitle --neighbour --api workers",
    "pool master"
)]
#[case::a_pool_and_decoys("--worker pool --decoys --api reload", "pool master")]
#[case::a_pool_in_a_loop("--worker pool-simple --loop --api one", "pool master")]
#[case::a_simple_pool_with_titles("--worker pool-simple --proctitle --api workers", "pool master")]
#[case::a_simple_pool("--worker pool-simple --api reload", "pool master")]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn the_tree_is_the_right_one(#[case] options: &str, #[case] root: &str) {
    let stack = Stack::start(options);
    let place = Place::new(1, 1);
    let told = check_in(&place, &stack, "clip.wav", ONE_TASK, &Expect::default());

    // The worker: its root is the right process, and whoever did the task is in the tree.
    assert_eq!(told.worker(), stack.pid("worker", root), "{}", told.stderr);
    let tree: BTreeSet<u64> =
        stack.pids("worker", "").difference(&stack.pids("worker", "supervisor loop")).copied().collect();
    let worker = found(&told, "worker");
    assert!(worker.is_superset(&tree), "{worker:?} lacks some of {tree:?}");
    for task in stack.truth() {
        let pid = task["pid"].as_u64().unwrap();
        assert!(worker.contains(&pid), "the task was done by {pid}, and {worker:?} was watched");
    }

    // The API: all of it, whatever its children call themselves, and in the CSV too.
    assert_eq!(found(&told, "api"), stack.pids("api", ""), "{}", told.stderr);
    assert_eq!(found(&told, "backend"), stack.pids("backend", ""));
    let rows = place.path(told.object["files"]["resources"].as_str().unwrap());
    let rows = std::fs::read_to_string(rows).unwrap();
    for pid in stack.pids("api", "") {
        assert!(rows.contains(&format!(",{pid},")), "no row of {pid}:\n{rows}");
    }

    // No other process.
    let watched: BTreeSet<u64> =
        told.all("process_found").map(|event| event["pid"].as_u64().unwrap()).collect();
    // The broker is watched for outages, in a role of its own.
    assert_eq!(found(&told, "redis"), stack.pids("redis", ""));
    for role in ["neighbour", "decoy"] {
        let strangers = stack.pids(role, "");
        assert!(watched.is_disjoint(&strangers), "{role} {strangers:?} is in {watched:?}");
    }
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn the_registry_names_the_worker_that_lives() {
    let stack = Stack::start("--worker simple --count 2 --neighbour");
    let mut redis = redis::Client::open(stack.text("redis_url")).unwrap().get_connection().unwrap();
    let members = format!("rq:workers:{}", stack.text("queue"));
    let found = || -> BTreeSet<u64> {
        let rq = RqPlan {
            queue: Some(stack.text("queue").to_string()),
            url: Some(stack.text("redis_url").to_string()),
        };
        let plan = ProcessPlan { rq, count: Some(Count::Any), optional: true, ..ProcessPlan::default() };
        let roles = BTreeMap::from([("worker".to_string(), plan)]);
        let found = find_processes(&roles, &mut *default_source().unwrap()).unwrap();
        found.roles["worker"].roots.iter().map(|root| u64::from(root.id.pid)).collect()
    };
    let workers: Vec<u64> = stack.pids("worker", "rq worker").into_iter().collect();
    assert_eq!(found(), workers.iter().copied().collect(), "and not the neighbour's");

    // A killed worker stays in the registry, until RQ cleans it up some minutes later.
    kill_process(Pid::from_raw(i32::try_from(workers[0]).unwrap()).unwrap(), Signal::KILL).unwrap();
    let living = BTreeSet::from([workers[1]]);
    eventually("one is left", || (found() == living).then_some(()));
    let names: Vec<String> = redis::cmd("SMEMBERS").arg(&members).query(&mut redis).unwrap();
    let of = |redis: &mut redis::Connection, name: &str, field: &str| -> String {
        redis::cmd("HGET").arg(name).arg(field).query(redis).unwrap()
    };
    let dead = names.iter().find(|name| of(&mut redis, name, "pid") == workers[0].to_string());
    let hostname = of(&mut redis, dead.expect("it is registered"), "hostname");

    // One whose pid was given to another process since, and one of another machine.
    // It ends when its input does, also when this panics.
    let mut other = Command::new("wc").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let other_pid = u64::from(other.id());
    let register = |redis: &mut redis::Connection, name: &str, pid: u64, host: &str, birth: &str| {
        let mut hash = redis::cmd("HSET");
        hash.arg(name).arg("pid").arg(pid).arg("hostname").arg(host).arg("birth").arg(birth);
        hash.query::<()>(redis).unwrap();
        redis::cmd("SADD").arg(&members).arg(name).query::<()>(redis).unwrap();
    };
    register(&mut redis, "rq:worker:reused", other_pid, &hostname, "2020-01-01T00:00:00.000000Z");
    assert_eq!(found(), living, "the process is younger than the worker of its pid");
    register(&mut redis, "rq:worker:elsewhere", other_pid, "another-machine", "2100-01-01T00:00:00.000000Z");
    assert_eq!(found(), living, "the worker runs on another machine");
    // With nothing against it, it is taken for a worker: it was the registry that decided.
    register(&mut redis, "rq:worker:reused", other_pid, &hostname, "2100-01-01T00:00:00.000000Z");
    let both = found();
    drop(other.stdin.take());
    other.wait().unwrap();
    assert_eq!(both, BTreeSet::from([workers[1], other_pid]));
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_work_horse_that_retains_is_seen_at_its_peak_and_its_parent_is_clean() {
    let stack = Stack::start("--worker fork --behaviour retain");
    let expect = Expect {
        criteria: &[("leak.tasks", "pass"), ("leak.delta", "pass"), ("worker.alive", "pass")],
        ..Expect::default()
    };
    let told = check(&stack, "long.wav", "--only leak", &expect);
    let parent = told.worker();
    for (task, truth) in told.tasks.iter().zip(stack.truth()).filter(|(task, _)| task["kind"] == "long") {
        assert_eq!(task["task_id"], truth["task_id"]);
        assert_ne!(truth["pid"], parent, "a work-horse does the task");
        assert!(found(&told, "worker").contains(&truth["pid"].as_u64().unwrap()), "{truth} was not watched");
        // Parent and work-horse together; the former is small and does not change.
        let parent_mb = task["worker_rss_before_mb"].as_f64().unwrap();
        let true_mb = parent_mb + megabytes(&truth["peak_bytes"]);
        let seen_mb = task["worker_rss_peak_mb"].as_f64().unwrap();
        assert!(true_mb > 400.0, "the work-horse keeps much: {truth}");
        assert!((seen_mb / true_mb - 1.0).abs() < 0.03, "{seen_mb:.1} MB seen of {true_mb:.1} MB: {task}");
    }
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_worker_that_runs_jobs_itself_and_retains_leaks() {
    let stack = Stack::start("--worker simple --behaviour retain");
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.tasks", "pass"), ("leak.delta", "fail"), ("worker.alive", "pass")],
        words: &["≥ 200 MB"],
        ..Expect::default()
    };
    let told = check(&stack, "long.wav", "--only leak --set settle.late_free_s=0.5", &expect);
    for task in told.tasks.iter().filter(|task| task["kind"] == "long") {
        let delta = task["worker_rss_delta_mb"].as_f64().unwrap();
        assert!((330.0..430.0).contains(&delta), "some 370 MB are kept: {task}");
    }
}

/// It maps as many numerical libraries as a large runtime maps, but is not one.
#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_worker_that_retains_one_megabyte_a_task_leaks() {
    let stack = Stack::start("--worker simple --behaviour retain-small");
    let expect = Expect {
        exit: 1,
        criteria: &[("leak.tasks", "pass"), ("leak.delta", "pass"), ("leak.growth", "fail")],
        words: &["LEAK: +", "the heap: +"],
        ..Expect::default()
    };
    let told = check(&stack, "long.wav", "--only leak --set settle.quiet_s=0.1", &expect);
    let growth = told.criterion("leak.growth");
    assert!((0.8..1.2).contains(&growth["value"].as_f64().unwrap()), "{growth}");
    assert!(told.tasks.len() < 100, "the check ends when it is decided: {}", told.tasks.len());
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_model_that_loads_at_the_first_task_is_a_warm_up() {
    let stack = Stack::start("--worker simple --behaviour lazy-model");
    let expect = Expect {
        criteria: &[("leak.delta", "pass"), ("leak.baseline", "pass"), ("leak.growth", "pass")],
        words: &["warm-up: the first short task retained +"],
        ..Expect::default()
    };
    check(&stack, "long.wav", "--only leak --set settle.quiet_s=0.1", &expect);
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn memory_that_comes_down_late_is_not_called_a_leak() {
    let stack = Stack::start("--worker simple --behaviour late-free=2");
    let expect = Expect {
        criteria: &[("leak.tasks", "pass"), ("leak.delta", "pass"), ("leak.baseline", "pass")],
        ..Expect::default()
    };
    let told = check(&stack, "long.wav", "--only leak", &expect);
    for task in told.tasks.iter().skip(2) {
        let delta = task["worker_rss_delta_mb"].as_f64().unwrap();
        assert!(delta.abs() < 200.0, "neither charged with what comes down, nor credited with it: {task}");
    }
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_service_that_refuses_the_third_task_holds_two() {
    let stack = Stack::start("--worker simple --behaviour slow=3 --reject-at 3");
    let expect = Expect {
        exit: 1,
        criteria: &[("ramp.required", "fail"), ("worker.alive", "pass")],
        max_stable: Some(2),
        broke: Some(("tasks_succeed", "")),
        words: &["aximum stable concurrency: 2", "HTTP 503"],
    };
    let told = check(&stack, "clip.wav", "--only concurrency --max-concurrency 4", &expect);
    let level = told.level(3);
    let refused: Vec<_> = level.iter().filter(|task| task["http_status"] == 503).collect();
    assert!(!refused.is_empty() && level.len().is_multiple_of(3), "each task has its line: {level:?}");
    assert!(refused.iter().all(|task| task["error_kind"] == "rejected"), "{refused:?}");
    assert!(told.level(4).is_empty(), "nothing is tried beyond the limit");
    assert!(
        told.level(2).iter().all(|task| task["delta_shared"] == true),
        "no task of a batch has a delta of its own"
    );
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_worker_that_dies_of_every_task_and_is_restarted_ends_the_ramp_after_few_probes() {
    // Each task from the second on kills the worker. The shell's loop restarts it, and it takes the next task.
    let stack = Stack::start("--worker simple --loop --behaviour slow=1.5,crash@2-50");
    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "fail"), ("ramp.required", "fail")],
        max_stable: Some(1),
        broke: Some(("worker_alive", "worker pid {worker} was killed, signal 9")),
        ..Expect::default()
    };
    let arguments =
        "--only concurrency --set ramp.step=3 --max-concurrency 9 --required 9 --set ramp.short_tasks=0";
    let told = check(&stack, "clip.wav", arguments, &expect);
    let is_worker = |event: &&Value| event["role"] == "worker" && event["root"] == true;
    let killed: Vec<_> = told.all("process_exited").filter(is_worker).collect();
    // One or two die during the level, three after it, and perhaps another before highwater stops probing.
    assert!((4..=7).contains(&killed.len()), "{}", told.stderr);
    assert!(killed.iter().all(|event| event["how"]["signal"] == 9), "{killed:?}");
    let started = told.all("process_found").filter(is_worker).filter(|event| event["replacement"] == true);
    assert!(started.count().abs_diff(killed.len()) <= 1, "{}", told.stderr);
    assert!(told.level(7).is_empty(), "nothing is tried beyond the level at which the first worker died");
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_killed_worker_is_known_while_the_api_says_processing() {
    let stack = Stack::start("--worker simple --behaviour hang");
    let place = Place::new(1, 1);
    let worker = stack.pid("worker", "rq worker");
    let running = Running::start(&mut command(&stack, &place, "clip.wav", ONE_TASK));
    let task = eventually("a task is being processed", || {
        stack.outstanding().into_iter().find(|task| stack.result(task)["status"] == "processing")
    });
    let killed = SystemTime::now();
    kill_process(Pid::from_raw(i32::try_from(worker).unwrap()).unwrap(), Signal::KILL).unwrap();
    let (exit, told) = finished(&place, running);
    assert_eq!(stack.result(&task)["status"], "processing", "the API has not noticed to this moment");

    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "fail")],
        max_stable: Some(0),
        broke: Some(("worker_alive", "worker pid {worker} was killed, signal 9")),
        ..Expect::default()
    };
    told.verify(exit, &expect);
    let event = told.all("process_exited").next().unwrap();
    assert_eq!(event["pid"], worker);
    let noticed: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
    let killed = jiff::Timestamp::try_from(killed).unwrap();
    // How soon is printed and not asserted: on a machine that is busy with something else it may be any time.
    println!(
        "the end of the worker was in the log after {} ms",
        noticed.as_millisecond() - killed.as_millisecond()
    );
    assert!(noticed.as_millisecond() >= killed.as_millisecond() - 1, "{noticed} is before {killed}");
    assert_eq!(told.tasks[0]["error_kind"], "worker_lost", "{}", told.tasks[0]);
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn a_hung_task_is_told_from_the_one_behind_it() {
    let stack = Stack::start("--worker simple --behaviour hang@1");
    let expect = Expect {
        exit: 1,
        criteria: &[("worker.alive", "pass")],
        max_stable: Some(0),
        broke: Some(("tasks_succeed", "2 of 2 tasks failed: no result within 8 s")),
        ..Expect::default()
    };
    let arguments = "--only concurrency --set ramp.start=2 --max-concurrency 2 --required 1 --timeout 8 \
                     --set ramp.repeat_broken=false --set ramp.recover_s=1";
    let told = check(&stack, "clip.wav", arguments, &expect);
    let level = told.level(2);
    let said =
        |words: &str| level.iter().filter(|task| task["error"].as_str().unwrap().ends_with(words)).count();
    assert_eq!(level.len(), 2, "{}", told.stderr);
    assert_eq!(said("; it was being processed"), 1, "{level:?}");
    assert_eq!(said("; it was never begun: the service still had it in its queue"), 1, "{level:?}");
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[parallel(machine)]
fn an_api_that_keeps_what_is_uploaded_leaks() {
    let stack = Stack::start("--worker fork --keep-uploads");
    let api = stack.pid("api", "uvicorn");
    let expect = Expect { exit: 1, criteria: &[("leak.delta", "fail")], ..Expect::default() };
    // The API is what is judged here; the long recording has 23.5 MB, which is 22.4 MB of 1,048,576 bytes.
    let judged = format!("--only leak --worker-pid {api} --max-delta-mb 15 --set settle.late_free_s=0.5");
    check(&stack, "long.wav", &judged, &expect);
}

#[test]
#[ignore = "needs the stack: python3 fixtures/asr-stack/stack.py build"]
#[serial(machine)]
fn a_real_recogniser_is_measured_like_any_other() {
    let stack = Stack::start("--worker fork --recogniser whisper --api workers");
    let told =
        check(&stack, "clip.wav", "--only concurrency --max-concurrency 2 --required 2", &Expect::default());
    assert_eq!(told.tasks.len(), 3, "{}", told.stderr);
    for truth in stack.truth() {
        assert!(found(&told, "worker").contains(&truth["pid"].as_u64().unwrap()), "{truth}");
        let task = told.tasks.iter().find(|task| task["task_id"] == truth["task_id"]).unwrap();
        let seen_mb = task["worker_rss_peak_mb"].as_f64().unwrap();
        let true_mb = megabytes(&truth["peak_bytes"]);
        assert!(true_mb > 150.0, "a model of 75 MB was loaded: {truth}");
        // The parent comes on top of the work-horse.
        assert!(seen_mb > 0.97 * true_mb, "{seen_mb:.1} MB seen of {true_mb:.1} MB: {task}");
        let words = stack.result(truth["task_id"].as_str().unwrap());
        assert!(words["text"].as_str().unwrap().to_lowercase().contains("tide"), "{words}");
    }
}
