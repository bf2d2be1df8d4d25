//! What the phases record of a task's end and of the service's log.

use std::fmt::Display;
use std::io::Error;
use std::path::Path;

/// A worker's end, as the error of a task that was outstanding.
pub(crate) fn outstanding(ends: impl Display) -> String {
    format!("{ends}, while this task was outstanding")
}

/// The service's log could not be read.
pub(crate) fn unreadable_log(path: &Path, error: &Error) -> String {
    format!("cannot read `{}`: {error}", path.display())
}

/// The pattern for errors in it is none.
pub(crate) fn wrong_pattern(pattern: &str) -> String {
    format!("`{pattern}` is not a regular expression")
}
