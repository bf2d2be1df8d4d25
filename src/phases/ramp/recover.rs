//! Waits after a level that broke until the service has recovered.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::drain;
use crate::analysis::WORKER;
use crate::error::Result;
use crate::phases::line::{MemoryAround, TaskPlace, task_line};
use crate::phases::rig::Rig;
use crate::phases::task::batch_ids;
use crate::plan::REDIS;
use crate::record::{Condition, Event, Phase, RecoveryProblem};
use crate::sampler::{Snapshot, silent_redis};
use crate::units::round;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// The patience with a service that has not completed any task, in seconds.
const NEVER_WORKED_S: f64 = 5.0;

/// True if a lost worker cannot be replaced: one named by its pid is not searched for again.
fn no_replacement_possible(rig: &Rig) -> bool {
    rig.plan.processes.get(WORKER).is_some_and(|role| !role.explicit_pids().is_empty())
}

/// The wait before the second probe task, in seconds; it doubles with each further one.
const FIRST_WAIT_S: f64 = 1.0;

/// The longest wait between two probe tasks, in seconds.
const LONGEST_WAIT_S: f64 = 16.0;

/// After so many deaths of workers since the level, no further probe is sent.
const DEATHS_AT_MOST: usize = 3;

/// The state of the service after a level that broke.
pub(super) struct Recovered {
    /// What is wrong; absent if nothing is.
    pub(super) problem: Option<RecoveryProblem>,
    /// True if that is no effect of load: a dependency or another role is gone, or the health endpoint says no at
    /// rest.
    pub(super) outage: bool,
}

/// Waits until every role that was there before (`roles`) is alive, the health endpoint answers, the workers
/// are idle and one task succeeds. Says what was wrong if that did not happen in time.
///
/// Without recovery, the next level could break merely because the service still suffers from
/// the one before. The probe tasks are announced, wait longer each time, and end when workers die of them.
///
/// A service that has not completed any task (`ever_worked` is false) has no working state to
/// return to, so the wait is short.
pub(super) async fn recover(rig: &Rig, ever_worked: bool, roles: &BTreeSet<String>) -> Result<Recovered> {
    let started = Instant::now();
    let patience_s = rig.plan.ramp.recover_s.min(if ever_worked { f64::INFINITY } else { NEVER_WORKED_S });
    let mark = rig.workers.mark();
    let mut problem = RecoveryProblem::NoTime;
    let (mut recovered, mut reported) = (false, false);
    let mut probes = Probes::default();
    while !recovered && started.elapsed().as_secs_f64() < patience_s {
        rig.driver.check_stop()?;
        let deaths = rig.workers.since(mark).0.len();
        if deaths >= DEATHS_AT_MOST {
            problem = RecoveryProblem::KeepsDying { deaths };
            break;
        }
        let what = match at_rest(rig, roles).await? {
            Some(what) => what,
            None if !probes.due(started.elapsed().as_secs_f64()) => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            None => match probe(rig, &mut probes, started, patience_s).await? {
                Some(what) => what,
                None => {
                    recovered = true;
                    continue;
                }
            },
        };
        if no_replacement_possible(rig) && what == RecoveryProblem::NoWorker {
            problem = what;
            break;
        }
        if !reported {
            reported = true;
            let event = Event::Recovering { problem: what.clone(), at_most_s: patience_s };
            rig.recorder.event(event).await?;
        }
        problem = what;
        tokio::time::sleep(LOOK).await;
    }
    let problem = (!recovered).then_some(problem);
    let outage =
        matches!(problem, Some(RecoveryProblem::RoleGone { .. } | RecoveryProblem::Unhealthy { .. }));
    let seconds = round(started.elapsed().as_secs_f64(), 1);
    rig.recorder.event(Event::Recovery { problem: problem.clone(), seconds, outage }).await?;
    Ok(Recovered { problem, outage })
}

/// When the next probe task may be sent. Has no clock.
#[derive(Debug, Default)]
struct Probes {
    sent: u32,
    due_s: f64,
}

impl Probes {
    fn due(&self, seconds: f64) -> bool {
        seconds >= self.due_s
    }

    /// Counts a probe that ended `seconds` after the level.
    fn ended(&mut self, seconds: f64) {
        let wait_s = (FIRST_WAIT_S * f64::from(self.sent).exp2()).min(LONGEST_WAIT_S);
        self.sent += 1;
        self.due_s = seconds + wait_s;
    }
}

/// What is wrong with the service although nothing is sent to it.
async fn at_rest(rig: &Rig, roles: &BTreeSet<String>) -> Result<Option<RecoveryProblem>> {
    let snapshot = rig.memory.snapshot().await?;
    let alive = present(&snapshot);
    if let Some(role) = roles.iter().find(|role| *role != WORKER && !alive.contains(*role)) {
        return Ok(Some(RecoveryProblem::RoleGone { role: role.clone() }));
    }
    let plans = rig.plan.processes.clone();
    let redis = tokio::task::spawn_blocking(move || silent_redis(&plans));
    if redis.await.ok().flatten().is_some() {
        return Ok(Some(RecoveryProblem::RoleGone { role: REDIS.to_string() }));
    }
    if !alive.contains(WORKER) {
        return Ok(Some(RecoveryProblem::NoWorker));
    }
    let unwell = rig.driver.health().await.err();
    Ok(unwell.map(|problem| RecoveryProblem::Unhealthy { problem: problem.to_string() }))
}

/// The roles of which a process is alive.
pub(super) fn present(snapshot: &Snapshot) -> BTreeSet<String> {
    let alive = snapshot.roles.iter().filter(|(_, role)| role.rss_bytes.is_some());
    alive.map(|(name, _)| name.clone()).collect()
}

/// Sends one task, announced, when the workers are idle; says what went wrong with it.
async fn probe(
    rig: &Rig,
    probes: &mut Probes,
    started: Instant,
    patience_s: f64,
) -> Result<Option<RecoveryProblem>> {
    let before = &drain(rig).await?;
    if rig.plan.load.command.is_some() {
        // Its service may take no task of highwater's own.
        return Ok(None);
    }
    let input = rig.inputs.get(rig.plan.ramp.audio);
    let test_id = batch_ids(&rig.recorder, &input.stem, 1, false).remove(0);
    let announced = Event::RecoveryProbe { number: probes.sent + 1, test_id: test_id.clone() };
    rig.recorder.event(announced).await?;
    let task = rig.driver.drive(input, &test_id, rig.workers.mark());
    let ended = tokio::time::timeout(Duration::from_secs_f64(patience_s), task).await;
    probes.ended(started.elapsed().as_secs_f64());
    let Ok(ended) = ended else {
        return Ok(Some(RecoveryProblem::NoResult { patience_s }));
    };
    let ended = ended?;
    let after = &rig.memory.now(false).await?;
    let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
    let place = TaskPlace { test_id, phase: Phase::Concurrency, concurrency: 1 };
    let mut line = task_line(place, input, &ended, &MemoryAround { before, after, peak_mb });
    line.condition = Some(Condition::Recovery);
    let line = rig.recorder.task(line).await?;
    Ok((!line.succeeded()).then_some(RecoveryProblem::TaskFailed { error: line.error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_probe_waits_longer_than_the_one_before() {
        let mut probes = Probes::default();
        let (mut seconds, mut at) = (0.0, Vec::new());
        while seconds < 60.0 {
            if probes.due(seconds) {
                at.push(seconds);
                probes.ended(seconds);
            }
            seconds += 0.25;
        }
        assert_eq!(at, [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 47.0]);
    }
}
