//! After a level that broke: has the service recovered?

use std::time::{Duration, Instant};

use super::drain;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::phases::line::{MemoryAround, TaskPlace, task_line};
use crate::phases::rig::Rig;
use crate::phases::task::batch_ids;
use crate::record::{Event, Phase};
use crate::units::round;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Patience with a service that has not done one task, in seconds.
const NEVER_WORKED_S: f64 = 5.0;

/// The condition of the task that is asked for; it belongs to no level.
const CONDITION: &str = "recovery";

/// What is said where there is nobody to recover.
const NO_WORKER: &str = "no worker is alive";

/// A worker that was named by its pid is not searched for again.
fn none_can_come(rig: &Rig) -> bool {
    rig.plan.processes.get(WORKER).is_some_and(|role| !role.explicit_pids().is_empty())
}

/// Waits until a worker is there, the health endpoint answers, the workers are
/// idle and one task succeeds. Returns what was wrong if that did not happen.
///
/// A level that is tried on a service that still suffers from the one before
/// would break for that, and be counted.
///
/// A service that has done no task at all (`ever_worked` is false) has nothing to recover to, and is asked soon.
pub(super) async fn recover(rig: &Rig, ever_worked: bool) -> Result<Option<String>> {
    let started = Instant::now();
    let patience = rig.plan.ramp.recover_s.min(if ever_worked { f64::INFINITY } else { NEVER_WORKED_S });
    let mut problem = "`ramp.recover_s` is 0".to_string();
    let (mut recovered, mut told) = (false, false);
    while !recovered && started.elapsed().as_secs_f64() < patience {
        rig.driver.check_stop()?;
        match attempt(rig, patience).await? {
            None => recovered = true,
            Some(what) if none_can_come(rig) && what == NO_WORKER => {
                problem = what;
                break;
            }
            Some(what) => {
                if !told {
                    told = true;
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

async fn attempt(rig: &Rig, patience_s: f64) -> Result<Option<String>> {
    if rig.memory.worker_rss().await?.is_none() {
        return Ok(Some(NO_WORKER.to_string()));
    }
    if let Err(problem) = rig.driver.health().await {
        return Ok(Some(format!("health endpoint: {problem}")));
    }
    let before = &drain(rig).await?;
    let input = rig.inputs.get(rig.plan.ramp.audio);
    let test_id = batch_ids(&rig.recorder, &input.stem, 1, false).remove(0);
    let task = rig.driver.drive(input, &test_id, rig.workers.mark());
    let Ok(ended) = tokio::time::timeout(Duration::from_secs_f64(patience_s), task).await else {
        return Ok(Some(format!("a single task had no result within {patience_s} s")));
    };
    let ended = ended?;
    let after = &rig.memory.now().await?;
    let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
    let place = TaskPlace { test_id, phase: Phase::Concurrency, concurrency: 1 };
    let mut line = task_line(place, input, &ended, &MemoryAround { before, after, peak_mb });
    line.condition = Some(CONDITION.to_string());
    let line = rig.recorder.task(line).await?;
    Ok((!line.succeeded()).then(|| {
        format!(
            "a single task did not succeed: {}",
            line.error.as_deref().unwrap_or("no reason was recorded")
        )
    }))
}
