//! Memory that a program maps itself, without its allocator, which needs `unsafe`.

#![expect(unsafe_code, reason = "a mapping is memory that the compiler knows nothing of")]

use std::fs::File;
use std::os::fd::AsFd;
use std::ptr::{null_mut, write_bytes};

use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};

/// Maps `bytes` of private anonymous memory, writes to all of it, and leaves it mapped for ever.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn leak_anonymous(bytes: usize) -> Result<()> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses the address, so no existing mapping is replaced, and no reference
    // into the mapping is created.
    let start = unsafe { mmap_anonymous(null_mut(), bytes, access, MapFlags::PRIVATE)? };
    // SAFETY: the mapping is `bytes` long and writable, and nothing else refers to it.
    unsafe { write_bytes(start.cast::<u8>(), 0xA5, bytes) };
    Ok(())
}

/// The same with a mapping of `file`, which must be that long; the file may be closed afterwards.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn leak_file(file: &File, bytes: usize) -> Result<()> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: as above; only this process has the file, so it is not truncated.
    let start = unsafe { mmap(null_mut(), bytes, access, MapFlags::SHARED, file.as_fd(), 0)? };
    // SAFETY: as above.
    unsafe { write_bytes(start.cast::<u8>(), 0xA5, bytes) };
    Ok(())
}
