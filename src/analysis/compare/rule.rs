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
//! Where a side has readings after blocks of tasks, or its check ended early as certain, each side's growth is that of
//! its own readings (`estimate`), and the difference has Welch's interval, too.
//!
//! All intervals are two-sided 98 %: each of their ends is passed by chance once in a hundred times.

use super::estimate::Estimate;
use super::run::{Run, increments, slows};
use crate::analysis::by_input::{InputRate, input_rates};
use crate::analysis::change::{Change, ChangeReason, Difference, JudgedChange, Method, More, Rate, Signal};
use crate::analysis::growth::{LEAST_INCREMENTS, Mean};
use crate::analysis::student;

/// The probability beyond each end of an interval.
const ERROR: f64 = 0.01;

/// A difference of less than this share of the growth before is no difference.
const SHARE: f64 = 0.25;

/// A leak is fixed where no more than this share of it can be left: a few tasks prove the end of a large one.
const REST: f64 = 0.02;

/// What a signal came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Change,
    pub(super) reason: ChangeReason,
    pub(super) before: Option<Rate>,
    pub(super) after: Option<Rate>,
    pub(super) difference: Option<Difference>,
    pub(super) least: Option<f64>,
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
            least: None,
            tasks_needed: None,
        }
    }
}

/// Judges one signal of two sides, each of one run or more.
pub(super) fn judge_signal(signal: Signal, before: &[Run], after: &[Run]) -> Judged {
    let plain = before.iter().chain(after).all(Run::is_plain);
    let pairs = if plain { paired(before, after) } else { None };
    let least = least(signal, before, after);
    let inputs = [before, after].map(by_input);
    let repeats = before.first().and_then(more);
    let (Some(before), Some(after)) = (Growth::of(before), Growth::of(after)) else { return too_few() };
    let paired = pairs.and_then(|(before, after)| paired_difference(&before, &after));
    let method = if plain { Method::Welch } else { Method::Rates };
    let (difference, slows) = paired.unwrap_or_else(|| welch_difference(&before, &after, method));
    let (verdict, slowing) = verdict(signal, least, &before, &after, &difference, slows);
    let tasks_needed =
        (verdict == Change::NotEnoughData).then(|| tasks_needed(signal, &before, &after, &difference));
    let more = repeats.zip(tasks_needed).map(|(more, tasks)| more(tasks));
    let reason = ChangeReason::Judged(JudgedChange {
        signal,
        verdict,
        before: before.rate,
        after: after.rate,
        difference,
        least,
        slowing,
        tasks_needed,
        more,
        by_input: inputs,
    });
    Judged {
        verdict,
        reason,
        before: Some(before.rate),
        after: Some(after.rate),
        difference: Some(difference),
        least: Some(least),
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
    let run = Run {
        inputs: Vec::new(),
        values: values.to_vec(),
        places: Vec::new(),
        certain: false,
        read: values.len(),
    };
    Growth::of(&[run]).map(|growth| (growth.rate, growth.slowing))
}

/// What each input retains in the first run of a side, where that differs.
fn by_input(runs: &[Run]) -> Vec<InputRate> {
    let Some(run) = runs.first().filter(|run| run.places.is_empty()) else { return Vec::new() };
    // A table without inputs has one of its own for each task.
    input_rates(run.inputs.iter().map(String::as_str).zip(run.values.iter().copied()))
}

/// The growth of one side, per task.
struct Growth {
    /// From batch to batch; empty where a run is judged by its own readings (`estimate`).
    increments: Vec<f64>,
    rate: Rate,
    error: f64,
    /// Degrees of freedom of the error.
    freedom: f64,
    /// Growth slowed down in every run's second half, as of something that fills.
    slowing: bool,
    /// Tasks in the shortest run, warm-up included.
    sent: usize,
}

impl Growth {
    /// Nothing if one of the runs is too short.
    fn of(runs: &[Run]) -> Option<Growth> {
        let sent = runs.iter().map(Run::sent).min()?;
        if !runs.iter().all(|run| run.is_plain() && !run.is_few()) {
            let found = Estimate::pooled(runs)?;
            let reach = student::quantile(1.0 - ERROR, found.freedom) * found.error;
            let (low, high) = (found.rate - reach, found.rate + reach);
            return Some(Growth {
                increments: Vec::new(),
                rate: Rate { per_task: found.rate, low, high, tasks: found.tasks },
                error: found.error,
                freedom: found.freedom,
                slowing: found.slowing,
                sent,
            });
        }
        let each: Vec<(Vec<f64>, usize)> =
            runs.iter().map(|run| increments(&run.values)).collect::<Option<_>>()?;
        let slowing = each.iter().all(|(increments, _)| slows(increments, 1.0));
        let tasks = each.iter().map(|(_, tasks)| tasks).sum();
        let increments: Vec<f64> = each.into_iter().flat_map(|(increments, _)| increments).collect();
        let mean = Mean::of(&increments);
        let (low, high) = mean.interval(ERROR);
        Some(Growth {
            rate: Rate { per_task: mean.value, low, high, tasks },
            freedom: increments.len() as f64 - 1.0,
            increments,
            error: mean.error,
            slowing,
            sent,
        })
    }
}

/// The difference, and whether it slows down as what fills does: a cache that one version has and the other
/// has not. Nothing where the tasks are too few.
fn paired_difference(before: &[Run], after: &[Run]) -> Option<(Difference, bool)> {
    if before.iter().any(Run::is_few) {
        let differences: Vec<Run> =
            before.iter().zip(after).map(|(before, after)| before.to(after)).collect();
        let found = Estimate::pooled(&differences)?;
        let reach = student::quantile(1.0 - ERROR, found.freedom) * found.error;
        let (low, high) = (found.rate - reach, found.rate + reach);
        return Some((Difference { per_task: found.rate, low, high, method: Method::Paired }, found.slowing));
    }
    let (before, after) = (Growth::of(before)?, Growth::of(after)?);
    let differences: Vec<f64> =
        before.increments.iter().zip(&after.increments).map(|(before, after)| after - before).collect();
    let mean = Mean::of(&differences);
    let (low, high) = mean.interval(ERROR);
    let difference = Difference { per_task: mean.value, low, high, method: Method::Paired };
    Some((difference, slows(&differences, mean.value.signum())))
}

fn welch_difference(before: &Growth, after: &Growth, method: Method) -> (Difference, bool) {
    let mean = after.rate.per_task - before.rate.per_task;
    let squares = [before, after].map(|side| side.error.powi(2));
    let sum = squares[0] + squares[1];
    let degrees = |index: usize| [before, after][index].freedom;
    let reach = if sum > 0.0 {
        let satterthwaite = sum.powi(2) / (squares[0].powi(2) / degrees(0) + squares[1].powi(2) / degrees(1));
        student::quantile(1.0 - ERROR, satterthwaite) * sum.sqrt()
    } else {
        0.0
    };
    let difference = Difference { per_task: mean, low: mean - reach, high: mean + reach, method };
    (difference, if mean > 0.0 { after.slowing } else { before.slowing })
}

/// The verdict, and whether it was withheld because the difference slows down.
fn verdict(
    signal: Signal,
    least: f64,
    before: &Growth,
    after: &Growth,
    difference: &Difference,
    slows: bool,
) -> (Change, bool) {
    // That the two differ is shown by the difference's interval, which in pairs is much the narrower.
    // What is asked here is only which of the two it is that grows.
    let grows = |side: &Growth| side.rate.per_task > least;
    let alike = alike(signal, before);
    let most = signal.alike().max(REST * before.rate.per_task);
    let gone = (SHARE * before.rate.per_task).clamp(least, most);
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

/// Growth of less than this is none: smaller where many tasks in blocks were sent on both sides.
fn least(signal: Signal, before: &[Run], after: &[Run]) -> f64 {
    let of_run = |run: &Run| match run.places.last() {
        Some(tasks) => signal.least_over(*tasks),
        None => signal.least(),
    };
    before.iter().chain(after).map(of_run).fold(0.0, f64::max)
}

fn alike(signal: Signal, before: &Growth) -> f64 {
    signal.alike().max(SHARE * before.rate.per_task.abs())
}

/// How to send more tasks than `run` did; nothing where it sent no input twice.
fn more(run: &Run) -> Option<impl Fn(usize) -> More + use<>> {
    let (inputs, in_blocks) = (run.recordings(), !run.places.is_empty());
    (inputs > 0 && 2 * inputs <= run.values.len()).then_some(move |tasks: usize| match in_blocks {
        true => More::Longer,
        false => More::Repeats(tasks.div_ceil(inputs).saturating_sub(1)),
    })
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
