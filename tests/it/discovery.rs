//! Which processes are found, among real ones.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;

use crate::support::helper::{Helper, until};
use highwater::ErrorKind;
use highwater::plan::{Count, ProcessPlan};
use highwater::sampler::source::LinuxSource;
use highwater::sampler::{
    Found, ProcessSource, ReadError, Sampler, SamplerOptions, Wanted, default_source, find_processes,
};

fn search(plan: ProcessPlan) -> Found {
    let roles = BTreeMap::from([("worker".to_string(), plan)]);
    find_processes(&roles, &mut *default_source().expect("/proc")).expect("a list")
}

fn pids(found: &Found) -> Vec<u32> {
    found.roles["worker"].roots.iter().map(|root| root.id.pid).collect()
}

/// A word that no other test has in its command line.
fn word(name: &str) -> String {
    format!("{name}-of-test-{}", std::process::id())
}

fn argv(word: &str) -> ProcessPlan {
    ProcessPlan { argv: vec![word.to_string()], ..ProcessPlan::default() }
}

#[test]
fn whoever_listens_on_a_port_is_found() {
    let mut helper = Helper::spawn();
    let port: u16 = helper.tell("listen").parse().expect("a port");
    let by_port = ProcessPlan { port: Some(port), ..ProcessPlan::default() };
    assert_eq!(pids(&search(by_port.clone())), [helper.pid], "also one that we have started");
    drop(helper);
    let error = search(by_port).check().expect_err("nobody listens any more");
    assert_eq!(
        error.to_string(),
        format!("no process for the role `worker`: no process listens on port {port} of this machine")
    );
}

#[test]
fn a_pidfile_and_an_executable_name_a_process() {
    let helper = Helper::spawn();
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("worker.pid");
    std::fs::write(&path, format!("{}\n", helper.pid)).expect("it can be written");
    let plan = ProcessPlan { pidfile: Some(path.to_string_lossy().into_owned()), ..ProcessPlan::default() };
    assert_eq!(pids(&search(plan.clone())), [helper.pid]);
    let exe = std::env::current_exe().expect("our own program").to_string_lossy().into_owned();
    assert_eq!(pids(&search(ProcessPlan { exe: Some(exe), ..plan.clone() })), [helper.pid]);
    let other = ProcessPlan { exe: Some("/bin/other".to_string()), ..plan };
    assert!(pids(&search(other)).is_empty(), "all that is given must hold");
}

#[test]
fn a_launcher_is_not_the_service_and_two_services_are_too_many() {
    let word = word("launched");
    let first = Helper::spawn_under(&["timeout", "600"], &word);
    assert_eq!(pids(&search(argv(&word))), [first.pid], "`timeout` has the same words");
    let second = Helper::spawn_stranger(&word);
    let error = search(argv(&word)).check().expect_err("two are too many");
    assert_eq!(error.kind(), ErrorKind::ProcessNotFound);
    let hint = error.hint_text().expect("a hint");
    for helper in [&first, &second] {
        assert!(hint.contains(&format!("pid {}  up ", helper.pid)), "{hint}");
    }
    assert!(hint.contains(" MB  ") && hint.contains("--worker-pid"), "{hint}");
    let any = ProcessPlan { count: Some(Count::Any), ..argv(&word) };
    let mut both = [first.pid, second.pid];
    both.sort_unstable();
    assert_eq!(pids(&search(any)), both);
}

#[test]
fn a_role_of_one_goes_on_with_its_successor_and_ignores_a_second() {
    let word = word("one");
    let first = Helper::spawn_stranger(&word);
    let roles = BTreeMap::from([("worker".to_string(), argv(&word))]);
    let sampler = Sampler::start(SamplerOptions::new(roles), default_source().expect("/proc"));
    let sampler = sampler.expect("the helper is alive");
    let second = Helper::spawn_stranger(&word);
    let roots = || -> Vec<u32> {
        let snapshot = sampler.client().observe_blocking().expect("the sampler runs");
        snapshot.roles["worker"].processes.iter().map(|process| process.id.pid).collect()
    };
    assert_eq!(roots(), [first.pid]);
    first.kill();
    until("its successor is found", || roots() == [second.pid]);
    let summary = sampler.stop().expect("no panic");
    assert_eq!((summary.roles["worker"].roots_exited, summary.roles["worker"].roots_appeared), (1, 1));
}

#[test]
fn a_source_tells_what_is_new_and_who_has_ended() {
    let mut source = LinuxSource::new().expect("/proc is readable");
    let all = source.list().expect("a list").len();
    let mut helper = Helper::spawn();
    let has = |processes: &[highwater::sampler::ProcessInfo], pid: u32| {
        processes.iter().any(|process| process.id.pid == pid)
    };
    let news = source.changes().expect("a list").expect("this source tells");
    assert!(has(&news, helper.pid) && news.len() < all, "{} of {all} are new", news.len());
    let id = news.iter().find(|process| process.id.pid == helper.pid).expect("found").id;
    let child: u32 = helper.tell("spawn").parse().expect("the pid");
    assert!(has(&source.children(&[id]), child));
    helper.kill();
    // Not reaped before the test ends; a reading tells the source.
    // A process that is about to end cannot be read either, and is not a zombie yet.
    until("the reading says so", || matches!(source.read(id, Wanted::CPU), Err(ReadError::Gone)));
    assert!(!has(&source.list().expect("a list"), helper.pid), "a zombie is listed");
}
