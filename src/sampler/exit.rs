//! How a process ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitKind {
    /// It ended by itself, with this exit code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It has ended; the system did not tell how.
    Unknown,
}

impl ExitKind {
    /// From a status as wait(2) gives it.
    pub fn from_wait_status(status: i32) -> ExitKind {
        match status & 0x7f {
            0 => ExitKind::Code((status >> 8) & 0xff),
            signal => ExitKind::Signal(signal),
        }
    }
}

/// What comes after the process's name: "was killed, signal 9".
impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitKind::Code(code) => write!(f, "exited, code {code}"),
            ExitKind::Signal(signal) => write!(f, "was killed, signal {signal}"),
            ExitKind::Unknown => f.write_str("ended, it is not known how"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_is_a_code_or_a_signal() {
        assert_eq!(ExitKind::from_wait_status(0), ExitKind::Code(0));
        assert_eq!(ExitKind::from_wait_status(3 << 8), ExitKind::Code(3));
        assert_eq!(ExitKind::from_wait_status(9), ExitKind::Signal(9));
        // Bit 7 tells of a core dump.
        assert_eq!(ExitKind::from_wait_status(0x80 | 11), ExitKind::Signal(11));
        assert_eq!(ExitKind::Signal(9).to_string(), "was killed, signal 9");
    }
}
