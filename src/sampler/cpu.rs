//! The CPU time of this thread.

use std::time::{Duration, Instant};

/// The CPU time that this thread has used so far. Wall time would make looks rarer while
/// other programs use the machine.
#[cfg(unix)]
pub(super) fn cpu_time(_now: Instant) -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

/// Elapsed time, on systems that do not report CPU time.
#[cfg(not(unix))]
pub(super) fn cpu_time(now: Instant) -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    now.saturating_duration_since(*START.get_or_init(|| now))
}
