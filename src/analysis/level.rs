//! Does a level hold? The question asked live after every level, and again
//! when a journal is judged.

use super::worker_end;
use crate::plan::RampPlan;
use crate::record::{Clause, ClauseKind, ExitKind, TaskRecord};

/// What is known of one level.
#[derive(Debug, Clone, Default)]
pub struct LevelFacts<'a> {
    /// Tasks that were submitted at once.
    pub concurrency: u32,
    /// Those that left a record.
    pub tasks: Vec<&'a TaskRecord>,
    /// Worker processes that ended during the level.
    pub exits: Vec<(u32, ExitKind)>,
    /// Worker processes that turned up during the level.
    pub replacements: Vec<u32>,
    /// What the health endpoint said after the level, if that was not well.
    pub unhealthy: Option<String>,
}

/// The clause that broke, or nothing if the level held.
///
/// A cause is named before its consequences: a worker that died fails the tasks,
/// and failed tasks make an RTF meaningless.
pub fn judge_level(facts: &LevelFacts<'_>, plan: &RampPlan) -> Option<Clause> {
    worker_alive(facts)
        .or_else(|| tasks_succeed(facts))
        .or_else(|| healthy(facts))
        .or_else(|| rtf(facts, plan))
}

fn worker_alive(facts: &LevelFacts<'_>) -> Option<Clause> {
    if facts.exits.is_empty() && facts.replacements.is_empty() {
        return None;
    }
    let ends = facts.exits.iter().map(|(pid, how)| worker_end(*pid, *how));
    let replaced = facts.replacements.iter().map(|pid| format!("worker pid {pid} was started in its place"));
    Some(Clause {
        clause: ClauseKind::WorkerAlive,
        detail: ends.chain(replaced).collect::<Vec<_>>().join(", "),
        pids: facts.exits.iter().map(|(pid, _)| *pid).collect(),
    })
}

fn tasks_succeed(facts: &LevelFacts<'_>) -> Option<Clause> {
    let succeeded = facts.tasks.iter().filter(|task| task.succeeded()).count();
    let all = facts.concurrency as usize;
    let detail = match facts.tasks.iter().find(|task| !task.succeeded()) {
        Some(task) => {
            let error = task.error.as_deref().unwrap_or("no reason was recorded");
            format!("{} of {all} tasks failed: {error}", facts.tasks.len() - succeeded)
        }
        None if succeeded < all => format!("{} of {all} tasks left no record", all - succeeded),
        None => return None,
    };
    Some(Clause { clause: ClauseKind::TasksSucceed, detail, pids: Vec::new() })
}

fn healthy(facts: &LevelFacts<'_>) -> Option<Clause> {
    let problem = facts.unhealthy.as_ref()?;
    Some(Clause {
        clause: ClauseKind::Health,
        detail: format!("health endpoint: {problem}"),
        pids: Vec::new(),
    })
}

fn rtf(facts: &LevelFacts<'_>, plan: &RampPlan) -> Option<Clause> {
    if !plan.stop_at_rtf {
        return None;
    }
    let highest = facts.tasks.iter().filter_map(|task| task.rtf).max_by(f64::total_cmp)?;
    (highest >= plan.max_rtf).then(|| Clause {
        clause: ClauseKind::Rtf,
        detail: format!("RTF {highest:.3} ≥ {:?}", plan.max_rtf),
        pids: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::task;
    use crate::record::TaskStatus;

    fn check(facts: &LevelFacts<'_>, plan: &RampPlan, expect: Option<(ClauseKind, &str)>) {
        let broke = judge_level(facts, plan);
        assert_eq!(broke.as_ref().map(|clause| (clause.clause, clause.detail.as_str())), expect);
    }

    #[test]
    fn each_clause_is_named_when_it_breaks() {
        let good = task("short", 2, 0.5);
        let mut bad = task("short", 2, 0.5);
        bad.status = TaskStatus::Failed;
        bad.error = Some("HTTP 503".to_string());
        let plan = RampPlan::default();
        let held = LevelFacts { concurrency: 2, tasks: vec![&good, &good], ..LevelFacts::default() };
        check(&held, &plan, None);
        check(
            &LevelFacts { tasks: vec![&good, &bad], ..held.clone() },
            &plan,
            Some((ClauseKind::TasksSucceed, "1 of 2 tasks failed: HTTP 503")),
        );
        check(
            &LevelFacts { tasks: vec![&good], ..held.clone() },
            &plan,
            Some((ClauseKind::TasksSucceed, "1 of 2 tasks left no record")),
        );
        check(
            &LevelFacts { tasks: vec![&bad], exits: vec![(7, ExitKind::Signal(9))], ..held.clone() },
            &plan,
            Some((ClauseKind::WorkerAlive, "worker pid 7 was killed, signal 9")),
        );
        check(
            &LevelFacts { replacements: vec![8], ..held.clone() },
            &plan,
            Some((ClauseKind::WorkerAlive, "worker pid 8 was started in its place")),
        );
        check(
            &LevelFacts { unhealthy: Some("HTTP 500".to_string()), ..held.clone() },
            &plan,
            Some((ClauseKind::Health, "health endpoint: HTTP 500")),
        );
    }

    #[test]
    fn rtf_stops_the_ramp_only_where_it_is_asked_for() {
        let slow = task("short", 1, 1.0);
        let facts = LevelFacts { concurrency: 1, tasks: vec![&slow], ..LevelFacts::default() };
        check(&facts, &RampPlan::default(), None);
        let asked = RampPlan { stop_at_rtf: true, ..RampPlan::default() };
        check(&facts, &asked, Some((ClauseKind::Rtf, "RTF 1.000 ≥ 1.0")));
    }
}
