//! The memory of each role over a watch, in bounded space, and the verdict on it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::judge::Judged;
use crate::console::GrowthNow;
use crate::readings::{Axis, MemoryUnit, Series};
use crate::sampler::{Boundary, ProcessId};
use crate::units::to_mb;

/// The most floors that are kept of a role: where more are read, two neighbours become one.
const MOST: usize = 1024;

/// A role needs this many readings before anything is said of it.
const LEAST: usize = 8;

/// The floor of a stretch of readings.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Floor {
    at_s: f64,
    mb: f64,
}

/// The readings of a role while the same processes answered for it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Life {
    roots: BTreeSet<ProcessId>,
    floors: Vec<Floor>,
    /// Readings that share a floor: a power of two.
    shared: usize,
    /// Readings in the last floor.
    filled: usize,
    readings: usize,
    private: bool,
}

impl Life {
    fn of(roots: BTreeSet<ProcessId>, private: bool) -> Life {
        Life { roots, private, shared: 1, ..Life::default() }
    }

    fn add(&mut self, reading: Floor) {
        self.readings += 1;
        match self.floors.last_mut().filter(|_| self.filled < self.shared) {
            Some(last) if reading.mb < last.mb => *last = reading,
            Some(_) => {}
            None => {
                if self.floors.len() == MOST {
                    let lower = |pair: &[Floor]| if pair[1].mb < pair[0].mb { pair[1] } else { pair[0] };
                    self.floors = self.floors.chunks_exact(2).map(lower).collect();
                    self.shared *= 2;
                }
                self.floors.push(reading);
                self.filled = 0;
            }
        }
        self.filled += 1;
    }

    fn seconds(&self) -> f64 {
        self.floors.first().zip(self.floors.last()).map_or(0.0, |(first, last)| last.at_s - first.at_s)
    }
}

/// The memory of one role.
#[derive(Debug, Clone, Default, PartialEq)]
struct Trace {
    present: Option<Life>,
    /// The longest of those that are over.
    longest: Option<Life>,
    lives: usize,
}

impl Trace {
    fn longest(&self) -> Option<&Life> {
        let lives = self.longest.iter().chain(&self.present);
        lives.max_by(|a, b| a.seconds().total_cmp(&b.seconds()))
    }
}

/// The memory of all roles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Traces(BTreeMap<String, Trace>);

impl Traces {
    /// Adds the look at `at_s`. A role whose processes were replaced begins a new life: no figure is compared
    /// across a restart.
    pub(super) fn take(&mut self, looked: &BTreeMap<String, Boundary>, at_s: f64) {
        for (role, boundary) in looked {
            let roots: BTreeSet<ProcessId> =
                boundary.processes.iter().filter(|(one, _)| one.is_root).map(|(one, _)| one.id).collect();
            if roots.is_empty() {
                continue;
            }
            let all = || boundary.processes.iter();
            let private_bytes: Option<u64> =
                all().map(|(one, details)| Some(one.private_bytes? + details.swap_bytes.unwrap_or(0))).sum();
            let private = private_bytes.is_some();
            let bytes = private_bytes.unwrap_or_else(|| all().map(|(one, _)| one.rss_bytes).sum());
            let trace = self.0.entry(role.clone()).or_default();
            let goes_on =
                trace.present.as_ref().is_some_and(|life| life.roots == roots && life.private == private);
            if !goes_on {
                trace.longest = trace.longest().cloned();
                trace.present = Some(Life::of(roots, private));
                trace.lives += 1;
            }
            if let Some(life) = &mut trace.present {
                life.add(Floor { at_s, mb: to_mb(bytes) });
            }
        }
    }

    /// Growth so far of each role that can be judged, with its current verdict.
    pub(super) fn so_far(&self) -> Vec<GrowthNow> {
        let enough = |trace: &&Trace| trace.longest().is_some_and(|life| life.readings >= LEAST);
        let judged = self.0.iter().filter(|(_, trace)| enough(trace));
        judged.filter_map(|(role, trace)| verdict(role, trace.longest()?, trace.lives).so_far(role)).collect()
    }

    /// The verdict on each role, by the rule of `highwater judge`.
    pub(super) fn verdicts(&self) -> Vec<Judged> {
        self.0.iter().filter_map(|(role, trace)| Some(verdict(role, trace.longest()?, trace.lives))).collect()
    }
}

fn verdict(role: &str, life: &Life, lives: usize) -> Judged {
    let lives_note = format!(
        "{role} had {lives} sets of processes; the verdict is on the longest-lived, over {}",
        crate::units::span(life.seconds())
    );
    let series = Series {
        name: Some(role.to_string()),
        sum: true,
        after_mb: life.floors.iter().map(|floor| floor.mb).collect(),
        at: Axis::Seconds(life.floors.iter().map(|floor| floor.at_s).collect()),
        file_mb: None,
        beside_mb: Vec::new(),
        column: if life.private { "private_mb" } else { "rss_mb" }.to_string(),
        unit: Some(MemoryUnit::Megabytes),
        notes: (lives > 1).then_some(lives_note).into_iter().collect(),
        inputs: Vec::new(),
        incomparable: (life.readings < LEAST)
            .then(|| format!("{} readings are too few; watch for longer", life.readings)),
    };
    Judged::of(&series, None)
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::look;
    use super::*;
    use crate::analysis::Answer;

    /// A watch of `seconds`, a look a second, at a worker whose memory is as `mb` says.
    fn watched(seconds: u32, pid: impl Fn(u32) -> u32, mb: impl Fn(u32) -> u64) -> Judged {
        let mut traces = Traces::default();
        for second in 0..seconds {
            // `look` counts half of a process as private memory.
            let looked = look(&[(pid(second), true, 2 * mb(second), 0.0, 5)]);
            traces.take(&looked, f64::from(second));
        }
        traces.verdicts().remove(0)
    }

    #[test]
    fn a_role_that_grows_for_hours_leaks_and_one_that_stays_does_not() {
        let leak = watched(8 * 3600, |_| 7, |second| 500 + u64::from(second / 30));
        assert_eq!(leak.growth.answer, Answer::Leak, "{}", leak.sentence(200.0));
        assert!(leak.sentence(200.0).contains("MB per hour"), "{}", leak.sentence(200.0));
        let clean = watched(8 * 3600, |_| 7, |second| 500 + u64::from(second % 40));
        assert_eq!(clean.growth.answer, Answer::Clean, "{}", clean.sentence(200.0));
    }

    #[test]
    fn what_is_known_so_far_is_the_verdict_of_a_watch_that_ends_now() {
        let mut traces = Traces::default();
        for second in 0..3600_u32 {
            traces.take(&look(&[(7, true, 1000 + u64::from(second / 10), 0.0, 5)]), f64::from(second));
            if second == 5 {
                assert_eq!(traces.so_far(), [], "too few readings");
            }
        }
        let (so_far, verdict) = (traces.so_far(), traces.verdicts());
        assert_eq!((so_far.len(), so_far[0].answer), (1, verdict[0].growth.answer));
        assert!((so_far[0].rate_mb - 180.0).abs() < 10.0, "{so_far:?}");
    }

    #[test]
    fn a_restart_begins_a_new_life_and_is_named() {
        let one = watched(3000, |second| 7 + second / 2000, |second| 500 + u64::from(second % 2000));
        assert_eq!(one.growth.answer, Answer::Leak, "{}", one.sentence(200.0));
        assert!(one.notes[0].contains("worker had 2 sets of processes"), "{:?}", one.notes);
    }

    #[test]
    fn a_week_takes_no_more_space_than_an_hour_and_keeps_its_floors() {
        let mut life = Life::of(BTreeSet::new(), true);
        for second in 0..604_800_u32 {
            life.add(Floor { at_s: f64::from(second), mb: 100.0 + f64::from(second % 60) });
        }
        assert!(life.floors.len() <= MOST, "{}", life.floors.len());
        assert!(life.floors.iter().all(|floor| floor.mb == 100.0), "{:?}", life.floors);
        assert!(life.seconds() > 603_000.0, "{}", life.seconds());
    }

    #[test]
    fn a_few_looks_decide_nothing() {
        assert_eq!(watched(5, |_| 7, |_| 500).growth.answer, Answer::Inconclusive);
    }
}
