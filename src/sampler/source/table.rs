//! A table of the live processes that reads only what may have changed.
//!
//! Listing `/proc` costs microseconds per hundred processes; reading two files of each process
//! costs a hundred times as much. So the table keeps what it has read, and reads only new pids.
//! An entry can become stale in three ways:
//!
//! * A young process often becomes another program (exec) or takes another title. The table
//!   reads a young process again whenever its age has grown by half, some ten times in all.
//! * An older process may do so, too. The table reads a slice of all processes again at each
//!   refresh, and every process within [`ROUND`].
//! * A pid may be reused between two lists. That takes as many births as there are pids, so
//!   the table reads everything again after a long pause.
//!
//! If the births are known, even the list is needed only now and then ([`LISTED_FOR`]), to drop
//! exited processes.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use crate::sampler::process::ProcessInfo;

/// The age up to which a process is young.
const YOUNG: Duration = Duration::from_secs(10);
/// The shortest time between two readings of a young process.
const SHORTEST_REST: Duration = Duration::from_millis(10);
/// Every process is read again within this time.
const ROUND: Duration = Duration::from_secs(60);
/// If the births are known, `/proc` is listed again after this time.
const LISTED_FOR: Duration = Duration::from_secs(5);
/// After a longer pause the table reads everything again.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The table of processes.
#[derive(Default)]
pub(crate) struct Table {
    entries: HashMap<u32, Entry>,
    /// Counts refreshes; an entry not seen in the latest one is dropped.
    round: u64,
    refreshed: Option<Instant>,
    listed: Option<Instant>,
    /// The pid at which the next slice begins.
    cursor: u32,
    changed: Vec<u32>,
}

struct Entry {
    /// `None` for a pid that cannot be read, such as a zombie.
    info: Option<ProcessInfo>,
    seen: u64,
    /// When a young process is to be read again.
    reread_at: Option<Instant>,
    /// Facts that are read when first asked for, and dropped when the entry is read again.
    exe: Option<Option<String>>,
    cgroup: Option<Option<String>>,
}

/// The table's access to the machine; a test counts the calls.
pub(crate) trait Procfs {
    /// All pids.
    fn pids(&mut self) -> io::Result<Vec<u32>>;
    /// The process with this pid; `None` if it cannot be read.
    fn info(&mut self, pid: u32) -> Option<ProcessInfo>;
    /// How long ago the process started.
    fn age(&self, process: &ProcessInfo) -> Duration;
}

impl Table {
    /// Brings the table up to date. `born` are the pids of the processes born since the last refresh, if
    /// they are known; the table may then still contain processes that have exited.
    pub(crate) fn refresh(
        &mut self,
        procfs: &mut dyn Procfs,
        born: Option<&[u32]>,
        now: Instant,
    ) -> io::Result<()> {
        let listed = self.listed.is_some_and(|then| now.saturating_duration_since(then) < LISTED_FOR);
        let born = born.filter(|_| listed);
        let mut pids = match born {
            Some(born) => {
                let unknown = born.iter().filter(|pid| !self.entries.contains_key(pid));
                self.entries.keys().chain(unknown).copied().collect()
            }
            None => {
                self.listed = Some(now);
                procfs.pids()?
            }
        };
        let since = self.refreshed.map(|then| now.saturating_duration_since(then));
        let everything = since.is_none_or(|since| since > LONGEST_PAUSE);
        // A slice is the same share of all pids as the elapsed time is of a round.
        pids.sort_unstable();
        let share = since.unwrap_or(ROUND).as_secs_f64() / ROUND.as_secs_f64();
        let slice = (pids.len() as f64 * share).ceil() as usize;
        let from = pids.partition_point(|&pid| pid < self.cursor);
        let chosen = |index: usize| (index + pids.len() - from) % pids.len() < slice;
        self.round += 1;
        for (index, &pid) in pids.iter().enumerate() {
            match self.entries.get_mut(&pid) {
                Some(entry) => {
                    entry.seen = self.round;
                    let has_aged = entry.reread_at.is_some_and(|at| now >= at);
                    let was_reused = born.is_some_and(|born| born.contains(&pid));
                    if everything || has_aged || was_reused || chosen(index) {
                        reread(entry, procfs.info(pid), &mut self.changed);
                        entry.reread_at = reread_at(procfs, entry.info.as_ref(), now);
                    }
                }
                None => {
                    let info = procfs.info(pid);
                    if info.is_some() {
                        self.changed.push(pid);
                    }
                    let reread_at = reread_at(procfs, info.as_ref(), now);
                    let entry = Entry { info, seen: self.round, reread_at, exe: None, cgroup: None };
                    self.entries.insert(pid, entry);
                }
            }
        }
        self.cursor = pids.get((from + slice) % pids.len().max(1)).copied().unwrap_or(0);
        let round = self.round;
        self.entries.retain(|_, entry| entry.seen == round);
        self.refreshed = Some(now);
        Ok(())
    }

    /// All processes.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ProcessInfo> {
        self.entries.values().filter_map(|entry| entry.info.as_ref())
    }

    /// The processes that are new or have changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<ProcessInfo> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed.iter().filter_map(|pid| self.entries.get(pid)?.info.clone()).collect()
    }

    /// Drops the entry of this pid, which belongs to another process now or to none.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.entries.remove(&pid);
    }

    /// The number of processes.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The executable of `pid`; calls `read` unless it is known.
    pub(crate) fn exe(&mut self, pid: u32, read: impl FnOnce() -> Option<String>) -> Option<String> {
        match self.entries.get_mut(&pid) {
            Some(entry) => entry.exe.get_or_insert_with(read).clone(),
            None => read(),
        }
    }

    /// The control group of `pid`; calls `read` unless it is known.
    pub(crate) fn cgroup(&mut self, pid: u32, read: impl FnOnce() -> Option<String>) -> Option<String> {
        match self.entries.get_mut(&pid) {
            Some(entry) => entry.cgroup.get_or_insert_with(read).clone(),
            None => read(),
        }
    }
}

/// When to read a process, just read, again because it is young. A process that could not be read
/// is probably a zombie, and waits for its slice.
fn reread_at(procfs: &dyn Procfs, info: Option<&ProcessInfo>, now: Instant) -> Option<Instant> {
    let age = procfs.age(info?);
    (age < YOUNG).then(|| now + (age / 2).max(SHORTEST_REST))
}

fn reread(entry: &mut Entry, info: Option<ProcessInfo>, changed: &mut Vec<u32>) {
    (entry.exe, entry.cgroup) = (None, None);
    if entry.info != info {
        let differs = |one: &ProcessInfo, other: &ProcessInfo| one.id != other.id || one.argv != other.argv;
        if let Some(new) = &info
            && entry.info.as_ref().is_none_or(|old| differs(old, new))
        {
            changed.push(new.id.pid);
        }
        entry.info = info;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sampler::process::ProcessId;

    /// Processes by pid, with start time and command; counts lists and readings.
    #[derive(Default)]
    struct World {
        alive: BTreeMap<u32, (u64, &'static str)>,
        lists: usize,
        reads: usize,
        /// The age of processes that are not as old as the world.
        age: Duration,
    }

    impl Procfs for World {
        fn pids(&mut self) -> io::Result<Vec<u32>> {
            self.lists += 1;
            Ok(self.alive.keys().copied().collect())
        }

        fn info(&mut self, pid: u32) -> Option<ProcessInfo> {
            self.reads += 1;
            let &(start_ticks, command) = self.alive.get(&pid)?;
            let argv = vec![command.to_string()];
            let name = command.to_string();
            Some(ProcessInfo { id: ProcessId { pid, start_ticks }, parent: 1, name, argv })
        }

        fn age(&self, process: &ProcessInfo) -> Duration {
            if process.id.start_ticks == 1 { Duration::from_secs(1000) } else { self.age }
        }
    }

    fn changes(table: &mut Table) -> Vec<String> {
        table
            .take_changes()
            .into_iter()
            .map(|process| format!("{} {}", process.id.pid, process.argv[0]))
            .collect()
    }

    /// A world of a thousand processes that are not young, and its table.
    fn old_world() -> (World, Table, Instant) {
        let mut world = World::default();
        world.alive.extend((1..=1000).map(|pid| (pid, (1, "old"))));
        let (mut table, now) = (Table::default(), Instant::now());
        table.refresh(&mut world, None, now).expect("a list");
        assert_eq!((world.reads, changes(&mut table).len()), (1000, 1000));
        world.reads = 0;
        (world, table, now)
    }

    #[test]
    fn only_what_is_new_and_a_slice_are_read() {
        let (mut world, mut table, mut now) = old_world();
        world.alive.insert(2000, (5, "new"));
        world.alive.remove(&7);
        now += Duration::from_secs(1);
        table.refresh(&mut world, None, now).expect("a list");
        // A sixtieth of a thousand, and the new one.
        assert_eq!(world.reads, 17 + 1);
        assert_eq!((changes(&mut table), table.len()), (vec!["2000 new".to_string()], 1000));
        assert!(table.all().all(|process| process.id.pid != 7));
    }

    #[test]
    fn where_births_are_known_a_list_is_needed_seldom() {
        let (mut world, mut table, mut now) = old_world();
        (world.lists, world.age) = (0, Duration::from_secs(100));
        world.alive.insert(2000, (5, "new"));
        world.alive.remove(&7);
        now += Duration::from_secs(1);
        table.refresh(&mut world, Some(&[2000, 2001]), now).expect("no list");
        assert_eq!((world.lists, changes(&mut table)), (0, vec!["2000 new".to_string()]));
        world.alive.insert(8, (6, "reused"));
        now += Duration::from_secs(1);
        table.refresh(&mut world, Some(&[8]), now).expect("no list");
        assert_eq!((world.lists, changes(&mut table)), (0, vec!["8 reused".to_string()]));
        now += Duration::from_secs(4);
        table.refresh(&mut world, Some(&[]), now).expect("a list");
        assert_eq!((world.lists, table.len()), (1, 1000), "who has gone is known by now");
        assert!(table.all().all(|process| process.id.pid != 7));
    }

    #[test]
    fn the_young_may_become_another_program() {
        let (mut world, mut table, mut now) = old_world();
        world.alive.insert(2000, (5, "sh"));
        now += Duration::from_secs(1);
        table.refresh(&mut world, None, now).expect("a list");
        assert_eq!(changes(&mut table), ["2000 sh"]);
        world.alive.insert(2000, (5, "rq worker"));
        now += Duration::from_millis(20);
        table.refresh(&mut world, None, now).expect("a list");
        assert_eq!(changes(&mut table), ["2000 rq worker"]);
    }

    #[test]
    fn a_young_process_is_read_some_ten_times_however_often_one_looks() {
        let (mut world, mut table, mut now) = old_world();
        world.alive.insert(2000, (5, "python"));
        let looks = 2000u32;
        for _ in 0..looks {
            now += Duration::from_millis(10);
            world.age += Duration::from_millis(10);
            table.refresh(&mut world, None, now).expect("a list");
        }
        // A slice of at least one is read each time, and two rounds come by in twenty seconds.
        let of_youth = world.reads - looks as usize;
        assert!((10..=25).contains(&of_youth), "{of_youth}");
    }

    #[test]
    fn an_old_process_with_another_title_is_noticed_within_a_round() {
        let (mut world, mut table, mut now) = old_world();
        world.alive.insert(500, (1, "rq:worker:a: Listening"));
        let mut seen = Vec::new();
        for _ in 0..61 {
            now += Duration::from_secs(1);
            table.refresh(&mut world, None, now).expect("a list");
            seen.extend(changes(&mut table));
        }
        assert_eq!(seen, ["500 rq:worker:a: Listening"]);
    }

    #[test]
    fn after_a_long_pause_a_reused_pid_is_another_process() {
        let (mut world, mut table, now) = old_world();
        world.alive.insert(500, (99, "other"));
        table.refresh(&mut world, None, now + Duration::from_secs(60)).expect("a list");
        assert_eq!(world.reads, 1000);
        assert_eq!(changes(&mut table), ["500 other"]);
    }
}
