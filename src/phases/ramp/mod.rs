//! The concurrency ramp: runs the levels that the search asks for.
//!
//! `level` runs one attempt, `load` keeps its tasks outstanding, `drain` waits
//! for idle workers before it, `recover` waits for a working service after a level that
//! broke, and `own` watches highwater and the machine during a level.

mod drain;
mod level;
mod load;
mod own;
mod recover;
mod service_log;

pub(super) use drain::drain;
pub(super) use own::OwnWatch;

use std::time::Instant;

use super::rig::Rig;
use crate::analysis::search::{Done, Spent, Step, next};
use crate::analysis::{Level, trials};
use crate::descriptors;
use crate::error::Result;
use crate::plan::RampPlan;
use crate::record::{CutShort, Event, Phase, Warning};
use crate::resume::Earlier;

/// Runs the ramp and records everything of it.
///
/// `earlier` is the progress of the run that this one resumes; it counts towards the budgets. Set
/// `leaks` if the service certainly leaks: the ramp then ends at the required level and says so,
/// since a higher one would use up the machine's memory.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub async fn ramp(rig: &Rig, leaks: bool, earlier: Earlier) -> Result<()> {
    rig.recorder.event(Event::PhaseStarted { phase: Phase::Concurrency, tasks: None }).await?;
    let plan = bounded(&rig.plan.ramp, leaks);
    descriptors::allow_many();
    if let Some((limit, enough_for)) = descriptors::room().filter(|(_, tasks)| *tasks < plan.max) {
        let message = Warning::FilesShort { limit, enough_for, max: plan.max };
        rig.recorder.event(Event::Warning { message }).await?;
    }
    let started = Instant::now();
    let Earlier { mut levels, seconds: before_s, .. } = earlier;
    let mut recovery_due = false;
    // What the service consisted of before any load.
    let roles = recover::present(&rig.memory.snapshot().await?);
    let cut_short = loop {
        if let Some(short) = rig.memory.shortage().await? {
            break Some(short);
        }
        let spent = Spent {
            levels: levels.len() as u32,
            tasks: levels.iter().map(|level| level.tasks as u32).sum(),
            seconds: before_s + started.elapsed().as_secs_f64(),
        };
        match next(&trials(&levels), &spent, &plan) {
            // Recovery matters only if another attempt follows.
            Step::Try { .. } if recovery_due => {
                recovery_due = false;
                let ever_worked = levels.iter().any(|level| level.succeeded > 0);
                if let Some(broken) = levels.last_mut() {
                    let recovered = recover::recover(rig, ever_worked, &roles).await?;
                    (broken.unrecovered, broken.outage) = (recovered.problem, recovered.outage);
                }
            }
            Step::Try { concurrency, attempt, why } => {
                let level = level::level(rig, concurrency, attempt, why.words()).await?;
                recovery_due = level.broke.is_some();
                levels.push(level);
            }
            Step::Done(done) => break ending(rig, done, &levels, &plan).await?,
        }
    };
    rig.recorder.event(Event::PhaseEnded { phase: Phase::Concurrency, cut_short }).await
}

/// Why the ramp was cut short, if it was.
async fn ending(rig: &Rig, done: Done, levels: &[Level], plan: &RampPlan) -> Result<Option<CutShort>> {
    match done {
        Done::Found => Ok(None),
        Done::Bound if plan.max < rig.plan.ramp.max => Ok(Some(CutShort::Leaks)),
        Done::Bound => Ok(None),
        Done::Budget(bound) => rig.recorder.event(Event::BoundMet { bound }).await.map(|()| None),
        Done::CannotTell(why) => {
            let detail = levels.last().and_then(|level| {
                level.invalid.clone().or_else(|| level.broke.as_ref().map(|broke| broke.detail.clone()))
            });
            Ok(Some(CutShort::CannotTell { why, detail }))
        }
    }
}

/// The plan of the ramp; with a certain leak, without the levels above the required one.
fn bounded(plan: &RampPlan, leaks: bool) -> RampPlan {
    let max = if leaks { plan.max.min(plan.required.max(plan.start)) } else { plan.max };
    RampPlan { max, ..plan.clone() }
}
