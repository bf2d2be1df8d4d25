//! Waits before a level until the queue is empty, the workers are idle and memory is quiet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::analysis::WORKER;
use crate::error::Result;
use crate::phases::rig::Rig;
use crate::phases::settle::Settled;
use crate::record::{Event, Warning};
use crate::sampler::{ProcessId, Snapshot};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Workers that use less of a core than this are idle.
const IDLE_SHARE: f64 = 0.1;

/// Waits for idle workers and quiet memory, and reads it.
///
/// The service may still be working on abandoned tasks, those of a level that timed out. The CPU
/// time of the workers shows when these are done, without help from the service.
pub(in crate::phases) async fn drain(rig: &Rig) -> Result<Settled> {
    let started = Instant::now();
    let (idle, settled) = tokio::join!(idle(rig), rig.memory.settled(None));
    let (idle, settled) = (idle?, settled?);
    if !idle {
        let message = Warning::NotIdle { drain_s: rig.plan.ramp.drain_s };
        rig.recorder.event(Event::Warning { message }).await?;
    }
    if started.elapsed().as_secs_f64() > settled.seconds + 2.0 * LOOK.as_secs_f64() {
        // The workers were still busy when memory was read.
        return rig.memory.settled(None).await;
    }
    Ok(settled)
}

/// Waits until the workers are idle; false if they were not within `ramp.drain_s`.
async fn idle(rig: &Rig) -> Result<bool> {
    let started = Instant::now();
    let mut state = Idle::new(rig.plan.settle.quiet_s);
    loop {
        rig.driver.check_stop()?;
        let snapshot = rig.memory.snapshot().await?;
        let seconds = started.elapsed().as_secs_f64();
        let Some(times) = cpu_times(&snapshot) else { return Ok(true) };
        if state.reading(seconds, times) {
            return Ok(true);
        }
        if seconds >= rig.plan.ramp.drain_s.max(rig.plan.settle.quiet_s) {
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// CPU seconds of each process of the worker role; absent if none is alive.
fn cpu_times(snapshot: &Snapshot) -> Option<BTreeMap<ProcessId, f64>> {
    let worker = snapshot.roles.get(WORKER).filter(|role| role.rss_bytes.is_some())?;
    Some(worker.processes.iter().map(|process| (process.id, process.cpu_seconds)).collect())
}

/// Recognises idleness in successive readings. Has no clock.
struct Idle {
    quiet_s: f64,
    /// When the current stretch began, and the CPU times at that time.
    since: Option<(f64, BTreeMap<ProcessId, f64>)>,
}

impl Idle {
    fn new(quiet_s: f64) -> Idle {
        Idle { quiet_s, since: None }
    }

    /// Takes a reading; true once the workers have been idle for `quiet_s`.
    fn reading(&mut self, seconds: f64, times: BTreeMap<ProcessId, f64>) -> bool {
        let Some((from, before)) = &self.since else {
            self.since = Some((seconds, times));
            return self.quiet_s <= 0.0;
        };
        // The CPU time of an exited process is lost, but its exit shows that it was working.
        let same = before.keys().eq(times.keys());
        let used: f64 = times.iter().map(|(id, time)| time - before.get(id).unwrap_or(&0.0)).sum();
        let allowed = IDLE_SHARE * self.quiet_s;
        if !same || used > allowed {
            self.since = Some((seconds, times));
            return false;
        }
        seconds - from >= self.quiet_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(pid: u32) -> ProcessId {
        ProcessId { pid, start_ticks: 1 }
    }

    /// The time at which workers with the CPU times `times` are found idle.
    fn found_idle(times: impl Fn(f64) -> BTreeMap<ProcessId, f64>) -> Option<f64> {
        let mut idle = Idle::new(0.5);
        (0..200).map(|tick| f64::from(tick) * 0.05).find(|seconds| idle.reading(*seconds, times(*seconds)))
    }

    #[test]
    fn workers_that_do_nothing_are_idle_after_the_window() {
        assert_eq!(found_idle(|_| BTreeMap::from([(id(1), 7.0)])), Some(0.5));
    }

    #[test]
    fn work_in_progress_is_waited_for() {
        let end = found_idle(|seconds| BTreeMap::from([(id(1), seconds.min(3.0))])).unwrap();
        assert!((3.4..3.7).contains(&end), "{end}");
        assert_eq!(found_idle(|seconds| BTreeMap::from([(id(1), seconds)])), None, "a loop that never rests");
    }

    #[test]
    fn a_work_horse_that_ends_is_work() {
        let end = found_idle(|seconds| {
            let mut times = BTreeMap::from([(id(1), 7.0)]);
            times.extend((seconds < 2.0).then_some((id(2), 0.1)));
            times
        });
        // It is alive and idle at first, like a process that waits for its disk.
        assert_eq!(end, Some(0.5));
        let end = found_idle(|seconds| {
            let mut times = BTreeMap::from([(id(1), 7.0)]);
            times.extend((seconds < 0.3).then_some((id(2), 0.1)));
            times
        });
        assert!(end.is_some_and(|end| end >= 0.8), "{end:?}");
    }
}
