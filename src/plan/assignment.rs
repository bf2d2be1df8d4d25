//! One value given to one key, and where it was given.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::keys::{Key, Kind};
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
    /// From a file, with types. `None` is a value that JSON does not have (`nan`, `inf`).
    Typed { value: Option<Value>, shown: String },
    /// From the environment or the command line, as text.
    Text(String),
}

/// One value given to one key.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) path: Vec<String>,
    pub(super) key: &'static Key,
    pub(super) given: Given,
    pub(super) origin: Origin,
}

impl Assignment {
    /// The value in the form of the key; `Null` unsets an optional key.
    ///
    /// # Errors
    /// `Config` if the value is not what the key holds, or out of its range.
    pub(super) fn value(&self) -> Result<Value> {
        let (value, shown) = match &self.given {
            Given::Typed { value, shown } => (value.clone(), shown),
            Given::Text(text) if text.is_empty() && self.key.optional => return Ok(Value::Null),
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
        // JSON has no NaN and no infinity: those become `Null`, which no number accepts.
        Kind::Number => text.trim().parse::<f64>().ok().map(Value::from),
        Kind::Text | Kind::Choice(_) => Some(text.into()),
        Kind::Words => list(text, |word| Some(word.into())),
        Kind::Wholes => list(text, |word| word.parse::<u64>().ok().map(Value::from)),
        Kind::Json => serde_json::from_str(text).ok(),
    }
}

/// A list: separated by commas, or in the form of JSON where an item has a comma.
fn list(text: &str, item: impl Fn(&str) -> Option<Value>) -> Option<Value> {
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(items)) = serde_json::from_str(text)
    {
        return Some(Value::Array(items));
    }
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(item).collect()
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
        let check = |kind: Kind, text: &str, value: Option<Value>| {
            assert_eq!(from_text(&kind, text), value, "{kind:?} {text}");
        };
        check(Kind::Flag, "1", Some(json!(true)));
        check(Kind::Flag, "false", Some(json!(false)));
        check(Kind::Flag, "maybe", None);
        check(Kind::Whole, " 5 ", Some(json!(5)));
        check(Kind::Whole, "-5", None);
        check(Kind::Whole, "5.5", None);
        check(Kind::Number, "5", Some(json!(5.0)));
        check(Kind::Number, "inf", Some(Value::Null));
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
