//! What is missing of a run's files, and what it would have proven.
//!
//! That nothing died, grew across no restart and broke no level is proven by a log without gaps only.

use super::finding::Finding;
use crate::record::{CriterionId, RunData, Verdict};

/// True if the log of events of a run of highwater's own is missing, was begun anew, or has unreadable lines.
///
/// The files of the older script have no log: nothing is missing of theirs.
pub(super) fn log_is_incomplete(run: &RunData) -> bool {
    let own = run.start().is_some()
        || run.soaked.sequence.max(run.in_blocks.sequence).max(run.ramp.sums.sequence) > 0
        || run.tasks.iter().any(|task| task.sequence.is_some());
    let missing = run.missing.iter().any(|name| !is_samples(name));
    own && (run.start().is_none() || missing || run.damage.iter().any(|line| is_log(&line.file)))
}

/// True if a line that is unreadable may have been one that decides.
pub(super) fn lines_are_lost(run: &RunData) -> bool {
    run.damage.iter().any(|line| !line.torn && !is_samples(&line.file)) || log_is_incomplete(run)
}

/// Passes that only a whole log proves become inconclusive.
pub(super) fn doubt_without_a_log(run: &RunData, findings: &mut [Finding]) {
    if !log_is_incomplete(run) {
        return;
    }
    let by_tasks = [CriterionId::LeakTasks, CriterionId::SoakTasks];
    for found in findings.iter_mut().filter(|found| found.verdict == Verdict::Pass) {
        if !by_tasks.contains(&found.id) {
            found.verdict = Verdict::Inconclusive;
            found.without_log = true;
        }
    }
}

fn is_log(name: &str) -> bool {
    name.starts_with("events_") || name.ends_with(".events.jsonl")
}

fn is_samples(name: &str) -> bool {
    name.ends_with(".csv")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{judge, run, task};
    use crate::plan::Plan;
    use crate::record::{Damage, Event, Judgement, Phase};

    fn whole() -> RunData {
        let tasks = (1..=24).map(|index| {
            let mut record = task("short", 1, 0.1);
            record.phase = Some(Phase::Leak);
            record.sequence = Some(index);
            record
        });
        let found = Event::ProcessFound {
            role: "worker".to_string(),
            pid: 7,
            name: "python3".to_string(),
            command: "python3".to_string(),
            root: true,
            parent: None,
            start: None,
            replacement: false,
            rss_mb: None,
        };
        let mut run = run(tasks.collect(), vec![found, Event::RunEnded]);
        run.file = "memory_leak_stress_test_20260101_000000.jsonl".to_string();
        run
    }

    fn judged(run: &RunData) -> Judgement {
        let mut plan = Plan::default();
        plan.ramp.enabled = false;
        judge(run, &plan)
    }

    fn alive(judgement: &Judgement) -> (Verdict, String) {
        let found = judgement.criteria.iter().find(|found| found.name == CriterionId::WorkerAlive);
        let found = found.expect("it is always asked");
        (found.verdict, found.detail.clone())
    }

    #[test]
    fn an_unreadable_line_of_the_log_leaves_open_whether_a_worker_died() {
        let run = whole();
        assert_eq!(alive(&judged(&run)).0, Verdict::Pass);
        for torn in [true, false] {
            let mut damaged = run.clone();
            damaged.damage.push(Damage {
                file: "events_20260101_000000.jsonl".to_string(),
                line: 9,
                torn,
                reason: "expected value".to_string(),
            });
            let judgement = judged(&damaged);
            let (verdict, detail) = alive(&judgement);
            assert_eq!(verdict, Verdict::Inconclusive);
            assert!(detail.contains("log of events is incomplete"), "{detail}");
            assert_ne!(judgement.verdict, Verdict::Pass);
            let tasks = judgement.criteria.iter().find(|found| found.name == CriterionId::LeakTasks);
            assert_eq!(
                tasks.map(|found| found.verdict),
                Some(Verdict::Pass),
                "the tasks are in their own file"
            );
        }
    }

    #[test]
    fn a_log_that_is_gone_or_begun_anew_proves_nothing() {
        let mut gone = whole();
        gone.events.clear();
        gone.missing = vec!["events_20260101_000000.jsonl".to_string()];
        assert_eq!(alive(&judged(&gone)).0, Verdict::Inconclusive);
        let mut anew = whole();
        anew.events.remove(0);
        assert_eq!(alive(&judged(&anew)).0, Verdict::Inconclusive);
    }

    #[test]
    fn an_earlier_part_that_is_gone_leaves_its_tasks_open() {
        let mut run = whole();
        run.missing = vec!["memory_leak_stress_test_20251231_000000.jsonl".to_string()];
        assert_ne!(judged(&run).verdict, Verdict::Pass);
    }

    #[test]
    fn samples_that_are_gone_change_no_verdict() {
        let mut run = whole();
        run.missing = vec!["system_resources_20260101_000000.csv".to_string()];
        assert_eq!(alive(&judged(&run)).0, Verdict::Pass);
        assert_eq!(judged(&run).verdict, judged(&whole()).verdict);
    }
}
