//! Is the service there, and well?

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::inputs::planned_inputs;
use crate::plan::{AudioKind, Plan, TargetKind, TargetPlan};
use crate::service::{self, AnyTarget, Unwell, trial};
use crate::units::time;

/// How long a service may take to answer its first health check, in steps of [`HEALTH_STEP`].
const HEALTH_TRIES: u32 = 5;
const HEALTH_STEP: Duration = Duration::from_millis(200);

/// Asks the service that a plan describes whether it is well, and says which that is.
///
/// # Errors
/// [`ErrorKind::Unreachable`] with what was wrong and a hint.
pub async fn check_service(plan: &Plan) -> Result<String> {
    let target = service::of_plan(plan)?;
    let subject = target.describe();
    reach(&*target, &subject, Some(&plan.target)).await?;
    Ok(if plan.target.health.is_empty() && plan.target.kind == TargetKind::Command {
        format!("{subject}; health is not asked for (`target.health` is empty)")
    } else if plan.target.health.is_empty() {
        format!("{subject} takes connections; its health is not asked for (`target.health` is empty)")
    } else {
        format!("{subject} is well")
    })
}

/// Waits for the service to say that it is well; a service just started gets a moment. One of `plan` that cannot be
/// asked has to take a connection.
pub(super) async fn reach(target: &dyn AnyTarget, subject: &str, plan: Option<&TargetPlan>) -> Result<()> {
    let unasked = plan.filter(|plan| plan.health.is_empty() && plan.kind != TargetKind::Command);
    let mut unwell = Unwell::from(String::new());
    for _ in 0..HEALTH_TRIES {
        let well = match unasked {
            Some(plan) => service::connects(plan).await?,
            None => target.health().await,
        };
        match well {
            Ok(()) => return Ok(()),
            Err(what) => unwell = what,
        }
        tokio::time::sleep(HEALTH_STEP).await;
    }
    let hint = hint(unwell.status, plan);
    Err(Error::new(ErrorKind::Unreachable, format!("{subject} is not ready: {unwell}")).hint(hint))
}

/// Sends one task to the service that a plan describes, and says how it ended.
///
/// # Errors
/// [`ErrorKind::Refused`] or [`ErrorKind::Unreachable`] with what came back and a hint.
pub async fn try_task(plan: &Plan) -> Result<String> {
    let target = service::of_plan(plan)?;
    let inputs = planned_inputs(plan)?;
    let started = Instant::now();
    let limit = Duration::from_secs_f64(plan.target.timeout_s);
    let ended = tokio::time::timeout(limit, target.perform(inputs.get(AudioKind::Short))).await;
    let failed = |what: String| {
        Error::new(ErrorKind::Unreachable, format!("one task did not succeed: {what}"))
            .hint("the service's log should tell why")
    };
    match ended {
        Ok(Ok(done)) => {
            let size = done.answer_bytes.map_or(String::new(), |bytes| format!(", answer of {bytes} bytes"));
            Ok(format!("one task succeeded in {}{size}", time(started.elapsed().as_secs_f64())))
        }
        Ok(Err(error)) => Err(trial::refused(&error, plan).unwrap_or_else(|| failed(error.to_string()))),
        Err(_) => Err(failed(format!("no result within {} s", plan.target.timeout_s))),
    }
}

/// What to do about a service that is not well: one that answers need not be started.
fn hint(status: Option<u16>, plan: Option<&TargetPlan>) -> String {
    match status {
        Some(404 | 405) => {
            let path = "it is up, but has no such path: name the one it has with `--health PATH`, or `--health ''` if \
                        it has none (`target.health`)";
            match plan.map(|plan| plan.kind) {
                // What follows would send recordings to a service that may have nothing to do with speech.
                Some(TargetKind::Asr | TargetKind::Openai) => format!(
                    "{path}\nif it is no speech recogniser: `--preset http --path PATH --json-body '{{…}}' --health PATH`"
                ),
                _ => path.to_string(),
            }
        }
        Some(401 | 403) => {
            "it is up, and asks for a secret: name the variable that holds it with `target.auth_env`, or \
                            set `target.health` to a path that needs none"
                .to_string()
        }
        Some(_) => "it is up, and says that it is not well: its log should tell why".to_string(),
        None => {
            "start the service, or say where it is with `--url URL` (or `target.url` in `highwater.toml`)\n\
                 `--preset http` and `--preset openai` are for services that are addressed in another way\n\
                 `highwater run --demo` needs no service: it tests the embedded one"
                .to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_about_what_is_wrong() {
        let (http, asr) = (Some(Plan::http("http://a", "/").target), Some(Plan::asr("http://a").target));
        assert!(hint(Some(404), http.as_ref()).starts_with("it is up, but has no such path"));
        assert!(!hint(Some(404), http.as_ref()).contains("--preset"));
        assert!(hint(Some(404), asr.as_ref()).contains("--preset http --path PATH"));
        assert!(hint(Some(401), None).contains("target.auth_env"));
        assert!(hint(Some(503), None).contains("not well"));
        assert!(hint(None, None).starts_with("start the service"));
    }
}
