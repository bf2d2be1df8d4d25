//! The keys of the configuration, read from the JSON schema that schemars derives of [`Plan`]: the comments,
//! ranges and examples stand on the fields, and no list of keys is kept by hand.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::Plan;
use super::key::{Key, Kind, Range};

/// A table of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) path: Vec<String>,
    /// What the table holds, in Markdown.
    pub(super) meaning: String,
    /// True if its keys are words of the user's.
    pub(super) free: bool,
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Found {
    Key(&'static Key),
    Table,
    Nothing,
}

struct Catalogue {
    keys: Vec<Key>,
    tables: Vec<Table>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Plan>();
    let mut catalogue = Catalogue { keys: Vec::new(), tables: Vec::new() };
    catalogue.collect(schema.as_value(), &mut Vec::new());
    catalogue
});

/// All keys, in the order of the fields.
pub(super) fn keys() -> &'static [Key] {
    &CATALOGUE.keys
}

/// All tables, in the order of the fields.
pub(super) fn tables() -> &'static [Table] {
    &CATALOGUE.tables
}

/// What stands at `path`.
pub(super) fn find(path: &[String]) -> Found {
    let fits = |key: &&Key| key.path.iter().zip(path).all(|(known, word)| known == "*" || known == word);
    match keys().iter().filter(fits).map(|key| (key.path.len(), key)).min_by_key(|(length, _)| *length) {
        Some((length, key)) if length == path.len() => Found::Key(key),
        // Only a key that goes on below `path` makes `path` a table.
        _ if keys().iter().filter(fits).any(|key| key.path.len() > path.len()) => Found::Table,
        _ => Found::Nothing,
    }
}

/// Splits a dotted path. The word of a free table may itself hold dots.
pub(super) fn split(dotted: &str) -> Vec<String> {
    for key in keys() {
        let Some(star) = key.path.iter().position(|word| word == "*") else { continue };
        let before = format!("{}.", key.path[..star].join("."));
        let after: String = key.path[star + 1..].iter().map(|word| format!(".{word}")).collect();
        let word = dotted.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after));
        if let Some(word) = word.filter(|word| !word.is_empty()) {
            let mut path = key.path.clone();
            path[star] = word.to_string();
            return path;
        }
    }
    dotted.split('.').map(str::to_string).collect()
}

impl Catalogue {
    /// Adds what the properties of an object's `schema` describe.
    fn collect(&mut self, schema: &Value, path: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().unwrap_or(&Map::new()) {
            path.push(name.clone());
            let meaning = text(property, "description");
            let entries = property.get("additionalProperties").filter(|entries| entries.is_object());
            if entries.is_some() || property.get("properties").is_some() {
                self.tables.push(Table {
                    path: path.clone(),
                    meaning: meaning.clone(),
                    free: entries.is_some(),
                });
            }
            match entries {
                Some(entries) => {
                    path.push("*".to_string());
                    match entries.get("properties") {
                        Some(_) => self.collect(entries, path),
                        None => {
                            self.keys.push(Key { optional: true, ..key(entries, path, meaning, property) });
                        }
                    }
                    path.pop();
                }
                None if property.get("properties").is_some() => self.collect(property, path),
                None => self.keys.push(key(property, path, meaning, property)),
            }
            path.pop();
        }
    }
}

/// The key at `path` that `schema` describes; `shown` has the example.
fn key(schema: &Value, path: &[String], meaning: String, shown: &Value) -> Key {
    let (kind, numbers, optional) = kind(schema);
    Key {
        path: path.to_vec(),
        range: range(numbers),
        kind,
        optional,
        meaning,
        example: shown.pointer("/examples/0").cloned(),
    }
}

/// What a value holds, the schema of its numbers, and whether it may be absent.
fn kind(schema: &Value) -> (Kind, &Value, bool) {
    let null = |schema: &&Value| schema["type"] == "null";
    if let Some(either) = schema["anyOf"].as_array() {
        let present = either.iter().find(|schema| !null(schema)).unwrap_or(schema);
        return (kind(present).0, present, either.iter().any(|schema| null(&schema)));
    }
    if let Some(words) = schema["oneOf"].as_array() {
        let word = |word: &Value| (text(word, "const"), text(word, "description"));
        return (Kind::Choice(words.iter().map(word).collect()), schema, false);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    };
    let kind = match types.iter().find(|name| **name != "null") {
        Some(&"boolean") => Kind::Flag,
        Some(&"integer") => Kind::Whole,
        Some(&"number") => Kind::Number,
        Some(&"string") => Kind::Text,
        Some(&"array") if schema["items"]["type"] == "integer" => {
            return (Kind::Wholes, &schema["items"], false);
        }
        Some(&"array") => Kind::Words,
        _ => return (Kind::Json, schema, true),
    };
    (kind, schema, types.contains(&"null"))
}

fn range(schema: &Value) -> Option<Range> {
    let above = schema["exclusiveMinimum"].as_f64();
    let min = above.or(schema["minimum"].as_f64())?;
    let widest = (schema["format"] == "uint32").then_some(f64::from(u32::MAX));
    Some(Range { min, max: schema["maximum"].as_f64().or(widest)?, above: above.is_some() })
}

fn text(schema: &Value, name: &str) -> String {
    schema[name].as_str().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_string).collect()
    }

    #[test]
    fn keys_know_what_they_hold() {
        let check = |dotted: &str, expected: &str| match find(&path(dotted)) {
            Found::Key(key) => assert_eq!(key.expected(), expected, "{dotted}"),
            other => panic!("{dotted}: {other:?}"),
        };
        check("leak.enabled", "`true` or `false`");
        check("leak.repeats", "a whole number from 0 to 100000");
        check("sampler.interval_s", "a number of seconds from 0.01 to 3600");
        check("sampler.busy_cpu_percent", "a percentage above 0, at most 100");
        check("target.asr.max_polls_per_s", "a number (per second) from 0.1 to 100000");
        check("soak.tasks", "a whole number from 0 to 4294967295");
        check("results", "text");
        check("target.kind", "`asr` or `openai` or `http` or `command` or `websocket`");
        check("processes.indexer.patterns", "a list of text");
        check("processes.indexer.pid", "a whole number from 1 to 4294967295");
        check("processes.indexer.program", "text");
        check("processes.indexer.port", "a whole number from 1 to 65535");
        check("processes.indexer.count", "`one` or `any`");
        check("processes.indexer.rq.queue", "text");
        check("target.http.success_status", "a list of whole numbers from 100 to 599");
        check("target.http.headers.X-Key", "text");
        check("target.http.json", "JSON");
    }

    #[test]
    fn every_number_has_a_range_and_every_key_a_meaning() {
        for key in keys() {
            let number = matches!(key.kind, Kind::Whole | Kind::Wholes | Kind::Number);
            assert_eq!(key.range.is_some(), number, "{}", key.dotted());
            assert!(key.meaning.ends_with('.'), "{}: {}", key.dotted(), key.meaning);
            if let Kind::Choice(words) = &key.kind {
                assert!(
                    words.iter().all(|(word, meaning)| !word.is_empty() && meaning.ends_with('.')),
                    "{words:?}"
                );
            }
        }
        for table in tables() {
            assert!(table.meaning.ends_with('.'), "{}: {}", table.path.join("."), table.meaning);
        }
        assert!(keys().len() > 100 && tables().len() > 12);
    }

    #[test]
    fn tables_and_nothing_are_told_apart() {
        for table in
            ["leak", "target", "target.http", "target.http.headers", "processes", "processes.indexer"]
        {
            assert!(matches!(find(&path(table)), Found::Table), "{table}");
        }
        for nothing in ["leek", "leak.max_delta", "processes.worker.paterns", "leak.repeats.more"] {
            assert!(matches!(find(&path(nothing)), Found::Nothing), "{nothing}");
        }
    }

    #[test]
    fn a_users_word_may_hold_dots() {
        assert_eq!(split("processes.a.b.pid"), ["processes", "a.b", "pid"]);
        assert_eq!(split("target.http.headers.X.Y"), ["target", "http", "headers", "X.Y"]);
        assert_eq!(split("leak.repeats"), ["leak", "repeats"]);
    }
}
