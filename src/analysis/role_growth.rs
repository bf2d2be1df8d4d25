//! Growth of the roles other than the worker: an API that keeps its uploads leaks, too. Pure.

use super::finding::{Evidence, Finding, Unit};
use super::growth::{Growth, LOOKS, Readings, enough, growth};
use super::leak::changed;
use super::leak_tasks::{LeakTasks, SLACK_MB};
use super::resources::{Held, roles};
use super::retained::private_series;
use super::{Answer, WORKER};
use crate::plan::Plan;
use crate::record::{CriterionId, Footprint, RunData, Verdict};
use crate::units::round;

/// What the readings after the repeats and the blocks say of one role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RoleGrowth {
    /// The role.
    pub(crate) role: String,
    /// Whether its memory accumulates; absent where it was not read after each of them.
    pub(crate) growth: Option<Growth>,
    /// True if one of its processes ended or was replaced: no reading is compared across that.
    pub(crate) changed: bool,
}

impl RoleGrowth {
    fn verdict(&self) -> Verdict {
        match &self.growth {
            Some(growth) if !self.changed => growth.verdict(),
            _ => Verdict::Inconclusive,
        }
    }
}

/// The growth of every watched role but the worker, and but those that are not to be judged (`judged = false`).
pub(crate) fn role_growths(run: &RunData, leak: &LeakTasks<'_>, plan: &Plan) -> Vec<RoleGrowth> {
    if leak.repeats.is_empty() {
        return Vec::new();
    }
    let judged = |role: &str| role != WORKER && plan.processes.get(role).is_none_or(|found| found.judged);
    roles(run, leak)
        .into_iter()
        .filter(|(role, _)| judged(role))
        .map(|(role, held)| RoleGrowth { growth: growth_of(&held, leak), changed: changed(run, &role), role })
        .collect()
}

/// True if more tasks may tell of a role whether it accumulates.
pub(crate) fn open_roles(run: &RunData, leak: &LeakTasks<'_>, plan: &Plan) -> bool {
    let open = |found: &RoleGrowth| {
        found.growth.as_ref().is_some_and(|growth| growth.answer == Answer::Inconclusive) && !found.changed
    };
    role_growths(run, leak, plan).iter().any(open)
}

/// By the same rule as the worker's.
fn growth_of(held: &Held, leak: &LeakTasks<'_>) -> Option<Growth> {
    let read: Vec<&Footprint> = held.iter().map(|(_, held)| held.as_ref()).collect::<Option<_>>()?;
    let rss =
        || read.iter().map(|held| held.rss_mb).collect::<Option<Vec<f64>>>().map(|rss| (rss, Vec::new()));
    let (after_mb, beside_mb) = private_series(read.iter().map(|held| Some(*held)))
        .map(|found| (found.private_mb, found.shared_mb))
        .or_else(rss)?;
    let at: Vec<f64> = held.iter().map(|(at, _)| *at).collect();
    let file_mb = read.iter().take(6).next_back().and_then(|held| held.shared_mb());
    Some(growth_at(&at, &after_mb, &beside_mb, file_mb, leak))
}

/// Growth of a role's memory after so many tasks, by the rule of the worker's.
pub(super) fn growth_at(
    at: &[f64],
    after_mb: &[f64],
    beside_mb: &[f64],
    file_mb: Option<f64>,
    leak: &LeakTasks<'_>,
) -> Growth {
    let in_blocks = !leak.blocks.is_empty();
    let risen_mb = after_mb.last().zip(after_mb.first()).map_or(0.0, |(last, first)| (last - first).max(0.0));
    let pace = leak.pace();
    growth(&Readings {
        file_mb,
        beside_mb,
        looks: LOOKS,
        at: if in_blocks { at } else { &[] },
        enough: pace.map(enough),
        slack_mb: Some(SLACK_MB + if in_blocks { risen_mb } else { 0.0 }),
        per_second: pace,
        ..Readings::new(after_mb)
    })
}

/// `leak.growth.` and the role, of each of which the readings say something.
///
/// The check is as long as the worker needs. A role that is flat over too few readings for a verdict of its own has
/// no criterion: nothing is claimed of it, and it does not leave the worker's verdict open.
pub(super) fn role_criteria(found: &[RoleGrowth]) -> Vec<Finding> {
    let flat = |growth: &Growth| growth.answer == Answer::Inconclusive && !growth.growing;
    let says = |found: &&RoleGrowth| found.changed || !found.growth.as_ref().is_some_and(flat);
    found.iter().filter(says).map(criterion).collect()
}

fn criterion(found: &RoleGrowth) -> Finding {
    let id = CriterionId::LeakGrowthOf(found.role.clone());
    let growth = match &found.growth {
        _ if found.changed => return Finding::new(id, Verdict::Inconclusive, Evidence::RoleChanged),
        None => return Finding::new(id, Verdict::Inconclusive, Evidence::RoleUnread),
        Some(growth) => growth,
    };
    Finding {
        value: growth.rate_mb_per_task.map(|rate| round(rate, 2)),
        unit: Some(Unit::MbPerTask),
        ..Finding::new(id, found.verdict(), Evidence::RoleGrowth(Box::new(growth.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{judge, leak_check};
    use crate::record::{Event, ExitKind};

    /// A leak check of 24 tasks whose API holds `api_mb(task)` after each.
    fn checked(api_mb: impl Fn(u32) -> f64) -> RunData {
        let holding = |mb: f64| Footprint {
            rss_mb: Some(mb + 6.0),
            private_mb: Some(mb),
            processes: Some(1),
            ..Footprint::default()
        };
        leak_check(holding(490.0), |_| holding(490.0), |task| holding(api_mb(task)))
    }

    fn verdict(run: &RunData, plan: &Plan) -> Option<(Verdict, String)> {
        let judgement = judge(run, plan);
        let found = judgement.criteria.iter().find(|found| found.name.name() == "leak.growth.api")?;
        Some((found.verdict, found.detail.clone()))
    }

    #[test]
    fn an_api_that_keeps_its_uploads_fails() {
        let plan = Plan::default();
        let (found, detail) = verdict(&checked(|task| 140.0 + 14.0 * f64::from(task)), &plan).unwrap();
        assert_eq!(found, Verdict::Fail, "{detail}");
        assert!(detail.starts_with("LEAK: +14 MB per task"), "{detail}");
        assert_eq!(verdict(&checked(|_| 140.0), &plan).unwrap().0, Verdict::Pass);
    }

    #[test]
    fn a_role_can_be_taken_out() {
        let leak = checked(|task| 140.0 + 14.0 * f64::from(task));
        let mut plan = Plan::default();
        plan.processes.entry("api".to_string()).or_default().judged = false;
        assert_eq!(verdict(&leak, &plan), None);
    }

    #[test]
    fn a_role_whose_process_was_replaced_is_not_compared_across_that() {
        let mut leak = checked(|task| 140.0 + 14.0 * f64::from(task));
        let exited = Event::ProcessExited {
            role: "api".to_string(),
            pid: 7,
            name: "api".to_string(),
            root: true,
            how: ExitKind::Code(0),
        };
        leak.events.push(crate::record::EventRecord { time: String::new(), elapsed: 9.0, event: exited });
        assert_eq!(verdict(&leak, &Plan::default()).unwrap().0, Verdict::Inconclusive);
    }
}
