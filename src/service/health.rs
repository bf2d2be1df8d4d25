//! The health check of a service: its path, and what its answer must say. Pure.

use serde_json::Value;

use super::success::Success;
use super::{TaskError, Unwell};
use crate::error::Result;
use crate::plan::{SuccessPlan, TargetPlan};
use crate::units::within;

/// The most characters of an unhealthy answer that are shown.
const SHOWN: usize = 160;

/// What is asked, and what the answer must say.
#[derive(Debug, Clone)]
pub(super) struct Health {
    /// The path; empty if the service has none.
    pub(super) path: String,
    judged: Option<Success>,
}

impl Health {
    /// The health check of a plan whose variables have their values.
    ///
    /// # Errors
    /// Those of [`Success::of_plan`].
    pub(super) fn of_plan(plan: &TargetPlan) -> Result<Health> {
        let pointer = plan.health_pointer.clone();
        let equals =
            plan.health_equals.clone().or_else(|| (!pointer.is_empty()).then_some(Value::Bool(true)));
        let judged = Success::of_plan(&SuccessPlan { pointer, equals, ..SuccessPlan::default() })?;
        Ok(Health { path: plan.health.clone(), judged })
    }

    /// Judges an answer; `scrub` takes secrets out of what is shown.
    ///
    /// # Errors
    /// What is wrong, with the beginning of the answer.
    pub(super) fn check(
        &self,
        status: u16,
        body: &[u8],
        scrub: impl Fn(String) -> String,
    ) -> std::result::Result<(), Unwell> {
        let path = &self.path;
        let said = || match within(&scrub(String::from_utf8_lossy(body).into_owned()), SHOWN) {
            body if body.is_empty() => String::new(),
            body => format!(": {body}"),
        };
        if !(200..300).contains(&status) {
            let problem = format!("GET {path} answered HTTP {status}{}", said());
            return Err(Unwell { problem, status: Some(status) });
        }
        match self.judged.as_ref().map(|judged| judged.check_bytes(body)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                let what = match error {
                    TaskError::Malformed { message, .. } => message.replace(" (`target.success`)", ""),
                    other => other.to_string(),
                };
                let problem = format!("GET {path}: {}{}", scrub(what), said());
                Err(Unwell { problem, status: Some(status) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(equals: Option<Value>, status: u16, body: &str) -> Option<String> {
        let plan = TargetPlan {
            health: "/health".to_string(),
            health_pointer: "/redis_connected".to_string(),
            health_equals: equals,
            ..TargetPlan::default()
        };
        let checked = Health::of_plan(&plan).unwrap().check(status, body.as_bytes(), |text| text);
        checked.err().map(|unwell| unwell.problem)
    }

    #[test]
    fn a_pointer_must_be_true_unless_another_value_is_asked_for() {
        assert_eq!(check(None, 200, r#"{"redis_connected": true}"#), None);
        let told = check(None, 200, r#"{"redis_connected": false}"#).unwrap();
        assert_eq!(
            told,
            "GET /health: `/redis_connected` is `false` and not `true`: {\"redis_connected\": false}"
        );
        assert_eq!(check(Some(json!("yes")), 200, r#"{"redis_connected": "yes"}"#), None);
        assert!(check(None, 200, "OK").unwrap().contains("not JSON"));
        let whole =
            TargetPlan { health: "/h".into(), health_equals: Some(json!("OK")), ..TargetPlan::default() };
        let whole = Health::of_plan(&whole).unwrap();
        assert!(
            whole.check(200, b"OK\n", |text| text).is_ok() && whole.check(200, b"ill", |text| text).is_err()
        );
    }

    #[test]
    fn the_body_of_an_unhealthy_answer_is_shown() {
        let told = check(None, 503, &format!("no redis {}", "x".repeat(500))).unwrap();
        assert!(told.starts_with("GET /health answered HTTP 503: no redis xxx"), "{told}");
        assert!(told.chars().count() < 200, "{told}");
        assert_eq!(check(None, 503, "").unwrap(), "GET /health answered HTTP 503");
    }
}
