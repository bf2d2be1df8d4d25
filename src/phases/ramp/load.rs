//! Keeps the tasks of a level outstanding: sends the next one as soon as one ends.

use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::Result;
use crate::phases::rig::Rig;
use crate::phases::task::Together;
use crate::plan::RampPlan;
use crate::record::TaskRecord;

/// Sends the tasks of a level and records each as soon as it ends; returns how many were sent.
pub(super) async fn load(rig: &Rig, level: &Together<'_>) -> Result<u32> {
    let plan = &rig.plan.ramp;
    let started = Instant::now();
    let front = format!("{}_c{}", rig.inputs.get(plan.audio).stem, level.concurrency);
    let second = rig.recorder.batch_second(&front);
    let one = |index: u32, after_failure| {
        // The first task of a level of one has the name of a single task.
        let test_id = match (level.concurrency, index) {
            (1, 0) => format!("{front}_{second}"),
            _ => format!("{front}_t{index}_{second}"),
        };
        level.one(rig, test_id, after_failure)
    };
    let mut outstanding: FuturesUnordered<_> =
        (0..level.concurrency).map(|index| one(index, false)).collect();
    let mut sent = level.concurrency;
    let mut go_on = true;
    while let Some(ended) = outstanding.next().await {
        let task = ended?;
        let seconds = started.elapsed().as_secs_f64();
        go_on &= may_go_on(plan, &task) && rig.workers.since(level.mark).0.is_empty();
        if go_on && wants_more(plan, level.concurrency, sent, seconds, &task) {
            outstanding.push(one(sent, !task.succeeded()));
            sent += 1;
        }
    }
    Ok(sent)
}

/// False if `task` has decided the level: where all tasks must succeed, one failure does.
fn may_go_on(plan: &RampPlan, task: &TaskRecord) -> bool {
    task.succeeded() || plan.stable.min_success < 1.0
}

/// True if another task should replace the one that has ended.
fn wants_more(plan: &RampPlan, concurrency: u32, sent: u32, seconds: f64, ended: &TaskRecord) -> bool {
    let short = ended.processing_time.is_some_and(|time| time < plan.short_s);
    let enough_if_short = concurrency.saturating_mul(3).max(plan.short_tasks);
    sent < plan.rounds.saturating_mul(concurrency)
        || seconds < plan.hold_s
        || (short && sent < enough_if_short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::task;
    use crate::record::TaskStatus;

    /// The number of tasks that a level of `concurrency` sends if each takes `task_s` seconds.
    fn sent(plan: &RampPlan, concurrency: u32, task_s: f64) -> u32 {
        let mut ended = task("short", concurrency, 0.1);
        ended.processing_time = Some(task_s);
        let mut sent = concurrency;
        let mut done = 0;
        while done < sent {
            done += 1;
            let seconds = f64::from(done.div_ceil(concurrency)) * task_s;
            sent += u32::from(wants_more(plan, concurrency, sent, seconds, &ended));
        }
        sent
    }

    #[test]
    fn a_level_is_a_batch_and_more_where_its_tasks_are_short() {
        let plan = RampPlan::default();
        assert_eq!((sent(&plan, 1, 5.0), sent(&plan, 7, 5.0)), (1, 7));
        assert_eq!((sent(&plan, 1, 0.1), sent(&plan, 7, 0.1)), (20, 21));
        let off = RampPlan { short_s: 0.0, ..RampPlan::default() };
        assert_eq!(sent(&off, 1, 0.1), 1);
    }

    #[test]
    fn rounds_and_time_make_it_longer() {
        let rounds = RampPlan { rounds: 3, ..RampPlan::default() };
        assert_eq!(sent(&rounds, 4, 5.0), 12);
        let held = RampPlan { hold_s: 60.0, ..RampPlan::default() };
        assert_eq!(sent(&held, 4, 5.0), 48);
    }

    #[test]
    fn a_failure_ends_a_level_where_all_must_succeed() {
        let mut failed = task("short", 2, 0.1);
        failed.status = TaskStatus::Failed;
        let mut plan = RampPlan::default();
        assert!(!may_go_on(&plan, &failed));
        plan.stable.min_success = 0.9;
        assert!(may_go_on(&plan, &failed));
    }
}
