//! A plan as it is written into files, and the secrets in it.
//!
//! A secret belongs into a variable of the environment (`${NAME}`, `target.auth_env`), and the plan has its name only. What
//! somebody wrote into the plan itself is hidden in files, and in what a service says.

use serde_json::Value;

use super::texts::texts;
use super::words::names_a_variable;
use super::{Plan, TargetPlan};

/// What stands in the place of a value that is not written down.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Words in the names of headers, fields and parameters that carry secrets.
const SECRETIVE: [&str; 10] =
    ["auth", "cookie", "credential", "key", "passw", "pwd", "secret", "session", "signature", "token"];

/// What values begin with that are credentials whatever they are called.
const SCHEMES: [&str; 4] = ["Basic ", "Bearer ", "Digest ", "Token "];

impl Plan {
    /// The plan as JSON, for files that others will read: values that carry a secret are left out.
    ///
    /// # Errors
    /// If the plan holds what JSON cannot express.
    pub(crate) fn written(&self) -> serde_json::Result<Value> {
        let mut plan = self.clone();
        hide(&mut plan.target);
        for process in plan.processes.values_mut() {
            if let Some(url) = &mut process.rq.url {
                *url = hide_in_url(url, &mut Vec::new());
            }
        }
        serde_json::to_value(plan)
    }
}

/// The secrets that `target` has in itself, not in variables.
pub(super) fn secrets(target: &TargetPlan) -> Vec<String> {
    hide(&mut target.clone())
}

/// `url` (or a path) as it may be shown.
pub(crate) fn shown_url(url: &str) -> String {
    hide_in_url(url, &mut Vec::new())
}

/// The part of `target` that was hidden when it was written, by its key.
pub(crate) fn hidden_key(target: &TargetPlan) -> Option<String> {
    let mut target = target.clone();
    texts(&mut target).into_iter().find(|(_, text)| text.contains(HIDDEN)).map(|(key, _)| key)
}

/// Hides the secrets in `target`, and returns them.
fn hide(target: &mut TargetPlan) -> Vec<String> {
    let mut found = Vec::new();
    for (key, text) in texts(target) {
        let named = key.strip_prefix("target.http.headers.").or(key.strip_prefix("target.openai.fields."));
        match named {
            Some(name) if is_secret(name, text) => {
                // A service may quote it without the scheme.
                let bare = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
                found.extend(bare.map(str::to_string));
                found.push(std::mem::replace(text, HIDDEN.to_string()));
            }
            Some(_) => {}
            None => *text = hide_in_url(text, &mut found),
        }
    }
    found
}

/// True for the value of a header or a field that is a secret. One that names a variable is none.
fn is_secret(name: &str, value: &str) -> bool {
    let credentials = SCHEMES.iter().any(|scheme| value.starts_with(scheme));
    !value.is_empty() && !names_a_variable(value) && (credentials || is_secretive(name))
}

fn is_secretive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETIVE.iter().any(|word| name.contains(word))
}

/// `url` (or a path, or a query) without a name and a password, and without the values of parameters that carry secrets.
fn hide_in_url(url: &str, found: &mut Vec<String>) -> String {
    let mut shown = url.to_string();
    if let Some((scheme, rest)) = url.split_once("://") {
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        if let Some((user, host)) = authority.rsplit_once('@')
            && !names_a_variable(user)
        {
            found.push(user.rsplit_once(':').map_or(user, |(_, password)| password).to_string());
            shown = format!("{scheme}://{HIDDEN}@{host}{}", &rest[authority.len()..]);
        }
    }
    let Some(start) = shown.find('?').map(|at| at + 1).or_else(|| (!url.contains('/')).then_some(0)) else {
        return shown;
    };
    let (front, query) = shown.split_at(start);
    let parameter = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if is_secretive(name) && !value.is_empty() && !names_a_variable(value) => {
            found.push(value.to_string());
            format!("{name}={HIDDEN}")
        }
        _ => pair.to_string(),
    };
    let query: Vec<String> = query.split('&').map(parameter).collect();
    format!("{front}{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_secrets_are_not_written_down() {
        let mut plan = Plan::default();
        for (name, value) in [("Authorization", "Bearer s3cret"), ("X-Api-Key", "s3cret"), ("Accept", "a/b")]
        {
            plan.target.http.headers.insert(name.to_string(), value.to_string());
        }
        let written = plan.written().unwrap();
        assert!(!written.to_string().contains("s3cret"), "{written}");
        assert_eq!(written["target"]["http"]["headers"]["Accept"], "a/b");
        let read: Plan = serde_json::from_value(written).unwrap();
        assert_eq!(read.target.http.headers.len(), 3, "the plan reads back");
        assert_eq!(hidden_key(&read.target).as_deref(), Some("target.http.headers.Authorization"));
        assert_eq!(hidden_key(&plan.target), None);
    }

    #[test]
    fn secrets_in_fields_and_urls_are_not_written_down_and_variables_are() {
        let mut plan = Plan::asr("http://a");
        plan.target.http.path = "/run?model=x&api_key=s3cret-1&n={{n}}".into();
        plan.target.openai.fields.insert("token".into(), "s3cret-2".into());
        plan.target.openai.fields.insert("temperature".into(), "0".into());
        plan.target.asr.wait_query = "wait=5&signature=s3cret-3".into();
        plan.target.http.headers.insert("X-Whatever".into(), "Bearer s3cret-4".into());
        plan.target.http.headers.insert("Authorization".into(), "Bearer ${TOKEN}".into());
        plan.processes.get_mut("worker").unwrap().rq.url = Some("redis://me:s3cret-5@h:6379/0".into());
        let written = plan.written().unwrap().to_string();
        assert!(!written.contains("s3cret"), "{written}");
        for kept in [
            "/run?model=x&api_key=(hidden)&n={{n}}",
            "wait=5&signature=(hidden)",
            "Bearer ${TOKEN}",
            "redis://(hidden)@h:6379/0",
        ] {
            assert!(written.contains(kept), "{kept}: {written}");
        }
        let mut found = secrets(&plan.target);
        found.sort();
        assert_eq!(found, ["Bearer s3cret-4", "s3cret-1", "s3cret-2", "s3cret-3", "s3cret-4"]);
    }
}
