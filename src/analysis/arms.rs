//! Is something kept for each task, or for each input that was never sent before? Pure.

use super::change::Rate;
use super::growth::{Answer, Growth};
use super::leak_tasks::LeakTasks;
use super::note::{Arms, Kept, Note};
use super::student;
use crate::record::RunData;

/// Growth below this is within what an allocator does, in MB per task.
const NOTHING_MB: f64 = 25.0 / 1024.0;

/// Chance of an error at each end of an interval.
const ERROR: f64 = 0.01;

impl Kept {
    /// Which of them the readings show; none where they show neither, or only one arm was tried.
    pub(crate) fn of(leak: &LeakTasks<'_>) -> Option<Kept> {
        let arms = arms(&steps(leak))?;
        let (known, new) = (arms.known, arms.new);
        if new.low > NOTHING_MB && known.high < new.low && known.per_task < new.per_task / 2.0 {
            return Some(Kept::NewInput(arms));
        }
        (new.low > 0.0 && known.low > 0.0).then_some(Kept::EveryTask(arms))
    }
}

/// What a reader must know of the two arms.
pub(super) fn arms_note(run: &RunData, leak: &LeakTasks<'_>, growth: &Growth) -> Option<Note> {
    let new_inputs = leak.tasks.iter().any(|task| task.new_input)
        || leak.in_blocks.blocks.values().any(|(_, new)| *new > 0);
    if growth.growing {
        return Kept::of(leak).map(Note::Kept);
    }
    // Files of other tools do not say what was sent.
    (!new_inputs && growth.answer == Answer::Clean && run.start().is_some()).then_some(Note::OneInput)
}

/// What lies between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    mb: f64,
    known: f64,
    new: f64,
}

/// The steps after the first tenth of the tasks, which are warm-up.
fn steps(leak: &LeakTasks<'_>) -> Vec<Step> {
    let readings = leak.readings();
    let in_blocks = !readings.at.is_empty();
    // New inputs among the first n tasks of the check, which has single tasks first: at points between which they
    // are even, since a block is of one arm.
    let singles = if in_blocks { &leak.tasks[..] } else { leak.for_growth() };
    let singles = singles.iter().filter(|task| in_blocks || task.worker_rss_after_mb.is_some());
    let singles = singles.map(|task| (1, u64::from(task.new_input)));
    let blocks = leak.in_blocks.blocks.values().copied().filter(|_| in_blocks);
    let mut so_far = vec![(0.0, 0.0)];
    for (tasks, new) in singles.chain(blocks) {
        let (before, new_before) = so_far[so_far.len() - 1];
        so_far.push((before + tasks as f64, new_before + new as f64));
    }
    let place = |index: usize| readings.at.get(index).map_or(index + 1, |at| *at as usize);
    let new_at = |tasks: usize| between(&so_far, tasks as f64);
    let all = readings.after_mb.len();
    let last = all.checked_sub(1).map_or(0, place);
    (1..all)
        .filter(|index| 10 * place(index - 1) >= last)
        .map(|index| {
            let (from, to) = (place(index - 1), place(index));
            let new = new_at(to) - new_at(from);
            let mb = readings.after_mb[index] - readings.after_mb[index - 1];
            Step { mb, new, known: (to - from) as f64 - new }
        })
        .collect()
}

/// The second figure at `at` of the first, by straight lines between `points`, which rise.
fn between(points: &[(f64, f64)], at: f64) -> f64 {
    let after = points.partition_point(|point| point.0 < at);
    match (points.get(after.wrapping_sub(1)), points.get(after)) {
        (Some(low), Some(high)) => low.1 + (high.1 - low.1) * (at - low.0) / (high.0 - low.0).max(1.0),
        (Some(last), None) => last.1,
        (None, _) => 0.0,
    }
}

/// Least squares of the steps on the tasks of both arms, without a constant: nothing is sent, nothing is kept.
///
/// The intervals are Student's t on the residuals (Draper and Smith, "Applied Regression Analysis", 3rd edition,
/// section 5.1). The error of a step is that of its two readings, whatever their distance, so that all weigh the same.
fn arms(steps: &[Step]) -> Option<Arms> {
    let sum = |of: fn(&Step) -> f64| steps.iter().map(of).sum::<f64>();
    let (kk, nn, kn) = (sum(|s| s.known * s.known), sum(|s| s.new * s.new), sum(|s| s.known * s.new));
    let (km, nm) = (sum(|s| s.known * s.mb), sum(|s| s.new * s.mb));
    let determinant = kk * nn - kn * kn;
    // Arms that always come together cannot be told apart.
    if steps.len() < 8 || determinant <= 0.05 * kk * nn {
        return None;
    }
    let known = (nn * km - kn * nm) / determinant;
    let new = (kk * nm - kn * km) / determinant;
    let freedom = steps.len() - 2;
    let residuals: f64 =
        steps.iter().map(|step| (step.mb - known * step.known - new * step.new).powi(2)).sum();
    let variance = residuals / freedom as f64 / determinant;
    let rate = |per_task: f64, own: f64, tasks: f64| {
        let half = student::exceeded(ERROR, freedom) * (variance * own).sqrt();
        Rate { per_task, low: per_task - half, high: per_task + half, tasks: tasks as usize }
    };
    Some(Arms { known: rate(known, nn, sum(|step| step.known)), new: rate(new, kk, sum(|step| step.new)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of ever more tasks on one arm after the other, with `noise` MB on each reading.
    fn blocks(known_mb: f64, new_mb: f64, noise: f64) -> Vec<Step> {
        let mut before = 0.0;
        (0..24)
            .map(|index| {
                let tasks = 10.0 * f64::from(index + 1);
                let (known, new) = if index % 2 == 0 { (tasks, 0.0) } else { (0.0, tasks) };
                let wander = noise * (f64::from(index) * 2.4).sin();
                let mb = known * known_mb + new * new_mb + wander - before;
                before = wander;
                Step { mb, known, new }
            })
            .collect()
    }

    #[test]
    fn what_is_kept_of_new_inputs_is_told_from_what_every_task_keeps() {
        let new = arms(&blocks(0.0, 1.4, 3.0)).unwrap();
        assert!((new.new.low..new.new.high).contains(&1.4) && new.new.low > 1.0, "{new:?}");
        assert!((new.known.low..new.known.high).contains(&0.0), "{new:?}");
        let both = arms(&blocks(0.5, 0.5, 3.0)).unwrap();
        assert!(both.known.low > 0.2 && both.new.low > 0.2, "{both:?}");
    }

    #[test]
    fn one_arm_alone_shows_nothing() {
        let one: Vec<Step> = (0..20).map(|_| Step { mb: 1.0, known: 10.0, new: 0.0 }).collect();
        assert_eq!(arms(&one), None);
        let mixed: Vec<Step> =
            (1..20).map(|n| Step { mb: 1.0, known: f64::from(n), new: f64::from(n) }).collect();
        assert_eq!(arms(&mixed), None, "both grow together in every step");
        assert_eq!(arms(&blocks(0.0, 1.0, 0.0)[..5]), None, "too few steps");
    }
}
