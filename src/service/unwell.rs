//! Why a service is not healthy. Pure.

use std::fmt;

/// The failure of a health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwell {
    /// The failure in words: `GET /health answered HTTP 503`.
    pub problem: String,
    /// The HTTP status, if there was an answer: a service that answers is up.
    pub status: Option<u16>,
}

impl From<String> for Unwell {
    fn from(problem: String) -> Unwell {
        Unwell { problem, status: None }
    }
}

impl fmt::Display for Unwell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem)
    }
}
