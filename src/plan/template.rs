//! The commented `highwater.toml` that `highwater init` writes, made from the fields of the plan.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::key::{Key, Kind};
use super::keys::{Table, keys, tables};
use super::{Preset, ProcessPlan};
use crate::error::{Error, ErrorKind, Result};

const HEAD: &str = "\
# The configuration of highwater.
#
# A line `#key = value` shows a default: take the `#` away to change it.
# Environment variables override this file, and flags override both. The
# variable of `max_delta_mb` in `[leak]` is HIGHWATER_LEAK_MAX_DELTA_MB; lists
# are separated by commas. Times are in seconds, the memory of processes in
# megabytes of 1,048,576 bytes, and relative paths start at the current directory.
";

const RULE: &str = "\n# ---------------------------------------------------------------------------\n";

/// The width that comments are wrapped to.
const WIDTH: usize = 84;

/// The text of the file. Lines of the form `#key = value` show the defaults of the preset `asr-rq`, or examples where
/// there is none.
pub fn template() -> String {
    // A plan is text, numbers and lists under names that are text: JSON can hold it.
    let defaults = serde_json::to_value(Preset::AsrRq.plan()).unwrap_or_default();
    let mut text = HEAD.to_string();
    for key in keys().iter().filter(|key| key.path.len() == 1) {
        text.push('\n');
        add_key(&mut text, key, &key.path, &defaults);
    }
    for table in tables() {
        text.push_str(if table.path.len() == 1 { RULE } else { "\n" });
        comment(&mut text, &table.meaning);
        match table.path.as_slice() {
            [processes] if processes == "processes" => add_roles(&mut text, &defaults),
            // The tables below a role are written with each role.
            [processes, ..] if processes == "processes" => {}
            _ => add_table(&mut text, table, &defaults),
        }
    }
    text.push_str(RULE);
    text.push_str(include_str!("examples.toml"));
    text
}

fn add_table(text: &mut String, table: &Table, defaults: &Value) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "[{}]", table.path.join("."));
    let inside = |key: &&Key| key.path.len() == table.path.len() + 1 && key.path.starts_with(&table.path);
    for key in keys().iter().filter(inside) {
        if !table.free {
            add_key(text, key, &key.path, defaults);
        } else if let Some(Value::Object(entries)) = &key.example {
            entries.iter().for_each(|(name, value)| assign(text, name, value));
        }
    }
}

/// Every key with `worker`, and what is set of the others.
fn add_roles(text: &mut String, defaults: &Value) {
    let roles = defaults["processes"].as_object().cloned().unwrap_or_default();
    let of_roles = || keys().iter().filter(|key| key.path[0] == "processes");
    let (plain, below): (Vec<&Key>, Vec<&Key>) = of_roles().partition(|key| key.path.len() == 3);
    text.push_str("[processes.worker]\n");
    for key in plain {
        add_key(text, key, &role_path(key, "worker"), defaults);
    }
    for table in tables().iter().filter(|table| table.path.len() == 3 && table.path[0] == "processes") {
        let name = &table.path[2];
        text.push('\n');
        comment(text, &table.meaning);
        let _ = writeln!(text, "[processes.worker.{name}]");
        for key in below.iter().filter(|key| key.path[2] == *name) {
            add_key(text, key, &role_path(key, "worker"), defaults);
        }
    }
    let unset = serde_json::to_value(ProcessPlan::default()).unwrap_or_default();
    for (role, process) in roles.iter().filter(|(role, _)| *role != "worker") {
        let _ = writeln!(text, "\n[processes.{role}]");
        for (name, value) in process.as_object().unwrap_or(&Map::new()) {
            if unset.get(name) != Some(value) {
                assign(text, name, value);
            }
        }
    }
}

fn role_path(key: &Key, role: &str) -> Vec<String> {
    key.path.iter().map(|word| if word == "*" { role.to_string() } else { word.clone() }).collect()
}

/// The comment of a key and its default at `path`, or an example.
fn add_key(text: &mut String, key: &Key, path: &[String], defaults: &Value) {
    comment(text, &meaning(key));
    let given = |value: &&Value| !value.is_null() && path != ["preset"];
    let default = path.iter().try_fold(defaults, |value, word| value.get(word)).filter(given);
    if let Some(value) = default.or(key.example.as_ref()) {
        assign(text, key.name(), value);
    }
}

/// What a key means, with the words that it can be.
fn meaning(key: &Key) -> String {
    let mut meaning = key.meaning.clone();
    if let Kind::Choice(words) = &key.kind {
        for (word, what) in words {
            let _ = write!(meaning, "\n\n- `{word}`: {what}");
        }
    }
    meaning
}

fn assign(text: &mut String, name: &str, value: &Value) {
    // JSON without null, which is what defaults and examples are, can be written as TOML.
    let value = toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default();
    let _ = writeln!(text, "#{name} = {value}");
}

/// `markdown` as lines of a comment.
fn comment(text: &mut String, markdown: &str) {
    for (index, paragraph) in markdown.split("\n\n").enumerate() {
        let item = paragraph.starts_with("- ");
        if index > 0 && !item {
            text.push_str("#\n");
        }
        let mut line = "#".to_string();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                line = if item { "#  ".to_string() } else { "#".to_string() };
            }
            line.push(' ');
            line.push_str(word);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

/// Writes the commented configuration to `path`; `force` replaces a file that
/// exists.
///
/// # Errors
/// `Io` if the file exists and `force` is false, or if it cannot be written.
pub fn write_template(path: &Path, force: bool) -> Result<()> {
    write(path, &template(), force)
}

/// Writes the few lines that a configuration of `preset` needs to `path`; `force` replaces a file that exists.
///
/// # Errors
/// As [`write_template`].
pub fn write_preset(path: &Path, preset: Preset, force: bool) -> Result<()> {
    write(path, preset.first_lines(), force)
}

fn write(path: &Path, text: &str, force: bool) -> Result<()> {
    let written = if force { fs::write(path, text) } else { create(path, text) };
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Io, format!("`{}` exists already", path.display()))
                .hint("use `--force` to replace it, or give another path")
        }
        _ => Error::new(ErrorKind::Io, format!("cannot write `{}`", path.display()))
            .source(error)
            .hint("give a path in a directory that exists and is writable"),
    })
}

/// Writes the file only if there is none, without a moment between look and write.
fn create(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const EXAMPLES: &str = include_str!("examples.toml");
    use crate::plan::{Plan, TargetKind, keys, layer};

    fn parse(text: &str) -> Plan {
        layer(Some((Path::new("template.toml"), text)), [], &[])
            .unwrap_or_else(|error| panic!("{}", error.render()))
    }

    /// The key of a line `#key = value`.
    fn key_of(line: &str) -> Option<&str> {
        let (key, _) = line.strip_prefix('#')?.split_once(" = ")?;
        (!key.is_empty() && !key.contains(' ')).then_some(key)
    }

    /// The template with every default written out; `keep` decides on keys by table and name.
    fn uncommented(keep: impl Fn(&str, &str) -> bool) -> String {
        let mut table = String::new();
        let mut text = String::new();
        for line in template().lines() {
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_end_matches(']').to_string();
            }
            let shown = key_of(line).filter(|key| keep(&table, key)).map_or(line, |_| &line[1..]);
            text.push_str(shown);
            text.push('\n');
        }
        text
    }

    fn optional(table: &str, key: &str) -> bool {
        let path: Vec<String> =
            table.split('.').chain([key]).filter(|word| !word.is_empty()).map(str::to_string).collect();
        matches!(keys::find(&path), keys::Found::Key(key) if key.optional)
    }

    #[test]
    fn as_written_it_changes_nothing() {
        assert_eq!(parse(&template()), Preset::AsrRq.plan());
    }

    #[test]
    fn the_values_it_shows_are_the_defaults() {
        // Patterns that are emptied switch a role off.
        let text = uncommented(|table, key| !optional(table, key) && key != "patterns");
        assert_eq!(parse(&text), Preset::AsrRq.plan());
        assert!(text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count() > 40);
    }

    #[test]
    fn it_shows_every_key() {
        let mut table = String::new();
        let mut shown = BTreeSet::new();
        for line in template().lines() {
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_end_matches(']').to_string();
            }
            let Some(key) = key_of(line) else { continue };
            let path: Vec<String> =
                table.split('.').chain([key]).filter(|word| !word.is_empty()).map(str::to_string).collect();
            match keys::find(&path) {
                keys::Found::Key(key) => shown.insert(key.dotted()),
                other => panic!("{}: {other:?}", path.join(".")),
            };
        }
        let known: BTreeSet<String> = keys().iter().map(Key::dotted).collect();
        assert_eq!(shown, known);
    }

    #[test]
    fn optional_keys_are_shown_with_values_that_work() {
        // A pid excludes every other way to find a role, as one kind of body does the other.
        let alone = ["pid", "body", "bodies", "container", "container_socket"];
        // So do figures from elsewhere.
        let elsewhere =
            |table: &str| [".metrics", ".group", ".prometheus"].iter().any(|end| table.ends_with(end));
        let text =
            uncommented(|table, key| optional(table, key) && !alone.contains(&key) && !elsewhere(table));
        let metrics =
            parse(&uncommented(|table, _| table.ends_with(".metrics"))).processes["worker"].metrics.clone();
        assert!(metrics.url.is_some() && metrics.series.is_some() && metrics.unit_bytes.is_some());
        let group = parse(&uncommented(|table, _| table.ends_with(".group")));
        assert!(group.processes["worker"].is_elsewhere());
        let container = parse(&uncommented(|_, key| key.starts_with("container")));
        assert!(container.processes["worker"].is_elsewhere());
        let plan = parse(&text);
        assert!(plan.audio.short.is_some() && plan.audio.long.is_some() && plan.target.http.json.is_some());
        let worker = &plan.processes["worker"];
        assert!(worker.port.is_some() && worker.unit.is_some() && worker.rq.url.is_some());
        for key in ["body", "bodies"] {
            let http = parse(&uncommented(|_, other| other == key)).target.http;
            assert!(http.body.is_some() != http.bodies.is_some(), "{key}");
        }
        let plan = parse(&uncommented(|_, key| key == "pid"));
        assert!(plan.processes["worker"].pid.is_some() && plan.processes["worker"].rq.queue.is_none());
    }

    #[test]
    fn its_examples_work() {
        let example = |title: &str| -> String {
            let (_, rest) = EXAMPLES.split_once(&format!("# EXAMPLE: {title}\n")).expect(title);
            rest.lines()
                .map_while(|line| line.strip_prefix('#'))
                .map(|line| format!("{}\n", line.trim()))
                .collect()
        };
        let plan = parse(&example("a plain HTTP service, watched by its pid"));
        assert_eq!(plan.target.kind, TargetKind::Http);
        assert_eq!(plan.processes["worker"].pid, Some(12345));
        assert_eq!(plan.processes.len(), 1, "there are no other roles");
        let plan = parse(&example("a service that takes the audio in one request"));
        assert_eq!(plan.target.http.multipart_field, "file");
    }

    #[test]
    fn an_existing_file_is_replaced_only_by_force() {
        let home = tempfile::TempDir::new().unwrap();
        let path = home.path().join("highwater.toml");
        write_template(&path, false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), template());

        fs::write(&path, "results = 'mine'\n").unwrap();
        let error = write_template(&path, false).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` exists already", path.display()));
        assert_eq!(error.hint_text(), Some("use `--force` to replace it, or give another path"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "results = 'mine'\n");

        write_template(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), template());

        let nowhere = home.path().join("no/such/directory.toml");
        let error = write_template(&nowhere, false).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", nowhere.display()));
    }
}
