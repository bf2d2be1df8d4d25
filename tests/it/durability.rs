//! The files after a run was stopped, killed or damaged: every finished task,
//! the truth about the rest, and no process.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use highwater::plan::Plan;
use highwater::session::Session;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;
use serial_test::parallel;

use crate::support::alone::alone;
use crate::support::runs::{Place, Running, assert_gone, eventually, json_lines, lives};
use crate::support::stopping::*;

/// Both phases; a task that waits gives time to kill it in its middle.
const BOTH: &str = "--repeats 1 --set leak.max_repeats=1 --max-concurrency 4";

#[rstest]
#[case::before_a_task_has_ended("", "--hang", 0, None, 1)]
#[case::in_the_leak_check("--only leak", "--wait 700ms", 3, None, 1)]
#[case::in_a_work_horse("--only leak", "--wait 700ms --fork", 1, None, 1)]
#[case::in_a_batch(BOTH, "--wait 200ms --hang 3", 4, Some(2), 3)]
#[parallel(machine)]
fn sigkill_loses_no_finished_task_and_leaves_no_process(
    #[case] arguments: &str,
    #[case] fault: &str,
    #[case] tasks_shown: usize,
    #[case] level_shown: Option<u32>,
    #[case] in_flight: usize,
) {
    let place = Place::new(4, 8);
    let running = Running::start(&mut place.run(arguments, fault));
    let mut seen = Vec::new();
    // With none to wait for, the run is known by its worker.
    wait_for_line(&running, &mut seen, |line| line.starts_with("worker "));
    for _ in 0..tasks_shown {
        wait_for_line(&running, &mut seen, |line| line.contains("  success  "));
    }
    if let Some(level) = level_shown {
        wait_for_line(&running, &mut seen, |line| line.contains(&format!("c={level}  {level}/{level} ok")));
    }
    let files = Files::of(&place);
    eventually("as many tasks in flight", || (files.in_flight().len() == in_flight).then_some(()));

    // Supervisor, api and worker; and the work-horse that does the task, if there is one.
    let processes = if fault.contains("--fork") { 4 } else { 3 };
    let family = eventually("the whole family", || {
        Some(descendants(running.child.id())).filter(|family| family.len() >= processes)
    });
    signal(running.child.id(), Signal::KILL);
    let (exit, rest, _) = running.ended();
    assert_eq!(exit, None, "it was killed");
    assert_gone(&family);

    // Everything in the pipe until the end was shown as well.
    seen.extend(rest);
    let shown = seen.iter().filter(|line| line.contains("  success  ")).count();
    let tasks = files.tasks();
    let leak = tasks.iter().filter(|task| task["phase"] == "leak").count();
    assert!(leak >= shown, "{shown} tasks were shown, {leak} are in the file");
    for level in 1..=level_shown.unwrap_or(0) {
        let lines =
            tasks.iter().filter(|task| task["phase"] == "concurrency" && task["concurrency"] == level);
        assert_eq!(lines.count(), level as usize, "c={level} was shown as done");
    }

    let (exit, report) = report(&place, &files.tasks);
    assert_eq!(exit, Some(130), "{report}");
    let told = report["interrupted"].as_str().unwrap();
    assert!(told.contains("no end"), "{told}");
    let left = files.in_flight();
    assert!(!left.is_empty());
    for test_id in left {
        assert!(told.contains(&test_id), "`{test_id}` was in flight: {told}");
    }
}

#[rstest]
#[case::interrupt(Signal::INT, "SIGINT")]
#[case::terminate(Signal::TERM, "SIGTERM")]
#[case::quit(Signal::QUIT, "SIGQUIT")]
#[case::hang_up(Signal::HUP, "SIGHUP")]
#[parallel(machine)]
fn a_signal_ends_the_run_with_a_report(#[case] stop: Signal, #[case] name: &str) {
    let place = Place::new(4, 8);
    let running = Running::start(&mut place.run("--only leak --timeout 60", "--hang"));
    wait_for_line(&running, &mut Vec::new(), |line| line.starts_with("worker "));
    let files = Files::of(&place);
    eventually("a task in flight", || (files.in_flight().len() == 1).then_some(()));
    let family = descendants(running.child.id());
    signal(running.child.id(), stop);
    let (exit, lines, stderr) = running.ended();
    assert_eq!(exit, Some(130), "{stderr}");
    assert!(lines.iter().any(|line| line.contains("interrupted")), "{lines:?}");
    assert!(stderr.contains(name), "{stderr}");
    assert_gone(&family);

    let events = json_lines(&files.events);
    let interrupted =
        events.iter().find(|event| event["event"] == "run_interrupted").expect("it is in the log");
    assert!(interrupted["reason"].as_str().unwrap().contains(name), "{interrupted}");
    let told = std::fs::read_to_string(files.tasks.with_extension("md")).unwrap();
    assert!(told.contains("interrupted") && told.contains(name), "{told}");
    let csv = std::fs::read_to_string(&files.resources).unwrap();
    assert!(csv.lines().count() > 1 && csv.ends_with('\n'), "{csv}");
    assert_eq!(report(&place, &files.tasks).0, Some(130), "also when it is judged again");
}

#[test]
#[parallel(machine)]
fn what_was_measured_before_a_signal_is_in_the_report() {
    let place = Place::new(4, 8);
    let running = Running::start(&mut place.run("--json --only leak", "--wait 300ms"));
    let files = eventually("the files", || Files::find(&place));
    eventually("two tasks", || (files.tasks_so_far() >= 2).then_some(()));
    signal(running.child.id(), Signal::INT);
    let (exit, lines, stderr) = running.ended();
    assert_eq!(exit, Some(130), "{stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(object["exit_code"], 130);
    assert!(object["interrupted"].as_str().unwrap().contains("SIGINT"), "{object}");
    assert_ne!(object["verdict"], "pass", "what was not run cannot have passed");
    let (_, report) = report(&place, &files.tasks);
    let rows = report["leak_check"].as_array().unwrap().len();
    assert!(rows >= 2 && rows == files.tasks().len(), "{report}");
}

#[test]
#[parallel(machine)]
fn a_second_interrupt_stops_at_once() {
    let place = Place::new(4, 8);
    let running = Running::start(&mut place.run("--only leak --timeout 60", "--hang"));
    let mut seen = Vec::new();
    wait_for_line(&running, &mut seen, |line| line.starts_with("worker "));
    let files = Files::of(&place);
    eventually("a task in flight", || (files.in_flight().len() == 1).then_some(()));
    let family = descendants(running.child.id());
    // A stopped supervisor makes the end of the run take long: it cannot let its processes go.
    let supervisor = Stopped::new(children(running.child.id())[0]);
    signal(running.child.id(), Signal::INT);
    let ending = || files.events().iter().any(|event| event["event"] == "run_interrupted").then_some(());
    eventually("the end begins", ending);
    signal(running.child.id(), Signal::INT);
    let (exit, _, stderr) = running.ended();
    assert_eq!(exit, Some(130), "{stderr}");
    assert!(!files.tasks.with_extension("md").exists(), "it did not wait for the rest of its end");
    drop(supervisor);
    assert_gone(&family);
    assert_eq!(report(&place, &files.tasks).0, Some(130));
}

#[test]
#[parallel(machine)]
fn a_worker_that_is_killed_from_outside_ends_the_leak_check() {
    let place = Place::new(2, 8);
    let running = Running::start(&mut place.run("--only leak", "--wait 1s"));
    let mut seen = Vec::new();
    let line = wait_for_line(&running, &mut seen, |line| line.starts_with("worker "));
    let worker: u32 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    for _ in 0..3 {
        wait_for_line(&running, &mut seen, |line| line.contains("  success  "));
    }
    // The fourth task, a long one, takes seconds; it is the first whose delta is judged.
    signal(worker, Signal::KILL);
    let (exit, _, stderr) = running.ended();
    assert_eq!(exit, Some(1), "{stderr}");
    let files = Files::of(&place);
    assert_eq!(files.tasks().len(), 4, "nothing is sent to a service without a worker");
    let (exit, report) = report(&place, &files.tasks);
    assert_eq!(exit, Some(1));
    let verdict = |name: &str| {
        let criteria = report["criteria"].as_array().unwrap();
        criteria.iter().find(|criterion| criterion["name"] == name).unwrap().clone()
    };
    for name in ["leak.delta", "leak.baseline", "leak.growth"] {
        assert_eq!(verdict(name)["verdict"], "inconclusive", "{report}");
    }
    assert_eq!(verdict("leak.tasks")["verdict"], "fail");
    let alive = verdict("worker.alive");
    assert_eq!(alive["verdict"], "fail");
    assert_eq!(alive["detail"], format!("worker pid {worker} was killed, signal 9"));
    assert_eq!(files.tasks()[3]["error_kind"], "worker_lost");
}

#[test]
#[parallel(machine)]
fn two_runs_of_the_same_second_write_different_files() {
    let place = Place::new(2, 2);
    let arguments = "--json --only concurrency --max-concurrency 1 --required 1";
    let both = [(); 2].map(|()| Running::start(&mut place.run(arguments, "")));
    let mut files = BTreeSet::new();
    for running in both {
        let (exit, lines, stderr) = running.ended();
        assert_eq!(exit, Some(0), "{stderr}");
        let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        for (_, file) in object["files"].as_object().unwrap() {
            let path = place.path(file.as_str().unwrap());
            assert!(path.is_file(), "{}", path.display());
            assert!(files.insert(path), "{file} belongs to both runs");
        }
        assert!(!json_lines(&place.path(object["files"]["tasks"].as_str().unwrap())).is_empty());
    }
    assert_eq!(files.len(), 12);
}

#[test]
fn results_that_cannot_be_written_end_the_run_before_any_load() {
    let place = Place::new(1, 1);
    std::fs::write(place.path("results"), "a file in the way").unwrap();
    let (exit, lines, stderr) = Running::start(&mut place.run("--json", "")).ended();
    assert_eq!(exit, Some(3), "{stderr}");
    let objects: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        objects.len() == 1 && objects[0]["verdict"] == "error",
        "the failure and nothing else: {lines:?}"
    );
    assert!(stderr.starts_with("error: cannot write to the results directory `results`"), "{stderr}");
    assert!(stderr.contains("hint: choose another with `--results DIR`"), "{stderr}");
    assert_eq!(std::fs::read_to_string(place.path("results")).unwrap(), "a file in the way");
}

#[test]
fn a_panic_with_a_session_leaves_neither_processes_nor_the_sampler() {
    // The samplers of other tests are threads of theirs.
    alone(
        concat!(module_path!(), "::a_panic_with_a_session_leaves_neither_processes_nor_the_sampler"),
        panic_with_a_session,
    );
}

fn panic_with_a_session() {
    let place = Place::new(2, 4);
    let mut plan = Plan { results: place.path("results"), ..Plan::default() };
    plan.audio.short = Some(place.path("short.wav"));
    plan.audio.long = Some(place.path("long.wav"));
    let (sender, family) = std::sync::mpsc::channel();
    let body = async {
        let session = Session::builder(plan).embedded(vec!["--hang".to_string()]).start().await.unwrap();
        let supervisor = session.embedded().unwrap().pid();
        let mut family = descendants(supervisor);
        family.push(supervisor);
        sender.send(family).unwrap();
        assert!(samples(), "the sampler has a thread of its own");
        let events = session.paths().events.clone();
        let sent = async {
            while !std::fs::read_to_string(&events).unwrap().contains("task_started") {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = session.leak_check() => panic!("a hung task has no end"),
            () = sent => panic!("the test's own panic"),
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(body))).unwrap_err();
    assert_eq!(panicked.downcast_ref::<&str>(), Some(&"the test's own panic"));
    let family = family.recv().unwrap();
    assert!(family.len() >= 3, "{family:?}");
    assert!(!family.iter().any(|&pid| lives(pid)), "dropping the session waits for them");
    assert!(!samples(), "dropping the session joins the sampler");
}

/// Lets the program write no byte more to a file than `bytes`, as on a full disk; `None` frees it again.
fn limit_files(pid: u32, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[test]
#[parallel(machine)]
fn a_death_that_could_not_be_written_is_never_a_pass() {
    let place = Place::new(4, 8);
    let running = Running::start(&mut place.run("--only leak --timeout 60", "--wait 2s"));
    let mut seen = Vec::new();
    let line = wait_for_line(&running, &mut seen, |line| line.starts_with("worker "));
    let worker: u32 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    let files = Files::of(&place);
    eventually("a task in flight", || (files.in_flight().len() == 1).then_some(()));
    limit_files(running.child.id(), Some(1));
    signal(worker, Signal::KILL);
    eventually("the end of the worker", || (!lives(worker)).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(400));
    limit_files(running.child.id(), None);
    let (exit, _, stderr) = running.ended();
    assert_eq!(exit, Some(3), "{stderr}");
    assert!(stderr.contains("cannot write to"), "{stderr}");
    let (_, report) = report(&place, &files.tasks);
    assert_ne!(report["verdict"], "pass", "{report}");
    let died = files.events().iter().filter(|event| event["event"] == "process_exited").count();
    assert!(died >= 1, "the disk had space again when the run ended, so its end is in the log");
}

#[test]
#[parallel(machine)]
fn a_log_that_is_deleted_in_mid_run_is_not_made_anew() {
    let place = Place::new(4, 8);
    let running =
        Running::start(&mut place.run("--only leak --repeats 3 --set leak.max_repeats=3", "--wait 300ms"));
    wait_for_line(&running, &mut Vec::new(), |line| line.contains("  success  "));
    let files = Files::of(&place);
    std::fs::remove_file(&files.events).unwrap();
    let (exit, lines, stderr) = running.ended();
    assert_eq!(exit, Some(2), "{lines:#?} {stderr}");
    assert!(!files.events.exists());
    let (exit, report) = report(&place, &files.tasks);
    assert_eq!(exit, Some(2), "{report}");
    let criteria = report["criteria"].as_array().unwrap();
    let alive = criteria.iter().find(|found| found["name"] == "worker.alive").unwrap();
    assert_eq!(alive["verdict"], "inconclusive");
}
