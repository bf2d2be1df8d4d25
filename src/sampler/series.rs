//! The measurements, kept in bounded memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::process::ProcessId;

/// The points kept of a process.
const PROCESS_POINTS: usize = 2048;
/// The points kept of a role.
const ROLE_POINTS: usize = 7200;
/// The number of ended processes whose series are kept; a forking worker ends one a task.
const ENDED_PROCESSES: usize = 64;

/// The series of every role and process, from the sampler's start.
///
/// The newest points are kept as they were measured. When a series is full,
/// neighbours in its older half are merged two by two: a merged point keeps
/// the highest memory of its span, so peaks survive and only their place
/// blurs. The answer for a span of old points may thus be a peak from just outside it.
pub(crate) struct MemorySeries {
    start: Instant,
    roles: BTreeMap<String, Ring>,
    processes: HashMap<ProcessId, Ring>,
    ended: VecDeque<ProcessId>,
}

/// One look, or several merged. Memory in KiB keeps a point at 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    /// Microseconds from the sampler's start to the first look.
    from_us: u64,
    /// … and to the last.
    to_us: u64,
    /// The highest reading of the span; [`NOTHING`] if there was none.
    max_kib: u32,
    /// The lowest reading of the span; [`NOTHING`] if there was none.
    min_kib: u32,
    /// The last reading of the span; [`NOTHING`] if no process was alive then.
    last_kib: u32,
}

/// No process was alive, which is not the same as 0 bytes.
const NOTHING: u32 = u32::MAX;

struct Ring {
    points: VecDeque<Point>,
    capacity: usize,
}

impl MemorySeries {
    /// Empty series; instants before `start` count as `start`.
    pub(crate) fn new(start: Instant) -> MemorySeries {
        MemorySeries { start, roles: BTreeMap::new(), processes: HashMap::new(), ended: VecDeque::new() }
    }

    /// Records the memory of a role's whole tree; `None` if none of it is alive.
    /// `excess_bytes` is how far it rose above that for a moment since the last look.
    pub(crate) fn push_role(&mut self, role: &str, at: Instant, rss_bytes: Option<u64>, excess_bytes: u64) {
        let at = self.offset(at);
        match self.roles.get_mut(role) {
            Some(ring) => ring.push(at, rss_bytes, excess_bytes),
            None => {
                let mut ring = Ring::new(ROLE_POINTS);
                ring.push(at, rss_bytes, excess_bytes);
                self.roles.insert(role.to_string(), ring);
            }
        }
    }

    /// Records the memory of one process, and how far it rose above that for a moment.
    pub(crate) fn push_process(&mut self, id: ProcessId, at: Instant, rss_bytes: u64, excess_bytes: u64) {
        let at = self.offset(at);
        let ring = self.processes.entry(id).or_insert_with(|| Ring::new(PROCESS_POINTS));
        ring.push(at, Some(rss_bytes), excess_bytes);
    }

    /// The process has ended: its series is dropped once enough others have ended, too.
    pub(crate) fn ended(&mut self, id: ProcessId) {
        self.ended.push_back(id);
        if self.ended.len() > ENDED_PROCESSES
            && let Some(oldest) = self.ended.pop_front()
        {
            self.processes.remove(&oldest);
        }
    }

    /// The highest memory of the role's tree that was sampled from `from` to `to`.
    pub(crate) fn peak_between(&self, role: &str, from: Instant, to: Instant) -> Option<u64> {
        self.roles.get(role)?.peak_between(self.offset(from), self.offset(to))
    }

    /// The lowest memory of the role's tree that was sampled from `from` to `to`.
    pub(crate) fn low_between(&self, role: &str, from: Instant, to: Instant) -> Option<u64> {
        self.roles.get(role)?.low_between(self.offset(from), self.offset(to))
    }

    /// The same, with the moment at which it was seen; of several, the last.
    pub(crate) fn lowest_between(&self, role: &str, from: Instant, to: Instant) -> Option<(Instant, u64)> {
        let (at_us, low) = self.roles.get(role)?.lowest_between(self.offset(from), self.offset(to))?;
        Some((self.start + Duration::from_micros(at_us), low))
    }

    /// The memory of the role's tree at the last look before `at`.
    pub(crate) fn at(&self, role: &str, at: Instant) -> Option<u64> {
        self.roles.get(role)?.at(self.offset(at))
    }

    /// The memory of the process at the last look before `at`.
    pub(crate) fn process_at(&self, id: ProcessId, at: Instant) -> Option<u64> {
        self.processes.get(&id)?.at(self.offset(at))
    }

    /// The highest memory of the process that was sampled from `from` to `to`.
    pub(crate) fn process_peak_between(&self, id: ProcessId, from: Instant, to: Instant) -> Option<u64> {
        self.processes.get(&id)?.peak_between(self.offset(from), self.offset(to))
    }

    fn offset(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Ring {
    fn new(capacity: usize) -> Ring {
        Ring { points: VecDeque::new(), capacity }
    }

    fn push(&mut self, at_us: u64, rss_bytes: Option<u64>, excess_bytes: u64) {
        if self.points.len() >= self.capacity {
            self.merge_older_half();
        }
        let kib = |bytes: u64| u32::try_from(bytes / 1024).unwrap_or(NOTHING - 1);
        let last_kib = rss_bytes.map_or(NOTHING, kib);
        let max_kib = rss_bytes.map_or(NOTHING, |bytes| kib(bytes + excess_bytes));
        self.points.push_back(Point { from_us: at_us, to_us: at_us, max_kib, min_kib: last_kib, last_kib });
    }

    fn merge_older_half(&mut self) {
        let half = self.points.len() / 2;
        let newer = self.points.split_off(half);
        let older = std::mem::take(&mut self.points);
        self.points.reserve(self.capacity);
        let older: Vec<Point> = older.into_iter().collect();
        self.points.extend(older.chunks(2).map(merge));
        self.points.extend(newer);
    }

    fn peak_between(&self, from_us: u64, to_us: u64) -> Option<u64> {
        let first = self.points.partition_point(|point| point.to_us < from_us);
        let inside = self.points.range(first..).take_while(|point| point.from_us <= to_us);
        inside.filter_map(|point| bytes(point.max_kib)).max()
    }

    fn low_between(&self, from_us: u64, to_us: u64) -> Option<u64> {
        let first = self.points.partition_point(|point| point.to_us < from_us);
        let inside = self.points.range(first..).take_while(|point| point.from_us <= to_us);
        inside.filter_map(|point| bytes(point.min_kib)).min()
    }

    fn lowest_between(&self, from_us: u64, to_us: u64) -> Option<(u64, u64)> {
        let first = self.points.partition_point(|point| point.to_us < from_us);
        let inside = self.points.range(first..).take_while(|point| point.from_us <= to_us);
        inside
            .filter_map(|point| Some((point.to_us, bytes(point.min_kib)?)))
            .min_by_key(|&(at_us, low)| (low, Reverse(at_us)))
    }

    fn at(&self, at_us: u64) -> Option<u64> {
        let after = self.points.partition_point(|point| point.to_us <= at_us);
        bytes(self.points.get(after.checked_sub(1)?)?.last_kib)
    }
}

fn merge(pair: &[Point]) -> Point {
    let (first, last) = (pair[0], pair[pair.len() - 1]);
    let max_kib = match (first.max_kib, last.max_kib) {
        (NOTHING, other) | (other, NOTHING) => other,
        (one, other) => one.max(other),
    };
    // NOTHING is the highest number, so the lower of the two is right.
    let min_kib = first.min_kib.min(last.min_kib);
    Point { from_us: first.from_us, to_us: last.to_us, max_kib, min_kib, last_kib: last.last_kib }
}

fn bytes(kib: u32) -> Option<u64> {
    (kib != NOTHING).then(|| u64::from(kib) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn questions_about_a_role() {
        let start = Instant::now();
        let mut series = MemorySeries::new(start);
        for (second, mib) in [(0, Some(100)), (1, Some(300)), (2, Some(150)), (3, None), (4, Some(80))] {
            series.push_role("worker", start + SECOND * second, mib.map(|mib: u64| mib * MIB), 0);
        }
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(series.at("worker", at(0)), Some(100 * MIB));
        assert_eq!(series.at("worker", at(1999)), Some(300 * MIB));
        assert_eq!(series.at("worker", at(3500)), None, "nothing was alive");
        assert_eq!(series.at("worker", at(9000)), Some(80 * MIB));
        assert_eq!(series.peak_between("worker", at(0), at(9000)), Some(300 * MIB));
        assert_eq!(series.peak_between("worker", at(1500), at(3500)), Some(150 * MIB));
        assert_eq!(series.peak_between("worker", at(2500), at(3500)), None);
        assert_eq!(series.low_between("worker", at(0), at(9000)), Some(80 * MIB));
        assert_eq!(series.low_between("worker", at(500), at(3500)), Some(150 * MIB), "nothing is not 0");
        assert_eq!(series.low_between("worker", at(2500), at(3500)), None);
        assert_eq!(series.lowest_between("worker", at(500), at(3500)), Some((at(2000), 150 * MIB)));
        assert_eq!(series.peak_between("worker", at(1100), at(1900)), None, "no look in between");
        assert_eq!(series.peak_between("api", at(0), at(9000)), None);
    }

    #[test]
    fn a_moment_between_two_looks_counts_for_the_peak_only() {
        let start = Instant::now();
        let mut series = MemorySeries::new(start);
        series.push_role("worker", start, Some(100 * MIB), 0);
        series.push_role("worker", start + SECOND, Some(100 * MIB), 560 * MIB);
        assert_eq!(series.at("worker", start + SECOND), Some(100 * MIB));
        assert_eq!(series.peak_between("worker", start, start + SECOND), Some(660 * MIB));
        assert_eq!(series.peak_between("worker", start, start), Some(100 * MIB));
    }

    #[test]
    fn a_long_series_stays_bounded_and_keeps_its_peak() {
        let start = Instant::now();
        let mut series = MemorySeries::new(start);
        let pause = Duration::from_millis(20);
        let looks = 200_000u32;
        for n in 0..looks {
            let mib = if n == 777 { 5000 } else { 100 };
            series.push_role("worker", start + pause * n, Some(mib * MIB), 0);
        }
        let end = start + pause * looks;
        assert!(series.roles["worker"].points.len() <= ROLE_POINTS);
        assert_eq!(series.peak_between("worker", start, end), Some(5000 * MIB));
        assert_eq!(
            series.peak_between("worker", end - pause * (ROLE_POINTS as u32 / 2), end),
            Some(100 * MIB)
        );
        let points = &series.roles["worker"].points;
        assert!(points.iter().zip(points.iter().skip(1)).all(|(one, next)| one.to_us < next.from_us));
    }

    #[test]
    fn ended_processes_are_forgotten_in_the_end() {
        let start = Instant::now();
        let mut series = MemorySeries::new(start);
        let id = |pid| ProcessId { pid, start_ticks: 1 };
        for pid in 0..1000 {
            series.push_process(id(pid), start, MIB, 0);
            series.ended(id(pid));
        }
        assert_eq!(series.processes.len(), ENDED_PROCESSES);
        assert_eq!(series.process_at(id(999), start), Some(MIB));
        assert_eq!(series.process_peak_between(id(999), start, start), Some(MIB));
        assert_eq!(series.process_at(id(0), start), None);
    }
}
