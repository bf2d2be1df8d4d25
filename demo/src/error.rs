//! The error of the embedded service: it did not start, or it ended.

use std::error::Error as StdError;
use std::fmt;

/// An error with its cause and a hint.
///
/// `Display` gives the message alone. highwater turns it into its own error, of
/// the kind `Demo`.
#[derive(Debug)]
pub struct Error {
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of an operation of the embedded service.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with one sentence (no full stop) that says what happened.
    pub(crate) fn new(message: impl Into<String>) -> Error {
        Error { message: message.into(), hint: None, source: None }
    }

    /// Adds a hint: what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub(crate) fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// The hint what to do next, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The error that caused this one, if any.
    pub fn into_source(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.source
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
