//! The sampler against real processes.
#![cfg(target_os = "linux")]

mod boundary;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::helper::{Helper, until};
use highwater::ErrorKind;
use highwater::assessment::assess;
use highwater::plan::{Plan, ProcessPlan};
use highwater::record::{Criterion, Event, EventRecord, ExitKind, RunData, Verdict};
use highwater::sampler::source::{LinuxSource, SysinfoSource};
use highwater::sampler::{
    CSV_HEADER, CpuTime, EventKind, MachineMemory, ProcessEvent, ProcessId, ProcessInfo, ProcessSource,
    ReadError, Reading, RoleReading, Sampler, SamplerOptions, Wanted, default_source,
};
use highwater::units::to_mb;
use tokio::sync::broadcast::Receiver;

/// So rare a tick that nothing but the first can have done the work.
const NEVER: Duration = Duration::from_secs(100_000);

fn start(roles: BTreeMap<String, ProcessPlan>, interval: Duration) -> Sampler {
    let options = SamplerOptions { interval, ..SamplerOptions::new(roles) };
    Sampler::start(options, default_source().expect("/proc is readable")).expect("the helper is alive")
}

fn worker(sampler: &Sampler) -> RoleReading {
    let mut snapshot = sampler.client().observe_blocking().expect("the sampler runs");
    snapshot.roles.remove("worker").expect("the role is there")
}

async fn next(events: &mut Receiver<ProcessEvent>) -> ProcessEvent {
    let event = tokio::time::timeout(Duration::from_secs(60), events.recv());
    event.await.expect("an event in time").expect("the sampler runs")
}

#[test]
fn memory_is_measured_within_two_percent() {
    let mut helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    let before = worker(&sampler).rss_bytes.expect("alive");
    helper.tell("allocate 256");
    let after = worker(&sampler).rss_bytes.expect("alive");
    let added = to_mb(after - before);
    assert!((added - 256.0).abs() <= 256.0 * 0.02, "256 MB more were measured as {added:.1} MB");
}

#[test]
fn cpu_is_measured_per_core() {
    let mut helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    let client = sampler.client();
    let before = client.observe_blocking().expect("the sampler runs");
    let used: u64 = helper.tell("burn 1000").parse().expect("nanoseconds");
    let used = used as f64 / 1e9;
    let after = client.observe_blocking().expect("the sampler runs");
    let cpu = |snapshot: &highwater::sampler::Snapshot| snapshot.roles["worker"].processes[0].cpu_seconds;
    let measured = cpu(&after) - cpu(&before);
    // Two readings in steps of 10 ms, and the little that the helper does besides.
    assert!((measured - used).abs() < 0.03 + used * 0.05, "used {used:.3} s, measured {measured:.3} s");
    // The share is of the time that passed, which a busy machine prolongs.
    let elapsed = (after.at - before.at).as_secs_f64();
    let percent = after.roles["worker"].processes[0].cpu_percent;
    let expected = used / elapsed * 100.0;
    assert!((percent / expected - 1.0).abs() < 0.15, "expected {expected:.1} %, measured {percent:.1} %");
    assert!(percent < 110.0, "one thread cannot use more than one core: {percent:.1} %");
}

#[tokio::test]
async fn a_killed_process_is_told_at_once_with_its_signal() {
    let helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    let mut events = sampler.client().subscribe();
    helper.kill();
    let event = next(&mut events).await;
    assert_eq!((event.id.pid, event.is_root, event.role.as_str()), (helper.pid, true, "worker"));
    assert_eq!(event.kind, EventKind::Exited { how: ExitKind::Signal(9) });
    let reading = sampler.client().observe().await.expect("the sampler runs").roles["worker"].clone();
    assert_eq!(reading, RoleReading::default(), "gone is not 0 bytes");
    let summary = sampler.stop().expect("no panic");
    assert_eq!((summary.ticks, summary.roles["worker"].roots_exited), (1, 1), "no tick was needed");
}

#[tokio::test]
async fn an_exit_is_told_with_its_code() {
    let mut helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    let mut events = sampler.client().subscribe();
    helper.order("exit 3");
    assert_eq!(next(&mut events).await.kind, EventKind::Exited { how: ExitKind::Code(3) });
}

#[test]
fn a_zombie_is_gone() {
    let helper = Helper::spawn();
    let mut sources: [Box<dyn ProcessSource>; 2] =
        [Box::new(LinuxSource::new().expect("/proc is readable")), Box::new(SysinfoSource::new())];
    let ids = sources.each_mut().map(|source| identity(&mut **source, helper.pid));
    for (source, id) in sources.iter_mut().zip(ids) {
        source.track(id).expect("alive");
    }
    helper.kill();
    // It is not reaped before the test ends.
    for (source, id) in sources.iter_mut().zip(ids) {
        until("the zombie is gone", || match source.read(id, Wanted::CPU) {
            Ok(reading) => {
                assert!(reading.rss_bytes > 0, "a reading of nothing");
                false
            }
            Err(error) => matches!(error, ReadError::Gone),
        });
        assert!(source.list().expect("a list").iter().all(|process| process.id != id));
    }
}

fn identity(source: &mut dyn ProcessSource, pid: u32) -> ProcessId {
    let all = source.list().expect("a list of processes");
    all.into_iter().find(|process| process.id.pid == pid).expect("it is alive").id
}

#[test]
fn both_sources_agree() {
    let mut helper = Helper::spawn();
    helper.tell("allocate 64");
    helper.tell("burn 200");
    let mut ours = LinuxSource::new().expect("/proc is readable");
    let mut theirs = SysinfoSource::new();
    let (our_id, their_id) = (identity(&mut ours, helper.pid), identity(&mut theirs, helper.pid));
    ours.track(our_id).expect("alive");
    theirs.track(their_id).expect("alive");
    let (one, other) =
        (ours.read(our_id, Wanted::CPU).expect("alive"), theirs.read(their_id, Wanted::CPU).expect("alive"));
    let (rss, their_rss) = (to_mb(one.rss_bytes), to_mb(other.rss_bytes));
    assert!((rss - their_rss).abs() < 1.0, "{rss:.2} MB, sysinfo {their_rss:.2} MB");
    let cpu_s = |reading: Reading| reading.cpu.map_or(0.0, |cpu: CpuTime| cpu.own_s);
    assert!((cpu_s(one) - cpu_s(other)).abs() < 0.05, "{one:?} {other:?}");
    assert!(cpu_s(one) > 0.1);
    let (machine, theirs) = (ours.machine().expect("facts"), theirs.machine().expect("facts"));
    assert_eq!(machine.total_memory_bytes, theirs.total_memory_bytes);
}

#[tokio::test]
async fn a_child_of_a_tracked_process_joins_its_role() {
    let mut helper = Helper::spawn();
    let sampler = start(helper.role(), Duration::from_millis(10));
    let mut events = sampler.client().subscribe();
    let child: u32 = helper.tell("spawn").parse().expect("the pid");
    let event = next(&mut events).await;
    assert_eq!((event.id.pid, event.is_root), (child, false));
    assert!(matches!(event.kind, EventKind::Appeared { .. }));
    let reading = sampler.client().observe().await.expect("the sampler runs").roles["worker"].clone();
    let pids: Vec<_> = reading.processes.iter().map(|process| (process.id.pid, process.is_root)).collect();
    assert_eq!(pids, [(helper.pid, true), (child, false)]);
    let sum = reading.processes.iter().map(|process| process.rss_bytes).sum();
    assert_eq!(reading.rss_bytes, Some(sum));
}

#[tokio::test]
async fn a_worker_found_by_its_command_line_is_seen_to_be_replaced() {
    let word = format!("a-worker-of-test-{}", std::process::id());
    let plan = ProcessPlan { patterns: vec![word.clone()], ..ProcessPlan::default() };
    let roles = BTreeMap::from([("worker".to_string(), plan)]);
    let first = Helper::spawn_stranger(&word);
    let sampler = start(roles, NEVER);
    assert_eq!(sampler.found().roles["worker"].roots[0].id.pid, first.pid);
    let mut events = sampler.client().subscribe();
    first.kill();
    let end = next(&mut events).await;
    assert_eq!(end.id.pid, first.pid);
    // Init reaps it at once; before 6.15 the kernel forgets the status then.
    assert!(matches!(end.kind, EventKind::Exited { how: ExitKind::Signal(9) | ExitKind::Unknown }));
    let second = Helper::spawn_stranger(&word);
    let start = next(&mut events).await;
    assert_eq!((start.id.pid, start.is_root), (second.pid, true));
    assert!(matches!(start.kind, EventKind::Appeared { .. }));
    let summary = sampler.stop().expect("no panic");
    let role = &summary.roles["worker"];
    assert_eq!((role.roots_exited, role.roots_appeared), (1, 1));
}

#[test]
fn a_short_peak_is_seen_while_busy() {
    let mut helper = Helper::spawn();
    let sampler = start(helper.role(), NEVER);
    let client = sampler.client();
    let from = Instant::now();
    client.set_busy(true);
    helper.tell("allocate 100");
    let peak = || client.peak_between("worker", from, Instant::now()).unwrap_or(0);
    until("the peak is seen", || to_mb(peak()) > 100.0);
    helper.tell("release");
    until("the release is seen", || client.at("worker", Instant::now()).is_some_and(|rss| to_mb(rss) < 50.0));
    assert!(to_mb(peak()) > 100.0, "a peak stays in the series");
    let id = worker(&sampler).processes[0].id;
    assert!(to_mb(client.process_peak_between(id, from, Instant::now()).expect("seen")) > 100.0);
    assert!(client.process_at(id, Instant::now()).is_some());
}

#[test]
fn a_peak_that_falls_between_two_looks_is_known_all_the_same() {
    let mut helper = Helper::spawn();
    helper.tell("spike 500");
    let options =
        SamplerOptions { interval: NEVER, busy_interval: NEVER, ..SamplerOptions::new(helper.role()) };
    let sampler = Sampler::start(options, default_source().expect("/proc")).expect("the helper is alive");
    let client = sampler.client();
    let before = worker(&sampler).rss_bytes.expect("alive");
    let mut peak_of = |order: &str| {
        let from = Instant::now();
        client.set_busy(true);
        client.observe_blocking().expect("the turn has been taken");
        helper.tell(order);
        client.set_busy(false);
        client.observe_blocking().expect("the turn has been taken");
        to_mb(client.peak_between("worker", from, Instant::now()).expect("looked at").saturating_sub(before))
    };
    let old = peak_of("burn 1");
    assert!(old < 100.0, "500 MB were before the task, not {old:.1} MB in it");
    let peak = peak_of("spike 660");
    assert!((peak / 660.0 - 1.0).abs() < 0.03, "a peak of 660 MB was told as {peak:.1} MB");
}

#[test]
fn the_csv_has_whole_lines_at_any_moment() {
    let helper = Helper::spawn();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("new").join("resources.csv");
    let options = SamplerOptions {
        interval: Duration::from_millis(10),
        csv: Some(path.clone()),
        ..SamplerOptions::new(helper.role())
    };
    let sampler = Sampler::start(options.clone(), default_source().expect("/proc")).expect("it starts");
    let read = || std::fs::read_to_string(&path).expect("the file is there from the start");
    until("there are 30 rows", || {
        let text = read();
        assert!(text.starts_with(CSV_HEADER));
        // A row that crosses a page of the file may be seen half-written for
        // an instant, and only then.
        if !text.ends_with('\n') {
            until("the line is whole", || read().ends_with('\n'));
            return false;
        }
        text.lines().all(|line| line.split(',').count() == 7) && text.lines().count() > 30
    });
    let error = Sampler::start(options, default_source().expect("/proc")).err().expect("it exists");
    assert_eq!(error.kind(), ErrorKind::Io);
    let summary = sampler.stop().expect("no panic");
    assert_eq!((summary.csv_first_error, summary.csv_failed_writes), (None, 0));
    assert_eq!(read().lines().count() as u64, summary.csv_rows + 1);
    let text = read();
    let elapsed: Vec<f64> =
        text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    // Of two ticks, the first late, both can round to the same moment.
    assert!(elapsed.is_sorted());
    let row = text.lines().nth(1).expect("a row");
    assert!(row.split(',').nth(3) == Some(&helper.pid.to_string()) && row[19..20] == *".", "{row}");
}

#[test]
fn ticks_do_not_drift() {
    let helper = Helper::spawn();
    let interval = Duration::from_millis(10);
    let sampler = start(helper.role(), interval);
    let started = Instant::now();
    let client = sampler.client();
    until("a while has passed", || started.elapsed() >= Duration::from_millis(400));
    let seen = client.observe_blocking().expect("the sampler runs").at;
    // Between two observations the thread catches up with its ticks.
    client.observe_blocking().expect("the sampler runs");
    let summary = sampler.stop().expect("no panic");
    let due = (seen - started).as_nanos() / interval.as_nanos();
    let done = summary.ticks + summary.missed_ticks;
    assert!(u128::from(done) >= due, "{done} of {due} ticks done or missed");
    assert!(done as f64 <= summary.elapsed_s / interval.as_secs_f64() + 1.0, "{done} ticks are too many");
    assert!(summary.ticks > summary.missed_ticks / 10, "nearly all were missed: {summary:?}");
    assert!(summary.processes[0].samples > 0);
}

/// The real source, which tells when it is dropped: the thread owns it.
struct Told(Box<dyn ProcessSource>, Arc<AtomicBool>);

impl Drop for Told {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

impl ProcessSource for Told {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        self.0.list()
    }
    fn read(&mut self, id: ProcessId, wanted: Wanted) -> Result<Reading, ReadError> {
        self.0.read(id, wanted)
    }
    fn machine(&mut self) -> io::Result<MachineMemory> {
        self.0.machine()
    }
}

/// The real source, which on request cannot read a process that is alive, or takes its time over it.
struct Faulty {
    source: Box<dyn ProcessSource>,
    denied: Arc<AtomicBool>,
    /// CPU time that each reading uses.
    slow: Duration,
}

impl ProcessSource for Faulty {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        self.source.list()
    }
    fn read(&mut self, id: ProcessId, wanted: Wanted) -> Result<Reading, ReadError> {
        let begun = Instant::now();
        while begun.elapsed() < self.slow {
            std::hint::spin_loop();
        }
        if self.denied.load(Ordering::SeqCst) { Err(ReadError::Denied) } else { self.source.read(id, wanted) }
    }
    fn machine(&mut self) -> io::Result<MachineMemory> {
        self.source.machine()
    }
}

/// What is judged of how a helper was sampled for 2 s, at a tick each 50 ms.
fn sampled(slow: Duration, denied_meanwhile: bool) -> Criterion {
    let helper = Helper::spawn();
    let denied = Arc::new(AtomicBool::new(false));
    let source = Faulty { source: default_source().expect("/proc"), denied: Arc::clone(&denied), slow };
    let options =
        SamplerOptions { interval: Duration::from_millis(50), ..SamplerOptions::new(helper.role()) };
    let sampler = Sampler::start(options, Box::new(source)).expect("the helper is alive");
    denied.store(denied_meanwhile, Ordering::SeqCst);
    let started = Instant::now();
    until("it was sampled for a while", || started.elapsed() >= Duration::from_secs(2));
    let sampling = sampler.stop().expect("no panic").sampling();
    let record = EventRecord { time: String::new(), elapsed: 0.0, event: Event::Sampled(sampling) };
    let run = RunData { events: vec![record], ..RunData::default() };
    let judgement = assess(&run, &Plan::default()).judgement;
    judgement.criterion("sampler.complete").expect("the log says how it was sampled").clone()
}

#[test]
fn a_live_process_that_is_not_read_fails_the_run() {
    let found = sampled(Duration::ZERO, true);
    assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
    assert!(found.detail.contains("worker was alive and could not be read at "), "{found:?}");
    // A busy machine may starve the sampler, and nothing else than that may be said of it.
    let found = sampled(Duration::ZERO, false);
    assert_ne!(found.verdict, Verdict::Fail, "{found:?}");
}

#[test]
fn reading_that_takes_longer_than_a_tick_is_seen() {
    // Ticks of 50 ms, and 1.2 s for a reading: more than twenty are missed in a row.
    let found = sampled(Duration::from_millis(1200), false);
    assert_ne!(found.verdict, Verdict::Pass, "{found:?}");
    assert!(found.detail.contains("the sampler missed "), "{found:?}");
}

#[test]
fn a_panic_leaves_no_thread_behind() {
    let helper = Helper::spawn();
    let dropped = Arc::new(AtomicBool::new(false));
    let source = Told(default_source().expect("/proc"), Arc::clone(&dropped));
    let mut client = None;
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let sampler =
            Sampler::start(SamplerOptions::new(helper.role()), Box::new(source)).expect("it starts");
        client = Some(sampler.client());
        panic!("as a failing test does");
    }));
    assert!(outcome.is_err());
    assert!(dropped.load(Ordering::SeqCst), "the thread had ended when the panic left the scope");
    let error = client.expect("made before the panic").observe_blocking().expect_err("nobody is there");
    assert_eq!(error.to_string(), "the sampler has stopped");
}

#[test]
fn what_cannot_start_says_why() {
    let source = || default_source().expect("/proc");
    let role = |plan| SamplerOptions::new(BTreeMap::from([("worker".to_string(), plan)]));
    let fails = |options| Sampler::start(options, source()).err().expect("it cannot start");

    let absent = ProcessPlan { pid: Some(u32::MAX), ..ProcessPlan::default() };
    assert_eq!(fails(role(absent.clone())).kind(), ErrorKind::ProcessNotFound);
    assert_eq!(fails(role(ProcessPlan::default())).kind(), ErrorKind::Config);
    let optional = ProcessPlan { optional: true, ..absent };
    let short = SamplerOptions { interval: Duration::from_millis(9), ..role(optional.clone()) };
    assert_eq!(fails(short).to_string(), "the sampling interval of 9 ms is too short");

    let sampler = Sampler::start(role(optional), source()).expect("an optional role may be absent");
    assert_eq!(worker(&sampler), RoleReading::default());
}
