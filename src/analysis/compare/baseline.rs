//! A run held against a baseline: what it inherited does not fail it, what it made worse does.

use super::{Comparison, compare, run_figures};
use crate::analysis::change::{Change, Signal};
use crate::analysis::finding::{Evidence, Finding, Unit};
use crate::record::{CriterionId, Event, RunData, RunFigures, Verdict};

/// The comparison of a run with the baseline that its log holds; nothing if it was run without one.
pub fn baseline_comparison(run: &RunData) -> Option<Comparison> {
    let baseline: &[RunFigures] = run.events.iter().find_map(|record| match &record.event {
        Event::Baseline { runs } => Some(runs.as_slice()),
        _ => None,
    })?;
    Some(compare(baseline, &[run_figures(run)]))
}

/// Adds the criterion of the comparison, and lets it decide about those of memory.
///
/// A leak that the baseline had already fails nothing as long as it is no worse; a criterion that
/// could not be decided by itself is decided by the comparison. Failed tasks are no less failed for a baseline. Where the baseline was clean, what
/// fails by itself goes on failing.
pub(in crate::analysis) fn hold_against(comparison: &Comparison, criteria: &mut Vec<Finding>) {
    let not_worse = matches!(comparison.verdict, Change::Fixed | Change::Better | Change::NoChange);
    let leaked = comparison
        .signals
        .iter()
        .any(|signal| signal.before.is_some_and(|before| before.low > signal.least_per_task));
    for criterion in criteria.iter_mut().filter(|found| found.id.asks_what_is_retained()) {
        let inherited = match criterion.verdict {
            Verdict::Pass => false,
            Verdict::Inconclusive => not_worse,
            Verdict::Fail => not_worse && leaked,
        };
        if inherited {
            criterion.by_itself = Some(criterion.verdict);
            criterion.verdict = Verdict::Pass;
        }
    }
    criteria.push(criterion(comparison));
}

fn criterion(comparison: &Comparison) -> Finding {
    let verdict = match comparison.verdict {
        Change::Fixed | Change::Better | Change::NoChange => Verdict::Pass,
        Change::Worse => Verdict::Fail,
        Change::NotEnoughData => Verdict::Inconclusive,
    };
    let memory = comparison.signals.iter().find(|signal| signal.signal == Signal::Memory);
    let difference = memory.and_then(|signal| signal.difference);
    let evidence = Evidence::Compared { change: comparison.verdict, reason: comparison.reason.clone() };
    Finding {
        value: difference.map(|found| crate::units::round(found.per_task, 2)),
        unit: difference.map(|_| Unit::MbPerTask),
        ..Finding::new(CriterionId::CompareGrowth, verdict, evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{judge, run, task};
    use crate::plan::Plan;
    use crate::record::Phase;

    /// A run whose worker keeps `rate` MB at each task, with its baseline in its log.
    fn run_with(rate: f64, baseline: Option<f64>) -> RunData {
        let tasks = (0..24).map(|index| {
            let mut record = task(if index % 2 == 0 { "short" } else { "long" }, 1, 0.2);
            record.phase = Some(Phase::Leak);
            record.worker_rss_before_mb = Some(600.0 + rate * f64::from(index));
            record.worker_rss_after_mb = Some(600.0 + rate * f64::from(index + 1));
            record.worker_rss_delta_mb = Some(rate);
            record
        });
        let mut events = vec![Event::ProcessFound {
            role: "worker".into(),
            pid: 7,
            name: "w".into(),
            command: "w".into(),
            root: true,
            parent: None,
            start: None,
            replacement: false,
            rss_mb: None,
        }];
        events
            .extend(baseline.map(|rate| Event::Baseline { runs: vec![run_figures(&run_with(rate, None))] }));
        events.push(Event::RunEnded);
        run(tasks.collect(), events)
    }

    fn verdict(rate: f64, baseline: Option<f64>) -> Verdict {
        let mut plan = Plan::default();
        plan.ramp.enabled = false;
        judge(&run_with(rate, baseline), &plan).verdict
    }

    #[test]
    fn only_a_regression_fails_against_a_baseline() {
        assert_eq!(verdict(40.0, None), Verdict::Fail);
        assert_eq!(verdict(40.0, Some(40.0)), Verdict::Pass, "a known leak");
        assert_eq!(verdict(40.0, Some(0.0)), Verdict::Fail, "a new leak");
        assert_eq!(verdict(60.0, Some(40.0)), Verdict::Fail, "a larger one");
        assert_eq!(verdict(0.0, Some(40.0)), Verdict::Pass, "a fixed one");
    }

    #[test]
    fn what_the_baseline_excuses_still_says_what_it_is() {
        let judgement = judge(&run_with(40.0, Some(40.0)), &Plan::default());
        let growth = judgement.criterion("leak.growth").unwrap();
        assert!(
            growth.detail.ends_with("by itself this would be FAIL, but it is no worse than the baseline"),
            "{growth:?}"
        );
        let compared = judgement.criterion("compare.growth").unwrap();
        assert!(
            compared.detail.starts_with("no change: still growing: memory grew by 40.0 MB"),
            "{compared:?}"
        );
    }
}
