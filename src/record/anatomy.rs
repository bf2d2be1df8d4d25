//! What a tree of processes consists of: the parts of its memory, its descriptors, threads and children.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All that the worker's processes consist of at one moment, added up by what it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Anatomy {
    /// Memory by where it is; empty where it was not read (see `unread`).
    #[serde(default)]
    pub memory: Vec<MemoryPart>,
    /// Open descriptors by what they are.
    #[serde(default)]
    pub descriptors: Vec<DescriptorPart>,
    /// Threads by name; numbers in a name stand as `#`.
    #[serde(default)]
    pub threads: BTreeMap<String, u32>,
    /// Processes that are alive, by name.
    #[serde(default)]
    pub processes: BTreeMap<String, u32>,
    /// Children that have ended and that nobody has waited for.
    #[serde(default)]
    pub zombies: u32,
    /// Why memory was not read, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// Memory of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemoryPart {
    /// Where it is.
    pub place: Place,
    /// What is known of it: the class of its size, the file, the segment; numbers in it stand as `#`.
    pub name: String,
    /// Resident and swapped, in MB; pages that processes share count once (PSS).
    pub mb: f64,
    /// Mappings that it is made of.
    pub mappings: u32,
}

/// Where memory can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The allocator's heap (`brk`): small blocks of the main thread.
    Heap,
    /// Heaps of further threads: glibc reserves 64 MB for each, aligned to as much.
    Arenas,
    /// Anonymous mappings: large blocks, and the heaps of other allocators and of runtimes.
    Anonymous,
    /// Shared memory, tmpfs and memfd.
    Shared,
    /// Files that are mapped.
    Files,
    /// The stacks of threads.
    Stacks,
}

/// Descriptors of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorPart {
    /// What they are.
    pub kind: DescriptorKind,
    /// The file, or the kind of anonymous inode; numbers in it stand as `#`. Empty for sockets and pipes.
    pub name: String,
    /// How many are open.
    pub count: u32,
}

/// What a descriptor can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptorKind {
    /// A socket, also one that is not connected.
    Socket,
    /// An end of a pipe.
    Pipe,
    /// A file, a directory or a device.
    File,
    /// An object of the kernel without a file: epoll, eventfd, timerfd.
    AnonInode,
}
