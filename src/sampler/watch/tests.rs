use std::collections::HashMap;
use std::io;
use std::time::Duration;

use super::*;
use crate::sampler::find::find;

const OWN: u32 = 10;
const MIB: u64 = 1 << 20;

/// A machine that does what the test says.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    alive: BTreeMap<ProcessId, (ProcessInfo, u64)>,
    births: u64,
    scans: u32,
    child_searches: u32,
    tracked: HashSet<ProcessId>,
    cpu: HashMap<ProcessId, f64>,
    exiting: HashSet<ProcessId>,
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
            facts.alive.insert(id, (info, mib * MIB));
            facts.births += 1;
        });
        id
    }

    fn dies(&self, id: ProcessId) {
        self.with(|facts| facts.alive.remove(&id));
    }

    fn watch(&self, roles: &BTreeMap<String, ProcessPlan>, moment: Moment) -> Watch {
        let found = find(&self.clone().scan().expect("a list"), roles, OWN);
        let series = Arc::new(Mutex::new(Series::new(moment.at)));
        Watch::new(Box::new(self.clone()), &found, series, OWN, moment)
    }
}

impl ProcessSource for World {
    fn scan(&mut self) -> io::Result<Vec<ProcessInfo>> {
        self.with(|facts| {
            facts.scans += 1;
            Ok(facts.alive.values().map(|(info, _)| info.clone()).collect())
        })
    }

    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo> {
        self.with(|facts| {
            facts.child_searches += 1;
            let is_child = |info: &&ProcessInfo| parents.iter().any(|id| id.pid == info.parent);
            facts.alive.values().map(|(info, _)| info).filter(is_child).cloned().collect()
        })
    }

    fn births(&mut self) -> Option<u64> {
        self.with(|facts| Some(facts.births))
    }

    fn track(&mut self, id: ProcessId) -> Result<(), ReadError> {
        self.with(|facts| facts.tracked.insert(id));
        self.read(id).map(|_| ())
    }

    fn untrack(&mut self, id: ProcessId) {
        self.with(|facts| facts.tracked.remove(&id));
    }

    fn read(&mut self, id: ProcessId) -> Result<Reading, ReadError> {
        self.with(|facts| {
            if facts.exiting.contains(&id) {
                return Err(ReadError::Exiting);
            }
            let (_, rss_bytes) = facts.alive.get(&id).ok_or(ReadError::Gone)?;
            let cpu_seconds = facts.cpu.get(&id).copied().unwrap_or(0.0);
            Ok(Reading { rss_bytes: *rss_bytes, cpu_seconds, threads: None })
        })
    }

    fn machine(&mut self) -> io::Result<Machine> {
        Ok(Machine { total_memory_bytes: 1 << 30, available_memory_bytes: 1 << 29 })
    }
}

fn plan(pattern: &str, optional: bool) -> ProcessPlan {
    ProcessPlan { patterns: vec![pattern.to_string()], optional, ..ProcessPlan::default() }
}

fn worker() -> BTreeMap<String, ProcessPlan> {
    BTreeMap::from([("worker".to_string(), plan("rq worker", false))])
}

fn later(moment: Moment, millis: u64) -> Moment {
    Moment { at: moment.at + Duration::from_millis(millis), ..moment }
}

fn events(watch: &mut Watch) -> Vec<String> {
    let told = |event: ProcessEvent| {
        let what = match event.kind {
            EventKind::Appeared { .. } => "appeared".to_string(),
            EventKind::Exited { how } => how.to_string(),
        };
        let rank = if event.is_root { "root" } else { "descendant" };
        format!("{} {rank} {} {what}", event.role, event.id)
    };
    watch.take_events().into_iter().map(told).collect()
}

#[test]
fn a_tree_is_measured_as_one_and_newcomers_are_adopted() {
    let (world, start) = (World::default(), Moment::now());
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
    let (world, start) = (World::default(), Moment::now());
    world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    watch.look(start, Look::Tick);
    let before = world.with(|facts| facts.child_searches);
    for n in 0..100 {
        watch.look(later(start, n * 20), Look::Between);
    }
    assert_eq!(world.with(|facts| facts.child_searches), before);
}

#[test]
fn an_exit_is_never_a_reading_of_zero() {
    let (world, start) = (World::default(), Moment::now());
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
    assert_eq!(events(&mut watch), ["worker root 20 was killed, signal 9"], "told once");
    assert!(!world.with(|facts| facts.tracked.contains(&id)));
    let (roles, ..) = watch.totals();
    assert_eq!((roles["worker"].roots_exited, roles["worker"].rss_max_bytes), (1, Some(100 * MIB)));
}

#[test]
fn a_reused_pid_is_another_process() {
    let (world, start) = (World::default(), Moment::now());
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
fn searches_are_rare_and_skipped_while_nothing_is_born() {
    let (world, start) = (World::default(), Moment::now());
    let id = world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    assert_eq!(watch.next_search(), Some(later(start, 5000).at));
    let before = world.with(|facts| facts.scans);
    for n in 1..=10 {
        watch.search(later(start, n * 5000));
    }
    // The first sees births for the first time, the second that they have settled.
    assert_eq!(world.with(|facts| facts.scans) - before, 2);
    world.dies(id);
    watch.ended(id, ExitKind::Code(0), later(start, 50_100));
    assert_eq!(watch.next_search(), Some(later(start, 51_000).at), "once a second while it is missing");
}

#[test]
fn an_explicit_pid_is_not_searched_for_again() {
    let (world, start) = (World::default(), Moment::now());
    world.born(20, 1, 1, "anything", 100);
    let explicit = ProcessPlan { pid: Some(20), ..ProcessPlan::default() };
    let watch = world.watch(&BTreeMap::from([("worker".to_string(), explicit)]), start);
    assert_eq!(watch.next_search(), None);
}

#[test]
fn an_orphan_stays_a_descendant() {
    let (world, start) = (World::default(), Moment::now());
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
    let (world, start) = (World::default(), Moment::now());
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
    let (world, start) = (World::default(), Moment::now());
    let id = world.born(20, 1, 1, "rq worker", 100);
    let mut watch = world.watch(&worker(), start);
    let mut percent = |millis, cpu_seconds, look| {
        world.with(|facts| facts.cpu.insert(id, cpu_seconds));
        watch.look(later(start, millis), look).roles["worker"].processes[0].cpu_percent
    };
    assert_eq!(percent(0, 5.0, Look::Tick), 0.0, "the first sample");
    assert_eq!(percent(500, 5.5, Look::Between), 100.0);
    assert_eq!(percent(1000, 7.0, Look::Tick), 200.0, "two cores busy since the last tick");
    assert_eq!(percent(1005, 7.01, Look::Between), 0.0, "too short a span to say");
    assert_eq!(percent(2000, 7.5, Look::Tick), 50.0);
}
