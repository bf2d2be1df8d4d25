//! The first task of a run is its trial: a refusal that no repetition changes ends the run. Pure.

use super::TaskError;
use crate::error::{Error, ErrorKind};
use crate::plan::{Plan, TargetKind};
use crate::units::within;

/// The most characters of a refusal that are shown.
const SHOWN: usize = 300;

/// The error that ends a run whose first task was refused outright; `None` if it may be tried again.
pub(crate) fn refused(error: &TaskError, plan: &Plan) -> Option<Error> {
    let TaskError::Rejected { status, body, task_id: None } = error else { return None };
    let hint = hint(*status, plan)?;
    let body = match within(body, SHOWN) {
        body if body.is_empty() => "without a body".to_string(),
        body => format!("with: {body}"),
    };
    let message =
        format!("the service refused the first task: {} answered HTTP {status} {body}", request(plan));
    Some(Error::new(ErrorKind::Refused, message).hint(hint))
}

/// The method and the path of a task's first request.
pub(crate) fn request(plan: &Plan) -> String {
    let target = &plan.target;
    match target.kind {
        TargetKind::Asr => format!("POST {}", target.asr.submit),
        TargetKind::Openai => format!("POST {}", target.openai.path),
        _ => format!("{} {}", target.http.method, target.http.path),
    }
}

/// What to set; `None` for a status that can pass by itself.
fn hint(status: u16, plan: &Plan) -> Option<String> {
    let kind = plan.target.kind;
    let path = match kind {
        TargetKind::Asr => "`target.asr.submit`",
        TargetKind::Openai => "`target.openai.path`",
        _ => "the path with `--path PATH` (`target.http.path`)",
    };
    Some(match status {
        401 => "name the variable that holds the secret with `--set target.auth_env=NAME`".to_string(),
        404 => format!("set {path} to the path that takes tasks"),
        405 if kind == TargetKind::Http => {
            format!("set the method (`--set target.http.method=GET`), or {path}")
        }
        405 => format!("set {path} to the path that takes tasks with POST"),
        415 | 422 => format!("the service takes another body: {}", body_hint(plan)),
        _ => return None,
    })
}

/// The key that decides what is sent.
fn body_hint(plan: &Plan) -> &'static str {
    match plan.target.kind {
        TargetKind::Asr => "set the name of the form's field with `target.asr.field`",
        TargetKind::Openai => {
            "set `target.openai.model`, `target.openai.response_format` or further `target.openai.fields`"
        }
        _ => {
            "set it with `--json-body '{…}'` (`target.http.json`), `target.http.body`, or for an upload \
             `target.http.multipart_field`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Preset;

    fn told(status: u16, preset: Preset) -> Option<(String, String)> {
        let body = r#"{"detail": "field required"}"#.to_string();
        let error = refused(&TaskError::Rejected { status, body, task_id: None }, &preset.plan())?;
        Some((error.to_string(), error.hint_text().unwrap_or_default().to_string()))
    }

    #[test]
    fn an_outright_refusal_shows_the_answer_and_what_to_set() {
        let (message, hint) = told(422, Preset::Http).unwrap();
        assert_eq!(
            message,
            "the service refused the first task: POST / answered HTTP 422 with: {\"detail\": \"field required\"}"
        );
        assert!(hint.contains("--json-body"), "{hint}");
        assert!(told(404, Preset::Http).unwrap().1.contains("--path"));
        assert!(told(405, Preset::Http).unwrap().1.contains("target.http.method"));
        assert!(told(401, Preset::Openai).unwrap().1.contains("target.auth_env"));
        assert!(told(404, Preset::AsrRq).unwrap().1.contains("target.asr.submit"));
    }

    #[test]
    fn a_refusal_that_can_pass_is_no_reason_to_stop() {
        for status in [400, 429, 500, 503] {
            assert_eq!(told(status, Preset::Http), None, "{status}");
        }
    }
}
