//! `${NAME}` in a URL, a path or a header stands for the value of an environment variable.
//!
//! The plan keeps the text with the name, so that no file of a run holds a secret; the value is filled in where a
//! request is made.

use super::texts::texts;
use super::validate::{self, Violation};
use super::{Plan, TargetPlan};
use crate::error::Result;

/// What the variable of a name holds.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A target with the variables filled in.
pub(crate) struct Filled {
    pub(crate) target: TargetPlan,
    /// The values that were filled into headers, fields and paths, which may be secrets.
    pub(crate) secrets: Vec<String>,
}

impl TargetPlan {
    /// The target with the environment's variables filled in.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] if a variable is not set, or the text that comes of it is no URL, path or header. The
    /// value is in no message.
    pub(crate) fn filled(&self) -> Result<Filled> {
        filled(self, &|name| std::env::var(name).ok()).map_err(|violation| violation.into_error(None))
    }
}

/// `text` with the environment's variables, or as it is where one is not set.
pub(crate) fn from_environment(text: &str) -> String {
    fill(text, &|name| std::env::var(name).ok()).map_or_else(|_| text.to_string(), |(filled, _)| filled)
}

/// The first thing that is wrong with the variables that `plan` names.
pub(super) fn violation(plan: &Plan, variables: Variables<'_>) -> Option<Violation> {
    let of_redis = plan.processes.iter().filter_map(|(role, process)| Some((role, process.rq.url.as_ref()?)));
    let of_redis = of_redis.filter_map(|(role, url)| {
        let key = format!("processes.{role}.rq.url");
        fill(url, variables).err().map(|what| unfilled(&key, &what))
    });
    filled(&plan.target, variables).err().into_iter().chain(of_redis).next()
}

fn filled(target: &TargetPlan, variables: Variables<'_>) -> std::result::Result<Filled, Violation> {
    let mut filled = Filled { target: target.clone(), secrets: Vec::new() };
    for (key, text) in texts(&mut filled.target) {
        let (whole, values) = fill(text, variables).map_err(|what| unfilled(&key, &what))?;
        *text = whole;
        if key != "target.url" {
            filled.secrets.extend(values);
        }
    }
    filled.secrets.extend(super::written::secrets(&filled.target));
    match validate::target(&filled.target).into_iter().next() {
        Some(violation) if validate::target(target).is_empty() => {
            let key = violation.keys.first().map_or("target", String::as_str);
            // What came of it is not shown: it may hold a secret.
            let message = format!("`{key}` is not valid with its variables filled in");
            Err(Violation::new(&[key], message).hint("check the values of the variables that it names"))
        }
        _ => Ok(filled),
    }
}

fn unfilled(key: &str, what: &str) -> Violation {
    let hint = "set it in the environment that highwater runs in; `${NAME}` stands for the variable NAME";
    Violation::new(&[key], format!("`{key}` {what}")).hint(hint)
}

/// `text` with its variables filled in, and their values; or what is wrong, in words that follow the key.
fn fill(text: &str, variables: Variables<'_>) -> std::result::Result<(String, Vec<String>), String> {
    let (mut filled, mut values, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("has a `${` without a `}`")?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("has `${{{name}}}`, and `{name}` cannot be the name of a variable"));
        }
        let value = variables(name).map(|value| value.trim().to_string()).filter(|value| !value.is_empty());
        let value =
            value.ok_or_else(|| format!("needs the environment variable `{name}`, which is not set"))?;
        filled.push_str(before);
        filled.push_str(&value);
        values.push(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok((filled, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.org\n".to_string()),
            "TOKEN" => Some("s3cret".to_string()),
            "EMPTY" => Some(" ".to_string()),
            "SPACES" => Some("a b".to_string()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_into_urls_paths_and_headers() {
        let mut plan = Plan::http("https://${HOST}:81", "/run?key=${TOKEN}").worker_pid(7);
        plan.target.http.headers.insert("Authorization".into(), "Bearer ${TOKEN}".into());
        assert!(crate::plan::validate(&plan).is_ok());
        assert!(violation(&plan, &known).is_none());
        let Ok(filled) = filled(&plan.target, &known) else { panic!("all variables are there") };
        assert_eq!(filled.target.url, "https://example.org:81");
        assert_eq!(filled.target.http.path, "/run?key=s3cret");
        assert_eq!(filled.target.http.headers["Authorization"], "Bearer s3cret");
        assert!(
            filled.secrets.iter().filter(|secret| *secret == "s3cret").count() >= 2,
            "{:?}",
            filled.secrets
        );
    }

    #[test]
    fn what_cannot_be_filled_in_is_named_with_its_key_and_never_shown() {
        let told = |path: &str| {
            let plan = Plan::http("http://a", path);
            let error = violation(&plan, &known).unwrap().into_error(Some("`a.toml` line 3"));
            assert!(!error.render().contains("a b"), "{}", error.render());
            error.to_string()
        };
        let unset =
            "`target.http.path` needs the environment variable `NONE`, which is not set (`a.toml` line 3)";
        assert_eq!(told("/${NONE}"), unset);
        assert!(told("/${EMPTY}").contains("`EMPTY`, which is not set"));
        assert!(told("/${TOKEN").starts_with("`target.http.path` has a `${` without a `}`"));
        assert!(told("/${1}").contains("`1` cannot be the name of a variable"));
        assert!(
            told("/${SPACES}").starts_with("`target.http.path` is not valid with its variables filled in")
        );
        let mut plan = Plan::asr("http://a");
        plan.processes.get_mut("worker").unwrap().rq.url = Some("redis://:${NONE}@h".into());
        let error = violation(&plan, &known).unwrap().into_error(None);
        assert!(
            error.to_string().starts_with("`processes.worker.rq.url` needs the environment variable `NONE`")
        );
    }
}
