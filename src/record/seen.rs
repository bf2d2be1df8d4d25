//! The processes that played a part in a run.

use serde::{Deserialize, Serialize};

/// The first number that Linux gives to no process (`PID_MAX_LIMIT`): from here on, a pid stands for a process whose figures
/// came from elsewhere than `/proc`.
pub const FIRST_ELSEWHERE: u32 = 1 << 22;

use super::exit::ExitKind;

/// One process that was watched, as it stood when it or the watching ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// The role that it played.
    pub role: String,
    /// Its process id.
    pub pid: u32,
    /// The process id of its parent, when it was first seen.
    pub parent: u32,
    /// Its name.
    pub name: String,
    /// Its command line, when it was first seen.
    pub command: String,
    /// False for a descendant of the process that was looked for.
    pub root: bool,
    /// How long it had been running by then, in seconds.
    pub age_s: f64,
    /// The highest RSS that was seen of it, in MB.
    pub peak_mb: f64,
    /// How it ended; absent if it outlived the watching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ExitKind>,
}
