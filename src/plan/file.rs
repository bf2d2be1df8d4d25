//! Reads the text of `highwater.toml` into settings, each with its line.

use std::ops::Range;
use std::path::Path;

use figment::value::{Dict, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Found, find};
use super::setting::{Given, Origin, Setting};
use super::unknown::unknown_key;
use crate::error::{Error, ErrorKind, Result};

/// The settings of `text` in the order of the file; `path` is for the messages only.
///
/// # Errors
/// `Config` for text that is not TOML and for an unknown key, whichever stands first.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Setting>> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let message = format!("cannot read `{}` line {line}: {}", path.display(), one_line(error.message()));
        Error::new(ErrorKind::Config, message)
            .hint("the file is TOML; `highwater init` writes one to start from")
    })?;
    let mut file = File { path, text, found: Vec::new() };
    file.table(&[], document.get_ref());
    file.found.sort_by_key(|(start, _)| *start);
    file.found.into_iter().map(|(_, setting)| setting).collect()
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    /// What was found, each with the place where its key starts.
    found: Vec<(usize, Result<Setting>)>,
}

impl File<'_> {
    fn table(&mut self, prefix: &[String], table: &DeTable<'_>) {
        for (word, value) in table {
            let mut path = prefix.to_vec();
            path.push(word.get_ref().to_string());
            let start = word.span().start;
            let origin = Origin::File { path: self.path.to_path_buf(), line: line_of(self.text, start) };
            let setting = match (find(&path), value.get_ref()) {
                (Found::Table, DeValue::Table(inner)) => {
                    self.table(&path, inner);
                    continue;
                }
                (Found::Key(key), _) => {
                    let given =
                        Given::Typed { value: self::value(value.get_ref()), shown: self.shown(value) };
                    Ok(Setting { path, key, given, origin })
                }
                (Found::Table, _) => {
                    let key = path.join(".");
                    let message = format!("`{key}` must be a table, got `{}` ({origin})", self.shown(value));
                    Err(Error::new(ErrorKind::Config, message)
                        .hint(format!("write its keys below a line `[{key}]`")))
                }
                (Found::Nothing, _) => Err(unknown_key(&path.join("."), &format!("in {origin}"))),
            };
            self.found.push((start, setting));
        }
    }

    /// The value as it stands in the file.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        match value.get_ref() {
            DeValue::Table(_) => "a table".to_string(),
            _ => self.text.get(value.span()).unwrap_or_default().to_string(),
        }
    }
}

/// The same value as the layers have it; `None` for a whole number that is too large for any key.
fn value(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            u64::try_from(number).map_or(Value::from(number), Value::from)
        }
        DeValue::Float(number) => Value::from(number.as_str().parse::<f64>().ok()?),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => {
            items.iter().map(|item| self::value(item.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => {
            let entry = |(word, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                Some((
                    ToString::to_string(word.get_ref() as &std::borrow::Cow<'_, str>),
                    self::value(value.get_ref())?,
                ))
            };
            table.iter().map(entry).collect::<Option<Dict>>()?.into()
        }
    })
}

/// The line, from 1, of the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let before: Range<usize> = 0..offset.min(text.len());
    text.as_bytes()[before].iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(text: &str) -> (String, String) {
        let error = read(Path::new("highwater.toml"), text).unwrap_err();
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn each_setting_has_its_line() {
        let text =
            "results = 'out'\n\n[leak]\nrepeats = 0x10\nmax_delta_mb = 1_0.5\n[target.http.json]\na = [1]\n";
        let found: Vec<(String, String, Value)> = read(Path::new("a.toml"), text)
            .unwrap()
            .into_iter()
            .map(|one| {
                (
                    one.path.join("."),
                    one.origin.to_string(),
                    serde_json::to_value(one.value().unwrap()).unwrap(),
                )
            })
            .collect();
        let row =
            |key: &str, line: u32, value: Value| (key.to_string(), format!("`a.toml` line {line}"), value);
        assert_eq!(
            found,
            [
                row("results", 1, json!("out")),
                row("leak.repeats", 4, json!(16)),
                row("leak.max_delta_mb", 5, json!(10.5)),
                row("target.http.json", 6, json!({"a": [1]})),
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
        assert_eq!(
            error("[leak]\n\nmax_delta = 3\n"),
            (
                "unknown key `leak.max_delta` in `highwater.toml` line 3".to_string(),
                "did you mean `leak.max_delta_mb`?".to_string()
            )
        );
        assert_eq!(error("[leek]\nrepeats = 3\n").1, "did you mean `leak`?");
        // The first in the file is reported, not the first of the alphabet.
        assert_eq!(
            error("[ramp]\nx = 1\n[leak]\ny = 1\n").0,
            "unknown key `ramp.x` in `highwater.toml` line 2"
        );
    }

    #[test]
    fn what_is_not_toml_is_said_with_its_line() {
        let (message, hint) = error("[leak]\nrepeats = \n");
        assert!(message.starts_with("cannot read `highwater.toml` line 2: "), "{message}");
        assert!(hint.contains("highwater init"));
        let (message, _) = error("[leak]\nrepeats = 1\nrepeats = 2\n");
        assert!(message.starts_with("cannot read `highwater.toml` line 3: "), "{message}");
    }

    #[test]
    fn a_value_where_a_table_belongs_is_an_error() {
        assert_eq!(
            error("leak = 3"),
            (
                "`leak` must be a table, got `3` (`highwater.toml` line 1)".to_string(),
                "write its keys below a line `[leak]`".to_string()
            )
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_shown_as_it_was_written() {
        let value =
            |text: &str| read(Path::new("highwater.toml"), text).unwrap()[0].value().unwrap_err().to_string();
        assert_eq!(
            value("leak.repeats = \"many\""),
            "`leak.repeats` must be a whole number from 0 to 100000, got `\"many\"` (`highwater.toml` line 1)"
        );
        assert_eq!(
            value("\nsettle.max_s = inf"),
            "`settle.max_s` must be a number of seconds from 0 to 604800, got `inf` (`highwater.toml` line 2)"
        );
        assert_eq!(
            value("target.kind = 'grpc'"),
            "`target.kind` must be `asr` or `openai` or `http` or `command` or `websocket`, got `'grpc'` (`highwater.toml` line 1)"
        );
        assert_eq!(
            value("processes.worker.patterns = 'rq worker'"),
            "`processes.worker.patterns` must be a list of text, got `'rq worker'` (`highwater.toml` line 1)"
        );
        assert_eq!(
            value("[leak.repeats]"),
            "`leak.repeats` must be a whole number from 0 to 100000, got `a table` (`highwater.toml` line 1)"
        );
    }
}
