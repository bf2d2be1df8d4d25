//! Why a service is not well. Pure.

use std::fmt;

/// What was wrong when a service was asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwell {
    /// In words: `GET /health answered HTTP 503`.
    pub problem: String,
    /// The HTTP status, where one came: a service that answers is up.
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
