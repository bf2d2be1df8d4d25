//! Growth with time, told apart from growth with tasks by a wait without any. Pure.

use super::growth::{Answer, Growth, Reason};
use super::leak_tasks::LeakTasks;
use super::retained::private_series;
use crate::record::{Event, IdleReading, RunData};

/// A rise of less than this while the service is idle is an allocator's or a collector's, in MB.
const LEAST_MB: f64 = 2.0;

/// The share of the growth under load that goes on without it where it is time that counts…
const MOSTLY: f64 = 0.7;
/// …and below which tasks alone do.
const HARDLY: f64 = 0.3;

/// `growth`, with the reason that it goes with time where the service grows as fast without tasks.
///
/// The wait is as long as a block with tasks, so both rates are of the same process, one after the other. Growth is
/// taken for a sum of a part per second and a part per task; the idle rate is the former.
pub(super) fn with_time(growth: Growth, run: &RunData, leak: &LeakTasks<'_>) -> Growth {
    let idle = run.events.iter().rev().find_map(|record| match &record.event {
        Event::IdleEnded(idle) => Some(idle),
        _ => None,
    });
    let rates = idle
        .filter(|_| growth.answer == Answer::Leak)
        .and_then(|idle| Some((idle_mb_per_second(idle)?, busy_mb_per_second(&growth, leak)?, idle.seconds)));
    match rates {
        Some((idle, busy, idle_s)) if idle * idle_s >= LEAST_MB && idle >= HARDLY * busy => {
            let mostly = idle >= MOSTLY * busy;
            let reason = Reason::WithTime {
                mb_per_hour: idle * 3600.0,
                busy_mb_per_hour: busy * 3600.0,
                idle_s,
                mostly,
            };
            Growth { reason, ..growth }
        }
        _ => growth,
    }
}

/// By the same figure before and after, with what was swapped out.
fn idle_mb_per_second(idle: &IdleReading) -> Option<f64> {
    let both = [idle.before.as_ref()?, idle.worker.as_ref()?];
    let mb = private_series(both.into_iter().map(Some)).map(|series| series.private_mb);
    let rss = || both.iter().map(|reading| reading.rss_mb).collect::<Option<Vec<f64>>>();
    let mb = mb.or_else(rss)?;
    (idle.seconds > 0.0).then(|| (mb[1] - mb[0]) / idle.seconds)
}

/// Growth while tasks are sent, the waits for quiet memory among them.
fn busy_mb_per_second(growth: &Growth, leak: &LeakTasks<'_>) -> Option<f64> {
    let last = leak.blocks.last()?;
    let half = leak.blocks.iter().find(|block| 2 * block.tasks >= last.tasks && block.tasks < last.tasks)?;
    let (tasks, seconds) = (f64::from(last.tasks - half.tasks), last.seconds - half.seconds);
    let rate = growth.rate_mb_per_task?;
    (seconds > 0.0 && rate > 0.0).then(|| rate * tasks / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::record::{BlockReading, Footprint, Phase, TaskRecord};

    fn held(mb: f64) -> Option<Footprint> {
        let mb = Some(mb);
        Some(Footprint { rss_mb: mb, private_mb: mb, processes: Some(1), ..Footprint::default() })
    }

    /// A check of 4,000 tasks at 50 a second that keeps `per_task` and, whether there are tasks or not, `per_second`;
    /// then 20 s without tasks.
    fn reason(per_task: f64, per_second: f64) -> Reason {
        let at = |done: f64| 60.0 + per_task * done + per_second * done / 50.0;
        let single = |index: u32| TaskRecord {
            phase: Some(Phase::Leak),
            worker_rss_after_mb: Some(at(f64::from(index + 1))),
            worker_before: held(at(f64::from(index))),
            worker_after: held(at(f64::from(index + 1))),
            ..task("short", 1, 0.01)
        };
        let (mut events, mut done, mut block) = (Vec::new(), 6, 0);
        while done < 4000 {
            (done, block) = (done + (done / 5).max(40), block + 1);
            events.push(Event::BlockEnded(BlockReading {
                block,
                tasks: done,
                seconds: f64::from(done) / 50.0,
                busy_seconds: 1.0,
                settled: true,
                worker: held(at(f64::from(done))),
                floor_rss_mb: None,
                floor_tasks: None,
            }));
        }
        let end = at(f64::from(done));
        events.push(Event::IdleEnded(IdleReading {
            seconds: 20.0,
            before: held(end),
            worker: held(end + 20.0 * per_second),
        }));
        let run = run((0..6).map(single).collect(), events);
        let leak = LeakTasks::of(&run);
        let growth = with_time(leak.growth(1), &run, &leak);
        assert_eq!(growth.answer, Answer::Leak, "{}", growth.reason);
        growth.reason
    }

    #[test]
    fn growth_without_tasks_is_growth_with_time() {
        let Reason::WithTime { mb_per_hour, mostly, .. } = reason(0.0, 0.25) else { panic!() };
        assert!(mostly && (mb_per_hour - 900.0).abs() < 1.0, "{mb_per_hour}");
        let Reason::WithTime { mostly, .. } = reason(0.005, 0.25) else { panic!() };
        assert!(!mostly, "half of it goes with tasks");
    }

    #[test]
    fn growth_that_stops_with_the_tasks_goes_with_tasks() {
        assert!(matches!(reason(0.02, 0.0), Reason::GoesOn { .. }));
        assert!(matches!(reason(0.02, 0.05), Reason::GoesOn { .. }), "1 MB is no growth");
    }
}
