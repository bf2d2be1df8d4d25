//! Where something grew, what such growth usually is, and the cheapest experiment that tells.

use std::fmt;

use crate::analysis::{GrownCount, GrownMemory, GrownThing, Hint};
use crate::record::{DescriptorKind, Place};
use crate::sampler::anatomy::Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::TooExpensive => {
                f.write_str("reading it would stall the processes for longer than `sampler.pss_budget_s`")
            }
            Unread::Failed(error) => write!(f, "`smaps` cannot be read: {error}"),
        }
    }
}

/// `anonymous mappings: +45.2 MB (98 % of the growth), most of it in mappings of 16 to 64 MB`
impl fmt::Display for GrownMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:+.1} MB ({:.0} % of the growth)", place(self.place), self.mb, self.percent)?;
        match self.place {
            Place::Heap | Place::Stacks => Ok(()),
            Place::Arenas => write!(f, ", {:+} arenas", self.mappings),
            Place::Anonymous => write!(f, ", most of it in mappings of {}", self.most),
            Place::Shared | Place::Files => {
                write!(f, ", most of it `{}` ({:+} mappings)", self.most, self.mappings)
            }
        }
    }
}

/// `sockets: 4 after warm-up, 24 at the end`
impl fmt::Display for GrownCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} after warm-up, {} at the end", self.what, self.before, self.after)
    }
}

impl fmt::Display for GrownThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GrownThing::Descriptors { kind, most: Some(most) } => {
                write!(f, "{}, most of them `{most}`", descriptors(*kind))
            }
            GrownThing::Descriptors { kind, most: None } => f.write_str(descriptors(*kind)),
            GrownThing::Threads { name } => write!(f, "threads named `{name}`"),
            GrownThing::Processes { name } => write!(f, "processes named `{name}`"),
            GrownThing::Zombies => f.write_str("zombies"),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hint::Memory { place, more_mappings } => memory(*place, *more_mappings),
            Hint::Descriptors(kind) => of_descriptors(*kind),
            Hint::Threads => THREADS,
            Hint::Processes => PROCESSES,
            Hint::Zombies => ZOMBIES,
        })
    }
}

/// The place in words.
fn place(place: Place) -> &'static str {
    match place {
        Place::Heap => "the heap",
        Place::Arenas => "glibc's arenas",
        Place::Anonymous => "anonymous mappings",
        Place::Shared => "shared memory",
        Place::Files => "mapped files",
        Place::Stacks => "stacks of threads",
    }
}

/// What memory that grows there usually is.
fn memory(place: Place, more_mappings: bool) -> &'static str {
    match place {
        // Threads that get arenas of their own make new ones. Without those, the old ones are fuller.
        Place::Arenas if !more_mappings => {
            "no arena came: what grew is in those that were there, many small objects that stay reachable, or free \
             blocks between them; next: `tracemalloc` (Python), `heaptrack -p PID` (C, C++, Rust); memory that \
             `malloc_trim(0)` gives back was free"
        }
        Place::Heap => {
            "many small objects that stay reachable, or free blocks that the allocator keeps; next: \
             `tracemalloc` (Python), `heaptrack -p PID` (C, C++, Rust); memory that `malloc_trim(0)` gives back was free"
        }
        Place::Arenas => {
            "threads that allocate, each from an arena of its own of 64 MB; often no leak; next: start the service \
             with `MALLOC_ARENA_MAX=2` and compare (`highwater compare`)"
        }
        Place::Anonymous => {
            "large blocks (arrays, audio, tensors) that stay reachable, or the heap of a runtime or of jemalloc; \
             next: `tracemalloc` (Python), a heap snapshot (Node, Java), `heaptrack -p PID`"
        }
        Place::Shared => {
            "segments that nobody unlinks or unmaps (multiprocessing.shared_memory, data loaders, memfd, files in a \
             tmpfs); next: `ls -l /dev/shm`, `lsof -p PID | grep -e shm -e memfd`"
        }
        Place::Files => {
            "files that are mapped and not unmapped (np.memmap, mmap of uploads); clean pages of it are no loss, \
             but each mapping is one; next: `grep -c PATH /proc/PID/maps` before and after a task"
        }
        Place::Stacks => {
            "threads that are not joined: see their names; next: `py-spy dump -p PID`, `gdb -p PID`"
        }
    }
}

/// Descriptors of a kind in words.
fn descriptors(kind: DescriptorKind) -> &'static str {
    match kind {
        DescriptorKind::Socket => "sockets",
        DescriptorKind::Pipe => "pipes",
        DescriptorKind::File => "open files",
        DescriptorKind::AnonInode => "anonymous inodes",
    }
}

/// What descriptors of which there are ever more usually are.
fn of_descriptors(kind: DescriptorKind) -> &'static str {
    match kind {
        DescriptorKind::Socket => {
            "connections or responses that are not closed, a client made per task; next: `ss -tnp | grep PID`; \
             `ulimit -n` says when it ends"
        }
        DescriptorKind::Pipe => {
            "pipes to child processes that are not closed (Popen without `communicate()` or `with`); \
             `ulimit -n` says when it ends"
        }
        DescriptorKind::File => {
            "files that are opened per task and not closed (on the error path?); next: `ls -l /proc/PID/fd`; \
             `ulimit -n` says when it ends"
        }
        DescriptorKind::AnonInode => {
            "event loops, watchers or timers made per task and not closed (epoll, eventfd, inotify); next: \
             `ls -l /proc/PID/fd`"
        }
    }
}

/// What threads of which there are ever more usually are.
const THREADS: &str = "threads or pools that are made per task and never joined or shut down; next: `py-spy dump -p PID`, `gdb -p PID`";

/// What processes of which there are ever more usually are.
const PROCESSES: &str = "child processes that are started per task and never ended; next: `pstree -p PID`";

/// What zombies usually are.
const ZOMBIES: &str = "children that have ended and are not waited for: a missing `wait()`, `join()` or `poll()`; \
     the limit of processes says when it ends";
