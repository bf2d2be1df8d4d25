//! How a process ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a process ended, as far as the kernel tells somebody who is not its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitKind {
    /// It exited with this code.
    Code(i32),
    /// A signal with this number ended it.
    Signal(i32),
    /// The kernel killed it (signal 9) for want of memory: its cgroup counted such a
    /// kill between its start and its end.
    OutOfMemory,
    /// It is gone, and nobody could say how.
    Unknown,
}

impl ExitKind {
    /// From the status word of `wait(2)`, which is also field 52 of `/proc/PID/stat`.
    pub fn from_wait_status(status: i32) -> ExitKind {
        match status & 0x7f {
            0 => ExitKind::Code((status >> 8) & 0xff),
            signal => ExitKind::Signal(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_tells_code_and_signal_apart() {
        assert_eq!(ExitKind::from_wait_status(9), ExitKind::Signal(9));
        assert_eq!(ExitKind::from_wait_status(0x8b), ExitKind::Signal(11), "with the core-dump bit");
        assert_eq!(ExitKind::from_wait_status(3 << 8), ExitKind::Code(3));
    }
}
