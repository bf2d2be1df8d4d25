//! The criteria that the ramp answers.

use super::limit::Level;
use crate::plan::RampPlan;
use crate::record::{Criterion, Limit, Verdict};

/// The criteria that the ramp answers.
pub(super) fn ramp_criteria(limit: &Limit, levels: &[Level], plan: &RampPlan) -> Vec<Criterion> {
    let mut criteria = vec![required_criterion(limit, plan)];
    criteria.extend(rtf_criterion(levels, plan));
    criteria
}

fn required_criterion(limit: &Limit, plan: &RampPlan) -> Criterion {
    let required = plan.required;
    let held = limit.held();
    let verdict = match limit {
        _ if held.is_some_and(|held| held >= required) => Verdict::Pass,
        Limit::Found { .. } => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let detail = match (limit, held) {
        (_, Some(held)) if held >= required => format!("c={held} held, at least {required} required"),
        (Limit::Found { max_stable, broke_at, .. }, _) if broke_at - max_stable > 1 || *max_stable == 0 => {
            format!("c={broke_at} failed, at least {required} required")
        }
        (Limit::Found { max_stable, .. }, _) => format!("maximum {max_stable}, at least {required} required"),
        (Limit::BoundReached { at_least, .. }, _) => {
            format!(
                "the ramp ended at its bound c={at_least}, below the required {required}: raise `ramp.max`"
            )
        }
        _ => format!("not determined, at least {required} required"),
    };
    Criterion {
        name: "ramp.required".to_string(),
        title: format!("at least {required} concurrent tasks succeed"),
        verdict,
        detail,
        value: held.map(f64::from),
        threshold: Some(f64::from(required)),
        unit: Some("tasks".to_string()),
    }
}

/// RTF is asked up to the required level: above it, whatever the service still
/// manages is a finding, not a promise. Nothing is asked of a service without audio.
fn rtf_criterion(levels: &[Level], plan: &RampPlan) -> Option<Criterion> {
    let measured: Vec<(u32, f64)> = levels
        .iter()
        .filter(|level| level.invalid.is_none())
        .filter_map(|level| level.rtf.map(|rtf| (level.concurrency, rtf.max)))
        .collect();
    let promised = measured.iter().filter(|(concurrency, _)| *concurrency <= plan.required);
    let &(concurrency, worst) = promised.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let bound = plan.max_rtf;
    let reached = measured.iter().any(|(concurrency, _)| *concurrency >= plan.required);
    let (verdict, detail) = if worst >= bound {
        (Verdict::Fail, format!("RTF {worst:.3} ≥ {bound:?} at c={concurrency}"))
    } else if !reached {
        (
            Verdict::Inconclusive,
            format!("RTF {worst:.3} at c={concurrency}, c={} was not reached", plan.required),
        )
    } else {
        let beyond = measured.iter().find(|(_, rtf)| *rtf >= bound);
        let tail = beyond.map_or(String::new(), |(concurrency, rtf)| {
            format!("; above the required level RTF reaches {rtf:.3} at c={concurrency}")
        });
        (Verdict::Pass, format!("RTF {worst:.3} < {bound:?} up to c={}{tail}", plan.required))
    };
    Some(Criterion {
        name: "ramp.rtf".to_string(),
        title: "RTF stays below its bound under load".to_string(),
        verdict,
        detail,
        value: Some(worst),
        threshold: Some(bound),
        unit: None,
    })
}
