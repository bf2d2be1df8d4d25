//! Reads `HIGHWATER_…` variables into settings.
//!
//! The name of a variable is the key's path in capitals, with underscores for
//! everything else: `HIGHWATER_LEAK_MAX_DELTA_MB` is `leak.max_delta_mb`.

use super::key::Key;
use super::keys::{Found, find, keys};
use super::nearest::nearest;
use super::setting::{Given, Origin, Setting};
use crate::error::{Error, ErrorKind, Result};

/// What the names of all our variables begin with.
pub(super) const PREFIX: &str = "HIGHWATER_";

/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "HIGHWATER_CONFIG";

/// Variables of ours that are not keys of the plan.
const NOT_KEYS: [&str; 5] =
    [CONFIG_VARIABLE, "HIGHWATER_BIN", "HIGHWATER_CACHE_DIR", "HIGHWATER_DEMO_ARGS", "HIGHWATER_LOG"];

/// Shorter names for keys that are often set.
const ALIASES: [(&str, &str); 1] = [("HIGHWATER_URL", "target.url")];

/// The settings of `variables`; others than `HIGHWATER_…` are passed over.
/// `below` are the settings of the layers below: their roles and headers are
/// recognised in the names of variables.
///
/// # Errors
/// `Config` for a `HIGHWATER_…` variable that means nothing, and for two that set one key.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
    below: &[Setting],
) -> Result<Vec<Setting>> {
    let mut ours: Vec<(String, String)> =
        variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    let mut settings: Vec<Setting> = Vec::new();
    for (name, text) in ours {
        if NOT_KEYS.contains(&name.as_str()) {
            continue;
        }
        let path = path_of(&name, below).ok_or_else(|| unknown(&name))?;
        let Found::Key(key) = find(&path) else { return Err(unknown(&name)) };
        if let Some(other) = settings.iter().find(|setting| setting.path == path) {
            let message = format!("`{}` is set twice: by {} and by `{name}`", path.join("."), other.origin);
            return Err(Error::new(ErrorKind::Config, message).hint("unset one of the two variables"));
        }
        settings.push(Setting { path, key, given: Given::Text(text), origin: Origin::Environment { name } });
    }
    Ok(settings)
}

fn alias(name: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(short, _)| *short == name).map(|(_, key)| *key)
}

/// The path of the key that the variable `name` sets.
fn path_of(name: &str, below: &[Setting]) -> Option<Vec<String>> {
    if let Some(key) = alias(name) {
        return Some(key.split('.').map(str::to_string).collect());
    }
    keys().iter().find_map(|key| match key.path.iter().position(|word| word == "*") {
        None => (variable(&key.path) == name).then(|| key.path.clone()),
        Some(star) => free_path(key, star, name, below),
    })
}

/// The path of a key with a word of the user's at `star`, if `name` fits it.
fn free_path(key: &Key, star: usize, name: &str, below: &[Setting]) -> Option<Vec<String>> {
    let before = format!("{}_", variable(&key.path[..star]));
    let after: String = key.path[star + 1..].iter().map(|word| format!("_{}", capitals(word))).collect();
    let word = name.strip_prefix(&before)?.strip_suffix(&after)?;
    if word.is_empty() {
        return None;
    }
    let words = below.iter().filter(|setting| setting.path.starts_with(&key.path[..star]));
    let existing = words.map(|setting| &setting.path[star]).find(|existing| capitals(existing) == word);
    // Headers have hyphens where roles and fields have underscores.
    let header = key.path[..star].last().is_some_and(|table| table == "headers");
    let fresh = || if header { word.to_lowercase().replace('_', "-") } else { word.to_lowercase() };
    let mut path = key.path.clone();
    path[star] = existing.cloned().unwrap_or_else(fresh);
    Some(path)
}

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &[String]) -> String {
    format!("{PREFIX}{}", path.iter().map(|word| capitals(word)).collect::<Vec<_>>().join("_"))
}

fn capitals(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn unknown(name: &str) -> Error {
    let mut names: Vec<String> = keys()
        .iter()
        .map(|key| {
            let words: Vec<String> = key
                .path
                .iter()
                .map(|word| if word == "*" { "worker".to_string() } else { word.clone() })
                .collect();
            variable(&words)
        })
        .collect();
    names.extend(NOT_KEYS.iter().chain(ALIASES.iter().map(|(name, _)| name)).map(ToString::to_string));
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(PREFIX)).collect();
    let error = Error::new(ErrorKind::Config, format!("unknown environment variable `{name}`"));
    // The common prefix is left out, since with it all names would be alike.
    match nearest(name.strip_prefix(PREFIX).unwrap_or(name), names.iter().copied()) {
        Some(meant) => error.hint(format!("did you mean `{PREFIX}{meant}`?")),
        None => {
            error.hint(format!("`{PREFIX}` begins only the names of highwater's own variables; unset it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::file;

    fn read_all(names: &[&str]) -> Result<Vec<String>> {
        let text = "[processes.asr-api]\npid = 1\n[target.http.headers]\n'X.Key' = '1'\n";
        let below = file::read(std::path::Path::new("a.toml"), text)?;
        let found = read(names.iter().map(|name| (name.to_string(), "1".to_string())), &below)?;
        Ok(found.iter().map(|setting| setting.path.join("/")).collect())
    }

    fn read_one(name: &str) -> Result<Option<String>> {
        Ok(read_all(&[name])?.pop())
    }

    #[test]
    fn names_are_the_path_in_capitals() {
        let check = |name: &str, path: &str| assert_eq!(read_one(name).unwrap().as_deref(), Some(path));
        check("HIGHWATER_RESULTS", "results");
        check("HIGHWATER_LEAK_MAX_DELTA_MB", "leak/max_delta_mb");
        check("HIGHWATER_TARGET_URL", "target/url");
        check("HIGHWATER_URL", "target/url");
        check("HIGHWATER_TARGET_HTTP_JSON", "target/http/json");
        check("HIGHWATER_PROCESSES_WORKER_PATTERNS", "processes/worker/patterns");
        check("HIGHWATER_PROCESSES_MY_WORKER_PID", "processes/my_worker/pid");
        check("HIGHWATER_PROCESSES_ASR_API_OPTIONAL", "processes/asr-api/optional");
        check("HIGHWATER_TARGET_HTTP_HEADERS_X_API_KEY", "target/http/headers/x-api-key");
        check("HIGHWATER_TARGET_OPENAI_FIELDS_TOP_P", "target/openai/fields/top_p");
        check("HIGHWATER_TARGET_HTTP_HEADERS_X_KEY", "target/http/headers/X.Key");
    }

    #[test]
    fn two_variables_for_one_key_are_an_error() {
        let error = read_all(&["HIGHWATER_URL", "HIGHWATER_TARGET_URL"]).unwrap_err();
        let message = "`target.url` is set twice: by environment variable `HIGHWATER_TARGET_URL` and by `HIGHWATER_URL`";
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint_text(), Some("unset one of the two variables"));
    }

    #[test]
    fn no_two_keys_share_a_variable() {
        let mut names: Vec<String> = keys().iter().map(|key| variable(&key.path)).collect();
        names.extend(NOT_KEYS.iter().chain(ALIASES.iter().map(|(name, _)| name)).map(ToString::to_string));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_is_not_a_key_of_the_plan_passes() {
        for name in NOT_KEYS.iter().chain(&["PATH", "HIGHWATERMARK"]) {
            assert_eq!(read_one(name).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn an_unknown_variable_is_named_with_the_nearest() {
        let check = |name: &str, hint: &str| {
            let error = read_one(name).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown environment variable `{name}`"));
            assert_eq!(error.hint_text(), Some(hint));
        };
        check("HIGHWATER_LEAK_MAX_DELTA", "did you mean `HIGHWATER_LEAK_MAX_DELTA_MB`?");
        check("HIGHWATER_RESULT", "did you mean `HIGHWATER_RESULTS`?");
        check("HIGHWATER_CACHEDIR", "did you mean `HIGHWATER_CACHE_DIR`?");
        check("HIGHWATER_PROCESSES_PID", "did you mean `HIGHWATER_PROCESSES_WORKER_PID`?");
        check("HIGHWATER_ZZZ", "`HIGHWATER_` begins only the names of highwater's own variables; unset it");
    }
}
