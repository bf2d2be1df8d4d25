//! Is the worker that is watched the process that does the work?

use super::LeakTasks;
use super::finding::{Evidence, Finding, Unit};
use crate::record::{CriterionId, Verdict};

/// The kernel counts CPU time in steps of 10 ms: tasks that took less than this together, in
/// seconds, can be done in less CPU time than shows.
const TELLING_S: f64 = 1.0;

/// A criterion only where there is doubt: tasks succeeded, and the worker used no CPU meanwhile.
///
/// A stale pid, or the wrong one of two processes, is quiet and flat, and would be called clean.
pub(super) fn works_criterion(leak: &LeakTasks<'_>) -> Option<Finding> {
    let good: Vec<_> = leak.tasks.iter().filter(|task| task.succeeded()).collect();
    let before = leak.tasks.first()?.worker_before?.cpu_s?;
    let after = leak.tasks.last()?.worker_after?.cpu_s?;
    let seconds: f64 = good.iter().filter_map(|task| task.processing_time).sum();
    if good.is_empty() || after > before || seconds < TELLING_S {
        return None;
    }
    let evidence = Evidence::IdleWorker { tasks: good.len(), seconds };
    Some(Finding {
        value: Some(0.0),
        unit: Some(Unit::CpuSeconds),
        ..Finding::new(CriterionId::WorkerWorks, Verdict::Inconclusive, evidence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::record::{Footprint, Phase};

    fn judged(cpu_s_a_task: f64, seconds_a_task: f64) -> Option<Verdict> {
        let tasks = (0..8).map(|index| {
            let held = |done: u32| Footprint {
                cpu_s: Some(0.5 + cpu_s_a_task * f64::from(done)),
                ..Footprint::default()
            };
            let mut record = task("short", 1, seconds_a_task / 147.0);
            record.phase = Some(Phase::Leak);
            (record.worker_before, record.worker_after) = (Some(held(index)), Some(held(index + 1)));
            record
        });
        let run = run(tasks.collect(), Vec::new());
        works_criterion(&LeakTasks::of(&run)).map(|found| found.verdict)
    }

    #[test]
    fn a_process_that_slept_while_tasks_succeeded_is_doubted() {
        assert_eq!(judged(0.0, 0.5), Some(Verdict::Inconclusive));
        assert_eq!(judged(0.01, 0.5), None);
        assert_eq!(judged(0.0, 0.001), None, "too little time for its CPU to show");
    }
}
