//! Growth of what the roles hold on GPUs, by the rule of their other memory. Pure.

use super::finding::{Evidence, Finding, GpuFound, Unit};
use super::growth::{Answer, Growth};
use super::leak::changed;
use super::leak_tasks::LeakTasks;
use super::resources::{Held, roles};
use super::role_growth::growth_at;
use crate::plan::Plan;
use crate::record::{CriterionId, RunData, Verdict};
use crate::units::round;

use super::WORKER;

/// Growth of one role's GPU memory over the repeats and the blocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GpuGrowth {
    role: String,
    found: GpuFound,
}

impl GpuGrowth {
    /// The role and its growth, where that is known.
    pub(crate) fn known(self) -> Option<(String, Growth)> {
        match self.found {
            GpuFound::Read(growth) => Some((self.role, *growth)),
            GpuFound::Changed | GpuFound::Unread { .. } => None,
        }
    }

    fn verdict(&self) -> Verdict {
        match &self.found {
            GpuFound::Read(growth) => growth.verdict(),
            GpuFound::Changed | GpuFound::Unread { .. } => Verdict::Inconclusive,
        }
    }
}

/// The growth of every judged role that was on a GPU.
pub(super) fn gpu_growths(run: &RunData, leak: &LeakTasks<'_>, plan: &Plan) -> Vec<GpuGrowth> {
    if leak.repeats.is_empty() {
        return Vec::new();
    }
    let judged = |role: &str| role == WORKER || plan.processes.get(role).is_none_or(|found| found.judged);
    let growth = |(role, held): (String, Held)| {
        let mut found = found(&held, leak)?;
        if changed(run, &role) {
            found = GpuFound::Changed;
        }
        Some(GpuGrowth { role, found })
    };
    roles(run, leak).into_iter().filter(|(role, _)| judged(role)).filter_map(growth).collect()
}

/// True if more tasks may tell of a role whether its GPU memory accumulates.
pub(crate) fn open_gpus(run: &RunData, leak: &LeakTasks<'_>, plan: &Plan) -> bool {
    let open = |found: &GpuGrowth| matches!(&found.found, GpuFound::Read(growth) if growth.answer == Answer::Inconclusive);
    gpu_growths(run, leak, plan).iter().any(open)
}

/// Judges the readings from the first one that has a figure; `None` if no reading has one.
fn found(held: &Held, leak: &LeakTasks<'_>) -> Option<GpuFound> {
    let figure = |held: &(f64, Option<crate::record::Footprint>)| held.1.and_then(|held| held.gpu_mb);
    let since = held.iter().position(|held| figure(held).is_some())?;
    let held = &held[since..];
    let after_mb: Vec<f64> = held.iter().filter_map(figure).collect();
    let unread = held.len() - after_mb.len();
    if unread > 0 {
        return Some(GpuFound::Unread { unread, of: held.len() });
    }
    let at: Vec<f64> = held.iter().map(|(at, _)| *at).collect();
    Some(GpuFound::Read(Box::new(growth_at(&at, &after_mb, &[], None, leak))))
}

/// `leak.gpu` reports the role with the worst verdict; among equals the first, which is the worker.
pub(super) fn gpu_criterion(gpus: &[GpuGrowth]) -> Option<Finding> {
    let worst =
        gpus.iter().reduce(|worst, next| if next.verdict() > worst.verdict() { next } else { worst })?;
    let rate = match &worst.found {
        GpuFound::Read(growth) => growth.rate_mb_per_task.map(|rate| round(rate, 2)),
        GpuFound::Changed | GpuFound::Unread { .. } => None,
    };
    let evidence = Evidence::Gpu { role: worst.role.clone(), found: worst.found.clone() };
    Some(Finding {
        value: rate,
        unit: Some(Unit::MbPerTask),
        ..Finding::new(CriterionId::LeakGpu, worst.verdict(), evidence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{judge, leak_check};
    use crate::record::{Event, EventRecord, ExitKind, Footprint};

    /// A leak check of 24 tasks after which the worker and the API hold so much on a GPU.
    fn checked(worker: impl Fn(u32) -> Option<f64>, api: impl Fn(u32) -> Option<f64>) -> RunData {
        let holding = |gpu_mb| Footprint {
            rss_mb: Some(500.0),
            private_mb: Some(490.0),
            processes: Some(1),
            gpu_mb,
            ..Footprint::default()
        };
        leak_check(holding(None), |task| holding(worker(task)), |task| holding(api(task)))
    }

    fn criterion(run: &RunData, plan: &Plan) -> Option<(Verdict, String)> {
        let judgement = judge(run, plan);
        let found = judgement.criteria.iter().find(|found| found.name == CriterionId::LeakGpu)?;
        Some((found.verdict, found.detail.clone()))
    }

    fn verdict(run: &RunData) -> Option<Verdict> {
        criterion(run, &Plan::default()).map(|(verdict, _)| verdict)
    }

    #[test]
    fn tensors_that_are_kept_fail_and_a_pool_that_has_filled_passes() {
        let leak = checked(|task| Some(800.0 + 16.0 * f64::from(task)), |_| None);
        let (found, detail) = criterion(&leak, &Plan::default()).unwrap();
        assert_eq!(found, Verdict::Fail, "{detail}");
        assert!(detail.starts_with("worker: LEAK: +16 MB per task"), "{detail}");
        assert_eq!(verdict(&checked(|_| Some(800.0), |_| None)), Some(Verdict::Pass));
        // A caching allocator takes blocks of 20 MB until it has enough.
        let pool = checked(|task| Some(800.0 + 20.0 * f64::from(task.min(4))), |_| None);
        assert_eq!(verdict(&pool), Some(Verdict::Pass));
    }

    #[test]
    fn without_figures_nothing_is_judged_and_what_is_missing_later_does_not_pass() {
        assert_eq!(verdict(&checked(|_| None, |_| None)), None);
        let late = checked(|task| (task >= 3).then_some(800.0), |_| None);
        assert_eq!(verdict(&late), Some(Verdict::Pass), "its first task loads the model");
        let gap = checked(|task| (task != 9).then_some(800.0), |_| None);
        assert_eq!(verdict(&gap), Some(Verdict::Inconclusive));
    }

    #[test]
    fn the_role_with_the_worst_answer_speaks() {
        let both = checked(|_| Some(800.0), |task| Some(100.0 + 16.0 * f64::from(task)));
        let (found, detail) = criterion(&both, &Plan::default()).unwrap();
        assert_eq!(found, Verdict::Fail);
        assert!(detail.starts_with("api: LEAK"), "{detail}");
        let mut plan = Plan::default();
        plan.processes.entry("api".to_string()).or_default().judged = false;
        assert_eq!(criterion(&both, &plan).map(|found| found.0), Some(Verdict::Pass));
    }

    #[test]
    fn a_worker_that_was_replaced_is_not_compared_across_that() {
        let mut leak = checked(|task| Some(800.0 + 16.0 * f64::from(task)), |_| None);
        let exited = Event::ProcessExited {
            role: WORKER.to_string(),
            pid: 7,
            name: "rq".to_string(),
            root: true,
            how: ExitKind::Code(0),
        };
        leak.events.push(EventRecord { time: String::new(), elapsed: 9.0, event: exited });
        assert_eq!(verdict(&leak), Some(Verdict::Inconclusive));
    }
}
