//! The error for a key that does not exist.

use std::collections::BTreeSet;

use super::keys::keys;
use super::nearest::nearest;
use crate::error::{Error, ErrorKind};

/// The error for the dotted `key`; `place` says where it was given ("in …", "on …").
pub(super) fn unknown_key(key: &str, place: &str) -> Error {
    let role = key.strip_prefix("processes.").and_then(|rest| rest.split_once('.')).map(|(role, _)| role);
    let mut candidates = BTreeSet::new();
    for known in keys() {
        // Roles are the user's words: the suggestion keeps the one that was written.
        let path: Vec<&str> =
            known.path.iter().map(|word| if word == "*" { role.unwrap_or("worker") } else { word }).collect();
        candidates.extend((1..=path.len()).map(|length| path[..length].join(".")));
    }
    let error = Error::new(ErrorKind::Config, format!("unknown key `{key}` {place}"));
    match nearest(key, candidates.iter().map(String::as_str)) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint("`highwater init` writes a file with every key and what it means"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_keeps_the_role_that_was_written() {
        let error = unknown_key("processes.indexer.pattern", "on the command line");
        assert_eq!(error.to_string(), "unknown key `processes.indexer.pattern` on the command line");
        assert_eq!(error.hint_text(), Some("did you mean `processes.indexer.patterns`?"));
    }

    #[test]
    fn without_anything_near_it_says_where_the_keys_are() {
        let error = unknown_key("frobnicate", "on the command line");
        assert_eq!(
            error.hint_text(),
            Some("`highwater init` writes a file with every key and what it means")
        );
    }
}
