//! Waiting for whatever comes first: the end of a process, a command, a deadline.
//!
//! On Linux the end of a process is a readable pidfd, so it is known at once.
//! Elsewhere, or where no pidfd can be had, it is noticed at the next look.

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
