//! The sources of facts about processes: our own reader of `/proc` on Linux,
//! and sysinfo everywhere else.

#[cfg(target_os = "linux")]
mod births;
#[cfg(target_os = "linux")]
mod details;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod listing;
#[cfg(target_os = "linux")]
pub(crate) mod parse;
#[cfg(target_os = "linux")]
mod sockets;
mod sysinfo;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
pub use linux::LinuxSource;
#[cfg(target_os = "linux")]
pub(crate) use linux::{FILES_PER_PROCESS, descriptors_to_keep, is_same, zombie_status};
pub use sysinfo::SysinfoSource;

use crate::sampler::process::ProcessSource;
use crate::{Error, ErrorKind, Result};

/// The best source for this system.
///
/// # Errors
/// [`ErrorKind::Io`] if `/proc` cannot be read (Linux).
pub fn default_source() -> Result<Box<dyn ProcessSource>> {
    #[cfg(target_os = "linux")]
    {
        match LinuxSource::new() {
            Ok(source) => Ok(Box::new(source)),
            Err(error) => Err(unreadable(error)),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok(Box::new(SysinfoSource::new()))
    }
}

/// The error for a list of processes that cannot be read.
pub(crate) fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot read the list of processes from `/proc`")
        .source(error)
        .hint("mount procfs at `/proc`, or run highwater where it can see the processes of the service")
}
