//! The one error type of the library: what happened, and what to do about it.
//!
//! The hint belongs to the error, not to the place that prints it, so that the
//! command line, a failing test and `highwater doctor` all say the same.

use std::error::Error as StdError;
use std::fmt;

/// The reason why highwater could not do its work.
///
/// `Display` gives the message alone; [`Error::render`] gives message, causes
/// and hint in the form that the command line prints. `Debug` gives the same
/// three, for a test that unwraps or returns an error.
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of an operation that can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an [`Error`]; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration (file, environment or flag) is wrong.
    Config,
    /// The service could not be reached, or is not healthy.
    Unreachable,
    /// A process that was to be monitored was not found.
    ProcessNotFound,
    /// A file could not be read or written.
    Io,
    /// A data file has invalid content.
    Data,
    /// The embedded service did not start or broke its own contract.
    Demo,
    /// The run was asked to stop.
    Interrupted,
    /// The service refused the first task outright: what is sent does not fit it.
    Refused,
}

impl ErrorKind {
    /// The exit code of the process: 130 for an
    /// interruption, 3 ("could not run") for any other error.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Interrupted => 130,
            _ => 3,
        }
    }
}

impl Error {
    /// An error of `kind`, with one sentence (no full stop) that says what happened.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, source: None }
    }

    /// Adds a hint: what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// This build lacks a feature of the crate that the request needs.
    #[cfg(not(all(
        feature = "audio-formats",
        feature = "collect",
        feature = "command",
        feature = "containers",
        feature = "demo",
        feature = "https",
        feature = "remote",
        feature = "rq",
        feature = "websocket"
    )))]
    pub(crate) fn without_feature(what: &str, feature: &str) -> Error {
        let message = format!("{what} needs the feature `{feature}`, which this highwater was built without");
        let hint = format!("add `{feature}` to the `features` of `highwater` in Cargo.toml");
        Error::new(ErrorKind::Config, message).hint(hint)
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The hint what to do next, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The chain of causes, the nearest first.
    pub(crate) fn causes<'a>(&'a self) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
        let cause_of = |error: &&'a (dyn StdError + 'static)| StdError::source(*error);
        std::iter::successors(StdError::source(self), cause_of)
    }

    /// Message, causes and hint, one per line, as the command line prints them.
    pub fn render(&self) -> String {
        format!("error: {self:?}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in self.causes() {
            write!(f, "\n  cause: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", hint.replace('\n', "\n        "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(feature = "demo")]
impl From<highwater_demo::Error> for Error {
    fn from(error: highwater_demo::Error) -> Error {
        let (message, hint) = (error.to_string(), error.hint_text().map(str::to_string));
        Error { kind: ErrorKind::Demo, message, hint, source: error.into_source() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_gives_message_causes_and_hint() {
        let cause = std::io::Error::other("disk on fire");
        let error = Error::new(ErrorKind::Io, "cannot write `a.csv`").source(cause).hint("free some space");
        assert_eq!(
            error.render(),
            "error: cannot write `a.csv`\n  cause: disk on fire\n  hint: free some space"
        );
        assert_eq!(error.kind().exit_code(), 3);
    }
}
