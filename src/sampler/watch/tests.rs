use std::collections::HashMap;
use std::io;
use std::time::Duration;

use super::*;
use crate::sampler::find::{SearchEvidence, find};
use crate::sampler::process::{Clock, CpuTime, Newborns, Reading};

const OWN: u32 = 10;
const MIB: u64 = 1 << 20;

/// A machine that does what the test says.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    alive: BTreeMap<ProcessId, (ProcessInfo, u64)>,
    lists: u32,
    /// Readings of more than memory.
    reads: u32,
    /// The pids born since the last call; `None` for too many.
    newborns: Option<Vec<u32>>,
    /// The processes that changed since the last call; `None` for a source that cannot tell.
    changed: Option<Vec<ProcessInfo>>,
    tracked: HashSet<ProcessId>,
    cpu: HashMap<ProcessId, f64>,
    reaped: HashMap<ProcessId, f64>,
    exiting: HashSet<ProcessId>,
    now_ticks: Option<f64>,
}

impl World {
    fn with<T>(&self, f: impl FnOnce(&mut Facts) -> T) -> T {
        f(&mut self.0.lock().expect("no test panics in here"))
    }

    fn born(&self, pid: u32, parent: u32, start_ticks: u64, line: &str, mib: u64) -> ProcessId {
        let id = ProcessId { pid, start_ticks };
        let argv: Vec<String> = line.split(' ').map(ToString::to_string).collect();
        let info = ProcessInfo { id, parent, name: argv[0].clone(), argv };
        self.with(|facts| {
            facts.changed.iter_mut().for_each(|changed| changed.push(info.clone()));
            facts.alive.insert(id, (info, mib * MIB));
            facts.newborns.iter_mut().for_each(|newborns| newborns.push(pid));
        });
        id
    }

    fn dies(&self, id: ProcessId) {
        self.with(|facts| facts.alive.remove(&id));
    }

    fn watch(&self, roles: &BTreeMap<String, ProcessPlan>, moment: Timepoint) -> Watch {
        let found = find(&self.clone().list().expect("a list"), roles, &SearchEvidence::default(), OWN);
        let series = Arc::new(Mutex::new(MemorySeries::new(moment.at)));
        Watch::new(Box::new(self.clone()), &found, series, OWN, moment)
    }
}

impl ProcessSource for World {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        self.with(|facts| {
            facts.lists += 1;
            Ok(facts.alive.values().map(|(info, _)| info.clone()).collect())
        })
    }

    fn changes(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        self.with(|facts| Ok(facts.changed.as_mut().map(std::mem::take)))
    }

    fn newborns(&mut self, is_parent: &dyn Fn(u32) -> bool) -> Newborns {
        self.with(|facts| {
            let Some(born) = facts.newborns.replace(Vec::new()) else { return Newborns::Many };
            let all = facts.alive.values().map(|(info, _)| info);
            let descends = |info: &ProcessInfo| is_parent(info.parent) || born.contains(&info.parent);
            let born = all.filter(|info| born.contains(&info.id.pid) && descends(info));
            Newborns::Known(born.cloned().collect())
        })
    }

    fn track(&mut self, id: ProcessId) -> Result<(), ReadError> {
        self.with(|facts| facts.tracked.insert(id));
        self.read(id, Wanted::CPU).map(|_| ())
    }

    fn untrack(&mut self, id: ProcessId) {
        self.with(|facts| facts.tracked.remove(&id));
    }

    fn read(&mut self, id: ProcessId, wanted: Wanted) -> Result<Reading, ReadError> {
        self.with(|facts| {
            if facts.exiting.contains(&id) {
                return Err(ReadError::Exiting);
            }
            facts.reads += u32::from(wanted.cpu);
            let (_, rss_bytes) = facts.alive.get(&id).ok_or(ReadError::Gone)?;
            let cpu = CpuTime {
                own_s: facts.cpu.get(&id).copied().unwrap_or(0.0),
                reaped_s: facts.reaped.get(&id).copied().unwrap_or(0.0),
            };
            Ok(Reading {
                rss_bytes: *rss_bytes,
                private_bytes: Some(rss_bytes / 2),
                cpu: wanted.cpu.then_some(cpu),
                threads: wanted.cpu.then_some(2),
                peak_bytes: None,
            })
        })
    }

    fn clock(&mut self) -> Option<Clock> {
        let now_ticks = self.with(|facts| facts.now_ticks)?;
        Some(Clock { now_ticks, ticks_per_second: 100.0, booted_at_s: 0.0 })
    }

    fn machine(&mut self) -> io::Result<MachineMemory> {
        Ok(MachineMemory { total_memory_bytes: 1 << 30, available_memory_bytes: 1 << 29 })
    }
}

fn plan(pattern: &str, optional: bool) -> ProcessPlan {
    ProcessPlan { patterns: vec![pattern.to_string()], optional, ..ProcessPlan::default() }
}

fn worker() -> BTreeMap<String, ProcessPlan> {
    BTreeMap::from([("worker".to_string(), plan("rq worker", false))])
}

fn later(moment: Timepoint, millis: u64) -> Timepoint {
    Timepoint { at: moment.at + Duration::from_millis(millis), ..moment }
}

fn events(watch: &mut Watch) -> Vec<String> {
    let line = |event: ProcessEvent| {
        let what = match event.kind {
            EventKind::Appeared { .. } => "appeared".to_string(),
            EventKind::Exited { how } => how.to_string(),
        };
        let rank = if event.is_root { "root" } else { "descendant" };
        format!("{} {rank} {} {what}", event.role, event.id)
    };
    watch.take_events().into_iter().map(line).collect()
}

#[test]
fn a_tree_is_measured_as_one_and_newcomers_are_adopted() {
    let (world, start) = (World::default(), Timepoint::now());
    world.born(20, 1, 1, "rq worker", 100);
    world.born(21, 20, 2, "horse", 50);
    let mut watch = world.watch(&worker(), start);
    assert_eq!(watch.look(start, Look::Tick).roles["worker"].rss_bytes, Some(150 * MIB));
    assert!(events(&mut watch).is_empty(), "what is there at the start has not appeared");

    world.born(22, 21, 3, "grandchild", 7);
    let worker = &watch.look(later(start, 20), Look::Between).roles["worker"];
    assert_eq!(worker.rss_bytes, Some(157 * MIB));
    let order: Vec<_> = worker.processes.iter().map(|process| (process.id.pid, process.is_root)).collect();
    assert_eq!(order, [(20, true), (21, false), (22, false)]);
    assert_eq!(events(&mut watch), ["worker descendant 22 appeared"]);
}

#[test]
fn children_are_not_searched_for_while_nothing_is_born() {
    let (world, start) = (World::default(), Timepoint::now());
    world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    watch.look(start, Look::Tick);
    let before = world.with(|facts| facts.lists);
    for n in 0..100 {
        watch.look(later(start, n * 20), Look::Between);
    }
    assert_eq!(world.with(|facts| facts.lists), before);
}

#[test]
fn an_exit_is_never_a_reading_of_zero() {
    let (world, start) = (World::default(), Timepoint::now());
    let id = world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    watch.look(start, Look::Tick);
    world.with(|facts| facts.exiting.insert(id));
    let looked = watch.look(later(start, 1000), Look::Tick);
    assert_eq!((looked.roles["worker"].rss_bytes, looked.gone.len()), (None, 0), "about to end");
    world.with(|facts| facts.exiting.remove(&id));
    world.dies(id);
    let looked = watch.look(later(start, 2000), Look::Tick);
    assert_eq!((looked.roles["worker"].rss_bytes, &looked.gone[..]), (None, &[id][..]));
    assert!(looked.roles["worker"].processes.is_empty());
    watch.ended(id, ExitKind::Signal(9), later(start, 2000));
    watch.ended(id, ExitKind::Unknown, later(start, 2001));
    assert_eq!(events(&mut watch), ["worker root 20 was killed, signal 9"], "reported once");
    assert!(!world.with(|facts| facts.tracked.contains(&id)));
    let (roles, ..) = watch.totals();
    assert_eq!((roles["worker"].roots_exited, roles["worker"].rss_max_bytes), (1, Some(100 * MIB)));
}

#[test]
fn a_reused_pid_is_another_process() {
    let (world, start) = (World::default(), Timepoint::now());
    let first = world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    watch.look(start, Look::Tick);
    world.dies(first);
    let second = world.born(20, 1, 99, "rq worker", 300);
    let looked = watch.look(later(start, 1000), Look::Tick);
    assert_eq!(looked.gone, [first]);
    assert_eq!(looked.roles["worker"].rss_bytes, None, "300 MB are not those of the first");
    watch.ended(first, ExitKind::Unknown, later(start, 1000));

    assert!(watch.next_search().expect("by pattern") <= later(start, 2000).at);
    watch.search(later(start, 2000));
    assert_eq!(
        events(&mut watch),
        ["worker root 20 ended, it is not known how", "worker root 20 appeared"],
        "that is how a replacement is learned of"
    );
    assert_eq!(watch.take_fresh(), [first, second]);
    assert_eq!(watch.look(later(start, 3000), Look::Tick).roles["worker"].rss_bytes, Some(300 * MIB));
}

#[test]
fn searches_are_rare_and_more_frequent_while_a_root_is_missing() {
    let (world, start) = (World::default(), Timepoint::now());
    let id = world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    assert_eq!(watch.next_search(), Some(later(start, 5000).at));
    watch.search(later(start, 5000));
    assert_eq!(watch.next_search(), Some(later(start, 10_000).at));
    world.dies(id);
    watch.ended(id, ExitKind::Code(0), later(start, 5100));
    assert_eq!(watch.next_search(), Some(later(start, 6000).at), "once a second while it is missing");
}

#[test]
fn a_search_is_skipped_while_no_process_changed_into_one_that_could_match() {
    let (world, start) = (World::default(), Timepoint::now());
    world.with(|facts| facts.changed = Some(Vec::new()));
    world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    let lists = |watch: &mut Watch, millis| {
        let before = world.with(|facts| facts.lists);
        watch.search(later(start, millis));
        world.with(|facts| facts.lists) - before
    };
    assert_eq!(lists(&mut watch, 1000), 0);
    world.born(30, 1, 2, "something else", 1);
    assert_eq!(lists(&mut watch, 2000), 0);
    world.born(40, 1, 3, "rq worker", 1);
    assert_eq!(lists(&mut watch, 3000), 1);
    assert_eq!(events(&mut watch), ["worker root 40 appeared"]);
}

#[test]
fn a_role_of_one_ignores_a_second_and_goes_on_with_a_single_successor() {
    let (world, start) = (World::default(), Timepoint::now());
    let first = world.born(20, 1, 1, "serve", 100);
    let plan = ProcessPlan { program: Some("serve".to_string()), ..ProcessPlan::default() };
    let mut watch = world.watch(&BTreeMap::from([("worker".to_string(), plan)]), start);
    let second = world.born(30, 1, 2, "serve", 100);
    watch.search(later(start, 5000));
    assert!(events(&mut watch).is_empty(), "the role is played already");
    let third = world.born(40, 1, 3, "serve", 100);
    world.dies(first);
    watch.ended(first, ExitKind::Code(0), later(start, 6000));
    watch.search(later(start, 7000));
    assert_eq!(events(&mut watch), ["worker root 20 exited, code 0"], "which of two is not guessed");
    world.dies(second);
    world.born(31, 1, 4, "other", 1);
    watch.search(later(start, 8000));
    assert_eq!(events(&mut watch), [format!("worker root {third} appeared")]);
}

#[test]
fn an_explicit_pid_is_not_searched_for_again() {
    let (world, start) = (World::default(), Timepoint::now());
    world.born(20, 1, 1, "anything", 100);
    let explicit = ProcessPlan { pid: Some(20), ..ProcessPlan::default() };
    let watch = world.watch(&BTreeMap::from([("worker".to_string(), explicit)]), start);
    assert_eq!(watch.next_search(), None);
}

#[test]
fn an_orphan_stays_a_descendant() {
    let (world, start) = (World::default(), Timepoint::now());
    let parent = world.born(20, 1, 1, "rq worker", 100);
    world.born(21, 20, 2, "rq worker", 500);
    let mut watch = world.watch(&worker(), start);
    world.dies(parent);
    watch.ended(parent, ExitKind::Signal(9), start);
    world.born(21, 1, 2, "rq worker", 500);
    watch.search(later(start, 1000));
    assert_eq!(events(&mut watch), ["worker root 20 was killed, signal 9"]);
    assert_eq!(watch.look(later(start, 2000), Look::Tick).roles["worker"].rss_bytes, Some(500 * MIB));
}

#[test]
fn the_root_of_another_role_is_not_adopted_and_one_adopted_too_early_moves() {
    let (world, start) = (World::default(), Timepoint::now());
    let roles = BTreeMap::from([
        ("api".to_string(), plan("uvicorn", true)),
        ("worker".to_string(), plan("rq worker", true)),
    ]);
    world.born(20, 1, 1, "uvicorn", 10);
    world.born(21, 20, 2, "rq worker", 100);
    let mut watch = world.watch(&roles, start);
    let sums = |watch: &mut Watch, moment| {
        let roles = watch.look(moment, Look::Between).roles;
        (roles["api"].rss_bytes, roles["worker"].rss_bytes)
    };
    assert_eq!(sums(&mut watch, start), (Some(10 * MIB), Some(100 * MIB)));

    // Adopted after its fork and before its exec.
    world.born(30, 20, 3, "uvicorn", 1);
    world.born(31, 30, 4, "helper", 2);
    assert_eq!(sums(&mut watch, later(start, 20)).0, Some(13 * MIB));
    world.born(30, 20, 3, "rq worker", 200);
    watch.search(later(start, 5000));
    assert_eq!(sums(&mut watch, later(start, 6000)), (Some(10 * MIB), Some(302 * MIB)));
    assert!(events(&mut watch).contains(&"worker root 30 appeared".to_string()));
}

#[test]
fn cpu_counts_from_tick_to_tick() {
    let (world, start) = (World::default(), Timepoint::now());
    let id = world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    let mut percent = |millis, cpu_seconds, look| {
        world.with(|facts| facts.cpu.insert(id, cpu_seconds));
        watch.look(later(start, millis), look).roles["worker"].processes[0].cpu_percent
    };
    assert_eq!(percent(0, 5.0, Look::Tick), 0.0, "the first sample");
    assert_eq!(percent(500, 5.5, Look::Asked), 100.0);
    assert_eq!(percent(1000, 7.0, Look::Tick), 200.0, "two cores busy since the last tick");
    assert_eq!(percent(1005, 7.01, Look::Asked), 0.0, "too short a span to say");
    assert_eq!(percent(1500, 7.3, Look::Between), 200.0, "only the memory is read: as of the last tick");
    assert_eq!(percent(2000, 7.5, Look::Tick), 50.0);
}

#[test]
fn at_a_high_rate_memory_is_read_each_time_and_the_rest_ten_times_a_second() {
    let (world, start) = (World::default(), Timepoint::now());
    let id = world.born(20, 1, 1, "rq worker", 0);
    let mut watch = world.watch(&worker(), start);
    let before = world.with(|facts| facts.reads);
    for tick in 1..=100u64 {
        world.with(|facts| {
            facts.cpu.insert(id, tick as f64 * 0.005);
            facts.alive.get_mut(&id).expect("alive").1 = tick * MIB;
        });
        let seen = &watch.look(later(start, tick * 10), Look::Tick).roles["worker"];
        assert_eq!(seen.rss_bytes, Some(tick * MIB));
        if tick > 11 {
            assert!((seen.processes[0].cpu_percent - 50.0).abs() < 1.0, "{seen:?}");
        }
    }
    assert_eq!(world.with(|facts| facts.reads) - before, 10);
}

#[test]
fn of_those_that_were_born_descendants_join_and_strangers_do_not() {
    let (world, start) = (World::default(), Timepoint::now());
    world.born(20, 1, 1, "rq worker", 100);
    world.with(|facts| facts.newborns = Some(Vec::new()));
    let mut watch = world.watch(&worker(), start);
    let lists = world.with(|facts| facts.lists);

    world.born(31, 20, 2, "horse", 50);
    world.born(40, 1, 2, "stranger", 5);
    // It has ended since it was born.
    world.dies(world.born(33, 20, 3, "brief", 1));
    let worker = watch.look(later(start, 20), Look::Between).roles["worker"].clone();
    let pids: Vec<_> = worker.processes.iter().map(|process| process.id.pid).collect();
    assert_eq!(pids, [20, 31]);
    assert_eq!(world.with(|facts| facts.lists), lists, "no other process was looked at");

    // Too many were born: all processes are looked at.
    world.born(34, 20, 4, "horse", 1);
    world.born(35, 34, 4, "grandchild", 1);
    world.with(|facts| facts.newborns = None);
    assert_eq!(watch.look(later(start, 40), Look::Between).roles["worker"].processes.len(), 4);
}

#[test]
fn the_cpu_of_a_role_counts_those_that_have_ended_and_not_what_was_before() {
    let (world, start) = (World::default(), Timepoint::now());
    world.with(|facts| facts.now_ticks = Some(100.0));
    let parent = world.born(20, 1, 50, "rq worker", 100);
    let old = world.born(21, 20, 50, "rq worker", 100);
    world.with(|facts| facts.cpu.extend([(parent, 7.0), (old, 3.0)]));
    let mut watch = world.watch(&worker(), start);
    let used =
        |watch: &mut Watch, millis| watch.look(later(start, millis), Look::Asked).roles["worker"].cpu_seconds;
    assert_eq!(used(&mut watch, 0), 0.0, "used before the watching began");
    let horse = world.born(22, 20, 100, "rq worker", 500);
    world.with(|facts| facts.cpu.extend([(parent, 7.5), (old, 3.25), (horse, 0.25)]));
    assert_eq!(used(&mut watch, 1000), 1.0);
    // Both children end; what the work-horse used after the last look is known from its parent.
    for child in [old, horse] {
        world.dies(child);
        watch.ended(child, ExitKind::Code(0), later(start, 1500));
    }
    world.with(|facts| facts.reaped.insert(parent, 3.25 + 1.5));
    assert_eq!(used(&mut watch, 2000), 2.25);
    world.dies(parent);
    watch.ended(parent, ExitKind::Signal(9), later(start, 2500));
    assert_eq!(used(&mut watch, 3000), 2.25, "nobody waits for the root");
}
