//! The service's announcements on stdout: one JSON object per line.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::options::Role;

/// The first line: the service is ready, at this address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Always true.
    pub ready: bool,
    /// Base URL of the HTTP service, without a trailing slash.
    pub url: String,
    /// The processes of the service, without the supervisor.
    pub processes: Vec<Process>,
}

impl Ready {
    /// The pids of the processes with this role.
    pub fn pids(&self, role: Role) -> Vec<u32> {
        self.processes.iter().filter(|process| process.role == role).map(|process| process.pid).collect()
    }
}

/// One process of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its role.
    pub role: Role,
    /// Its process id.
    pub pid: u32,
}

/// A later line: an event of a process of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum ServiceEvent {
    /// A process was started to replace one that died.
    Started {
        /// Its role.
        role: Role,
        /// Its process id.
        pid: u32,
    },
    /// A process ended.
    Exited {
        /// Its role.
        role: Role,
        /// Its process id.
        pid: u32,
        /// The signal that killed it, if one did.
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
        /// Its exit code, if it exited by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
    },
}

/// Writes one line to stdout at once.
///
/// A service does not stop because its reader has gone, so a failed
/// write is ignored.
pub(super) fn say(line: &impl Serialize) {
    if let Ok(mut text) = serde_json::to_string(line) {
        text.push('\n');
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// Writes the first line to stdout, which says where the service is.
///
/// # Errors
/// If nobody can read it: a service whose address is not known is of no use to anybody.
pub(super) fn say_first(line: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_as_documented() {
        let ready = Ready {
            ready: true,
            url: "http://127.0.0.1:4711".to_string(),
            processes: vec![Process { role: Role::Api, pid: 1 }, Process { role: Role::Worker, pid: 2 }],
        };
        assert_eq!(
            serde_json::to_string(&ready).unwrap(),
            r#"{"ready":true,"url":"http://127.0.0.1:4711","processes":[{"role":"api","pid":1},{"role":"worker","pid":2}]}"#
        );
        assert_eq!(ready.pids(Role::Worker), [2]);
    }

    #[test]
    fn an_exit_says_signal_or_code() {
        let event = ServiceEvent::Exited { role: Role::Worker, pid: 2, signal: Some(9), code: None };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"exited","role":"worker","pid":2,"signal":9}"#
        );
    }
}
