//! One attempt at a level, from the drain to its judgement.

use std::collections::BTreeMap;
use std::time::Instant;

use super::drain;
use super::load::{Loaded, load};
use super::own::OwnWatch;
use super::service_log::ServiceLog;
use crate::analysis::{self, Level, WORKER, attempts};
use crate::error::{Error, ErrorKind, Result};
use crate::generator::Generator;
use crate::phases::rig::Rig;
use crate::phases::task::Together;
use crate::record::{Event, LevelEnd, LevelMemory, Phase, RoleLoad};
use crate::sampler::{RoleReading, Snapshot};
use crate::units::round;

/// Runs one attempt at a level and records everything of it.
pub(super) async fn level(rig: &Rig, concurrency: u32, attempt: u32, why: Option<&str>) -> Result<Level> {
    rig.recorder
        .event(Event::LevelStarted { concurrency, attempt: Some(attempt), why: why.map(str::to_string) })
        .await?;
    let mark = rig.workers.mark();
    let before = drain(rig).await?;
    rig.recorder.events(rig.memory.late_frees.since_last(&before, &rig.workers)).await?;
    let log = ServiceLog::at_end(&rig.plan.ramp.stable);
    let idle = rig.memory.snapshot().await?;
    let own = OwnWatch::start();
    let started = Instant::now();
    let busy = rig.memory.busy();
    let together = Together { phase: Phase::Concurrency, concurrency, attempt, before: &before, mark };
    let Loaded { sent, load_s, full } = match Generator::of_plan(&rig.plan) {
        Some(generator) => generated(rig, &generator, concurrency).await?,
        None => load(rig, &together).await?,
    };
    drop(busy);
    let own = own.end();
    let roles = used(rig, &idle, &rig.memory.snapshot().await?);

    let peak_mb = rig.memory.peak_mb(WORKER, started, Instant::now());
    let after = rig.memory.settled(None).await?;
    let name = format!("c={concurrency}");
    let lowest_mb = rig.memory.lowest_mb(started);
    rig.recorder.events(rig.memory.late_frees.during(&name, &before, lowest_mb, &rig.workers)).await?;
    rig.memory.late_frees.remember(&name, after, &rig.workers);
    let problem = rig.driver.health().await.err().map(|unwell| unwell.problem);
    rig.recorder.event(Event::Health { problem }).await?;
    if let Some(log) = log {
        rig.recorder.event(log.read()).await?;
    }
    rig.recorder.event(Event::OwnLoad(own)).await?;
    rig.workers.caught_up().await;

    let figure = |value: Option<f64>| value.map(|value| round(value, 1));
    let mut end = LevelEnd {
        concurrency,
        attempt: Some(attempt),
        memory: LevelMemory {
            before_mb: figure(before.rss_mb),
            after_mb: figure(after.rss_mb),
            peak_mb: figure(peak_mb),
            before: before.footprint,
            after: after.footprint,
        },
        sent: Some(sent),
        load_s: Some(load_s),
        full,
        roles,
        ..LevelEnd::default()
    };
    let level = judged(rig, &end)?;
    end.broke = level.broke.clone();
    end.clauses = level.clauses.clone();
    end.invalid = level.invalid.clone();
    rig.recorder.event(Event::LevelEnded(Box::new(end))).await?;
    Ok(level)
}

/// Lets another program make the load of the level, and records what it says of it.
async fn generated(rig: &Rig, generator: &Generator, concurrency: u32) -> Result<Loaded> {
    let load = rig.driver.unless_stopped(generator.run(concurrency, rig.plan.load.for_s)).await??;
    let loaded = Loaded { sent: load.tasks().0, load_s: load.seconds, full: None };
    rig.recorder.event(Event::GeneratorEnded(load)).await?;
    Ok(loaded)
}

/// The CPU time and the peak of each role between two snapshots.
fn used(rig: &Rig, before: &Snapshot, after: &Snapshot) -> BTreeMap<String, RoleLoad> {
    let seconds = (after.at - before.at).as_secs_f64().max(f64::EPSILON);
    let role = |(name, reading): (&String, &RoleReading)| {
        let cpu_s = reading.cpu_seconds - before.roles.get(name).map_or(0.0, |before| before.cpu_seconds);
        let peak_mb = rig.memory.peak_mb(name, before.at, after.at);
        let load = RoleLoad {
            cpu_s: round(cpu_s, 2),
            cpu_percent: round(cpu_s / seconds * 100.0, 1),
            peak_mb: peak_mb.map(|mb| round(mb, 1)),
        };
        (name.clone(), load)
    };
    // A role without a process at both ends has no figures, not figures of 0.
    let there = |name: &str, reading: &RoleReading| {
        // What a source does not know is absent, too.
        let known = reading.processes.iter().all(|process| process.knows_cpu);
        let before = before.roles.get(name).is_some_and(|role| role.rss_bytes.is_some());
        known && (reading.rss_bytes.is_some() || before)
    };
    after.roles.iter().filter(|(name, reading)| there(name, reading)).map(role).collect()
}

/// Judges the level by its records, so that it is judged exactly as later readers of the files
/// will judge it.
fn judged(rig: &Rig, end: &LevelEnd) -> Result<Level> {
    let run = rig.recorder.level_so_far();
    let mut attempt = attempts(&run).pop().ok_or_else(|| {
        Error::new(ErrorKind::Data, "the level that has just ended left no record")
            .hint("this is a fault of highwater's own; please report it")
    })?;
    attempt.end(end);
    attempt.complete = true;
    Ok(analysis::level(&attempt, &rig.plan.ramp))
}
