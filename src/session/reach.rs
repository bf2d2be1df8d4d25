//! Is the service there, and well?

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Plan, TargetKind, TargetPlan};
use crate::service::{self, AnyTarget, Unwell};

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
    let hint = hint(unwell.status);
    Err(Error::new(ErrorKind::Unreachable, format!("{subject} is not ready: {unwell}")).hint(hint))
}

/// What to do about a service that is not well: one that answers need not be started.
fn hint(status: Option<u16>) -> &'static str {
    match status {
        Some(404 | 405) => {
            "it is up, but has no such path: set `target.health` to the one it has, or to `\"\"` if it has none"
        }
        Some(401 | 403) => {
            "it is up, and asks for a secret: name the variable that holds it with `target.auth_env`, or set \
             `target.health` to a path that needs none"
        }
        Some(_) => "it is up, and says that it is not well: its log should tell why",
        None => {
            "start the service, or say where it is with `--url URL` (or `target.url` in `highwater.toml`)\n\
             `--preset http` and `--preset openai` are for services that are addressed in another way\n\
             `highwater run --demo` needs no service: it tests the embedded one"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_about_what_is_wrong() {
        assert!(hint(Some(404)).starts_with("it is up, but has no such path"));
        assert!(hint(Some(401)).contains("target.auth_env"));
        assert!(hint(Some(503)).contains("not well"));
        assert!(hint(None).starts_with("start the service"));
    }
}
