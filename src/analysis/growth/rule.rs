//! From readings to a verdict.
//!
//! Growth is a leak when it is *certain* (its interval lies above nothing),
//! *steady* (it does not slow down, has not ended, and no third of it stands
//! still) and has *outlasted what fills*: it has gone on for longer, or risen by
//! more, than caches, pools and heaps do. Without the last it is "growing", which
//! is inconclusive: a fill at a constant rate cannot be told from a leak by
//! memory alone before it ends.
//!
//! The bounds ([`Bounds`]) come from recordings of real processes
//! (`fixtures/leak-traces`); `docs/src/verdict.md` has the table of what they achieve,
//! and on which part of the recordings they were chosen.

use super::bounds::Bounds;
use super::floors::kept;
use super::reason::{Grounds, Reason, Undecided};
use super::trend::{ended, laplace, slowest, step_size};
use super::window::{Window, joined, share, window};
use super::{Answer, Growth, Readings};

/// Readings before which nothing is said: shorter ones make no window.
pub(super) const MIN_TASKS: usize = 8;

/// Chance of an error at each end of an interval: both together leave 98 %.
const ERROR: f64 = 0.01;

/// The same for the check that growth still goes on in the last half.
const RECENT_ERROR: f64 = 0.1;

/// Growth below this is not told from the wandering of an allocator, in MB per task.
const NOTHING_MB: f64 = 25.0 / 1024.0;

/// From this much memory mapped from files on, a process is a large runtime
/// (JavaScript engines map some 38 MB, Java's 21 MB, Python 6 MB, C 2 MB), whose
/// heap grows to a limit of its own before anything in it is collected.
const RUNTIME_MB: f64 = 18.0;

/// So many tasks have to be in the window of growth that is a leak for its duration…
const LONG_WINDOW: usize = 48;
/// …and so many if it is small.
const SMALL_WINDOW: usize = 50;

/// Growth by entries of 1.5 to 6 MB is what a large cache looks like.
const ENTRIES_MB: std::ops::Range<f64> = 1.5..6.0;

/// A large runtime's growth must rise by this many MB, and never rest for twelve tasks.
pub(in crate::analysis) const RUNTIME_RISE_MB: f64 = 80.0;

/// A service is called clean where growth above this is ruled out over so many
/// tasks, in MB per task, by the window that knows most…
const CLEAN_MB: f64 = 500.0 / 1024.0;
const CLEAN_TASKS: usize = 16;

/// …and above this by every window, so that no late pause hides an earlier leak.
const CLEAN_ALL_MB: f64 = 1000.0 / 1024.0;

/// Starts of the joined windows, as shares of the tasks.
const STARTS: [f64; 3] = [0.1, 0.35, 0.6];
/// Those of a clean verdict: what came before is a warm-up that is over.
const CLEAN_STARTS: [f64; 3] = [0.2, 0.35, 0.6];
/// Fewer readings than this say nothing against a service that is clean over more.
const CLEAN_LEAST: usize = 12;

/// Nearly all of a rise.
const RISEN: f64 = 0.95;

/// Judges one series, [`Readings::after_mb`], within `bounds` of what a leak is; with others
/// than the default it is for measuring what the bounds do.
pub fn growth_within(readings: &Readings<'_>, bounds: &Bounds) -> Growth {
    let after = readings.after_mb;
    let tasks = after.len();
    if tasks < MIN_TASKS || after.iter().any(|reading| !reading.is_finite()) {
        return undecided(
            tasks,
            None,
            None,
            Reason::TooShort { tasks, least: MIN_TASKS },
            20_usize.saturating_sub(tasks).max(1),
        );
    }
    let looks = f64::from(readings.looks.max(1));
    let interval = joined(after, STARTS, 0, ERROR);
    let judge = Judge { readings, held: kept(after), error: bounds.error / looks, bounds };
    if let Some(growing) = judge.strongest() {
        return match growing.grounds {
            Some(grounds) => {
                let (rise_mb, tasks_of) = (growing.window.rise, growing.window.tasks);
                let reason = Reason::Leak { rise_mb, tasks: tasks_of, grounds };
                let told = undecided(tasks, interval, Some(&growing.window), reason, 0);
                // That it grows is certain, whatever the joined windows leave open.
                let low = told.low.map(|low| low.max(NOTHING_MB));
                Growth { answer: Answer::Leak, low, growing: true, firm: true, ..told }
            }
            None => {
                let needed = judge.tasks_needed(&growing);
                let Growing { window, slowing, .. } = &growing;
                let reason =
                    Reason::Growing { rate_mb: window.rate, rise_mb: window.rise, slowing: *slowing };
                let told = undecided(tasks, interval, Some(&growing.window), reason, needed);
                Growth { growing: true, ..told }
            }
        };
    }
    let narrowest = narrowest(after, ERROR / looks);
    let all = joined(after, CLEAN_STARTS, CLEAN_LEAST, ERROR);
    match (&narrowest, all) {
        (Some(window), Some(all))
            if window.tasks >= CLEAN_TASKS
                && window.high.max(window.late) < CLEAN_MB
                && all.1 < CLEAN_ALL_MB =>
        {
            // What was free and still resident, and what came down meanwhile, takes up a leak unseen.
            let rise_mb = rise(after);
            let hidden_mb = readings.slack_mb.unwrap_or(0.0) + (-rise_mb).max(0.0);
            let high = widened(all).1.max(hidden_mb / tasks as f64);
            let filled = window.high.max(window.late) < 0.5 * rise_mb / tasks as f64;
            let reason =
                Reason::Clean { high_mb: high, rise_mb, tasks, risen_by: risen_by(after, rise_mb), filled };
            Growth {
                answer: Answer::Clean,
                tasks_needed: 0,
                detectable_mb_per_task: Some(high),
                firm: true,
                ..undecided(tasks, Some(all), Some(window), reason, 0)
            }
        }
        (Some(window), _) => {
            let flat = window.high.max(window.late) < CLEAN_MB;
            let (why, needed) = if flat && window.tasks < CLEAN_TASKS {
                // The window leaves out the same share of more tasks.
                let skipped = tasks - window.tasks;
                let enough = |more: &usize| (tasks + more) - (tasks + more) * skipped / tasks >= CLEAN_TASKS;
                (Undecided::Few, (1..).find(enough).unwrap_or(CLEAN_TASKS))
            } else {
                let why = if flat { Undecided::Lately } else { Undecided::Noisy };
                (why, if tasks < 20 { 20 - tasks } else { (tasks / 2).max(8) })
            };
            let (low_mb, high_mb) = interval.map_or((window.low, window.high), widened);
            let reason = Reason::Undecided { why, low_mb, high_mb };
            undecided(tasks, interval, Some(window), reason, needed)
        }
        (None, _) => undecided(
            tasks,
            interval,
            None,
            Reason::TooShort { tasks, least: 20 },
            20_usize.saturating_sub(tasks).max(1),
        ),
    }
}

/// Growth that is certain.
struct Growing {
    window: Window,
    /// Set where it is a leak.
    grounds: Option<Grounds>,
    /// True if it slows down or has ended.
    slowing: bool,
}

/// What growth is judged by.
struct Judge<'a> {
    readings: &'a Readings<'a>,
    /// What of each reading was still held at the end.
    held: Vec<f64>,
    /// Chance that what does not grow is called certain to.
    error: f64,
    bounds: &'a Bounds,
}

impl Judge<'_> {
    /// Certain growth in one of three windows: one that leaves out a warm-up, and
    /// two later ones, since a cache may have filled meanwhile beside a leak that
    /// goes on. One that makes it a leak goes first, then the longest.
    fn strongest(&self) -> Option<Growing> {
        let tasks = self.held.len();
        let mut starts = vec![share(tasks, 0.2).max(3), share(tasks, 0.35), share(tasks, 0.5)];
        starts.dedup();
        let found: Vec<Growing> = starts.into_iter().filter_map(|start| self.growing(start)).collect();
        let leak = found.iter().position(|growing| growing.grounds.is_some());
        found.into_iter().nth(leak.unwrap_or(0))
    }

    fn growing(&self, start: usize) -> Option<Growing> {
        let (after, bounds) = (self.readings.after_mb, self.bounds);
        let nothing = if self.is_runtime() { 2.0 * NOTHING_MB } else { NOTHING_MB };
        let whole = window(after, start, 8, self.error).filter(|window| {
            window.low > nothing
                && window.late >= bounds.late * window.early
                && window.slowest_third >= bounds.third * window.rate
        })?;
        let recent = window(after, start + (after.len() - start) / 2, 5, RECENT_ERROR);
        if recent.is_some_and(|recent| recent.low <= nothing / 2.0) {
            return None;
        }
        let steps: Vec<f64> = self.held[start..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        let slowing = laplace(&steps) <= bounds.slowing || ended(&steps);
        let grounds = if slowing { None } else { self.grounds(&whole, &steps) };
        Some(Growing { window: whole, grounds, slowing })
    }

    fn grounds(&self, window: &Window, steps: &[f64]) -> Option<Grounds> {
        let (tasks, runtime, bounds) = (self.held.len(), self.is_runtime(), self.bounds);
        // From the fourth task on, since a model or a pool may take the first ones.
        let pace = |length| slowest(&self.held[3..], length);
        let fast = tasks >= bounds.fast_tasks
            && window.rate >= bounds.fast_mb
            && window.rise >= bounds.fast_rise_mb
            && pace(4) >= if runtime { 0.5 } else { 0.4 };
        let entries = ENTRIES_MB.contains(&window.rate) && step_size(steps) < ENTRIES_MB.end;
        let enough = if entries { bounds.entries_tasks } else { bounds.long_tasks };
        let long = tasks >= enough && window.tasks >= LONG_WINDOW && window.rate >= bounds.long_mb;
        let small = tasks >= bounds.small_tasks && window.tasks >= SMALL_WINDOW;
        if window.rise >= bounds.large(runtime) {
            Some(Grounds::Large)
        } else if fast {
            Some(Grounds::Fast)
        } else if runtime {
            (long && window.rise >= RUNTIME_RISE_MB && pace(12) >= 0.25).then_some(Grounds::Long)
        } else if long || small {
            Some(Grounds::Long)
        } else {
            (self.readings.inputs_seen && window.tasks >= CLEAN_TASKS).then_some(Grounds::Seen)
        }
    }

    /// How many tasks more would decide, if growth goes on as it did.
    fn tasks_needed(&self, growing: &Growing) -> usize {
        let (tasks, window, bounds) = (self.held.len(), &growing.window, self.bounds);
        if growing.slowing {
            return (tasks / 3).max(8);
        }
        let length = if window.rate >= bounds.long_mb { bounds.entries_tasks } else { bounds.small_tasks };
        // A window that leaves out a fifth grows by four tasks of five.
        let window_full = (LONG_WINDOW.saturating_sub(window.tasks) as f64 / 0.8).ceil() as usize;
        // The window grows by four tasks of five, and so does the rise in it.
        let until_mb = |mb: f64| ((mb - window.rise).max(0.0) / window.rate / 0.8).ceil() as usize;
        let long = length.saturating_sub(tasks).max(window_full);
        let long = if self.is_runtime() { long.max(until_mb(RUNTIME_RISE_MB)) } else { long };
        long.min(until_mb(bounds.large(self.is_runtime()))).max(1)
    }

    fn is_runtime(&self) -> bool {
        is_runtime(self.readings.file_mb)
    }
}

/// True for a process that maps as much from files, in MB, as a large runtime does.
pub(in crate::analysis) fn is_runtime(file_mb: Option<f64>) -> bool {
    file_mb.is_some_and(|mb| mb >= RUNTIME_MB)
}

/// The window with the narrowest interval of those that start between a fifth and three fifths.
fn narrowest(after: &[f64], error: f64) -> Option<Window> {
    let (first, last) = (share(after.len(), 0.2), (after.len() as f64 * 0.6) as usize);
    // Every start up to 120 tasks; of longer series a sample, so that time does not grow with the square.
    let starts = last - first;
    let step = if starts <= 48 { 1 } else { starts / 16 };
    (first..=last)
        .step_by(step)
        .filter_map(|start| window(after, start, 6, error))
        .min_by(|a, b| (a.high - a.low).total_cmp(&(b.high - b.low)))
}

/// How far the last readings are above the first, in MB.
fn rise(after: &[f64]) -> f64 {
    let lowest = |part: &[f64]| part.iter().copied().fold(f64::INFINITY, f64::min);
    lowest(&after[after.len() - 4..]) - lowest(&after[..2])
}

/// How many readings it took until nearly all of the rise had come: no later reading is below.
fn risen_by(after: &[f64], rise_mb: f64) -> usize {
    let first = after[..2].iter().copied().fold(f64::INFINITY, f64::min);
    let risen = first + RISEN * rise_mb;
    after.iter().rposition(|mb| *mb < risen).map_or(1, |last| last + 2).min(after.len())
}

/// What is told of a window, with no answer.
fn undecided(
    tasks: usize,
    interval: Option<(f64, f64)>,
    window: Option<&Window>,
    reason: Reason,
    needed: usize,
) -> Growth {
    let interval = interval.map(widened);
    let rate = window.map(|window| window.rate);
    Growth {
        answer: Answer::Inconclusive,
        reason,
        rate_mb_per_task: rate,
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        tasks,
        growing: false,
        beside: false,
        tasks_needed: needed,
        detectable_mb_per_task: interval
            .zip(rate)
            .map(|((low, high), rate)| (high - rate).max(rate - low).max(NOTHING_MB)),
        firm: false,
        per_second: None,
        by_input: Vec::new(),
    }
}

/// An interval is never narrower than what an allocator's wandering can hide.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    (low - NOTHING_MB, high + NOTHING_MB)
}
