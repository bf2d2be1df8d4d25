//! Figures of each process over many readings. The number of ended processes is bounded. Pure.
//!
//! The sampler's summary and the summary of a watch stand on this.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::process::ProcessId;
#[cfg(feature = "cli")]
use crate::units::round;

/// First, lowest, mean, highest and last of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Extent {
    pub(crate) first: f64,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) max: f64,
    pub(crate) last: f64,
    #[serde(skip)]
    count: u64,
}

impl Extent {
    /// That of a single reading.
    pub(crate) fn of(value: f64) -> Extent {
        Extent { first: value, min: value, mean: value, max: value, last: value, count: 1 }
    }

    /// Takes a further reading.
    pub(crate) fn push(&mut self, value: f64) {
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.mean += (value - self.mean) / self.count as f64;
        self.last = value;
    }

    /// Takes a reading, the first or a further one, into `extent`.
    pub(crate) fn add(extent: &mut Option<Extent>, value: f64) {
        match extent {
            None => *extent = Some(Extent::of(value)),
            Some(extent) => extent.push(value),
        }
    }

    /// Takes a peak between two readings.
    pub(crate) fn peak(&mut self, value: f64) {
        self.max = self.max.max(value);
    }

    /// The same, rounded to `digits` decimals.
    #[cfg(feature = "cli")]
    pub(crate) fn rounded(self, decimals: i32) -> Extent {
        let figure = |value| round(value, decimals);
        Extent {
            first: figure(self.first),
            min: figure(self.min),
            mean: figure(self.mean),
            max: figure(self.max),
            last: figure(self.last),
            ..self
        }
    }

    /// The number of readings.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// CPU time is counted in steps of 10 ms; over a shorter time a share means nothing.
const SHORTEST_CPU_SPAN_S: f64 = 0.009;

/// The use of the CPU, in percent of one core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CpuUse {
    /// The first and the last reading: when, and the CPU time until then, in seconds.
    first: (f64, f64),
    last: (f64, f64),
    /// From the first reading to the last; absent as long as there is one.
    pub(crate) mean_percent: Option<f64>,
}

impl CpuUse {
    /// The first reading, at `at_s`, of `cpu_s` seconds of CPU time.
    pub(crate) fn new(at_s: f64, cpu_s: f64) -> CpuUse {
        CpuUse { first: (at_s, cpu_s), last: (at_s, cpu_s), mean_percent: None }
    }

    /// A further reading. Returns the use since the last one, unless too little time has passed.
    pub(crate) fn read(&mut self, at_s: f64, cpu_s: f64) -> Option<f64> {
        let now = (at_s, cpu_s);
        let percent = share(self.last, now)?;
        self.last = now;
        self.mean_percent = share(self.first, now);
        Some(percent)
    }
}

/// CPU use between two pairs of (time, CPU time), in percent of one core.
fn share(from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    let elapsed = to.0 - from.0;
    (elapsed >= SHORTEST_CPU_SPAN_S).then(|| (to.1 - from.1).max(0.0) / elapsed * 100.0)
}

/// The number of ended descendants that are listed; further ones are only counted, since a
/// forking worker ends one a task. Roots are always listed.
pub(crate) const LISTED_ENDED: usize = 256;

/// Something about each process, in the order in which they were first seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed<T> {
    of: HashMap<ProcessId, (u64, T)>,
    /// Descendants that have ended, the oldest first.
    ended: VecDeque<ProcessId>,
    seen: u64,
    /// Ended descendants that are not listed because there are too many.
    pub(crate) unlisted: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Listed<T> {
        Listed { of: HashMap::new(), ended: VecDeque::new(), seen: 0, unlisted: 0 }
    }
}

impl<T> Listed<T> {
    /// That of `id`; where it is seen for the first time, what `new` makes.
    pub(crate) fn entry(&mut self, id: ProcessId, new: impl FnOnce() -> T) -> &mut T {
        let seen = &mut self.seen;
        let entry = self.of.entry(id).or_insert_with(|| {
            *seen += 1;
            (*seen, new())
        });
        &mut entry.1
    }

    /// That of `id`, if it is listed.
    pub(crate) fn get_mut(&mut self, id: ProcessId) -> Option<&mut T> {
        self.of.get_mut(&id).map(|(_, one)| one)
    }

    /// The process has ended. Returns the descendant that is no longer listed for it.
    pub(crate) fn ended(&mut self, id: ProcessId, is_root: bool) -> Option<ProcessId> {
        if is_root || !self.of.contains_key(&id) {
            return None;
        }
        self.ended.push_back(id);
        let oldest = (self.ended.len() > LISTED_ENDED).then(|| self.ended.pop_front()).flatten()?;
        self.of.remove(&oldest);
        self.unlisted += 1;
        Some(oldest)
    }

    /// True if `id` is listed.
    pub(crate) fn contains(&self, id: ProcessId) -> bool {
        self.of.contains_key(&id)
    }

    /// All of them, in the order in which they were first seen.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &T> {
        let mut all: Vec<&(u64, T)> = self.of.values().collect();
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().map(|(_, one)| one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_keeps_its_ends_and_its_mean() {
        let mut extent = None;
        for value in [100.0, 300.0, 200.0] {
            Extent::add(&mut extent, value);
        }
        let mut extent = extent.unwrap();
        assert_eq!((extent.first, extent.min, extent.mean, extent.max), (100.0, 100.0, 200.0, 300.0));
        extent.peak(900.0);
        assert_eq!((extent.last, extent.max, extent.mean, extent.count()), (200.0, 900.0, 200.0, 3));
    }

    #[test]
    fn cpu_use_is_that_since_the_last_reading_and_over_all() {
        let mut cpu = CpuUse::new(0.0, 5.0);
        assert_eq!((cpu.read(1.0, 6.5), cpu.mean_percent), (Some(150.0), Some(150.0)));
        assert_eq!(cpu.read(1.001, 6.6), None, "too soon");
        assert_eq!((cpu.read(2.0, 6.5), cpu.mean_percent), (Some(0.0), Some(75.0)));
    }

    #[test]
    fn ended_descendants_are_bounded_and_the_order_is_kept() {
        let id = |pid| ProcessId { pid, start_ticks: 1 };
        let mut listed = Listed::default();
        for pid in 0..1000 {
            listed.entry(id(pid), || pid);
            let gone = listed.ended(id(pid), pid < 10);
            assert_eq!(
                gone.map(|gone| gone.pid),
                (pid >= 10 + LISTED_ENDED as u32).then(|| pid - LISTED_ENDED as u32)
            );
        }
        let all: Vec<u32> = listed.in_order().copied().collect();
        assert_eq!((all.len(), listed.unlisted), (10 + LISTED_ENDED, 990 - LISTED_ENDED as u64));
        assert!(all.is_sorted() && listed.contains(id(9)) && !listed.contains(id(10)));
        assert_eq!(listed.ended(id(5000), false), None, "it was never seen");
    }
}
