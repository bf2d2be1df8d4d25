//! What a plan must fulfil beyond its types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::assignment::Origin;
use super::keys::known;
use super::{AsrPlan, HttpPlan, Plan, ProcessPlan};
use crate::error::{Error, ErrorKind, Result};

/// The methods that a request may have.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Violation {
    /// The keys that it comes from, by dotted path; the first is the one to change.
    pub(super) keys: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Violation {
    fn new(keys: &[&str], message: String) -> Violation {
        Violation { keys: keys.iter().map(ToString::to_string).collect(), message, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Violation {
        self.hint = Some(hint.into());
        self
    }

    /// The error, with the place where the value was given if that is known.
    pub(super) fn into_error(self, origin: Option<&Origin>) -> Error {
        let message = match origin {
            Some(origin) => format!("{} ({origin})", self.message),
            None => self.message,
        };
        let error = Error::new(ErrorKind::Config, message);
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Checks all ranges and contradictions of a plan.
///
/// A plan that came from [`super::layer()`] has passed; one built by hand may not.
///
/// # Errors
/// `Config`, with the first thing that is wrong.
pub fn validate(plan: &Plan) -> Result<()> {
    violations(plan).into_iter().next().map_or(Ok(()), |violation| Err(violation.into_error(None)))
}

/// Everything that is wrong with `plan`.
pub(super) fn violations(plan: &Plan) -> Vec<Violation> {
    let mut found = ranges(plan);
    found.extend(target(plan));
    found.extend(asr(&plan.target.asr));
    found.extend(http(&plan.target.http));
    found.extend(processes(&plan.processes));
    found.extend(paths_and_limits(plan));
    found
}

/// Every number against its range (also what JSON cannot hold: NaN and infinity).
fn ranges(plan: &Plan) -> Vec<Violation> {
    let Ok(tree) = serde_json::to_value(plan) else {
        return vec![Violation::new(&[], "the plan holds what cannot be written down".to_string())];
    };
    let mut found = Vec::new();
    for key in known() {
        for (path, value) in at(&tree, &key.path) {
            let absent = key.optional && value.is_null();
            if !absent && !key.accepts(value) {
                let message = format!("`{path}` must be {}, got `{value}`", key.expected());
                found.push(Violation::new(&[&path], message));
            }
        }
    }
    found
}

/// The values at `path`, in which `*` stands for every key of a table.
fn at<'a>(tree: &'a Value, path: &[String]) -> Vec<(String, &'a Value)> {
    let mut found = vec![(String::new(), tree)];
    for word in path {
        let below = |(dotted, value): (String, &'a Value)| -> Vec<(String, &'a Value)> {
            let Some(table) = value.as_object() else { return Vec::new() };
            table
                .iter()
                .filter(|(name, _)| word == "*" || word == *name)
                .map(|(name, value)| {
                    (format!("{dotted}{}{name}", if dotted.is_empty() { "" } else { "." }), value)
                })
                .collect()
        };
        found = found.into_iter().flat_map(below).collect();
    }
    found
}

fn target(plan: &Plan) -> Vec<Violation> {
    let target = &plan.target;
    let mut found = Vec::new();
    let url = |message: &str| {
        Violation::new(&["target.url"], format!("`target.url` must be {message}, got `{}`", target.url))
    };
    match reqwest::Url::parse(&target.url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => {
            if parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some() {
                found.push(url("a URL without a path").hint(
                    "paths have keys of their own: `target.health`, `target.asr.submit`, `target.asr.result`, \
                     `target.http.path`",
                ));
            }
        }
        _ => found.push(url("an `http://` or `https://` URL").hint("for example `http://localhost:8000`")),
    }
    if !target.health.is_empty() {
        found.extend(url_path("target.health", &target.health));
    }
    found
}

fn url_path(key: &str, path: &str) -> Option<Violation> {
    let message = || format!("`{key}` must begin with `/`, got `{path}`");
    (!path.starts_with('/')).then(|| Violation::new(&[key], message()))
}

fn not_empty(key: &str, text: &str) -> Option<Violation> {
    text.trim().is_empty().then(|| Violation::new(&[key], format!("`{key}` must not be empty")))
}

fn asr(asr: &AsrPlan) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(url_path("target.asr.submit", &asr.submit));
    found.extend(url_path("target.asr.result", &asr.result));
    if !asr.result.contains("{task_id}") {
        let message = format!("`target.asr.result` must contain `{{task_id}}`, got `{}`", asr.result);
        found.push(Violation::new(&["target.asr.result"], message));
    }
    found.extend(not_empty("target.asr.field", &asr.field));
    found.extend(not_empty("target.asr.id_field", &asr.id_field));
    found.extend(not_empty("target.asr.status_field", &asr.status_field));
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let lists = [
        ("target.asr.pending", &asr.pending),
        ("target.asr.done", &asr.done),
        ("target.asr.failed", &asr.failed),
    ];
    for (key, words) in lists {
        if words.is_empty() || words.iter().any(|word| word.trim().is_empty()) {
            found.push(Violation::new(
                &[key],
                format!("`{key}` must be a list of status words, none of them empty"),
            ));
        }
        for word in words {
            if let Some(other) = seen.insert(word, key).filter(|other| *other != key) {
                found.push(Violation::new(
                    &[key, other],
                    format!("`{word}` stands in both `{other}` and `{key}`"),
                ));
            }
        }
    }
    found
}

fn http(http: &HttpPlan) -> Vec<Violation> {
    let mut found = Vec::new();
    if !METHODS.contains(&http.method.as_str()) {
        let message =
            format!("`target.http.method` must be one of `{}`, got `{}`", METHODS.join("`, `"), http.method);
        found.push(Violation::new(&["target.http.method"], message));
    }
    found.extend(url_path("target.http.path", &http.path));
    for (name, value) in &http.headers {
        let key = format!("target.http.headers.{name}");
        if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            found.push(Violation::new(&[&key], format!("`{name}` is not the name of an HTTP header")));
        }
        // The value may be a secret and is not shown.
        if reqwest::header::HeaderValue::from_str(value).is_err() {
            found.push(Violation::new(
                &[&key],
                format!("the value of `{key}` cannot stand in an HTTP header"),
            ));
        }
    }
    if http.json.is_some() && !http.multipart_field.is_empty() {
        let keys = ["target.http.json", "target.http.multipart_field"];
        let message = format!("`{}` and `{}` are both set, and a request has one body", keys[0], keys[1]);
        found.push(Violation::new(&keys, message).hint("leave one of them out"));
    }
    if http.success_status.is_empty() {
        let key = "target.http.success_status";
        found.push(Violation::new(&[key], format!("`{key}` must not be empty")).hint("for example `[200]`"));
    }
    if !http.success_pointer.is_empty() {
        let pointer = url_path("target.http.success_pointer", &http.success_pointer);
        found.extend(pointer.map(|found| found.hint("a JSON pointer, for example `/result/text`")));
    }
    found
}

fn processes(processes: &BTreeMap<String, ProcessPlan>) -> Vec<Violation> {
    let mut found = Vec::new();
    if !processes.contains_key("worker") {
        let message = "there is no role `worker`, the one whose memory is judged".to_string();
        found.push(
            Violation::new(&["processes.worker.patterns", "processes.worker.optional"], message)
                .hint("say in `[processes.worker]` how to find it, by `patterns` or `pid`"),
        );
    }
    for (role, process) in processes {
        let patterns = format!("processes.{role}.patterns");
        if role.trim().is_empty() {
            found.push(Violation::new(&[&patterns], "the name of a role must not be empty".to_string()));
        }
        if process.patterns.is_empty() && process.pid.is_none() {
            let keys =
                [patterns.as_str(), &format!("processes.{role}.pid"), &format!("processes.{role}.optional")];
            let message = format!("`processes.{role}` needs `patterns` or a `pid`");
            found.push(Violation::new(&keys, message).hint(
                "`patterns` are words that all stand in the command line, for example `[\"rq worker\", \"asr-queue\"]`",
            ));
        }
        if process.patterns.iter().any(|word| word.trim().is_empty()) {
            // An empty word stands in every command line and would match any process.
            found.push(Violation::new(&[&patterns], format!("`{patterns}` must not hold an empty word")));
        }
    }
    found
}

fn paths_and_limits(plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(not_empty("results", &plan.results.to_string_lossy()));
    for (key, path) in [("audio.short", &plan.audio.short), ("audio.long", &plan.audio.long)] {
        found.extend(path.as_ref().and_then(|path| not_empty(key, &path.to_string_lossy())));
    }
    let mut not_below = |high: (&str, f64), low: (&str, f64)| {
        if high.1 < low.1 {
            let message = format!("`{}` ({}) must not be below `{}` ({})", high.0, high.1, low.0, low.1);
            let hint = format!("raise `{}` or lower `{}`", high.0, low.0);
            found.push(Violation::new(&[high.0, low.0], message).hint(hint));
        }
    };
    let (settle, ramp) = (&plan.settle, &plan.ramp);
    not_below(("settle.max_s", settle.max_s), ("settle.quiet_s", settle.quiet_s));
    not_below(("ramp.max", f64::from(ramp.max)), ("ramp.start", f64::from(ramp.start)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The complaint about the default plan after `change`.
    fn complaint(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = Plan::default();
        change(&mut plan);
        validate(&plan).unwrap_err().to_string()
    }

    #[test]
    fn the_default_plan_is_valid() {
        assert_eq!(violations(&Plan::default()), []);
    }

    #[test]
    fn numbers_have_ranges() {
        assert_eq!(
            complaint(|plan| plan.sampler.interval_s = 0.0),
            "`sampler.interval_s` must be a number from 0.01 to 3600, got `0.0`"
        );
        assert_eq!(
            complaint(|plan| plan.target.timeout_s = f64::NAN),
            "`target.timeout_s` must be a number above 0, at most 604800, got `null`"
        );
        assert_eq!(
            complaint(|plan| plan.ramp.step = 0),
            "`ramp.step` must be a whole number from 1 to 100000, got `0`"
        );
        assert_eq!(
            complaint(|plan| plan.target.http.success_status = vec![200, 600]),
            "`target.http.success_status` must be a list of whole numbers from 100 to 599, got `[200,600]`"
        );
        assert_eq!(
            complaint(|plan| plan.processes.get_mut("api").unwrap().pid = Some(0)),
            "`processes.api.pid` must be a whole number from 1 to 4294967295, got `0`"
        );
    }

    #[test]
    fn numbers_must_agree() {
        assert_eq!(
            complaint(|plan| plan.settle.quiet_s = 20.0),
            "`settle.max_s` (10) must not be below `settle.quiet_s` (20)"
        );
        assert_eq!(
            complaint(|plan| plan.ramp.max = 0),
            "`ramp.max` must be a whole number from 1 to 100000, got `0`"
        );
    }

    #[test]
    fn the_url_has_a_scheme_a_host_and_no_path() {
        let url = |url: &str| {
            let mut plan = Plan::default();
            plan.target.url = url.to_string();
            validate(&plan)
        };
        for good in ["http://localhost:8000", "https://asr.example.org", "http://[::1]:1/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost:8000", "ftp://a", "http://", "http://a:99999"] {
            assert_eq!(
                url(bad).unwrap_err().to_string(),
                format!("`target.url` must be an `http://` or `https://` URL, got `{bad}`")
            );
        }
        assert_eq!(
            url("http://a/api/v1").unwrap_err().to_string(),
            "`target.url` must be a URL without a path, got `http://a/api/v1`"
        );
    }

    #[test]
    fn the_speech_contract_is_whole() {
        assert_eq!(
            complaint(|plan| plan.target.asr.result = "/result/{id}".into()),
            "`target.asr.result` must contain `{task_id}`, got `/result/{id}`"
        );
        assert_eq!(
            complaint(|plan| plan.target.health = "up".into()),
            "`target.health` must begin with `/`, got `up`"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.field = " ".into()),
            "`target.asr.field` must not be empty"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.done.clear()),
            "`target.asr.done` must be a list of status words, none of them empty"
        );
        assert_eq!(
            complaint(|plan| plan.target.asr.failed.push("queued".into())),
            "`queued` stands in both `target.asr.pending` and `target.asr.failed`"
        );
    }

    #[test]
    fn a_request_can_be_sent_as_configured() {
        assert_eq!(
            complaint(|plan| plan.target.http.method = "post".into()),
            "`target.http.method` must be one of `DELETE`, `GET`, `HEAD`, `OPTIONS`, `PATCH`, `POST`, `PUT`, got `post`"
        );
        assert_eq!(
            complaint(|plan| drop(plan.target.http.headers.insert("a b".into(), "c".into()))),
            "`a b` is not the name of an HTTP header"
        );
        assert_eq!(
            complaint(|plan| drop(plan.target.http.headers.insert("a".into(), "secret\n".into()))),
            "the value of `target.http.headers.a` cannot stand in an HTTP header"
        );
        assert_eq!(
            complaint(|plan| {
                plan.target.http.json = Some(Value::from(1));
                plan.target.http.multipart_field = "file".into();
            }),
            "`target.http.json` and `target.http.multipart_field` are both set, and a request has one body"
        );
        assert_eq!(
            complaint(|plan| plan.target.http.success_status.clear()),
            "`target.http.success_status` must not be empty"
        );
        assert_eq!(
            complaint(|plan| plan.target.http.success_pointer = "text".into()),
            "`target.http.success_pointer` must begin with `/`, got `text`"
        );
    }

    #[test]
    fn every_role_can_be_found() {
        assert_eq!(
            complaint(|plan| drop(plan.processes.remove("worker"))),
            "there is no role `worker`, the one whose memory is judged"
        );
        assert_eq!(
            complaint(|plan| drop(plan.processes.insert("x".into(), ProcessPlan::default()))),
            "`processes.x` needs `patterns` or a `pid`"
        );
        assert_eq!(
            complaint(|plan| plan.processes.get_mut("api").unwrap().patterns.push(String::new())),
            "`processes.api.patterns` must not hold an empty word"
        );
    }

    #[test]
    fn paths_are_not_empty() {
        assert_eq!(complaint(|plan| plan.results = "".into()), "`results` must not be empty");
        assert_eq!(complaint(|plan| plan.audio.short = Some("".into())), "`audio.short` must not be empty");
    }
}
