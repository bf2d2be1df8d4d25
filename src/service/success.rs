//! Is an answer with a good status a success? The conditions of `[target.success]`. Pure.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::TaskError;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::SuccessPlan;
use crate::units::within;

/// The most characters of a value that an error shows.
const SHOWN: usize = 80;

/// What a good answer must hold.
#[derive(Debug, Clone)]
pub(super) struct Success {
    plan: Arc<SuccessPlan>,
    pattern: Option<Regex>,
}

impl Success {
    /// The conditions of `plan`; `None` if it has none.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the pattern is no regular expression.
    pub(super) fn of_plan(plan: &SuccessPlan) -> Result<Option<Success>> {
        if !plan.asks() {
            return Ok(None);
        }
        let pattern = (!plan.matches.is_empty()).then(|| Regex::new(&plan.matches)).transpose();
        let pattern = pattern.map_err(|error| {
            Error::new(ErrorKind::Config, "`target.success.matches` is no regular expression").source(error)
        })?;
        Ok(Some(Success { plan: Arc::new(plan.clone()), pattern }))
    }

    /// Judges the bytes of an answer, which need not be JSON where the conditions are about the whole of it.
    ///
    /// # Errors
    /// [`TaskError::Malformed`] with the condition that does not hold and the value.
    pub(super) fn check_bytes(&self, answer: &[u8]) -> Result<(), TaskError> {
        match serde_json::from_slice(answer) {
            Ok(value) => self.check(&value),
            Err(_) if self.plan.pointer.is_empty() => {
                self.check(&Value::String(String::from_utf8_lossy(answer).into_owned()))
            }
            Err(error) => Err(TaskError::malformed(format!("the answer is not JSON: {error}"))),
        }
    }

    /// Judges an answer.
    ///
    /// # Errors
    /// As [`Success::check_bytes`].
    pub(super) fn check(&self, answer: &Value) -> Result<(), TaskError> {
        let pointer = &self.plan.pointer;
        let name = if pointer.is_empty() { "the answer".to_string() } else { format!("`{pointer}`") };
        let Some(value) = answer.pointer(pointer) else {
            return Err(TaskError::malformed(format!("the answer has nothing at {name}")));
        };
        match self.violation(value) {
            None => Ok(()),
            Some(what) => Err(TaskError::malformed(format!("{name} {what} (`target.success`)"))),
        }
    }

    fn violation(&self, value: &Value) -> Option<String> {
        let shown = || within(&text_of(value), SHOWN);
        if self.plan.not_empty && is_empty(value) {
            return Some("is empty".to_string());
        }
        if let Some(wanted) = self.plan.equals.as_ref().filter(|wanted| !equal(wanted, value)) {
            return Some(format!("is `{}` and not `{}`", shown(), text_of(wanted)));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(&text_of(value))) {
            return Some(format!("is `{}`, which does not match `{pattern}`", shown()));
        }
        let least = self.plan.at_least?;
        match measure(value) {
            Some((size, _)) if size >= least => None,
            Some((size, unit)) => Some(format!("is {size}{unit}, and at least {least} is asked for")),
            None => Some(format!("is `{}`, which has no size", shown())),
        }
    }
}

/// The text of a value as people write it: a string without its quotes.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Equal as JSON, or as text: what a flag or a variable gives is text.
fn equal(wanted: &Value, value: &Value) -> bool {
    let numbers = wanted.as_f64().zip(value.as_f64()).is_some_and(|(wanted, value)| wanted == value);
    wanted == value || numbers || (wanted.is_string() && text_of(wanted).trim() == text_of(value).trim())
}

/// The size of a value: a number, the characters of a text, the entries of a list or an object.
fn measure(value: &Value) -> Option<(f64, &'static str)> {
    match value {
        Value::Number(number) => number.as_f64().map(|number| (number, "")),
        Value::String(text) => Some((text.trim().chars().count() as f64, " characters")),
        Value::Array(entries) => Some((entries.len() as f64, " entries")),
        Value::Object(fields) => Some((fields.len() as f64, " entries")),
        Value::Null | Value::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is wrong with `answer` under the conditions that `set` makes.
    fn wrong(set: impl Fn(&mut SuccessPlan), answer: &str) -> Option<String> {
        let mut plan = SuccessPlan { pointer: "/text".to_string(), ..SuccessPlan::default() };
        set(&mut plan);
        let checked = Success::of_plan(&plan).unwrap().unwrap().check_bytes(answer.as_bytes());
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn nothing_is_asked_by_default() {
        assert!(Success::of_plan(&SuccessPlan::default()).unwrap().is_none());
        assert_eq!(wrong(|_| {}, r#"{"text": ""}"#), None, "that it is there");
        assert!(wrong(|_| {}, r#"{"txt": ""}"#).unwrap().contains("nothing at `/text`"));
    }

    #[test]
    fn an_empty_value_is_no_success() {
        let not_empty = |plan: &mut SuccessPlan| plan.not_empty = true;
        for empty in [r#"{"text": ""}"#, r#"{"text": "  "}"#, r#"{"text": null}"#, r#"{"text": []}"#] {
            assert!(wrong(not_empty, empty).unwrap().contains("`/text` is empty"), "{empty}");
        }
        for full in [r#"{"text": "the tide"}"#, r#"{"text": 0}"#, r#"{"text": [1]}"#] {
            assert_eq!(wrong(not_empty, full), None, "{full}");
        }
    }

    #[test]
    fn a_value_is_compared_as_json_or_as_text() {
        let equals = |wanted: Value| move |plan: &mut SuccessPlan| plan.equals = Some(wanted.clone());
        assert_eq!(wrong(equals(json!("done")), r#"{"text": "done"}"#), None);
        assert_eq!(wrong(equals(json!("true")), r#"{"text": true}"#), None);
        assert_eq!(wrong(equals(json!(1)), r#"{"text": 1.0}"#), None);
        let told = wrong(equals(json!("done")), r#"{"text": "WAIT"}"#).unwrap();
        assert!(told.contains("`/text` is `WAIT` and not `done`"), "{told}");
        let told = wrong(|plan| plan.matches = "^[a-z ]+$".to_string(), r#"{"text": "WAIT"}"#).unwrap();
        assert!(told.contains("is `WAIT`, which does not match `^[a-z ]+$`"), "{told}");
    }

    #[test]
    fn sizes_are_numbers_characters_and_entries() {
        let at_least = |plan: &mut SuccessPlan| plan.at_least = Some(3.0);
        for good in [r#"{"text": 3}"#, r#"{"text": "abc"}"#, r#"{"text": [1, 2, 3]}"#] {
            assert_eq!(wrong(at_least, good), None, "{good}");
        }
        for (small, told) in [
            (r#"{"text": 2}"#, "is 2, and"),
            (r#"{"text": "ab"}"#, "2 characters"),
            (r#"{"text": true}"#, "no size"),
        ] {
            assert!(wrong(at_least, small).unwrap().contains(told), "{small}");
        }
    }

    #[test]
    fn a_whole_answer_need_not_be_json() {
        let whole = |plan: &mut SuccessPlan| {
            plan.pointer.clear();
            plan.matches = "^OK".to_string();
        };
        assert_eq!(wrong(whole, "OK 17"), None);
        assert!(wrong(whole, "WAIT").unwrap().contains("the answer is `WAIT`"));
        assert!(wrong(|_| {}, "OK 17").unwrap().contains("not JSON"));
    }
}
