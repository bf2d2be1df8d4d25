//! The secret that a service requires: read from the environment, sent with every request,
//! and never written.

use std::fmt;

use hyper::header::{HeaderName, HeaderValue};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::TargetPlan;

/// The replacement for a secret in texts.
pub(super) const HIDDEN: &str = "(hidden)";

/// The fewest characters of a variable's value that is taken for a secret.
const SHORTEST_SECRET: usize = 6;

/// A header with a secret, if the plan names one.
#[derive(Clone, Default)]
pub(super) struct Auth {
    header: Option<Header>,
    /// Values of variables that are sent elsewhere: in headers of the user's own, in a query.
    others: Vec<String>,
}

#[derive(Clone)]
struct Header {
    name: HeaderName,
    value: HeaderValue,
    secret: String,
}

impl Auth {
    /// The header that `plan` describes, with its secret from the environment.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the variable is not set, or its value is not valid in a header. No
    /// message contains the value.
    pub(super) fn of_plan(plan: &TargetPlan) -> Result<Auth> {
        Auth::read(plan, |name| std::env::var(name).ok())
    }

    fn read(plan: &TargetPlan, variable: impl Fn(&str) -> Option<String>) -> Result<Auth> {
        let name = &plan.auth_env;
        if name.is_empty() {
            return Ok(Auth::default());
        }
        let secret =
            variable(name).map(|secret| secret.trim().to_string()).filter(|secret| !secret.is_empty());
        let Some(secret) = secret else {
            let message = format!("`target.auth_env` names the variable `{name}`, which is not set");
            return Err(Error::new(ErrorKind::Config, message).hint(format!(
                "set it in the environment that highwater runs in, for example `export {name}=…`"
            )));
        };
        let header = HeaderName::from_bytes(plan.auth_header.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::Config, "`target.auth_header` is not the name of an HTTP header")
                .source(error)
        })?;
        let text = match plan.auth_scheme.as_str() {
            "" => secret.clone(),
            scheme => format!("{scheme} {secret}"),
        };
        // The conversion's error is dropped, since it could show the value.
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::new(ErrorKind::Config, format!("the value of `{name}` cannot stand in an HTTP header"))
                .hint("it holds a line break or another control character")
        })?;
        value.set_sensitive(true);
        Ok(Auth { header: Some(Header { name: header, value, secret }), others: Vec::new() })
    }

    /// Also hides `others` in what a service says. A short one is a number or a word rather than a secret, and stands
    /// in texts by chance.
    pub(super) fn hiding(mut self, others: &[String]) -> Auth {
        self.others = others.iter().filter(|text| text.chars().count() >= SHORTEST_SECRET).cloned().collect();
        self
    }

    /// The header to send.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.header.as_ref().map(|header| (header.name.clone(), header.value.clone()))
    }

    /// The name of the header and the source of its value, for `highwater doctor`.
    #[cfg(feature = "cli")]
    pub(super) fn describe(&self, plan: &TargetPlan) -> Option<String> {
        let header = self.header.as_ref()?;
        let length = header.secret.chars().count();
        Some(format!(
            "`{}` carries the secret in `{}` ({length} characters)",
            plan.auth_header, plan.auth_env
        ))
    }

    /// `text` without the secret: a service may quote the request in its error.
    pub(super) fn scrub(&self, text: String) -> String {
        let secrets = self.header.iter().map(|header| &header.secret).chain(&self.others);
        let mut secrets: Vec<String> = secrets.flat_map(|secret| forms(secret)).collect();
        // A secret may contain another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.into_iter().fold(text, |text, secret| match text.contains(&secret) {
            true => text.replace(&secret, HIDDEN),
            false => text,
        })
    }
}

/// The forms in which a service may quote a secret: as it is, in JSON, in a URL.
fn forms(secret: &str) -> Vec<String> {
    use std::fmt::Write as _;
    let in_json = serde_json::Value::from(secret).to_string();
    let in_json = in_json.trim_matches('"').to_string();
    let (mut ascii, mut in_url) = (String::new(), String::new());
    for character in in_json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String never fails.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            in_url.push(char::from(byte));
        } else {
            let _ = write!(in_url, "%{byte:02X}");
        }
    }
    let slashes = in_json.replace('/', "\\/");
    let mut forms = vec![secret.to_string(), in_json, slashes, ascii, in_url];
    forms.dedup();
    forms
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.header {
            Some(header) => write!(f, "Auth({}: {HIDDEN})", header.name),
            None => f.write_str("Auth(none)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> TargetPlan {
        TargetPlan { auth_env: "ASR_KEY".to_string(), ..TargetPlan::default() }
    }

    #[test]
    fn the_header_has_its_scheme_and_is_never_shown() {
        let auth = Auth::read(&plan(), |name| (name == "ASR_KEY").then(|| " s3cret\n".to_string())).unwrap();
        let (name, value) = auth.header().unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", "Bearer s3cret"));
        assert!(!format!("{auth:?} {value:?}").contains("s3cret"));
        assert_eq!(auth.scrub("bad key s3cret".to_string()), "bad key (hidden)");
        let auth = auth.hiding(&["0ther-s3cret".to_string(), "8000".to_string()]);
        assert_eq!(
            auth.scrub("port 8000: 0ther-s3cret, s3cret".to_string()),
            "port 8000: (hidden), (hidden)"
        );
        let own = TargetPlan { auth_header: "X-Key".to_string(), auth_scheme: String::new(), ..plan() };
        let (name, value) = Auth::read(&own, |_| Some("k".to_string())).unwrap().header().unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-key", "k"));
    }

    #[test]
    fn a_secret_is_hidden_however_a_service_quotes_it() {
        let secret = "p\"ä/s s\\x";
        let auth = Auth::default().hiding(&[secret.to_string()]);
        let quoted = serde_json::json!({ "error": secret }).to_string();
        for text in [
            secret.to_string(),
            quoted,
            "p\\\"ä\\/s s\\\\x".into(),
            "p\\\"\\u00e4/s s\\\\x".into(),
            "p%22%C3%A4%2Fs%20s%5Cx".into(),
        ] {
            let shown = auth.scrub(text.clone());
            assert!(
                shown.contains(HIDDEN) && !shown.contains('ä') && !shown.contains("u00e4"),
                "{text}: {shown}"
            );
        }
    }

    #[test]
    fn a_variable_that_is_not_there_is_named_and_a_bad_value_is_not_shown() {
        let error = Auth::read(&plan(), |_| None).unwrap_err();
        assert_eq!(error.to_string(), "`target.auth_env` names the variable `ASR_KEY`, which is not set");
        assert!(error.hint_text().unwrap().contains("export ASR_KEY="));
        let error = Auth::read(&plan(), |_| Some("s3\ncret".to_string())).unwrap_err();
        assert!(!error.render().contains("cret`") && error.to_string().contains("`ASR_KEY`"), "{error:?}");
        assert!(Auth::read(&TargetPlan::default(), |_| panic!()).unwrap().header().is_none());
    }
}
