//! The concurrency ramp: levels of tasks submitted at once, until one breaks.

use std::time::Instant;

use futures_util::future::join_all;

use super::rig::Rig;
use super::settle::{Settled, settle};
use super::task::{Identity, batch_ids, drive, record};
use super::workers::Mark;
use crate::analysis::{LevelFacts, WORKER, judge_level};
use crate::error::Result;
use crate::record::{Clause, Event, LevelMemory, Phase, TaskRecord};
use crate::target::Input;
use crate::units::{round, to_mb};

/// Runs the ramp and records everything of it.
///
/// A service that is certain to leak would take the machine's memory along: with
/// `leaks`, the ramp ends at the level that is required and says so.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub async fn ramp(rig: &Rig, leaks: bool) -> Result<()> {
    let plan = &rig.plan.ramp;
    rig.recorder.event(Event::PhaseStarted { phase: Phase::Concurrency, tasks: None }).await?;
    let mut cut_short = None;
    let mut concurrency = plan.start;
    while concurrency <= plan.max {
        cut_short = rig.memory_is_short().await?;
        if cut_short.is_some() || level(rig, concurrency).await?.is_some() {
            break;
        }
        concurrency += plan.step;
        if leaks && concurrency > plan.required && concurrency <= plan.max {
            cut_short = Some(
                "the service leaks for certain, and every further level would cost more memory".to_string(),
            );
            break;
        }
    }
    rig.recorder.event(Event::PhaseEnded { phase: Phase::Concurrency, cut_short }).await
}

/// Runs one level; returns the clause that broke.
async fn level(rig: &Rig, concurrency: u32) -> Result<Option<Clause>> {
    rig.recorder.event(Event::LevelStarted { concurrency }).await?;
    let mark = rig.workers.mark();
    let before = settle(rig, None).await?;
    let started = Instant::now();
    rig.sampler.set_busy(true);
    let tasks = batch(rig, concurrency, before.rss_mb, mark).await;
    rig.sampler.set_busy(false);
    let tasks = tasks?;

    let peak_mb = rig.sampler.peak_between(WORKER, started, Instant::now()).map(to_mb);
    let after = settle(rig, None).await?;
    let unhealthy = rig.target.health().await.err();
    rig.recorder.event(Event::Health { problem: unhealthy.clone() }).await?;
    rig.workers.caught_up().await;
    let (exits, replacements) = rig.workers.since(mark);
    let facts = LevelFacts { concurrency, tasks: tasks.iter().collect(), exits, replacements, unhealthy };
    let broke = judge_level(&facts, &rig.plan.ramp);
    let figure = |value: Option<f64>| value.map(|value| round(value, 1));
    let memory = LevelMemory {
        before_mb: figure(before.rss_mb),
        after_mb: figure(after.rss_mb),
        peak_mb: figure(peak_mb),
    };
    rig.recorder.event(Event::LevelEnded { concurrency, memory, broke: broke.clone() }).await?;
    Ok(broke)
}

/// All tasks of a level at once; each is recorded as soon as it has ended.
async fn batch(rig: &Rig, concurrency: u32, before_mb: Option<f64>, mark: Mark) -> Result<Vec<TaskRecord>> {
    let input = rig.inputs.get(rig.plan.ramp.audio);
    let ids = batch_ids(rig, &input.stem, concurrency, concurrency > 1);
    let tasks = ids.into_iter().map(|test_id| one_task(rig, input, test_id, concurrency, before_mb, mark));
    join_all(tasks).await.into_iter().collect()
}

async fn one_task(
    rig: &Rig,
    input: &Input,
    test_id: String,
    concurrency: u32,
    before_mb: Option<f64>,
    mark: Mark,
) -> Result<TaskRecord> {
    let ended = drive(rig, input, &test_id, mark).await?;
    // The line must not wait for the batch: what is measured is on the disk at once.
    // So "after" is the reading of this moment; the level's own is in its event.
    let rss_mb = rig.worker_rss().await?.map(to_mb);
    let after = Settled { rss_mb, seconds: 0.0, quiet: false };
    let identity = Identity { test_id, phase: Phase::Concurrency, concurrency };
    rig.recorder.task(record(rig, identity, input, &ended, before_mb, &after)).await
}
