//! The criteria that the ramp answers.

use super::finding::{Evidence, Finding, RtfStanding, Unit};
use super::knee::useful_criterion;
use super::limit::Level;
use crate::plan::RampPlan;
use crate::record::{CriterionId, Limit, Verdict};

/// The criteria that the ramp answers.
pub(super) fn ramp_criteria(limit: &Limit, levels: &[Level], plan: &RampPlan) -> Vec<Finding> {
    let mut criteria = vec![required_criterion(limit, plan)];
    criteria.extend(rtf_criterion(levels, plan));
    criteria.extend(useful_criterion(limit, levels, plan));
    criteria
}

fn required_criterion(limit: &Limit, plan: &RampPlan) -> Finding {
    let required = plan.required;
    let held = limit.held();
    let verdict = match limit {
        _ if held.is_some_and(|held| held >= required) => Verdict::Pass,
        Limit::Found { .. } => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let evidence = Evidence::Required { limit: limit.clone(), required };
    Finding {
        value: held.map(f64::from),
        threshold: Some(f64::from(required)),
        unit: Some(Unit::Tasks),
        ..Finding::new(CriterionId::RampRequired, verdict, evidence)
    }
}

/// RTF is asked up to the required level: above it, whatever the service still
/// manages is a finding, not a promise. Nothing is asked of a service without audio.
fn rtf_criterion(levels: &[Level], plan: &RampPlan) -> Option<Finding> {
    let measured: Vec<(u32, f64)> = levels
        .iter()
        .filter(|level| level.invalid.is_none())
        .filter_map(|level| level.rtf.map(|rtf| (level.concurrency, rtf.max)))
        .collect();
    let promised = measured.iter().filter(|(concurrency, _)| *concurrency <= plan.required);
    let &(concurrency, worst) = promised.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let bound = plan.max_rtf;
    let reached = measured.iter().any(|(concurrency, _)| *concurrency >= plan.required);
    let (verdict, standing) = if worst >= bound {
        (Verdict::Fail, RtfStanding::Over)
    } else if !reached {
        (Verdict::Inconclusive, RtfStanding::NotReached)
    } else {
        (Verdict::Pass, RtfStanding::Within { beyond: measured.into_iter().find(|(_, rtf)| *rtf >= bound) })
    };
    let evidence = Evidence::Rtf { worst, at: concurrency, bound, required: plan.required, standing };
    Some(Finding {
        value: Some(worst),
        threshold: Some(bound),
        ..Finding::new(CriterionId::RampRtf, verdict, evidence)
    })
}
