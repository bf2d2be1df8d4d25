//! The criteria that the soak answers.

use super::finding::{Evidence, Finding, SoakRates, Succeeded, Unit};
use super::soak::Soak;
use crate::plan::SoakPlan;
use crate::record::{CriterionId, Verdict};

/// What the soak is asked.
pub(super) fn soak_criteria(soak: &Soak, plan: &SoakPlan) -> Vec<Finding> {
    let tasks = match (soak.failed, soak.tasks) {
        // The service was not asked.
        (1.., _) if soak.failed == soak.failed_here => Verdict::Inconclusive,
        (1.., _) => Verdict::Fail,
        (0, 0) => Verdict::Inconclusive,
        (0, _) => Verdict::Pass,
    };
    let succeeded = Succeeded {
        succeeded: (soak.tasks - soak.failed) as usize,
        all: soak.tasks as usize,
        first_failure: None,
    };
    let growth = Evidence::SoakGrowth { detail: soak.detail.to_string(), rates: soak.rates() };
    let mut criteria = vec![
        Finding {
            value: Some(f64::from(soak.failed)),
            unit: Some(Unit::Tasks),
            ..Finding::new(CriterionId::SoakTasks, tasks, Evidence::Succeeded(succeeded))
        },
        Finding {
            value: soak.mb_per_hour,
            unit: Some(Unit::MbPerHour),
            ..Finding::new(CriterionId::SoakGrowth, soak.verdict, growth)
        },
    ];
    if plan.cap_mb > 0.0 {
        let verdict = match (soak.over_cap_s, soak.peak_mb) {
            (_, None) => Verdict::Inconclusive,
            (None, Some(_)) => Verdict::Pass,
            (Some(_), Some(_)) => Verdict::Fail,
        };
        let evidence =
            Evidence::SoakCap { peak_mb: soak.peak_mb, cap_mb: plan.cap_mb, over_after_s: soak.over_cap_s };
        criteria.push(Finding {
            value: soak.peak_mb,
            threshold: Some(plan.cap_mb),
            unit: Some(Unit::Mb),
            ..Finding::new(CriterionId::SoakCap, verdict, evidence)
        });
    }
    criteria
}

impl Soak {
    /// Growth by task and by hour.
    pub fn rates(&self) -> SoakRates {
        let Soak { mb_per_task, mb_per_hour, hours_to_cap, .. } = *self;
        SoakRates { mb_per_task, mb_per_hour, hours_to_cap }
    }
}
