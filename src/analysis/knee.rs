//! A service that goes on answering can be past its best all the same.

use std::collections::BTreeMap;

use super::finding::{Evidence, Finding, Unit};
use super::limit::{Level, throughputs};
use super::note::Note;
use crate::plan::RampPlan;
use crate::record::{CriterionId, Limit, Verdict};

/// Less than this share of the best throughput at a lower level is worth a note…
const COLLAPSED: f64 = 0.5;

/// …where the level had so many tasks at least: the throughput of a few is chance.
const TELLING_TASKS: usize = 10;

/// From which level on throughput fell, though every clause held there.
pub(super) fn knee_note(levels: &[Level]) -> Option<Note> {
    let told = |concurrency: u32| {
        levels.iter().any(|level| level.concurrency == concurrency && level.tasks >= TELLING_TASKS)
    };
    let mut best: Option<(u32, f64)> = None;
    for (concurrency, throughput) in throughputs(levels).into_iter().filter(|(level, _)| told(*level)) {
        match best {
            Some((at, most)) if concurrency > at && throughput < COLLAPSED * most => {
                return Some(Note::Knee { at: concurrency, throughput, best_at: at, best: most });
            }
            Some((_, most)) if throughput <= most => {}
            _ => best = Some((concurrency, throughput)),
        }
    }
    None
}

/// A level whose throughput no higher one exceeds by more than this share is a plateau's first…
const RISES: f64 = 0.1;

/// …where levels up to this multiple of it held: throughput that scales would have doubled there.
const FAR_ENOUGH: u32 = 2;

/// From which level on throughput did not rise, though higher levels held.
pub(super) fn plateau_note(levels: &[Level]) -> Option<Note> {
    let Useful { at, throughput, held, held_throughput } = useful(levels)?;
    (held >= at.saturating_mul(FAR_ENOUGH)).then_some(Note::Plateau { at, throughput, held, held_throughput })
}

/// The level at which throughput stopped rising, and the highest level that held.
struct Useful {
    at: u32,
    throughput: f64,
    held: u32,
    held_throughput: f64,
}

fn useful(levels: &[Level]) -> Option<Useful> {
    // Several attempts at a level are one: the best of them shows what it can do.
    let mut best: BTreeMap<u32, f64> = BTreeMap::new();
    for (concurrency, throughput) in throughputs(levels) {
        let entry = best.entry(concurrency).or_default();
        *entry = entry.max(throughput);
    }
    let (&held, &held_throughput) = best.last_key_value()?;
    let flat = |from: u32, throughput: f64| {
        best.range(from + 1..).all(|(_, higher)| *higher <= (1.0 + RISES) * throughput)
    };
    let (&at, &throughput) = best.iter().find(|(level, throughput)| flat(**level, **throughput))?;
    Some(Useful { at, throughput, held, held_throughput })
}

/// `ramp.useful`, where it is asked for: throughput rises up to this level at least.
///
/// It fails if throughput stopped rising at a lower level, and either levels far enough above confirm that or no
/// higher level holds.
pub(super) fn useful_criterion(limit: &Limit, levels: &[Level], plan: &RampPlan) -> Option<Finding> {
    let required = plan.useful_required?;
    let found = useful(levels);
    let verdict = match &found {
        Some(found) if found.at >= required => Verdict::Pass,
        Some(found) if found.held >= found.at.saturating_mul(FAR_ENOUGH) => Verdict::Fail,
        // No level above holds, so none of them is useful.
        Some(_) if matches!(limit, Limit::Found { .. }) => Verdict::Fail,
        None if matches!(limit, Limit::Found { .. }) => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let found = found.map(|found| (found.at, found.throughput, found.held));
    Some(Finding {
        value: found.map(|(at, _, _)| f64::from(at)),
        threshold: Some(f64::from(required)),
        unit: Some(Unit::Tasks),
        ..Finding::new(CriterionId::RampUseful, verdict, Evidence::Useful { found, required })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plateau of levels with these throughputs.
    fn plateau(rates: &[f64]) -> Option<String> {
        plateau_note(&levels_of(20, rates)).map(|note| note.to_string())
    }
    use crate::analysis::fixtures::{run, task};
    use crate::analysis::levels;
    use crate::record::{Event, LevelEnd, Phase};

    /// What is noted of levels of which each did `tasks` in a second times `rate`.
    fn noted(tasks: usize, rates: &[f64]) -> Option<Note> {
        knee_note(&levels_of(tasks, rates))
    }

    fn levels_of(tasks: usize, rates: &[f64]) -> Vec<Level> {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        for (index, rate) in rates.iter().enumerate() {
            let concurrency = index as u32 + 1;
            events.push(Event::LevelStarted { concurrency, attempt: None, why: None });
            for number in 0..tasks {
                let mut record = task("short", concurrency, 0.001);
                record.test_id = format!("short_c{concurrency}_t{number}_1");
                record.phase = Some(Phase::Concurrency);
                events.push(Event::TaskStarted { test_id: record.test_id.clone() });
                records.push(record);
            }
            let end = LevelEnd {
                concurrency,
                sent: Some(tasks as u32),
                load_s: Some(tasks as f64 / rate),
                ..LevelEnd::default()
            };
            events.push(Event::LevelEnded(Box::new(end)));
        }
        levels(&run(records, events), &RampPlan::default())
    }

    #[test]
    fn one_worker_is_a_plateau_from_the_first_level_on() {
        let told = plateau(&[4.9, 5.0, 4.95, 5.05, 5.0]).unwrap();
        assert!(told.starts_with("throughput stopped rising at c=1 (4.90 tasks/s; 5.00 at c=5"), "{told}");
        let told = plateau(&[4.9, 9.8, 10.0, 10.1]).unwrap();
        assert!(told.starts_with("throughput stopped rising at c=2 "), "{told}");
    }

    #[test]
    fn throughput_that_rises_or_was_not_seen_far_enough_is_no_plateau() {
        assert_eq!(plateau(&[5.0, 10.0, 15.0, 20.0]), None);
        assert_eq!(plateau(&[5.0, 10.0, 10.1]), None, "c=4 was not tried");
        assert_eq!(plateau(&[5.0]), None);
    }

    #[test]
    fn a_service_must_gain_up_to_the_level_that_is_required() {
        let open = Limit::NotRun;
        let verdict = |rates: &[f64], limit: &Limit, required| {
            let plan = RampPlan { useful_required: required, ..RampPlan::default() };
            useful_criterion(limit, &levels_of(20, rates), &plan).map(|found| found.verdict)
        };
        assert_eq!(verdict(&[5.0, 5.0, 5.0], &open, None), None, "it was not asked for");
        let rising = [5.0, 10.0, 15.0, 20.0];
        assert_eq!(verdict(&rising, &open, Some(4)), Some(Verdict::Pass));
        assert_eq!(verdict(&rising, &open, Some(5)), Some(Verdict::Inconclusive), "c=5 was not tried");
        let stops = [5.0, 10.0, 10.1, 10.0];
        assert_eq!(verdict(&stops, &open, Some(2)), Some(Verdict::Pass));
        assert_eq!(verdict(&stops, &open, Some(3)), Some(Verdict::Fail));
        assert_eq!(verdict(&stops[..3], &open, Some(3)), Some(Verdict::Inconclusive), "it may rise at c=4");
        assert_eq!(verdict(&[], &open, Some(3)), Some(Verdict::Inconclusive));
    }

    #[test]
    fn a_collapse_is_noted_with_its_figures() {
        let note = noted(20, &[300.0, 615.0, 26.0, 24.0]).unwrap();
        let told = note.to_string();
        assert!(told.starts_with("c=3 did 26.0 tasks/s and c=2 did 615: throughput collapses"), "{told}");
    }

    #[test]
    fn a_plateau_is_none_and_a_few_tasks_tell_nothing() {
        assert_eq!(noted(20, &[100.0, 180.0, 170.0, 120.0]), None);
        assert_eq!(noted(3, &[300.0, 615.0, 26.0]), None);
    }
}
