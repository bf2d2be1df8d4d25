//! The first step of every run: is its plan valid?

use crate::error::Result;
use crate::plan::{Plan, Preset, TargetKind, judge_as_asked, validate, watch_local_redis};

/// The plan as it is run, if it is valid: made in code or of texts, it passes the same checks.
///
/// # Errors
/// [`crate::ErrorKind::Config`] with the first thing that is wrong with it.
pub(crate) fn checked(mut plan: Plan, embedded: bool) -> Result<Plan> {
    if embedded {
        // Whatever service the plan names, the embedded one is addressed like the preset's, and says itself
        // which processes it has.
        let preset = Preset::AsrRq.plan();
        // A program reaches it by its URL, and it streams as well.
        if !matches!(plan.target.kind, TargetKind::Command | TargetKind::Websocket) {
            plan.target.kind = preset.target.kind;
            plan.target.success = preset.target.success;
        }
        plan.target.url = preset.target.url;
        plan.target.health = preset.target.health;
        plan.target.health_pointer = preset.target.health_pointer;
        plan.target.health_equals = preset.target.health_equals;
        plan.target.asr = preset.target.asr;
        // A secret of another service is none of its business.
        plan.target.auth_env = String::new();
        let asked = std::mem::replace(&mut plan.processes, preset.processes);
        judge_as_asked(&mut plan.processes, &asked);
    } else {
        watch_local_redis(&mut plan.processes);
    }
    validate(&plan)?;
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_of_the_embedded_service_that_is_not_to_be_judged_stays_so() {
        let mut plan = Preset::AsrRq.plan();
        plan.processes.get_mut("api").unwrap().judged = false;
        let checked = checked(plan, true).unwrap();
        assert!(!checked.processes["api"].judged && checked.processes["worker"].judged);
    }
}
