//! The live state of a run: for the live block, the metrics endpoint and the dashboard. Pure.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::analysis::Answer;
use crate::readings::Per;
use crate::record::{Criterion, Phase, TaskStatus, Verdict};
use crate::sampler::{Boundary, RoleReading};
use crate::units::{round, to_mb};

/// The live state of a run, a soak or a watch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Board {
    /// The name of the service or of the watched processes.
    pub title: String,
    /// Since the start, in seconds.
    pub elapsed_s: f64,
    /// The phase that goes on; absent between phases and in a watch.
    pub phase: Option<Phase>,
    /// The current activity, in lines.
    pub doing: String,
    /// The level of the ramp that is tried.
    pub level: Option<u32>,
    /// The highest level of the ramp that has held.
    pub held: Option<u32>,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that took too long.
    pub timed_out: u64,
    /// Tasks that have been sent and not ended.
    pub outstanding: u64,
    /// Tasks that ended, per second, lately; absent before the first.
    pub tasks_per_s: Option<f64>,
    /// The processes of each role.
    pub roles: BTreeMap<String, RoleNow>,
    /// Growth so far.
    pub growth: Vec<GrowthNow>,
    /// The criteria that have been judged.
    pub criteria: Vec<Criterion>,
    /// Warnings so far.
    pub warnings: u64,
    /// The last of them.
    pub last_warning: Option<String>,
    /// True once it is over.
    pub ended: bool,
    #[serde(skip)]
    pub(crate) pace: Pace,
}

/// The processes of a role at the last look.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RoleNow {
    /// Its live processes.
    pub processes: usize,
    /// Resident memory, in MB; absent while none is alive.
    pub rss_mb: Option<f64>,
    /// Private memory, in MB, where it is known.
    pub private_mb: Option<f64>,
    /// CPU use, in percent of one core, where it is known.
    pub cpu_percent: Option<f64>,
    /// CPU time since the start, also of processes that have ended, in seconds.
    pub cpu_s: f64,
    /// Threads, where they are known.
    pub threads: Option<u64>,
    /// Open descriptors, where they are known.
    pub fds: Option<u64>,
    /// Resident memory since the start.
    pub trail: Trail,
}

/// Growth so far, with its current verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GrowthNow {
    /// The role whose memory grows.
    pub role: String,
    /// Per task or per hour.
    pub per: Per,
    /// MB per task or hour.
    pub rate_mb: f64,
    /// The bounds of its 98 % interval, where there is one.
    pub interval_mb: Option<(f64, f64)>,
    /// The current verdict.
    pub answer: Answer,
}

/// Readings of memory as (seconds, MB), in bounded space.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Trail {
    points: Vec<(f64, f64)>,
    /// Readings that share a point, less one.
    #[serde(skip)]
    more: usize,
    /// Readings in the last point, less one.
    #[serde(skip)]
    filled: usize,
}

impl Trail {
    /// The most points that are kept: where there are more readings, the highest of several is.
    pub const MOST: usize = 512;

    /// Adds a reading.
    pub fn add(&mut self, at_s: f64, mb: f64) {
        if let Some(last) = self.points.last_mut().filter(|_| self.filled < self.more) {
            self.filled += 1;
            if mb > last.1 {
                *last = (at_s, mb);
            }
            return;
        }
        if self.points.len() == Trail::MOST {
            let higher = |pair: &[(f64, f64)]| if pair[1].1 > pair[0].1 { pair[1] } else { pair[0] };
            self.points = self.points.chunks_exact(2).map(higher).collect();
            self.more = 2 * self.more + 1;
        }
        self.points.push((at_s, mb));
        self.filled = 0;
    }

    /// The readings, in MB.
    pub fn mb(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.1).collect()
    }
}

/// Ends of tasks in the last seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pace {
    /// Seconds with the number of tasks that ended in each.
    ends: VecDeque<(u64, u64)>,
    first_s: Option<f64>,
}

impl Pace {
    /// The time over which the rate is taken, in seconds.
    const WINDOW_S: u64 = 30;

    fn ended(&mut self, at_s: f64) {
        self.first_s.get_or_insert(at_s);
        match self.ends.back_mut().filter(|(second, _)| *second == at_s as u64) {
            Some((_, count)) => *count += 1,
            None => self.ends.push_back((at_s as u64, 1)),
        }
        self.forget(at_s);
    }

    fn forget(&mut self, now_s: f64) {
        while self.ends.front().is_some_and(|(second, _)| second + Pace::WINDOW_S < now_s as u64) {
            self.ends.pop_front();
        }
    }

    fn per_second(&mut self, now_s: f64) -> Option<f64> {
        self.forget(now_s);
        let over = (now_s - self.first_s?).clamp(1.0, Pace::WINDOW_S as f64);
        Some(self.ends.iter().map(|(_, count)| *count as f64).sum::<f64>() / over)
    }
}

impl Board {
    /// A task was sent.
    pub fn sent(&mut self) {
        self.outstanding += 1;
    }

    /// A task ended at `at_s` seconds.
    pub fn ended(&mut self, status: TaskStatus, at_s: f64) {
        // Those of a block have an end, and no beginning of their own.
        self.outstanding = self.outstanding.saturating_sub(1);
        match status {
            TaskStatus::Success => self.succeeded += 1,
            TaskStatus::Failed => self.failed += 1,
            TaskStatus::Timeout => self.timed_out += 1,
        }
        self.pace.ended(at_s);
    }

    /// The time is now `at_s` seconds.
    pub fn passed(&mut self, at_s: f64) {
        self.elapsed_s = round(at_s, 3);
        self.tasks_per_s = self.pace.per_second(at_s);
    }

    /// A look at the processes, at `at_s` seconds.
    pub fn look(&mut self, looked: &BTreeMap<String, RoleReading>, at_s: f64) {
        for (name, reading) in looked {
            let role = self.roles.entry(name.clone()).or_default();
            let all = &reading.processes;
            role.processes = all.len();
            role.rss_mb = reading.rss_bytes.map(|bytes| round(to_mb(bytes), 2));
            let private: Option<u64> = all.iter().map(|one| one.private_bytes).sum();
            role.private_mb = private.filter(|_| role.rss_mb.is_some()).map(|bytes| round(to_mb(bytes), 2));
            let cpu = all.iter().map(|one| one.knows_cpu.then_some(one.cpu_percent)).sum::<Option<f64>>();
            role.cpu_percent = cpu.filter(|_| !all.is_empty()).map(|percent| round(percent, 1));
            role.cpu_s = round(reading.cpu_seconds, 3);
            role.threads = all
                .iter()
                .map(|one| one.threads.map(u64::from))
                .sum::<Option<u64>>()
                .filter(|_| !all.is_empty());
            if all.is_empty() {
                role.fds = None;
            }
            if let Some(mb) = role.rss_mb {
                role.trail.add(round(at_s, 1), mb);
            }
        }
    }

    /// Takes figures that cost more than a look, such as descriptors.
    pub fn look_closer(&mut self, looked: &BTreeMap<String, Boundary>) {
        for (name, boundary) in looked {
            self.roles.entry(name.clone()).or_default().fds = boundary.footprint.fds;
        }
    }

    /// The current verdict: the worst of the criteria and of growth, inconclusive while there is none.
    pub fn verdict(&self) -> Verdict {
        let judged = self.criteria.iter().map(|found| found.verdict);
        let grown = self.growth.iter().map(|found| found.answer.verdict());
        judged.chain(grown).max().unwrap_or(Verdict::Inconclusive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_tasks_is_that_of_the_last_half_minute() {
        let mut board = Board::default();
        board.passed(5.0);
        assert_eq!(board.tasks_per_s, None);
        (0..40).for_each(|at| board.ended(TaskStatus::Success, f64::from(at) / 2.0));
        board.passed(20.0);
        assert_eq!(board.tasks_per_s, Some(2.0));
        board.passed(100.0);
        assert_eq!(board.tasks_per_s, Some(0.0));
        board.ended(TaskStatus::Timeout, 100.0);
        assert_eq!((board.succeeded, board.timed_out, board.failed), (40, 1, 0));
    }

    #[test]
    fn what_is_outstanding_is_never_below_none() {
        let mut board = Board::default();
        board.sent();
        board.sent();
        board.ended(TaskStatus::Failed, 1.0);
        assert_eq!(board.outstanding, 1);
        (0..3).for_each(|_| board.ended(TaskStatus::Success, 2.0));
        assert_eq!(board.outstanding, 0);
    }

    #[test]
    fn a_long_trail_is_bounded_and_keeps_its_peak() {
        let mut trail = Trail::default();
        for second in 0..86_400 {
            trail.add(f64::from(second), if second == 40_001 { 900.0 } else { f64::from(second % 50) });
        }
        assert!(
            trail.mb().len() <= Trail::MOST && trail.mb().len() >= Trail::MOST / 2,
            "{}",
            trail.mb().len()
        );
        assert!(trail.mb().contains(&900.0));
        assert!(trail.points.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn one_failure_decides_and_what_is_open_is_no_pass() {
        let growth = |answer| GrowthNow {
            role: "worker".to_string(),
            per: Per::Task,
            rate_mb: 1.0,
            interval_mb: None,
            answer,
        };
        let verdict = |answers: &[Answer]| {
            let growth = answers.iter().copied().map(growth).collect();
            Board { growth, ..Board::default() }.verdict()
        };
        assert_eq!(verdict(&[]), Verdict::Inconclusive);
        assert_eq!(verdict(&[Answer::Clean]), Verdict::Pass);
        assert_eq!(verdict(&[Answer::Clean, Answer::Inconclusive]), Verdict::Inconclusive);
        assert_eq!(verdict(&[Answer::Inconclusive, Answer::Leak]), Verdict::Fail);
    }
}
