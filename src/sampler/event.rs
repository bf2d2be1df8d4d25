//! Events of the processes of a role.

use serde::{Deserialize, Serialize};

use super::process::ProcessId;
use crate::record::ExitKind;

/// A process of a role appeared or ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessEvent {
    /// When the sampler learned of it.
    pub at: jiff::Timestamp,
    /// The role it belongs to.
    pub role: String,
    /// The process.
    pub id: ProcessId,
    /// Its name.
    pub name: String,
    /// True for a process that itself matches the role; false for a descendant.
    /// Only the end of a root means that the worker died.
    pub is_root: bool,
    /// Its appearance or its end.
    pub kind: EventKind,
}

/// The appearance or the end of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It was found after the sampler had started.
    Appeared {
        /// Its arguments, joined by spaces.
        cmdline: String,
        /// Its parent.
        parent: u32,
    },
    /// It ended.
    Exited {
        /// How.
        how: ExitKind,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_json() {
        let event = ProcessEvent {
            at: "2025-12-09T23:30:15Z".parse().expect("a time stamp"),
            role: "worker".to_string(),
            id: ProcessId { pid: 12345, start_ticks: 67 },
            name: "python".to_string(),
            is_root: true,
            kind: EventKind::Exited { how: ExitKind::Signal(9) },
        };
        let json = serde_json::to_string(&event).expect("events serialise");
        assert_eq!(
            json,
            r#"{"at":"2025-12-09T23:30:15Z","role":"worker","id":{"pid":12345,"start_ticks":67},"name":"python","is_root":true,"kind":{"exited":{"how":{"signal":9}}}}"#
        );
        assert_eq!(serde_json::from_str::<ProcessEvent>(&json).expect("and back"), event);
    }
}
