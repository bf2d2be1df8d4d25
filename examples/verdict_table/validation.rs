//! Cross-validation: the bounds are chosen on the programs of all runtimes but
//! one, and those of the one are judged by them.
//!
//! `cargo run --release --example verdict_table -- --cross-validate`; a minute or two.

use std::collections::BTreeMap;
use std::thread;

use highwater::analysis::{Answer, Bounds, growth_within};

use crate::recordings::Recording;

/// A value that a bound can take.
type Choice = (&'static str, fn(&mut Bounds, f64), &'static [f64]);

/// The bounds to choose, each from the strictest value to the loosest.
const CHOICES: [Choice; 12] = [
    ("error", |bounds, value| bounds.error = value, &[0.005, 0.01, 0.02, 0.04]),
    ("late", |bounds, value| bounds.late = value, &[0.6, 0.5, 0.4, 0.25]),
    ("third", |bounds, value| bounds.third = value, &[0.5, 0.4, 0.3, 0.2]),
    ("slowing", |bounds, value| bounds.slowing = value, &[-0.8, -1.0, -1.2, -1.6, -2.3]),
    ("large_mb", |bounds, value| bounds.large_mb = value, &[320.0, 256.0, 200.0, 128.0]),
    ("large_runtime_mb", |bounds, value| bounds.large_runtime_mb = value, &[500.0, 400.0, 320.0, 256.0]),
    ("fast_mb", |bounds, value| bounds.fast_mb = value, &[6.0, 5.0, 4.0, 3.0]),
    ("fast_tasks", |bounds, value| bounds.fast_tasks = value as usize, &[20.0, 18.0, 15.0, 12.0]),
    ("fast_rise_mb", |bounds, value| bounds.fast_rise_mb = value, &[140.0, 115.0, 90.0, 60.0]),
    ("long_tasks", |bounds, value| bounds.long_tasks = value as usize, &[70.0, 64.0, 60.0, 50.0]),
    ("entries_tasks", |bounds, value| bounds.entries_tasks = value as usize, &[70.0, 64.0, 60.0, 50.0]),
    ("small_tasks", |bounds, value| bounds.small_tasks = value as usize, &[90.0, 80.0, 72.0, 60.0]),
];

/// How often each bound is gone through: the third time nothing moves any more.
const ROUNDS: usize = 3;

/// Prints, for each runtime, the bounds chosen without it and what they achieve on it.
pub(crate) fn cross_validate(all: &[Recording]) {
    let given: Vec<&Recording> =
        all.iter().filter(|it| matches!(it.part.as_str(), "tuned" | "held-out")).collect();
    let mut families: BTreeMap<&str, (Vec<&Recording>, Vec<&Recording>)> = BTreeMap::new();
    for recording in &given {
        families.entry(recording.worker.as_str()).or_default();
    }
    for (family, (others, left_out)) in &mut families {
        (*left_out, *others) = given.iter().copied().partition(|it| it.worker == *family);
    }
    let folds: Vec<(&str, Bounds, Found)> = thread::scope(|scope| {
        let handles: Vec<_> = families
            .iter()
            .map(|(family, (others, left_out))| {
                scope.spawn(move || {
                    let bounds = choose(others);
                    (*family, bounds, Found::of(left_out, &bounds, 1))
                })
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().expect("a fold ends")).collect()
    });
    println!("\n## cross-validation: each runtime by bounds chosen on the other four\n");
    println!(
        "| left out | clean | LEAK on clean, mean | at worst | ≥ 10 MB/task at 20 | 1 to 10 at 60 | 0.1 to 1 at 100, no GC |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut whole = Found::default();
    for (family, _, found) in &folds {
        found.row(family);
        whole.add(found);
    }
    whole.row("all five");
    Found::of(&given, &Bounds::default(), 1).row("(the rule's own bounds, on the same)");
    println!("\nBounds chosen without it:\n");
    for (family, bounds, _) in &folds {
        println!("{family}: {bounds:?}");
    }
}

/// The bounds that do best on `recordings`: from the strictest of each on, one
/// after another takes the value that does better than all before it.
fn choose(recordings: &[&Recording]) -> Bounds {
    let mut bounds = Bounds::default();
    for (_, set, values) in &CHOICES {
        set(&mut bounds, values[0]);
    }
    let mut best = Found::of(recordings, &bounds, 3).score();
    for _ in 0..ROUNDS {
        let before = bounds;
        for (_, set, values) in &CHOICES {
            for value in *values {
                let mut other = bounds;
                set(&mut other, *value);
                if other == bounds {
                    continue;
                }
                let score = Found::of(recordings, &other, 3).score();
                if score > best {
                    (bounds, best) = (other, score);
                }
            }
        }
        if bounds == before {
            break;
        }
    }
    bounds
}

/// The result of a set of bounds: leaks found within the three goals, and clean programs accused, over all counts of tasks.
#[derive(Debug, Clone, Default)]
struct Found {
    /// Found and all, for 10 MB/task and more at 20 tasks, 1 to 10 at 60, and 0.1 to 1 without a collector at 100.
    goals: [(usize, usize); 3],
    clean: usize,
    /// Clean programs accused and judged, by count of tasks.
    accused: BTreeMap<usize, (usize, usize)>,
}

const GOALS: [(f64, f64, usize); 3] = [(9.7, f64::INFINITY, 20), (0.97, 9.7, 60), (0.097, 0.97, 100)];

impl Found {
    fn of(recordings: &[&Recording], bounds: &Bounds, step: usize) -> Found {
        let mut found = Found::default();
        let leak = |recording: &Recording, tasks| {
            let readings = recording.first(tasks)?;
            Some(growth_within(&readings, bounds).answer == Answer::Leak)
        };
        for recording in recordings {
            if !recording.leak {
                found.clean += 1;
                for tasks in (8..=recording.after_mb.len()).step_by(step) {
                    let cell = found.accused.entry(tasks).or_default();
                    cell.0 += usize::from(leak(recording, tasks) == Some(true));
                    cell.1 += 1;
                }
                continue;
            }
            for (goal, (from, to, tasks)) in found.goals.iter_mut().zip(GOALS) {
                let counts = (from..to).contains(&recording.true_mb_per_task)
                    && (tasks != 100 || recording.uncollected());
                if let Some(leak) = leak(recording, tasks).filter(|_| counts) {
                    goal.0 += usize::from(leak);
                    goal.1 += 1;
                }
            }
        }
        found
    }

    fn add(&mut self, other: &Found) {
        self.clean += other.clean;
        for (goal, more) in self.goals.iter_mut().zip(other.goals) {
            *goal = (goal.0 + more.0, goal.1 + more.1);
        }
        for (tasks, more) in &other.accused {
            let cell = self.accused.entry(*tasks).or_default();
            *cell = (cell.0 + more.0, cell.1 + more.1);
        }
    }

    /// The share of clean programs accused, over all counts of tasks.
    fn mean(&self) -> f64 {
        let (accused, judged) =
            self.accused.values().fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
        share(accused, judged)
    }

    /// The same at the worst count of tasks; a handful of recordings does not count.
    fn worst(&self) -> f64 {
        self.accused.values().filter(|cell| cell.1 > 10).map(|cell| share(cell.0, cell.1)).fold(0.0, f64::max)
    }

    /// One accused program in a hundred, at any count of tasks, is worth as much as two leaks in ten.
    fn score(&self) -> f64 {
        let found: f64 = self.goals.iter().map(|goal| share(goal.0, goal.1)).sum();
        found - 20.0 * self.worst() - 50.0 * self.mean()
    }

    fn row(&self, name: &str) {
        let goals = self.goals.map(|(found, all)| format!("{found} of {all}"));
        println!(
            "| {name} | {} | {:.2} % | {:.1} % | {} |",
            self.clean,
            100.0 * self.mean(),
            100.0 * self.worst(),
            goals.join(" | ")
        );
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
