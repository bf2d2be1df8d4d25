//! A real `fork()`, which needs `unsafe`: RQ's worker forks for every job.

#![expect(unsafe_code, reason = "std has no fork; a re-executed child would not share the parent's memory")]

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::{Pid, getpid};

unsafe extern "C" {
    fn fork() -> c_int;
    fn _exit(status: c_int) -> !;
}

/// Runs `work` in a child process, which exits with 0, or with 101 if it
/// panics. Returns the child's pid at once; the caller must wait for it.
///
/// Only the calling thread exists in the child. `work` must therefore not
/// wait for another thread nor take a lock that another thread may hold:
/// no printing, no channel, nothing shared. Memory may be allocated.
///
/// # Errors
/// If the system cannot create another process.
pub(super) fn in_child(work: impl FnOnce()) -> std::io::Result<Pid> {
    let parent = getpid();
    // SAFETY: the C library keeps its allocator usable in the child. `work` does not touch
    // what else could be broken there, locks and threads (see above).
    let pid = unsafe { fork() };
    if pid < 0 {
        return Err(std::io::Error::last_os_error());
    }
    if let Some(child) = Pid::from_raw(pid) {
        return Ok(child);
    }
    die_with(parent);
    let panicked = catch_unwind(AssertUnwindSafe(work)).is_err();
    // SAFETY: ends the process and does not return. `exit` would run the handlers that the
    // parent has registered for its own end.
    unsafe { _exit(if panicked { 101 } else { 0 }) }
}

/// Makes the kernel kill this process when its parent ends.
///
/// The signal fires when the *thread* that forked ends, which here is the parent's
/// main thread.
fn die_with(parent: Pid) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // The parent may have ended before this took effect.
    if rustix::process::getppid() != Some(parent) {
        // SAFETY: as above.
        unsafe { _exit(1) }
    }
}
