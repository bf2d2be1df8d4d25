//! What a plan must fulfil beyond its types.

mod collect;
mod roles;
mod target;

use figment::value::Value;

use self::roles::processes;
use super::Plan;
use super::keys::keys;
use super::setting::{every, shown};
use super::words::names_a_variable;
use crate::error::{Error, ErrorKind, Result};

/// The conditions that can be tried after the leak check.
const PROBES: [&str; 7] = ["standard", "repeat", "new", "pause", "alternate", "parallel", "error"];

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Violation {
    /// The keys that it comes from, by dotted path; the first is the one to change.
    pub(super) keys: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Violation {
    pub(super) fn new(keys: &[&str], message: String) -> Violation {
        Violation { keys: keys.iter().map(ToString::to_string).collect(), message, hint: None }
    }

    /// Another key that it may come from.
    fn also_from(mut self, key: &str) -> Violation {
        self.keys.push(key.to_string());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Violation {
        self.hint = Some(hint.into());
        self
    }

    /// The error, with the place where the value was given if that is known.
    pub(super) fn into_error(self, origin: Option<&str>) -> Error {
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
    found.extend(target::violations(&plan.target));
    found.extend(collect::violations(&plan.settle));
    found.extend(processes(&plan.processes));
    found.extend(paths_and_limits(plan));
    found
}

/// Everything that is wrong with `target`, but for the ranges of its numbers.
pub(super) fn target(target: &super::TargetPlan) -> Vec<Violation> {
    target::violations(target)
}

/// Every value against what its key holds, and its range.
fn ranges(plan: &Plan) -> Vec<Violation> {
    let Ok(tree) = Value::serialize(plan) else {
        return vec![Violation::new(&[], "the plan holds what cannot be written down".to_string())];
    };
    let mut found = Vec::new();
    for key in keys() {
        for (path, value) in every(&tree, &key.path) {
            if !key.accepts(value) {
                let message = format!("`{path}` must be {}, got `{}`", key.expected(), shown(value));
                found.push(Violation::new(&[&path], message));
            }
        }
    }
    found
}

fn url_path(key: &str, path: &str) -> Option<Violation> {
    let wrong = |what: &str| Some(Violation::new(&[key], format!("`{key}` {what}, got `{path}`")));
    if !path.starts_with('/') {
        return wrong("must begin with `/`");
    }
    let can_be_asked_for = !path.contains('#') && path.parse::<hyper::http::uri::PathAndQuery>().is_ok();
    // With variables, what counts is the path that comes of them.
    (!can_be_asked_for && !names_a_variable(path))
        .then(|| wrong("must be the path of a URL"))
        .flatten()
        .map(|found| found.hint("a space is written `%20`; `?` begins a query, and there is no `#`"))
}

fn not_empty(key: &str, text: &str) -> Option<Violation> {
    text.trim().is_empty().then(|| Violation::new(&[key], format!("`{key}` must not be empty")))
}

fn paths_and_limits(plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(not_empty("results", &plan.results.to_string_lossy()));
    if let Some(unknown) = plan.leak.probes.iter().find(|probe| !PROBES.contains(&probe.as_str())) {
        let message = format!("`leak.probes` holds `{unknown}`, which is no condition");
        found.push(
            Violation::new(&["leak.probes"], message).hint(format!("there are: {}", PROBES.join(", "))),
        );
    }
    for (key, path) in [
        ("audio.short", &plan.audio.short),
        ("audio.long", &plan.audio.long),
        ("baseline", &plan.baseline),
        ("leak.bad_input", &plan.leak.bad_input),
    ] {
        found.extend(path.as_ref().and_then(|path| not_empty(key, &path.to_string_lossy())));
    }
    if let Err(error) = regex::Regex::new(&plan.ramp.stable.log_pattern) {
        let key = "ramp.stable.log_pattern";
        let what = error.to_string().lines().last().unwrap_or_default().trim().to_string();
        found.push(
            Violation::new(&[key], format!("`{key}` is not a regular expression: {what}"))
                .hint("to find a plain word, give just that word: `ERROR`"),
        );
    }
    found.extend(plan.load.command.as_ref().and_then(|command| not_empty("load.command", command)));
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
    use crate::plan::Preset;

    /// The complaint about the plan of a preset after `change`.
    pub(super) fn complaint(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = Preset::AsrRq.plan();
        change(&mut plan);
        validate(&plan).unwrap_err().to_string()
    }

    #[test]
    fn the_neutral_plan_lacks_only_a_worker() {
        assert_eq!(violations(&Plan::default().worker_pid(7)), []);
        assert!(violations(&Plan::default())[0].message.contains("no role `worker`"));
    }

    #[test]
    fn numbers_have_ranges() {
        assert_eq!(
            complaint(|plan| plan.sampler.interval_s = 0.0),
            "`sampler.interval_s` must be a number of seconds from 0.01 to 3600, got `0.0`"
        );
        assert_eq!(
            complaint(|plan| plan.target.timeout_s = f64::NAN),
            "`target.timeout_s` must be a number of seconds above 0, at most 604800, got `NaN`"
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
    fn what_an_error_looks_like_is_a_pattern() {
        let told = complaint(|plan| plan.ramp.stable.log_pattern = "(".into());
        assert!(told.starts_with("`ramp.stable.log_pattern` is not a regular expression: "), "{told}");
    }

    #[test]
    fn paths_are_not_empty() {
        assert_eq!(complaint(|plan| plan.results = "".into()), "`results` must not be empty");
        assert_eq!(complaint(|plan| plan.audio.short = Some("".into())), "`audio.short` must not be empty");
    }
}
