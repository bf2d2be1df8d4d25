//! The probes: growth under one condition at a time, after the leak check.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::anatomy::look;
use super::line::{MemoryAround, TaskPlace, task_line};
use super::rig::Rig;
use super::settle::Settled;
use super::task::batch_ids;
use super::workers::Mark;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::plan::LeakPlan;
use crate::record::{Condition, CutShort, Event, Moment, Phase, Warning};
use crate::service::Input;

/// Runs the probes that the plan asks for, each with `leak.probe_steps` steps, except the
/// conditions that were `tried` before the run was stopped.
///
/// A step sends tasks and reads memory when it is quiet, like the leak check.
/// If a worker is lost or memory gets short, the remaining probes are skipped with a warning.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub async fn probe(rig: &Rig, tried: &[Condition]) -> Result<()> {
    let mut conditions = wanted(&rig.plan.leak);
    conditions.retain(|condition| !tried.contains(condition));
    if conditions.is_empty() {
        return Ok(());
    }
    let mark = rig.workers.mark();
    for condition in &conditions {
        if let Some(why) = under(rig, condition, mark).await? {
            let message = Warning::ProbesCutShort { condition: condition.clone(), why };
            rig.recorder.event(Event::Warning { message }).await?;
            break;
        }
    }
    let settled = rig.memory.settled(None).await?;
    look(&rig.memory, &rig.recorder, Moment::Final, &settled, WORKER).await?;
    rig.recorder.event(Event::ProbesEnded).await
}

/// The conditions to try, with `standard` spelt out.
fn wanted(plan: &LeakPlan) -> Vec<Condition> {
    let mut wanted = Vec::new();
    for probe in &plan.probes {
        match probe.as_str() {
            "standard" => {
                wanted.extend([Condition::Repeat, Condition::Pause, Condition::Parallel]);
                wanted.extend(plan.bad_input.as_ref().map(|_| Condition::Error));
            }
            other => wanted.push(other.to_string().into()),
        }
    }
    wanted
}

/// Runs all steps under one condition; returns why it ended early, if it did.
async fn under(rig: &Rig, condition: &Condition, mark: Mark) -> Result<Option<CutShort>> {
    let plan = &rig.plan.leak;
    let many = plan.probe_concurrency;
    for step in 0..plan.probe_steps {
        let reading = match (condition, &rig.bad_input) {
            (Condition::Pause, _) => pause(rig).await?,
            (Condition::Parallel, _) => tasks(rig, condition, &rig.inputs.short, many, mark).await?,
            (Condition::New, _) => {
                let Some(input) = rig.arms.fresh(&rig.inputs, &rig.inputs.short)? else {
                    return Ok(Some(CutShort::NoNewInput));
                };
                tasks(rig, condition, &input, 1, mark).await?
            }
            (Condition::Error, Some(bad)) => tasks(rig, condition, bad, 1, mark).await?,
            (Condition::Alternate, _) if step % 2 == 1 => {
                tasks(rig, condition, rig.inputs.long.as_ref().unwrap_or(&rig.inputs.short), 1, mark).await?
            }
            _ => tasks(rig, condition, &rig.inputs.short, 1, mark).await?,
        };
        rig.workers.caught_up().await;
        if !rig.workers.unchanged_since(mark) {
            return Ok(Some(CutShort::WorkerChanged));
        }
        let per_step = match condition {
            Condition::Pause => pause_step(plan),
            Condition::Parallel => f64::from(many),
            _ => 1.0,
        };
        let condition = condition.clone();
        rig.recorder.event(Event::ProbeStep { condition, per_step, worker: reading.footprint }).await?;
        if let Some(reason) = rig.memory.shortage().await? {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}

fn pause_step(plan: &LeakPlan) -> f64 {
    plan.probe_pause_s / f64::from(plan.probe_steps)
}

/// Sends nothing for a while.
async fn pause(rig: &Rig) -> Result<Settled> {
    rig.driver.check_stop()?;
    tokio::time::sleep(Duration::from_secs_f64(pause_step(&rig.plan.leak))).await;
    rig.memory.now(false).await
}

/// Sends `count` tasks at once and reads memory when it is quiet again.
async fn tasks(rig: &Rig, condition: &Condition, input: &Input, count: u32, mark: Mark) -> Result<Settled> {
    let before = &rig.memory.settled(None).await?;
    let ids = batch_ids(&rig.recorder, &input.stem, count, count > 1);
    let busy = rig.memory.busy();
    let ended = join_all(ids.iter().map(|test_id| rig.driver.drive(input, test_id, mark))).await;
    drop(busy);
    let high = before.rss_mb.map(|mb| mb + rig.plan.leak.baseline_tolerance_mb);
    let after = rig.memory.settled(high).await?;
    for (test_id, ended) in ids.into_iter().zip(ended) {
        let ended = ended?;
        let place = TaskPlace { test_id, phase: Phase::Leak, concurrency: count };
        let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
        let memory = MemoryAround { before, after: &after, peak_mb };
        let mut line = task_line(place, input, &ended, &memory);
        line.condition = Some(condition.clone());
        rig.recorder.task(line).await?;
    }
    Ok(after)
}
