//! The things that leak: memory of several kinds, descriptors, threads, processes.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::fork::in_child;
use super::mapping;
use crate::options::{DemoOptions, FdKind, LeakHow};
use crate::units::ByteSize;

/// The size of a block from the allocator's heap: glibc maps blocks of 128 KiB and more individually.
const SMALL: usize = 64 * 1024;

/// Resident memory: every byte of it has been written.
pub(super) struct Resident {
    /// Retained and never read: retaining it is the fault.
    pub(super) _bytes: Box<[u8]>,
}

impl Resident {
    /// Large sizes get a mapping of their own from the allocator, so that
    /// the process grows by exactly this much, and shrinks by it when dropped.
    pub(super) fn new(size: ByteSize) -> Resident {
        Resident { _bytes: written(bytes(size)) }
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}

fn written(bytes: usize) -> Box<[u8]> {
    std::hint::black_box(vec![0xA5; bytes].into_boxed_slice())
}

/// Small blocks that add up to `size`.
fn small_blocks(size: ByteSize) -> Vec<Box<[u8]>> {
    let whole = bytes(size);
    (0..whole.div_ceil(SMALL)).map(|index| written(SMALL.min(whole - index * SMALL))).collect()
}

/// All leaked things that can be retained in memory.
#[derive(Default)]
pub(super) struct Leaked {
    pub(super) blocks: Vec<Resident>,
    small: Vec<Vec<Box<[u8]>>>,
    fds: Vec<OwnedFd>,
}

impl Leaked {
    /// Leaks once, as the options say, and `times` as much memory. If the system refuses, nothing is leaked.
    pub(super) fn leak(&mut self, options: &DemoOptions, times: f64) {
        if let Some(size) = options.leak {
            let size = ByteSize::from_bytes((size.bytes() as f64 * times) as u64);
            self.leak_memory(size, options.leak_how);
        }
        for _ in 0..options.leak_fds.unwrap_or(0) {
            self.fds.extend(descriptor(options.leak_fd_kind));
        }
        for _ in 0..options.leak_threads.unwrap_or(0) {
            let _ = std::thread::Builder::new()
                .name("leaked".to_string())
                .stack_size(64 * 1024)
                .spawn(sleep_for_ever);
        }
        for _ in 0..options.leak_children.unwrap_or(0) {
            // The child dies with this process, by the signal that `in_child` asks for.
            let _ = in_child(sleep_for_ever);
        }
        for _ in 0..options.leak_zombies.unwrap_or(0) {
            // It is never waited for.
            let _ = in_child(|| ());
        }
    }

    fn leak_memory(&mut self, size: ByteSize, how: LeakHow) {
        match how {
            LeakHow::Malloc => self.blocks.push(Resident::new(size)),
            LeakHow::Heap => self.small.push(small_blocks(size)),
            LeakHow::Arena => {
                // A thread other than the main one allocates from an arena of its own, which outlives it.
                let made = std::thread::Builder::new()
                    .name("arena".to_string())
                    .spawn(move || small_blocks(size))
                    .map(std::thread::JoinHandle::join);
                if let Ok(Ok(blocks)) = made {
                    self.small.push(blocks);
                }
            }
            LeakHow::Mmap => {
                let _ = mapping::leak_anonymous(bytes(size));
            }
            LeakHow::Shm => {
                let _ = shared(size);
            }
            LeakHow::File => {
                let _ = file(size);
            }
        }
    }
}

fn sleep_for_ever() {
    loop {
        std::thread::park();
    }
}

/// Shared memory without a name in the file system, mapped and never unmapped.
#[cfg(target_os = "linux")]
fn shared(size: ByteSize) -> std::io::Result<()> {
    let memory = rustix::fs::memfd_create("leak", rustix::fs::MemfdFlags::CLOEXEC)?;
    map(&File::from(memory), size)
}

/// Without memfd, an unlinked file is the nearest equivalent.
#[cfg(not(target_os = "linux"))]
fn shared(size: ByteSize) -> std::io::Result<()> {
    file(size)
}

/// An unlinked file on the disk, mapped and never unmapped.
fn file(size: ByteSize) -> std::io::Result<()> {
    map(&tempfile::tempfile()?, size)
}

fn map(file: &File, size: ByteSize) -> std::io::Result<()> {
    file.set_len(size.bytes())?;
    mapping::leak_file(file, bytes(size))?;
    Ok(())
}

/// One open descriptor.
fn descriptor(kind: FdKind) -> std::io::Result<OwnedFd> {
    Ok(match kind {
        FdKind::File => File::open("/dev/null")?.into(),
        // The other end is closed, so one descriptor stays open.
        FdKind::Pipe => std::io::pipe()?.0.into(),
        FdKind::Socket => UnixStream::pair()?.0.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_blocks_add_up() {
        let sizes = |bytes| {
            small_blocks(ByteSize::from_bytes(bytes)).iter().map(|block| block.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(150_000), [65_536, 65_536, 18_928]);
        assert_eq!(sizes(0), [0_usize; 0]);
    }

    #[test]
    fn descriptors_are_of_their_kind() {
        let link = |kind| {
            let fd = descriptor(kind).unwrap();
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
            std::fs::read_link(path).unwrap().to_string_lossy().into_owned()
        };
        if cfg!(target_os = "linux") {
            assert_eq!(link(FdKind::File), "/dev/null");
            assert!(link(FdKind::Pipe).starts_with("pipe:[") && link(FdKind::Socket).starts_with("socket:["));
        }
    }
}
