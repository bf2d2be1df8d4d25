//! The rule for one signal.
//!
//! **Growth of a run**: the first fifth (at least three tasks) is warm-up and left out. The rest is judged by the
//! verdict's own estimator (`growth::window`): the mean increment of the floors of at most eight batches. The increments of a leak that varies are independent; those of a
//! flat, noisy level are negatively correlated, which makes the interval wider than it need be, never narrower.
//!
//! **Difference**: where both sides were sent the same inputs in the same order, batch by batch (a paired t
//! interval: Student, "The Probable Error of a Mean", Biometrika 1908), so that what both share cancels. Otherwise
//! Welch's interval of two means with unequal variances (Welch, "The generalization of 'Student's' problem when
//! several different population variances are involved", Biometrika 1947, degrees of freedom by Satterthwaite 1946).
//! Which of the two is decided by the inputs alone, before a figure is looked at.
//!
//! All intervals are two-sided 98 %: each of their ends is passed by chance once in a hundred times.

use serde::{Deserialize, Serialize};

use super::{Change, ChangeReason, JudgedChange, Signal};
use crate::analysis::growth::{LEAST_INCREMENTS, Mean, increments_of_floors};
use crate::analysis::student;
use crate::record::{RunFigures, TaskFigures};

/// Batches that the tasks after warm-up are cut into, at most.
const BATCHES: usize = 8;

/// The probability beyond each end of an interval.
const ERROR: f64 = 0.01;

/// The second half of a leak grows at no less than this share of the first; what fills slows down.
const STEADY: f64 = 0.5;

/// A difference of less than this share of the growth before is no difference.
const SHARE: f64 = 0.25;

/// Growth per task with its 98 % interval, in the signal's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Growth per task.
    pub per_task: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
    /// Tasks that it is owed to, warm-up left out.
    pub tasks: usize,
}

/// The growth after minus the growth before, per task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// After minus before.
    pub per_task: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
    /// How the interval was made.
    pub method: Method,
}

/// How two sides were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The same inputs in the same order: batch by batch.
    Paired,
    /// Different inputs: two means with unequal variances.
    Welch,
}

/// One run of one signal: what was sent, and what was read after it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) inputs: Vec<String>,
    pub(super) values: Vec<f64>,
}

impl Run {
    /// The readings that `pick` takes; nothing if one is missing before the last that is there.
    pub(super) fn of(run: &RunFigures, pick: &dyn Fn(&TaskFigures) -> Option<f64>) -> Option<Run> {
        let read = run.tasks.iter().rposition(|task| pick(task).is_some())? + 1;
        let tasks = &run.tasks[..read];
        Some(Run {
            inputs: tasks.iter().map(|task| task.input.clone()).collect(),
            values: tasks.iter().map(pick).collect::<Option<_>>()?,
        })
    }

    fn first(&self, tasks: usize) -> Run {
        Run { inputs: self.inputs[..tasks].to_vec(), values: self.values[..tasks].to_vec() }
    }
}

/// What a signal came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Change,
    pub(super) reason: ChangeReason,
    pub(super) before: Option<Rate>,
    pub(super) after: Option<Rate>,
    pub(super) difference: Option<Difference>,
    pub(super) tasks_needed: Option<usize>,
}

impl Judged {
    pub(super) fn unknown(reason: ChangeReason) -> Judged {
        Judged {
            verdict: Change::NotEnoughData,
            reason,
            before: None,
            after: None,
            difference: None,
            tasks_needed: None,
        }
    }
}

/// Judges one signal of two sides, each of one run or more.
pub(super) fn judge_signal(signal: Signal, before: &[Run], after: &[Run]) -> Judged {
    let pairs = paired(before, after);
    let (before, after) = match &pairs {
        Some((before, after)) => (Growth::of(before), Growth::of(after)),
        None => (Growth::of(before), Growth::of(after)),
    };
    let (Some(before), Some(after)) = (before, after) else { return too_few() };
    let method = if pairs.is_some() { Method::Paired } else { Method::Welch };
    let (difference, slows) = match method {
        Method::Paired => paired_difference(&before, &after),
        Method::Welch => welch_difference(&before, &after),
    };
    let (verdict, slowing) = verdict(signal, &before, &after, &difference, slows);
    let tasks_needed =
        (verdict == Change::NotEnoughData).then(|| tasks_needed(signal, &before, &after, &difference));
    let reason = ChangeReason::Judged(JudgedChange {
        signal,
        verdict,
        before: before.rate,
        after: after.rate,
        difference,
        slowing,
        tasks_needed,
    });
    Judged {
        verdict,
        reason,
        before: Some(before.rate),
        after: Some(after.rate),
        difference: Some(difference),
        tasks_needed,
    }
}

/// A warm-up of three and five batches of one are the least.
fn too_few() -> Judged {
    let needed = 3 + LEAST_INCREMENTS + 1;
    Judged { tasks_needed: Some(needed), ..Judged::unknown(ChangeReason::TooFew { needed }) }
}

/// Both sides cut to the tasks that they have in common, if the inputs were the same in the same order.
fn paired(before: &[Run], after: &[Run]) -> Option<(Vec<Run>, Vec<Run>)> {
    if before.len() != after.len() {
        return None;
    }
    let pairs = before.iter().zip(after).map(|(before, after)| {
        let tasks = before.values.len().min(after.values.len());
        (before.inputs[..tasks] == after.inputs[..tasks]).then(|| (before.first(tasks), after.first(tasks)))
    });
    pairs.collect::<Option<Vec<_>>>().map(|pairs| pairs.into_iter().unzip())
}

/// Growth per reading of one series, and whether it slows down; nothing if it is too short.
pub(in crate::analysis) fn growth_of(values: &[f64]) -> Option<(Rate, bool)> {
    let run = Run { inputs: Vec::new(), values: values.to_vec() };
    Growth::of(&[run]).map(|growth| (growth.rate, growth.slowing))
}

/// The increments of one side, per task.
struct Growth {
    increments: Vec<f64>,
    rate: Rate,
    error: f64,
    /// Growth slowed down in every run's second half, as of something that fills.
    slowing: bool,
    /// Tasks in the shortest run, warm-up included.
    sent: usize,
}

impl Growth {
    /// Nothing if one of the runs is too short.
    fn of(runs: &[Run]) -> Option<Growth> {
        let each: Vec<(Vec<f64>, usize)> =
            runs.iter().map(|run| increments(&run.values)).collect::<Option<_>>()?;
        let slowing = each.iter().all(|(increments, _)| slows(increments, 1.0));
        let tasks = each.iter().map(|(_, tasks)| tasks).sum();
        let increments: Vec<f64> = each.into_iter().flat_map(|(increments, _)| increments).collect();
        let mean = Mean::of(&increments);
        let (low, high) = mean.interval(ERROR);
        Some(Growth {
            rate: Rate { per_task: mean.value, low, high, tasks },
            increments,
            error: mean.error,
            slowing,
            sent: runs.iter().map(|run| run.values.len()).min()?,
        })
    }
}

/// The increments of a run's floors per task, and the tasks that they are owed to.
fn increments(values: &[f64]) -> Option<(Vec<f64>, usize)> {
    let warm_up = values.len().div_ceil(5).max(3);
    let found = increments_of_floors(values.get(warm_up..)?, BATCHES)?;
    Some((found.per_task, found.tasks))
}

/// True if increments in the direction of `sign` are much smaller in the second half.
fn slows(increments: &[f64], sign: f64) -> bool {
    let mean = |part: &[f64]| sign * part.iter().sum::<f64>() / part.len() as f64;
    let (early, late) = increments.split_at(increments.len().div_ceil(2));
    mean(late) < STEADY * mean(early)
}

/// The difference, and whether it slows down as what fills does: a cache that one version has and the other
/// has not.
fn paired_difference(before: &Growth, after: &Growth) -> (Difference, bool) {
    let differences: Vec<f64> =
        before.increments.iter().zip(&after.increments).map(|(before, after)| after - before).collect();
    let mean = Mean::of(&differences);
    let (low, high) = mean.interval(ERROR);
    let difference = Difference { per_task: mean.value, low, high, method: Method::Paired };
    (difference, slows(&differences, mean.value.signum()))
}

fn welch_difference(before: &Growth, after: &Growth) -> (Difference, bool) {
    let mean = after.rate.per_task - before.rate.per_task;
    let squares = [before, after].map(|side| side.error.powi(2));
    let sum = squares[0] + squares[1];
    let degrees = |index: usize| [before, after][index].increments.len() as f64 - 1.0;
    let reach = if sum > 0.0 {
        let satterthwaite = sum.powi(2) / (squares[0].powi(2) / degrees(0) + squares[1].powi(2) / degrees(1));
        student::quantile(1.0 - ERROR, satterthwaite) * sum.sqrt()
    } else {
        0.0
    };
    let difference =
        Difference { per_task: mean, low: mean - reach, high: mean + reach, method: Method::Welch };
    (difference, if mean > 0.0 { after.slowing } else { before.slowing })
}

/// The verdict, and whether it was withheld because the difference slows down.
fn verdict(
    signal: Signal,
    before: &Growth,
    after: &Growth,
    difference: &Difference,
    slows: bool,
) -> (Change, bool) {
    let least = signal.least();
    // That the two differ is shown by the difference's interval, which in pairs is much the narrower.
    // What is asked here is only which of the two it is that grows.
    let grows = |side: &Growth| side.rate.per_task > least;
    let alike = alike(signal, before);
    let gone = (SHARE * before.rate.per_task).clamp(least, signal.alike());
    if difference.low > least && grows(after) {
        if slows { (Change::NotEnoughData, true) } else { (Change::Worse, false) }
    } else if difference.high < -least && grows(before) {
        match slows {
            true => (Change::NotEnoughData, true),
            false if after.rate.low <= least && after.rate.high <= gone => (Change::Fixed, false),
            false => (Change::Better, false),
        }
    } else if difference.low > -alike && difference.high < alike {
        (Change::NoChange, false)
    } else {
        (Change::NotEnoughData, false)
    }
}

fn alike(signal: Signal, before: &Growth) -> f64 {
    signal.alike().max(SHARE * before.rate.per_task.abs())
}

/// The width of the interval falls with the batch length, so nearly with the number of tasks.
fn tasks_needed(signal: Signal, before: &Growth, after: &Growth, difference: &Difference) -> usize {
    let reach = (difference.high - difference.low) / 2.0;
    let wanted = alike(signal, before).max(0.8 * difference.per_task.abs());
    let sent = before.sent.min(after.sent);
    // Twice as many are the least that is worth another run, ten times the most that can be foretold.
    let factor = (reach / wanted).clamp(2.0, 10.0);
    (sent as f64 * factor).ceil() as usize
}
