//! Waits for the end of a process, a command or a deadline, whichever comes first.
//!
//! On Linux a pidfd becomes readable when its process ends, so the end is known at once.
//! Elsewhere, or where no pidfd can be opened, the next look notices it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod oom;
#[cfg(target_os = "linux")]
mod pidfd_info;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

#[cfg(target_os = "linux")]
pub(crate) use linux::{Waiter, Waker};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{Waiter, Waker};
