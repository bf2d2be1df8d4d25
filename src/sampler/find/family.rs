//! The descent of processes.

use std::collections::HashMap;

use crate::sampler::process::ProcessInfo;

/// The processes by pid, to find the ancestors of each.
pub(super) struct Family<'a> {
    by_pid: HashMap<u32, &'a ProcessInfo>,
}

impl<'a> Family<'a> {
    pub(super) fn new(processes: &'a [ProcessInfo]) -> Family<'a> {
        Family { by_pid: processes.iter().map(|process| (process.id.pid, process)).collect() }
    }

    pub(super) fn get(&self, pid: u32) -> Option<&'a ProcessInfo> {
        self.by_pid.get(&pid).copied()
    }

    /// Parent, grandparent, …. The length is bounded, since a list that was
    /// read while processes started and ended may contain a circle.
    pub(super) fn ancestors(&self, pid: u32) -> impl Iterator<Item = u32> {
        let parent =
            |pid: u32| self.by_pid.get(&pid).map(|process| process.parent).filter(|&parent| parent != 0);
        std::iter::successors(parent(pid), move |&pid| parent(pid)).take(self.by_pid.len())
    }

    /// True if `pid` is `ancestor` or descends from it.
    pub(super) fn is_below(&self, pid: u32, ancestor: u32) -> bool {
        pid == ancestor || self.ancestors(pid).any(|above| above == ancestor)
    }
}
