//! The children of the workers: those that were killed, and those that are a task each. Pure.

use super::WORKER;
use super::finding::{Evidence, Finding};
use super::leak_tasks::LeakTasks;
use super::note::Note;
use crate::record::{CriterionId, Event, ExitKind, Phase, RunData, Verdict};

/// Where as large a share of the tasks has a child that ended, tasks run in children.
const FORKING_SHARE: f64 = 0.8;

/// SIGTERM: how a parent ends a child in good order.
const ENDED_IN_ORDER: i32 = 15;

/// `worker.children`, where children of a worker were watched.
pub(super) fn children_criterion(run: &RunData) -> Option<Finding> {
    let mut of = 0;
    let mut killed: Vec<(u32, ExitKind)> = Vec::new();
    for record in &run.events {
        match &record.event {
            Event::ProcessFound { role, root: false, .. } if role == WORKER => of += 1,
            Event::ProcessExited { role, root: false, pid, how, .. } if role == WORKER => {
                let abnormal = match how {
                    ExitKind::Signal(signal) => *signal != ENDED_IN_ORDER,
                    ExitKind::OutOfMemory => true,
                    ExitKind::Code(_) | ExitKind::Unknown => false,
                };
                killed.extend(abnormal.then_some((*pid, *how)));
            }
            _ => {}
        }
    }
    let verdict = if killed.is_empty() { Verdict::Pass } else { Verdict::Fail };
    (of > 0).then(|| Finding::new(CriterionId::WorkerChildren, verdict, Evidence::Children { killed, of }))
}

/// A note where each task of the leak check ran in a child that ended with it.
pub(super) fn forks_note(run: &RunData, leak: &LeakTasks<'_>) -> Option<Note> {
    let tasks = leak.tasks.len() + leak.in_blocks.tasks as usize;
    let checked = run
        .events
        .iter()
        .take_while(|record| !matches!(record.event, Event::PhaseEnded { phase: Phase::Leak, .. }));
    let ended =
        |event: &Event| matches!(event, Event::ProcessExited { role, root: false, .. } if role == WORKER);
    let children = checked.filter(|record| ended(&record.event)).count();
    let peaks = leak.tasks.iter().filter_map(|task| task.worker_rss_peak_mb).chain(leak.in_blocks.peak_mb);
    (tasks > 0 && children as f64 >= FORKING_SHARE * tasks as f64).then(|| Note::Forks {
        children,
        tasks,
        peak_mb: peaks.max_by(f64::total_cmp),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{judge, run, task};
    use crate::plan::Plan;

    /// Six tasks, each in a child that ends as `how` says.
    fn forking(how: impl Fn(u32) -> ExitKind) -> RunData {
        let mut events = Vec::new();
        for pid in 100..106 {
            events.push(Event::ProcessFound {
                role: WORKER.to_string(),
                pid,
                name: "horse".to_string(),
                command: "horse".to_string(),
                root: false,
                parent: Some(7),
                start: None,
                replacement: true,
                rss_mb: None,
            });
            let (role, name) = (WORKER.to_string(), "horse".to_string());
            events.push(Event::ProcessExited { role, pid, name, root: false, how: how(pid) });
        }
        let tasks = (0..6).map(|_| {
            let mut record = task("short", 1, 0.2);
            (record.phase, record.worker_rss_peak_mb) = (Some(Phase::Leak), Some(220.0));
            record
        });
        run(tasks.collect(), events)
    }

    #[test]
    fn a_killed_child_is_named_and_fails() {
        let found = |run: &RunData| {
            let judgement = judge(run, &Plan::default());
            let found =
                judgement.criteria.into_iter().find(|found| found.name == CriterionId::WorkerChildren);
            found.map(|found| (found.verdict, found.detail))
        };
        let killed = |pid| if pid == 103 { ExitKind::Signal(9) } else { ExitKind::Code(0) };
        let (verdict, detail) = found(&forking(killed)).unwrap();
        assert_eq!(verdict, Verdict::Fail);
        assert_eq!(detail, "a child of the worker ended by a signal: pid 103 was killed, signal 9");
        let (_, detail) = found(&forking(|_| ExitKind::Signal(9))).unwrap();
        assert!(detail.starts_with("6 children") && !detail.contains("102"), "{detail}");
        assert_eq!(found(&forking(|_| ExitKind::Code(0))).unwrap().0, Verdict::Pass);
        assert_eq!(found(&forking(|_| ExitKind::Signal(15))).unwrap().0, Verdict::Pass);
        assert_eq!(found(&run(Vec::new(), Vec::new())), None);
    }

    #[test]
    fn where_tasks_are_children_the_report_says_what_that_hides() {
        let notes = judge(&forking(|_| ExitKind::Code(0)), &Plan::default()).notes;
        let said = notes.iter().find(|note| note.contains("child of the worker")).unwrap();
        assert!(said.contains("6 of them for 6 tasks") && said.contains("220.0 MB"), "{said}");
    }
}
