//! The commented `highwater.toml` that `highwater init` writes.
//!
//! It is written by hand to read well, and a test holds it to the default plan:
//! every key is in it, with its default.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The text of the file. Lines of the form `#key = value` show defaults.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Writes the commented configuration to `path`; `force` replaces a file that
/// is there.
///
/// # Errors
/// `Io` if the file exists and `force` is false, or if it cannot be written.
pub fn write_template(path: &Path, force: bool) -> Result<()> {
    let written = if force { fs::write(path, TEMPLATE) } else { create(path) };
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
fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(TEMPLATE.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
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
        for line in TEMPLATE.lines() {
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
        assert_eq!(parse(TEMPLATE), Plan::default());
    }

    #[test]
    fn the_values_it_shows_are_the_defaults() {
        // Patterns that are emptied switch a role off.
        let text = uncommented(|table, key| !optional(table, key) && key != "patterns");
        assert_eq!(parse(&text), Plan::default());
        assert!(text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count() > 40);
    }

    #[test]
    fn it_shows_every_key() {
        let mut table = String::new();
        let mut shown = BTreeSet::new();
        for line in TEMPLATE.lines() {
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
        let known: BTreeSet<String> = keys::known().iter().map(keys::Key::dotted).collect();
        assert_eq!(shown, known);
    }

    #[test]
    fn optional_keys_are_shown_with_values_that_work() {
        // A pid excludes every other way to find a role, as one kind of body does the other.
        let text = uncommented(|table, key| optional(table, key) && key != "pid");
        let plan = parse(&text);
        assert!(plan.audio.short.is_some() && plan.audio.long.is_some() && plan.target.http.json.is_some());
        let worker = &plan.processes["worker"];
        assert!(worker.port.is_some() && worker.unit.is_some() && worker.rq.url.is_some());
        let plan = parse(&uncommented(|_, key| key == "pid"));
        assert!(plan.processes["worker"].pid.is_some() && plan.processes["worker"].rq.queue.is_none());
    }

    #[test]
    fn its_examples_work() {
        let example = |title: &str| -> String {
            let (_, rest) = TEMPLATE.split_once(&format!("# EXAMPLE: {title}\n")).expect(title);
            rest.lines()
                .map_while(|line| line.strip_prefix('#'))
                .map(|line| format!("{}\n", line.trim()))
                .collect()
        };
        let plan = parse(&example("a plain HTTP service, watched by its pid"));
        assert_eq!(plan.target.kind, TargetKind::Http);
        assert_eq!(plan.processes["worker"].pid, Some(12345));
        assert_eq!(plan.processes.len(), 1, "the other roles are switched off");
        let plan = parse(&example("a service that takes the audio in one request"));
        assert_eq!(plan.target.http.multipart_field, "file");
    }

    #[test]
    fn an_existing_file_is_replaced_only_by_force() {
        let home = tempfile::TempDir::new().unwrap();
        let path = home.path().join("highwater.toml");
        write_template(&path, false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEMPLATE);

        fs::write(&path, "results = 'mine'\n").unwrap();
        let error = write_template(&path, false).unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` exists already", path.display()));
        assert_eq!(error.hint_text(), Some("use `--force` to replace it, or give another path"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "results = 'mine'\n");

        write_template(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEMPLATE);

        let nowhere = home.path().join("no/such/directory.toml");
        let error = write_template(&nowhere, false).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", nowhere.display()));
    }
}
