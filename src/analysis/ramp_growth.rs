//! What the levels of the ramp retain: judged where there are readings enough, else mentioned. Pure.

use super::Answer;
use super::finding::{Evidence, Finding, Unit};
use super::growth::{Readings, growth};
use super::limit::Level;
use super::note::Note;
use super::retained::private_series;
use crate::plan::LeakPlan;
use crate::record::{ClauseKind, CriterionId};
use crate::units::round;

/// Fewer levels than this are not judged.
const LEAST_LEVELS: usize = 8;

/// The criterion `ramp.growth` where what the levels retain decides it, or a note where they retain more than the
/// tolerance of the baseline and do not.
pub(super) fn ramp_growth(levels: &[Level], plan: &LeakPlan) -> (Option<Finding>, Option<Note>) {
    // No reading is compared across the end of a process.
    let ended = |level: &Level| {
        let dead = |clause: ClauseKind| matches!(clause, ClauseKind::WorkerAlive | ClauseKind::Oom);
        level.broke.as_ref().is_some_and(|broke| dead(broke.clause))
    };
    let compared: Vec<&Level> = levels
        .iter()
        .take_while(|level| {
            !ended(level) && level.memory.before_mb.is_some() && level.memory.after_mb.is_some()
        })
        .collect();
    let (Some(first), Some(last)) = (compared.first(), compared.last()) else { return (None, None) };
    let (Some(before_mb), Some(after_mb)) = (first.memory.before_mb, last.memory.after_mb) else {
        return (None, None);
    };
    let mut at = Vec::with_capacity(compared.len());
    let tasks = compared.iter().fold(0, |tasks, level| {
        at.push((tasks + level.tasks) as f64);
        tasks + level.tasks
    });
    let private = private_series(compared.iter().map(|level| level.memory.after.as_ref()));
    let rss = || compared.iter().filter_map(|level| level.memory.after_mb).collect::<Vec<_>>();
    let after = private.map_or_else(rss, |found| found.private_mb);
    let found = growth(&Readings { at: &at, ..Readings::new(&after) });
    if compared.len() >= LEAST_LEVELS && found.answer != Answer::Inconclusive {
        let finding = Finding {
            value: found.rate_mb_per_task.map(|rate| round(rate, 2)),
            unit: Some(Unit::MbPerTask),
            ..Finding::new(CriterionId::RampGrowth, found.verdict(), Evidence::RoleGrowth(Box::new(found)))
        };
        return (Some(finding), None);
    }
    let kept = after_mb - before_mb > plan.baseline_tolerance_mb;
    (None, kept.then_some(Note::LevelsKept { before_mb, after_mb, tasks, levels: compared.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{judge, run, task};
    use crate::plan::Plan;
    use crate::record::{Event, LevelEnd, LevelMemory, Phase, RunData, TaskRecord, Verdict};

    /// A ramp of `levels` levels, after each of which the worker holds `mb(tasks)`.
    fn ramp(levels: u32, per_level: u32, mb: impl Fn(u32) -> f64) -> RunData {
        let (mut tasks, mut events, mut done) = (Vec::new(), Vec::new(), 0);
        for level in 1..=levels {
            events.push(Event::LevelStarted { concurrency: level, attempt: Some(1), why: None });
            let before_mb = Some(mb(done));
            for index in 0..per_level {
                let test_id = format!("short_c{level}_{index}");
                events.push(Event::TaskStarted { test_id: test_id.clone() });
                tasks.push(TaskRecord {
                    test_id,
                    phase: Some(Phase::Concurrency),
                    ..task("short", level, 0.2)
                });
            }
            done += per_level;
            events.push(Event::LevelEnded(Box::new(LevelEnd {
                concurrency: level,
                attempt: Some(1),
                sent: Some(per_level),
                memory: LevelMemory { before_mb, after_mb: Some(mb(done)), ..LevelMemory::default() },
                ..LevelEnd::default()
            })));
        }
        run(tasks, events)
    }

    fn found(run: &RunData) -> (Option<Verdict>, Vec<String>) {
        let judgement = judge(run, &Plan::default());
        let verdict = judgement.criteria.iter().find(|found| found.name == CriterionId::RampGrowth);
        let notes = judgement.notes.into_iter().filter(|note| note.contains("levels of the ramp")).collect();
        (verdict.map(|found| found.verdict), notes)
    }

    #[test]
    fn a_few_levels_that_keep_memory_are_mentioned() {
        let (verdict, notes) = found(&ramp(3, 2, |done| 145.0 + 364.5 * f64::from(done)));
        assert_eq!(verdict, None);
        assert_eq!(
            notes,
            [
                "the 3 levels of the ramp left 2187.0 MB more than before them (145.0 to 2332.0 MB over 6 tasks), which is \
              not judged: too few readings to tell a leak from what fills; `highwater run --only leak` judges it"
            ]
        );
        assert_eq!(found(&ramp(3, 2, |_| 145.0)), (None, Vec::new()));
    }

    #[test]
    fn many_levels_that_keep_as_much_for_each_task_fail() {
        let (verdict, notes) = found(&ramp(16, 400, |done| 145.0 + f64::from(done)));
        assert_eq!((verdict, notes), (Some(Verdict::Fail), Vec::new()));
    }
}
