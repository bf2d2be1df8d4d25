//! The search for the limit: which level to try next, given those tried so far.
//!
//! Pure: it knows outcomes, not services. The phase that drives the ramp asks
//! [`next`] after every level, and [`crate::assessment::assess`] asks [`picture`]
//! what the levels of a run that is over come to.
//!
//! What a level needs to count as broken, and why:
//!
//! * A process that was killed for want of memory is no accident of one level: once is enough.
//! * Anything else, the death of a process among it, must break twice (`ramp.repeat_broken`); one of two leaves it
//!   open, and a third attempt decides. A level that breaks one time in ten
//!   for reasons of its own is then taken for the limit one time in a hundred.
//! * A service whose *tasks* fail now and then at any load breaks a level more
//!   often the more tasks it sends: a share q of failures breaks c tasks twice
//!   with probability (1 − (1 − q)^c)². So where tasks failed at lower levels
//!   too, the level is the limit only if its tasks fail significantly more often
//!   than those (Fisher's exact test, one-sided, 5 %); otherwise it is *flaky*:
//!   neither held nor the limit, and the search goes on above it.

mod standing;
#[cfg(test)]
mod tests;

use crate::plan::{RampPlan, SearchKind};
use crate::record::{CannotTell, RampBound};

pub use standing::{Standing, Standings, Trial, TrialOutcome, picture};

/// A level that was tried in vain so often, highwater being starved, is given up.
const INVALID_AT_MOST: u32 = 2;

/// What the ramp has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, schemars::JsonSchema, serde::Serialize)]
pub struct Spent {
    /// Levels, each attempt counted.
    pub levels: u32,
    /// Tasks that were sent.
    pub tasks: u32,
    /// Seconds.
    pub seconds: f64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Try this level.
    Try {
        /// Tasks outstanding at once.
        concurrency: u32,
        /// Which attempt at this level it is, from 1.
        attempt: u32,
        /// Why it is tried.
        why: Why,
    },
    /// Nothing more is to be tried.
    Done(Done),
}

/// Why a level is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was not tried yet.
    New,
    /// It broke, and once may be chance.
    Repeat,
    /// It is the level below the limit.
    Confirm,
    /// highwater was starved the last time.
    Invalid,
}

/// Why nothing more is to be tried.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The limit is bracketed, as well as the plan asks for.
    Found,
    /// Every level up to the bound was tried.
    Bound,
    /// This budget is spent.
    Budget(RampBound),
    /// It cannot be told, for this reason.
    CannotTell(CannotTell),
}

/// The next step of the search.
///
/// `trials` are all attempts in the order in which they were made.
pub fn next(trials: &[Trial], spent: &Spent, plan: &RampPlan) -> Step {
    let picture = picture(trials, plan);
    let last = trials.last();
    if let Some(trial) = last.filter(|trial| trial.outage)
        && let Some(problem) = &trial.unrecovered
    {
        // What is gone says nothing of the level.
        return Step::Done(Done::CannotTell(CannotTell::Outage(problem.clone())));
    }
    if let Some(problem) = last.and_then(|trial| trial.unrecovered.as_ref()) {
        return Step::Done(if picture.settled().closed(plan) {
            Done::Found
        } else {
            Done::CannotTell(CannotTell::NotRecovered(problem.clone()))
        });
    }
    if let Some(done) = cannot_tell(trials, &picture) {
        return Step::Done(done);
    }
    let step = wanted(&picture, last, plan);
    match (&step, over_budget(spent, plan)) {
        (Step::Try { .. }, Some(bound)) => Step::Done(Done::Budget(bound)),
        _ => step,
    }
}

fn cannot_tell(trials: &[Trial], picture: &Standings) -> Option<Done> {
    let last = trials.last()?;
    let in_vain = trials
        .iter()
        .rev()
        .take_while(|trial| trial.concurrency == last.concurrency && trial.outcome == TrialOutcome::Invalid)
        .count();
    if in_vain >= INVALID_AT_MOST as usize {
        return Some(Done::CannotTell(CannotTell::Starved { concurrency: last.concurrency, times: in_vain }));
    }
    let unwell = picture.broke == Some(1) && last.concurrency == 1 && last.outcome == TrialOutcome::Unhealthy;
    unwell.then_some(Done::CannotTell(CannotTell::Unhealthy))
}

fn over_budget(spent: &Spent, plan: &RampPlan) -> Option<RampBound> {
    if plan.max_levels > 0 && spent.levels >= plan.max_levels {
        Some(RampBound::Levels(plan.max_levels))
    } else if plan.max_tasks > 0 && spent.tasks >= plan.max_tasks {
        Some(RampBound::Tasks(plan.max_tasks))
    } else if plan.max_s > 0.0 && spent.seconds >= plan.max_s {
        Some(RampBound::Seconds(plan.max_s))
    } else {
        None
    }
}

/// What the search wants, whatever has been spent.
fn wanted(picture: &Standings, last: Option<&Trial>, plan: &RampPlan) -> Step {
    if let Some(trial) = last.filter(|trial| trial.outcome == TrialOutcome::Invalid) {
        return again(picture, trial.concurrency, Why::Invalid);
    }
    if let Some((&concurrency, _)) = picture.levels.iter().find(|(_, level)| level.standing == Standing::Open)
    {
        return again(picture, concurrency, Why::Repeat);
    }
    let low = picture.passable();
    let candidate = match picture.broke {
        None => upwards(low, plan),
        Some(high) => between(low, high, plan),
    };
    if let Some(concurrency) = candidate {
        return again(picture, concurrency, Why::New);
    }
    let Some(_) = picture.broke else { return Step::Done(Done::Bound) };
    match picture.held {
        // A level that broke once and held twice since is confirmed already.
        Some(held) if plan.confirm && picture.levels[&held].tally.held < 2 => {
            again(picture, held, Why::Confirm)
        }
        _ => Step::Done(Done::Found),
    }
}

fn again(picture: &Standings, concurrency: u32, why: Why) -> Step {
    let attempts = picture.levels.get(&concurrency).map_or(0, |level| level.tally.attempts());
    Step::Try { concurrency, attempt: attempts + 1, why }
}

/// The next level where none has broken yet.
fn upwards(low: Option<u32>, plan: &RampPlan) -> Option<u32> {
    let Some(low) = low else { return Some(plan.start) };
    let next = match plan.search {
        SearchKind::Linear => low.saturating_add(plan.step),
        SearchKind::Bisect if low < plan.max => low.saturating_mul(2).min(plan.max),
        SearchKind::Bisect => return None,
    };
    (next <= plan.max).then_some(next)
}

/// The next level between one that can be passed and one that broke.
fn between(low: Option<u32>, high: u32, plan: &RampPlan) -> Option<u32> {
    let floor = low.unwrap_or(0);
    match plan.search {
        // Where not even the first level held, the search goes down.
        SearchKind::Linear if low.is_none() => high.checked_sub(plan.step).filter(|level| *level > 0),
        SearchKind::Linear => None,
        SearchKind::Bisect => (high - floor > 1).then(|| floor + (high - floor) / 2),
    }
}
