//! Reads the files of `/proc/PID`, and says what a failure means.

use std::fs::File;
use std::io;

use rustix::io::Errno;

use crate::sampler::process::ReadError;

/// `status` has some sixty lines; the fields that are read stand before those that may be
/// long (`Groups`, the masks of large machines).
pub(super) const STATUS_BYTES: usize = 4096;

/// `statm` has seven numbers.
pub(super) const STATM_BYTES: usize = 192;

/// `stat` has 52 numbers of at most 20 digits and a name of at most 64 bytes.
pub(super) const STAT_BYTES: usize = 1536;

pub(super) fn read_open<'a>(file: &File, buffer: &'a mut [u8]) -> Result<&'a [u8], ReadError> {
    // Not std's read_at: libc makes it a cancellation point, which costs time.
    let length = rustix::io::pread(file, &mut *buffer, 0).map_err(|errno| classify(errno.into()))?;
    Ok(&buffer[..length])
}

pub(super) fn read_path<'a>(pid: u32, file: &str, buffer: &'a mut [u8]) -> Result<&'a [u8], ReadError> {
    let file = File::open(format!("/proc/{pid}/{file}")).map_err(classify)?;
    read_open(&file, buffer)
}

pub(super) fn malformed(file: &str) -> ReadError {
    ReadError::Other(io::Error::other(format!("`{file}` is not in the form that proc(5) documents")))
}

pub(super) fn classify(error: io::Error) -> ReadError {
    match Errno::from_io_error(&error) {
        Some(Errno::SRCH | Errno::NOENT) => ReadError::Gone,
        Some(Errno::ACCESS | Errno::PERM) => ReadError::Denied,
        _ => ReadError::Other(error),
    }
}
