//! Waits after a level that broke until the service has recovered.

use std::time::{Duration, Instant};

use super::drain;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::phases::line::{MemoryAround, TaskPlace, task_line};
use crate::phases::rig::Rig;
use crate::phases::task::batch_ids;
use crate::record::{Condition, Event, Phase, RecoveryProblem};
use crate::units::round;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// The patience with a service that has not completed any task, in seconds.
const NEVER_WORKED_S: f64 = 5.0;

/// True if a lost worker cannot be replaced: one named by its pid is not searched for again.
fn no_replacement_possible(rig: &Rig) -> bool {
    rig.plan.processes.get(WORKER).is_some_and(|role| !role.explicit_pids().is_empty())
}

/// Waits until a worker is alive, the health endpoint answers, the workers are
/// idle and one task succeeds. Returns what was wrong if that did not happen in time.
///
/// Without recovery, the next level could break merely because the service still suffers from
/// the one before.
///
/// A service that has not completed any task (`ever_worked` is false) has no working state to
/// return to, so the wait is short.
pub(super) async fn recover(rig: &Rig, ever_worked: bool) -> Result<Option<RecoveryProblem>> {
    let started = Instant::now();
    let patience = rig.plan.ramp.recover_s.min(if ever_worked { f64::INFINITY } else { NEVER_WORKED_S });
    let mut problem = RecoveryProblem::NoTime;
    let (mut recovered, mut reported) = (false, false);
    while !recovered && started.elapsed().as_secs_f64() < patience {
        rig.driver.check_stop()?;
        match attempt(rig, patience).await? {
            None => recovered = true,
            Some(what) if no_replacement_possible(rig) && what == RecoveryProblem::NoWorker => {
                problem = what;
                break;
            }
            Some(what) => {
                if !reported {
                    reported = true;
                    let event = Event::Recovering { problem: what.clone(), at_most_s: patience };
                    rig.recorder.event(event).await?;
                }
                problem = what;
                tokio::time::sleep(LOOK).await;
            }
        }
    }
    let problem = (!recovered).then_some(problem);
    let seconds = round(started.elapsed().as_secs_f64(), 1);
    rig.recorder.event(Event::Recovery { problem: problem.clone(), seconds }).await?;
    Ok(problem)
}

async fn attempt(rig: &Rig, patience_s: f64) -> Result<Option<RecoveryProblem>> {
    if rig.memory.worker_rss().await?.is_none() {
        return Ok(Some(RecoveryProblem::NoWorker));
    }
    if let Err(problem) = rig.driver.health().await {
        return Ok(Some(RecoveryProblem::Unhealthy { problem: problem.to_string() }));
    }
    let before = &drain(rig).await?;
    let input = rig.inputs.get(rig.plan.ramp.audio);
    let test_id = batch_ids(&rig.recorder, &input.stem, 1, false).remove(0);
    let task = rig.driver.drive(input, &test_id, rig.workers.mark());
    let Ok(ended) = tokio::time::timeout(Duration::from_secs_f64(patience_s), task).await else {
        return Ok(Some(RecoveryProblem::NoResult { patience_s }));
    };
    let ended = ended?;
    let after = &rig.memory.now().await?;
    let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
    let place = TaskPlace { test_id, phase: Phase::Concurrency, concurrency: 1 };
    let mut line = task_line(place, input, &ended, &MemoryAround { before, after, peak_mb });
    line.condition = Some(Condition::Recovery);
    let line = rig.recorder.task(line).await?;
    Ok((!line.succeeded()).then_some(RecoveryProblem::TaskFailed { error: line.error }))
}
