//! One value given to one key, and where it was given.

use std::fmt;
use std::path::PathBuf;

use figment::value::{Empty, Value};
use serde::Serialize;

use super::key::{Key, Kind};
use crate::error::{Error, ErrorKind, Result};

/// Where a value was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// In a file, at this line (from 1).
    File { path: PathBuf, line: usize },
    /// In an environment variable of this name.
    Environment { name: String },
    /// By a flag.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "`{}` line {line}", path.display()),
            Origin::Environment { name } => write!(f, "environment variable `{name}`"),
            Origin::CommandLine => f.write_str("command line"),
        }
    }
}

/// A value as it was given.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// A value with a type, and how it was written. `None` is one that no key holds.
    Typed { value: Option<Value>, shown: String },
    /// Text, from the environment or from `--set`.
    Text(String),
}

/// A value that a flag gives to a key, above the file and the environment.
#[derive(Debug, Clone)]
pub struct Override {
    pub(super) key: String,
    pub(super) given: Given,
}

impl Override {
    /// Text for the dotted `key`, read as `--set` reads it.
    pub fn text(key: impl Into<String>, text: impl Into<String>) -> Override {
        Override { key: key.into(), given: Given::Text(text.into()) }
    }

    /// A value of the key's own type.
    pub fn value(key: impl Into<String>, value: impl Serialize) -> Override {
        let value = Value::serialize(value).ok();
        let shown = value.as_ref().map(shown).unwrap_or_default();
        Override { key: key.into(), given: Given::Typed { value, shown } }
    }

    /// The dotted key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// One value given to one key.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) path: Vec<String>,
    pub(super) key: &'static Key,
    pub(super) given: Given,
    pub(super) origin: Origin,
}

impl Setting {
    /// The value in the form of the key; an empty value unsets an optional key.
    ///
    /// # Errors
    /// `Config` if the value is not what the key holds, or out of its range.
    pub(super) fn value(&self) -> Result<Value> {
        let (value, shown) = match &self.given {
            Given::Typed { value, shown } => (value.clone(), shown),
            Given::Text(text) if text.is_empty() && self.key.optional => return Ok(Empty::None.into()),
            Given::Text(text) => (from_text(&self.key.kind, text), text),
        };
        value.filter(|value| self.key.accepts(value)).ok_or_else(|| {
            let (key, expected) = (self.path.join("."), self.key.expected());
            let message = format!("`{key}` must be {expected}, got `{}` ({})", short(shown), self.origin);
            let error = Error::new(ErrorKind::Config, message);
            match self.example() {
                Some(example) => error.hint(format!("for example {example}")),
                None => error,
            }
        })
    }

    /// How a value is written where it was given, for the kinds that are not obvious.
    fn example(&self) -> Option<&'static str> {
        let text = matches!(self.given, Given::Text(_));
        match (&self.key.kind, text) {
            (Kind::Words, false) => Some(r#"`["first words", "second words"]`"#),
            (Kind::Words, true) => Some("`first words,second words`"),
            (Kind::Wholes, false) => Some("`[200, 202]`"),
            (Kind::Wholes, true) => Some("`200,202`"),
            (Kind::Json, true) => Some(r#"`{"text": "hello"}`"#),
            _ => None,
        }
    }
}

/// Reads `text` as a value of `kind`; `None` if it is not one.
fn from_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Flag => match text.trim() {
            "true" | "1" => Some(true.into()),
            "false" | "0" => Some(false.into()),
            _ => None,
        },
        Kind::Whole => text.trim().parse::<u64>().ok().map(Value::from),
        // Infinity and NaN become numbers here, which no range holds.
        Kind::Number => text.trim().parse::<f64>().ok().map(Value::from),
        Kind::Text | Kind::Choice(_) => Some(text.into()),
        Kind::Words => list(text, |word| Some(word.into())),
        Kind::Wholes => list(text, |word| word.parse::<u64>().ok().map(Value::from)),
        Kind::Json => serde_json::from_str(text).ok().and_then(|json: serde_json::Value| from_json(&json)),
    }
}

/// A list: separated by commas, or in the form of JSON where an item has a comma.
fn list(text: &str, item: impl Fn(&str) -> Option<Value>) -> Option<Value> {
    if text.trim_start().starts_with('[')
        && let Ok(json @ serde_json::Value::Array(_)) = serde_json::from_str(text)
    {
        return from_json(&json);
    }
    let items = text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(item);
    items.collect::<Option<Vec<Value>>>().map(Value::from)
}

/// The same value as the layers have it.
pub(super) fn from_json(json: &serde_json::Value) -> Option<Value> {
    Value::serialize(json).ok()
}

/// How a value is written.
pub(super) fn shown(value: &Value) -> String {
    match value.to_f64() {
        Some(number) => format!("{number:?}"),
        None => serde_json::to_string(value).unwrap_or_default(),
    }
}

/// The value at `path` below `tree`.
pub(super) fn at_path<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, word| value.as_dict()?.get(word))
}

/// The values at `path`, in which `*` stands for every word of a table, each with its own dotted path.
pub(super) fn every<'a>(tree: &'a Value, path: &[String]) -> Vec<(String, &'a Value)> {
    let mut found = vec![(String::new(), tree)];
    for word in path {
        let below = |(dotted, value): (String, &'a Value)| -> Vec<(String, &'a Value)> {
            let Some(table) = value.as_dict() else { return Vec::new() };
            let join = if dotted.is_empty() { "" } else { "." };
            let named = table.iter().filter(|(name, _)| word == "*" || word == *name);
            named.map(|(name, value)| (format!("{dotted}{join}{name}"), value)).collect()
        };
        found = found.into_iter().flat_map(below).collect();
    }
    found.retain(|(_, value)| value.to_empty().is_none());
    found
}

/// At most the first 60 characters of the first line.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_read_as_the_key_needs_it() {
        let check = |kind: Kind, text: &str, value: Option<serde_json::Value>| {
            let read = from_text(&kind, text).map(|value| serde_json::to_value(value).unwrap());
            assert_eq!(read, value, "{kind:?} {text}");
        };
        check(Kind::Flag, "1", Some(json!(true)));
        check(Kind::Flag, "false", Some(json!(false)));
        check(Kind::Flag, "maybe", None);
        check(Kind::Whole, " 5 ", Some(json!(5)));
        check(Kind::Whole, "-5", None);
        check(Kind::Whole, "5.5", None);
        check(Kind::Number, "5", Some(json!(5.0)));
        assert_eq!(from_text(&Kind::Number, "inf").unwrap().to_f64(), Some(f64::INFINITY));
        assert!(from_text(&Kind::Number, "NaN").unwrap().to_f64().unwrap().is_nan());
        check(Kind::Words, "rq worker, asr-queue,", Some(json!(["rq worker", "asr-queue"])));
        check(Kind::Words, r#"["a,b", "c"]"#, Some(json!(["a,b", "c"])));
        check(Kind::Words, "[a]", Some(json!(["[a]"])));
        check(Kind::Words, "", Some(json!([])));
        check(Kind::Wholes, "200, 202", Some(json!([200, 202])));
        check(Kind::Wholes, "200, ok", None);
        check(Kind::Json, r#"{"a": null}"#, Some(json!({"a": null})));
        check(Kind::Json, "{", None);
    }

    #[test]
    fn long_values_are_cut_in_messages() {
        assert_eq!(short("abc"), "abc");
        assert_eq!(short("abc\ndef"), "abc…");
        assert_eq!(short(&"ä".repeat(100)), format!("{}…", "ä".repeat(60)));
    }
}
