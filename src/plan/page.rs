//! The page `docs/src/configuration.md`, made from the fields of the plan.

use std::fmt::Write as _;

use serde_json::Value;

use super::env::variable;
use super::key::{Key, Kind};
use super::keys::{keys, split, tables};
use super::{Plan, Preset};

const HEAD: &str = "\
# Configuration

<!-- Made from the fields in src/plan by `cargo test --lib plan::page -- --ignored`. Change those. -->

Keys can be set in three places. Each overrides the one before:

1. `highwater.toml` in the current directory, or the file that `--config` or `HIGHWATER_CONFIG` names;
2. environment variables: `leak.max_delta_mb` is `HIGHWATER_LEAK_MAX_DELTA_MB`, and `HIGHWATER_URL` is short for
   `HIGHWATER_TARGET_URL`;
3. flags: `--url`, `--max-delta-mb`, …, and `--set leak.max_delta_mb=100` for any key.

An unknown key is an error that names the nearest known one.

```sh
highwater init
```

writes a `highwater.toml` in which every key stands with its default and its explanation. `highwater doctor` checks the
result.

Times are in seconds and the memory of processes is in megabytes of 1,048,576 bytes; the end of a key's name says so.
In a variable and in `--set`, a list is separated by commas (`200,202`), and may be written as JSON where an item has
a comma. An empty variable unsets a key that has no default.
";

/// The text of the page.
pub fn page() -> String {
    let plans = [None, Some(Preset::AsrRq), Some(Preset::Openai), Some(Preset::Http)];
    let defaults = plans.map(|preset| serde_json::to_value(preset.map_or_else(Plan::default, Preset::plan)));
    let defaults = defaults.map(Result::unwrap_or_default);
    let mut text = HEAD.to_string();
    section(&mut text, "General", "", &[], &defaults);
    for table in tables() {
        let title = format!("`[{}]`", table.path.join(".").replace("*", "ROLE"));
        section(&mut text, &title, &table.meaning, &table.path, &defaults);
    }
    text
}

/// The help of `--set`: the keys, a line for each table.
#[cfg(feature = "cli")]
pub(crate) fn help_of_set() -> String {
    let mut text = "Sets any key of the configuration, e.g. `--set settle.max_s=20`. The keys:\n".to_string();
    let front = |key: &Key| key.path[..key.path.len() - 1].join(".").replace('*', "ROLE");
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for key in keys() {
        let (front, name) =
            (front(key), key.path.last().map_or(String::new(), |name| name.replace('*', "NAME")));
        match tables.iter_mut().find(|(table, _)| *table == front) {
            Some((_, names)) => names.push(name),
            None => tables.push((front, vec![name])),
        }
    }
    for (table, names) in tables {
        let names = names.join(", ");
        let _ =
            if table.is_empty() { write!(text, "\n{names}") } else { write!(text, "\n[{table}] {names}") };
    }
    text.push_str("\n\n`highwater init` writes a file with all of them, their meanings and their defaults.");
    text
}

fn section(text: &mut String, title: &str, meaning: &str, table: &[String], defaults: &[Value]) {
    let inside = |key: &&Key| {
        let path = &key.path[..key.path.len() - 1];
        path == table || path.strip_suffix(&["*".to_string()]) == Some(table)
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n## {title}");
    if !meaning.is_empty() {
        let _ = writeln!(text, "\n{meaning}");
    }
    for key in keys().iter().filter(inside) {
        let dotted = key.dotted().replace('*', "NAME");
        let _ = writeln!(text, "\n### `{dotted}`\n\n{}", key.meaning);
        if let Kind::Choice(words) = &key.kind {
            text.push('\n');
            for (word, what) in words {
                let _ = writeln!(text, "- `{word}`: {what}");
            }
        }
        let default = default_of(key, defaults);
        let _ = writeln!(text, "\n{}; {default}; `{}`", capital(&key.expected()), variable(&split(&dotted)));
    }
}

/// The default of a key in the neutral plan, and in the presets that have another.
fn default_of(key: &Key, defaults: &[Value]) -> String {
    let of = |plan: &Value| {
        let value = key.path.iter().try_fold(plan, |value, word| value.get(word));
        value.filter(|value| !value.is_null()).map(ToString::to_string)
    };
    let neutral = defaults.first().and_then(of);
    let mut words = neutral.as_ref().map_or("no default".to_string(), |value| format!("default `{value}`"));
    for plan in defaults.iter().skip(1).filter(|_| key.dotted() != "preset") {
        if let Some(value) = of(plan).filter(|value| Some(value) != neutral.as_ref()) {
            let _ = write!(words, ", with `preset = {}`: `{value}`", plan["preset"]);
        }
    }
    words
}

/// `text` with a capital at its beginning.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/src/configuration.md")
    }

    #[test]
    fn the_page_is_what_the_fields_say() {
        let written = std::fs::read_to_string(path()).unwrap_or_default();
        assert!(written == page(), "make it anew: `cargo test --lib plan::page -- --ignored`");
    }

    #[test]
    #[ignore = "writes docs/src/configuration.md"]
    fn write_the_page() {
        std::fs::write(path(), page()).unwrap();
    }

    #[test]
    #[cfg(feature = "cli")]
    fn every_key_is_in_the_help() {
        let help = help_of_set();
        for key in keys() {
            let name = key.path.last().map_or(String::new(), |name| name.replace('*', "NAME"));
            assert!(help.split(['\n', ' ', ',']).any(|word| word == name), "{name} is not in\n{help}");
        }
        assert!(help.contains("\n[leak] enabled, repeats, max_repeats,"), "{help}");
    }

    #[test]
    fn every_key_is_on_the_page() {
        let page = page();
        for key in keys() {
            let heading = format!("### `{}`\n", key.dotted().replace('*', "NAME"));
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
        }
    }
}
