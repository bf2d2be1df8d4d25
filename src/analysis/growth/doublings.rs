//! The verdict over doublings of the number of tasks.
//!
//! What fills and what leaks look alike for a hundred tasks. Over thousands they do not: a leak goes on at its rate
//! from doubling to doubling, what fills has ended. So growth is compared between the last doubling of the number of
//! tasks and the one before it, by the floors of memory ([`Halves`]). The bounds are those that separate 24 real
//! programs over 3,000 tasks (`docs`, "The verdict on growth"): leaks have a ratio of successive rates of 0.96 to
//! 1.35, clean ones grow by at most 2 MB in the last doubling.

use super::points::{Halves, Line, Point, line};
use super::reason::{Grounds, Reason, Unsettled};
use super::rule::is_runtime;
use super::{Answer, Growth, Readings};
use crate::analysis::student;

/// So many tasks are enough for a verdict unless [`Readings::enough`] says otherwise: most caches and pools are full
/// by then, and the two doublings before it leave out the warm-up.
pub const ENOUGH: f64 = 1_000.0;

/// Where tasks take so long that a thousand do not fit, as many as fit this many seconds are enough…
const ENOUGH_S: f64 = 50.0;
/// …and no fewer than these.
const LEAST_TASKS: f64 = 80.0;

/// How many tasks are enough at `per_second` tasks a second.
pub(in crate::analysis) fn enough(per_second: f64) -> f64 {
    (ENOUGH_S * per_second).clamp(LEAST_TASKS, ENOUGH)
}

/// After this many times as many, growth that goes on is a leak whatever it comes to: a cache that takes an entry with
/// every task and holds 2,048 has ended by then.
const LONG: f64 = 2.5;

/// The rate of the last doubling as a share of the one before it, where growth goes on. Leaks under noise and on one
/// task in five lie within 0.7 to 1.4; one that began on the way is faster in the later.
pub(super) const STEADY: std::ops::RangeInclusive<f64> = 0.6..=1.7;

/// No half of a doubling grows by less than this share of the whole.
const PAUSE: f64 = 0.3;

/// A plateau shorter than this share of all tasks is a step, not a pause.
const STEP: f64 = 0.1;

/// Growth of less than this in the last doubling is within what allocators do, in MB.
const LEAST_MB: f64 = 2.0;

/// Readings in the last two doublings, before which nothing is said.
pub(super) const LEAST_READINGS: usize = 6;

/// Steady growth by more than this in the last doubling is followed up, in MB.
const TRACE_MB: f64 = 0.3;

/// Chance that growth which is none is called certain, at each look: there are at most some forty.
const ERROR: f64 = 0.000_5;

/// Chance of an error at each end of the interval that is reported.
const INTERVAL_ERROR: f64 = 0.01;

/// Growth by this much within two doublings needs no thousand tasks: few caches are as large, and going on costs the
/// machine its memory, in MB…
const LARGE_MB: f64 = 1_024.0;
/// …nor four thousand where it is this much.
const RISE_MB: f64 = 256.0;

/// The heap of a large runtime rises to a limit of its own first, commonly a 64th of the machine's memory. It has to
/// come further than this in all, in MB.
const RUNTIME_MB: f64 = 320.0;

/// Memory is flat if the last doubling adds at most this, in MB…
const FLAT_MB: f64 = 3.0;
/// …or this for each task, as long as it comes to no more than a heap wanders by…
const FLAT_PER_TASK_MB: f64 = 10.0 / 1024.0;
const FLAT_MOST_MB: f64 = 24.0;
/// …or this share of what is held.
const FLAT_SHARE: f64 = 0.01;
/// A fall by more than this, or this share, hides what was kept meanwhile.
const FALL_MB: f64 = 20.0;
const FALL_SHARE: f64 = 0.05;

/// A bound as small as this ends the search, in MB per task.
const FINE_MB: f64 = 10.0 / 1024.0;

/// Judges readings whose places say how many tasks lie between them.
pub(super) fn growth_over_doublings(readings: &Readings<'_>) -> Growth {
    let points = points(readings);
    let tasks = points.last().map_or(0.0, |last| last.at);
    let enough = readings.enough.unwrap_or(ENOUGH);
    let few = || open(tasks, Reason::Few { tasks: tasks as usize, enough: enough as usize });
    let finite = points.iter().all(|point| point.mb.is_finite() && point.at.is_finite());
    let Some(halves) = Halves::of(&points).filter(|_| finite) else { return few() };
    let Some(judge) = Judge::of(readings, &points, halves, enough) else { return few() };
    let growth = judge.growth();
    Growth { tasks: tasks as usize, per_second: readings.per_second, ..growth }
}

fn points(readings: &Readings<'_>) -> Vec<Point> {
    let place = |index: usize| readings.at.get(index).copied().unwrap_or((index + 1) as f64);
    readings.after_mb.iter().enumerate().map(|(index, &mb)| Point { at: place(index), mb }).collect()
}

/// Nothing decided.
fn open(tasks: f64, reason: Reason) -> Growth {
    Growth {
        answer: Answer::Inconclusive,
        reason,
        rate_mb_per_task: None,
        low: None,
        high: None,
        growing: false,
        beside: false,
        tasks: tasks as usize,
        tasks_needed: (tasks as usize).max(1),
        detectable_mb_per_task: None,
        firm: false,
        per_second: None,
        by_input: Vec::new(),
    }
}

struct Judge {
    halves: Halves,
    /// Through the readings of the last two doublings.
    line: Line,
    tasks: f64,
    enough: f64,
    /// What a large runtime's heap may rise by on its own, in MB; none for other programs.
    heap_mb: Option<f64>,
    /// From the first reading to the floor of the last half of a doubling, in MB.
    whole_mb: f64,
    /// Freed memory that could still be resident, and take up a leak unseen, in MB.
    slack_mb: f64,
    /// Growth in the last doubling and in the one before, in MB per task.
    late: f64,
    early: f64,
    /// Growth of the last doubling, in MB.
    last_mb: f64,
}

impl Judge {
    fn of(readings: &Readings<'_>, points: &[Point], halves: Halves, enough: f64) -> Option<Judge> {
        let line = line(&halves.recent).filter(|_| halves.recent.len() >= LEAST_READINGS)?;
        let (late, early, last_mb) = (halves.rate(2, 0)?, halves.rate(4, 2)?, halves.rise(2, 0)?);
        let whole_mb = halves.floors[0]?.mb - points.first()?.mb;
        let slack_mb = readings.slack_mb.unwrap_or(whole_mb.max(0.0) + LEAST_MB);
        let tasks = halves.last.at;
        let runtime = is_runtime(readings.file_mb).then_some(RUNTIME_MB);
        let heap_mb = readings.heap_mb.or(runtime);
        Some(Judge { halves, line, tasks, enough, heap_mb, whole_mb, slack_mb, late, early, last_mb })
    }

    fn growth(&self) -> Growth {
        let half = student::exceeded(INTERVAL_ERROR, self.line.freedom) * self.line.error;
        let told = |reason| Growth {
            rate_mb_per_task: Some(self.line.slope),
            low: Some(self.line.slope - half),
            high: Some(self.line.slope + half),
            detectable_mb_per_task: Some(self.bound()),
            ..open(self.tasks, reason)
        };
        if self.certain() && self.steady() {
            let rise_mb = self.halves.rise(4, 0).unwrap_or(self.last_mb);
            return match self.grounds(rise_mb) {
                Some((grounds, firm)) => Growth {
                    answer: Answer::Leak,
                    growing: true,
                    tasks_needed: 0,
                    firm,
                    ..told(Reason::GoesOn { rise_mb, tasks: self.tasks as usize, grounds })
                },
                None => {
                    let reason = Reason::StillFew {
                        rate_mb: self.line.slope,
                        rise_mb: self.whole_mb,
                        runtime: self.heap_mb.is_some(),
                    };
                    Growth { growing: true, ..told(reason) }
                }
            };
        }
        if self.tasks < self.enough {
            return told(Reason::Few { tasks: self.tasks as usize, enough: self.enough as usize });
        }
        if self.flat() {
            let bound = self.bound();
            return Growth {
                answer: Answer::Clean,
                tasks_needed: 0,
                // Growth that goes on, however small for each task, is worth more tasks.
                firm: bound <= FINE_MB
                    && self.last_mb <= FLAT_MB
                    && !(self.steady() && self.last_mb > TRACE_MB),
                ..told(Reason::Flat {
                    bound_mb: bound,
                    rise_mb: self.whole_mb,
                    tasks: self.tasks as usize,
                    filled: self.filled(),
                })
            };
        }
        told(Reason::Unsettled { why: self.unsettled(), late_mb: self.late, early_mb: self.early })
    }

    /// Growth is no chance of the readings, and more than an allocator's wandering.
    fn certain(&self) -> bool {
        let error = student::exceeded(ERROR, self.line.freedom) * self.line.error;
        self.line.slope > error && self.last_mb >= LEAST_MB
    }

    /// The last doubling grows as the one before it did, without a pause, and up to its end.
    fn steady(&self) -> bool {
        let least = PAUSE * self.line.slope;
        let parts = (0..4).all(|half| self.without_pause(half, least));
        self.early > 0.0 && STEADY.contains(&(self.late / self.early)) && parts && self.goes_on(least)
    }

    /// Growth does not pause between the floor of the half before and that of `half`. Floors close to the edge between
    /// the two say nothing: a collected heap rises in steps.
    fn without_pause(&self, half: usize, least: f64) -> bool {
        let floors = self.halves.floors[half + 1].zip(self.halves.floors[half]);
        floors.is_some_and(|(from, to)| {
            self.is_step(from, to) || (to.mb - from.mb) / (to.at - from.at) >= least
        })
    }

    /// Growth has not ended within the last half of a doubling.
    fn goes_on(&self, least: f64) -> bool {
        let Some(floor) = self.halves.floors[0] else { return false };
        let last = self.halves.last;
        self.is_step(floor, last) || (last.mb - floor.mb) / (last.at - floor.at) >= least
    }

    /// True if too few tasks lie between `from` and `to` to call it a pause.
    fn is_step(&self, from: Point, to: Point) -> bool {
        to.at - from.at < STEP * self.tasks
    }

    /// Why steady growth is a leak, and whether more tasks could still show otherwise.
    fn grounds(&self, rise_mb: f64) -> Option<(Grounds, bool)> {
        if self.heap_mb.is_some_and(|heap_mb| self.whole_mb < heap_mb) {
            return None;
        }
        if rise_mb >= LARGE_MB && self.tasks >= 24.0 {
            return Some((Grounds::Large, true));
        }
        let long = self.tasks >= LONG * self.enough;
        if self.tasks < self.enough {
            return None;
        }
        Some((Grounds::Doublings, long || rise_mb >= RISE_MB))
    }

    /// Standard deviation of the readings of the last doubling about their line, in MB.
    fn noise_mb(&self) -> f64 {
        let edge = 0.4 * self.tasks;
        let late: Vec<Point> = self.halves.recent.iter().copied().filter(|point| point.at > edge).collect();
        line(&late).map_or(self.line.noise_mb, |line| line.noise_mb)
    }

    /// What the last doubling may have added, and what its fall may hide, in MB.
    fn hidden_mb(&self) -> f64 {
        self.last_mb.abs() + 2.0 * self.noise_mb()
    }

    fn flat(&self) -> bool {
        let held = self.halves.floors[0].map_or(0.0, |floor| floor.mb);
        let added = self.last_mb.max(0.0) + 2.0 * self.noise_mb();
        let small_mb = (FLAT_PER_TASK_MB * self.tasks / 2.0).min(FLAT_MOST_MB);
        let limit = FLAT_MB.max(small_mb).max(FLAT_SHARE * held);
        added <= limit && -self.last_mb <= FALL_MB.max(FALL_SHARE * held)
    }

    /// The most that each task can have kept: what the last doubling leaves open, and all that could hide in memory
    /// that was free before.
    fn bound(&self) -> f64 {
        let hidden = self.hidden_mb();
        (2.0 * hidden / self.tasks).max((hidden + self.slack_mb) / self.tasks)
    }

    /// Memory rose, and the last doubling excludes that it goes on at that rate.
    fn filled(&self) -> bool {
        let before = self.whole_mb / self.tasks;
        self.whole_mb >= 10.0 && 2.0 * self.hidden_mb() / self.tasks < 0.5 * before
    }

    fn unsettled(&self) -> Unsettled {
        let error = 2.0 * self.noise_mb() / (0.35 * self.tasks);
        if -self.last_mb > FALL_MB {
            Unsettled::Falls
        } else if self.late > error && self.late + error < *STEADY.start() * self.early {
            Unsettled::Slows
        } else if self.late > error {
            Unsettled::Grows
        } else {
            Unsettled::Noisy
        }
    }
}
