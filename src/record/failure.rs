//! Why a task did not succeed, as words of the task file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong with a task, for the field `error_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The service refused the task, or the question for its result.
    Rejected,
    /// The service accepted the task and reported that it failed.
    Failed,
    /// The service could not be reached, or the connection broke.
    Transport,
    /// The service answered something that its contract does not allow.
    Malformed,
    /// The service did not do its part in time.
    Timeout,
    /// The process that would have finished the task is gone.
    WorkerLost,
    /// A word of another version.
    #[serde(other)]
    Unknown,
}

/// How far a task had come when something happened to it, for the field `error_stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The connection was being opened.
    Connect,
    /// The request was being sent; for a service that is asked for the result later, until it
    /// had answered the submission.
    Upload,
    /// The request was with the service, and its result was waited for.
    Processing,
    /// The service was being asked for the result.
    Poll,
    /// A word of another version.
    #[serde(other)]
    Unknown,
}

/// What cut a task off from its service, for the field `error_cause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nobody listens there.
    Refused,
    /// The connection was broken off.
    Reset,
    /// The connection was closed in the ordinary way, but before the answer was whole.
    Closed,
    /// The host, or a way to it, does not exist.
    Unreachable,
    /// The host's name is not known.
    Name,
    /// The secured connection could not be agreed on, or the certificate is not trusted.
    Tls,
    /// This machine ran out of something: files, ports. It says nothing about the service.
    Local,
    /// Anything else; the message says what. Also a word of another version.
    #[serde(other)]
    Other,
}

impl Stage {
    /// The stage as a word.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Upload => "upload",
            Stage::Processing => "processing",
            Stage::Poll => "poll",
            Stage::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_versions_are_tolerated() {
        let read = |word: &str| serde_json::from_value::<FailureKind>(word.into()).unwrap();
        assert_eq!((read("worker_lost"), read("melted")), (FailureKind::WorkerLost, FailureKind::Unknown));
        assert_eq!(serde_json::from_str::<Stage>("\"orbit\"").unwrap(), Stage::Unknown);
        assert_eq!(serde_json::from_str::<Cause>("\"tls\"").unwrap(), Cause::Tls);
        assert_eq!(serde_json::to_string(&FailureKind::WorkerLost).unwrap(), "\"worker_lost\"");
    }
}
