//! Reads the figures that are too expensive for a tick, at the boundaries of tasks.

use std::fs;

use super::files::{STAT_BYTES, STATUS_BYTES, classify, malformed, read_path};
use super::parse;
use crate::sampler::process::{Details, ProcessId, Proportional, ReadError};

/// Reads the `status` of `id` and counts its descriptors and its zombies.
pub(super) fn read(id: ProcessId, lists_children: bool, counts_fds: bool) -> Result<Details, ReadError> {
    let mut buffer = [0; STATUS_BYTES];
    let status = read_path(id.pid, "status", &mut buffer)?;
    let mut details = Details {
        swap_bytes: parse::kilobytes(status, b"VmSwap:"),
        shmem_bytes: parse::kilobytes(status, b"RssShmem:"),
        peak_bytes: parse::kilobytes(status, b"VmHWM:"),
        fds: descriptors(id.pid, counts_fds),
        zombies: None,
    };
    if lists_children {
        details.zombies = zombies(id.pid);
    }
    // Checked last: so everything before was read from `id`, and not from a later owner of its pid.
    check(id)?;
    Ok(details)
}

/// `Pss` and its parts in `smaps_rollup`, for which the kernel walks the page tables.
pub(super) fn pss(id: ProcessId) -> Result<Option<Proportional>, ReadError> {
    let mut buffer = [0; STATUS_BYTES];
    let rollup = read_path(id.pid, "smaps_rollup", &mut buffer)?;
    let found = parse::proportional(rollup).ok_or_else(|| malformed("smaps_rollup"))?;
    check(id)?;
    Ok(Some(found))
}

/// Fails if the process that has the pid of `id` now is another, or has ended.
fn check(id: ProcessId) -> Result<(), ReadError> {
    let mut buffer = [0; STAT_BYTES];
    let bytes = read_path(id.pid, "stat", &mut buffer)?;
    let stat = parse::stat(bytes).ok_or_else(|| malformed("stat"))?;
    if stat.has_ended() || stat.start_ticks != id.start_ticks { Err(ReadError::Gone) } else { Ok(()) }
}

/// The number of open descriptors; `None` if we lack the permission.
fn descriptors(pid: u32, counts_fds: bool) -> Option<u64> {
    let directory = format!("/proc/{pid}/fd");
    if counts_fds {
        return fs::metadata(directory).ok().map(|directory| directory.len());
    }
    let entries = fs::read_dir(directory).ok()?;
    Some(entries.flatten().count() as u64)
}

/// The number of ended children of `pid` that it has not waited for.
fn zombies(pid: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_err(classify).ok()?;
    let mut count = 0;
    for thread in threads.flatten() {
        // A thread that has ended in the meantime has no children.
        let Ok(list) = fs::read(thread.path().join("children")) else { continue };
        count += parse::pids(&list).filter(|&child| is_zombie_of(child, pid)).count() as u64;
    }
    Some(count)
}

fn is_zombie_of(child: u32, parent: u32) -> bool {
    let mut buffer = [0; STAT_BYTES];
    let Ok(bytes) = read_path(child, "stat", &mut buffer) else { return false };
    parse::stat(bytes).is_some_and(|stat| stat.has_ended() && stat.parent == parent)
}
