//! Picks the roots of a role among the processes that match by themselves.

use std::collections::HashSet;

use super::NearMiss;
use super::family::Family;
use super::rq;
use super::select::{Rejection, Selector};
use super::tools::{is_not_the_service, launched};
use crate::sampler::process::{ProcessId, ProcessInfo};

/// The roots of a role: the processes that match and are meant, without their launchers
/// and their descendants.
pub(super) fn candidates<'a>(
    processes: &'a [ProcessInfo],
    selector: &Selector<'_>,
    family: &Family<'a>,
    own_pid: u32,
) -> Vec<&'a ProcessInfo> {
    let meant = |process: &&ProcessInfo| judge(process, selector, family, own_pid).is_ok();
    let mut matched: Vec<&ProcessInfo> = processes.iter().filter(meant).collect();
    if selector.plan.rq.queue.is_some() {
        for process in &mut matched {
            *process = head_of_rq(process, family, own_pid);
        }
        matched.sort_by_key(|process| process.id);
        matched.dedup_by_key(|process| process.id);
    }
    // A launcher of a candidate is no candidate, and a descendant of one belongs to its tree.
    let below = |one: &ProcessInfo, above: &ProcessInfo| {
        one.id != above.id && family.is_below(one.id.pid, above.id.pid)
    };
    let is_launcher = |process: &ProcessInfo| {
        // Process 1 holds the sockets of socket units, and every process descends from it.
        let started = |other: &ProcessInfo| process.id.pid == 1 || launched(process, other);
        matched.iter().any(|other| below(other, process) && started(other))
    };
    let proper: Vec<_> = matched.iter().copied().filter(|process| !is_launcher(process)).collect();
    let is_root = |process: &&&ProcessInfo| !proper.iter().any(|other| below(process, other));
    proper.iter().filter(is_root).copied().collect()
}

/// The topmost ancestor of `process` to which every process in between is part of RQ: the
/// master of a pool, or the parent of a work-horse.
fn head_of_rq<'a>(process: &'a ProcessInfo, family: &Family<'a>, own_pid: u32) -> &'a ProcessInfo {
    let above = family.ancestors(process.id.pid).map_while(|pid| {
        let parent = family.get(pid)?;
        let is_part = rq::read(parent).is_some() && is_not_the_service(parent).is_none();
        (is_part && !family.is_below(own_pid, pid)).then_some(parent)
    });
    above.last().unwrap_or(process)
}

/// Whether one process matches the role and is meant.
fn judge(
    process: &ProcessInfo,
    selector: &Selector<'_>,
    family: &Family<'_>,
    own_pid: u32,
) -> Result<(), Rejection> {
    if process.id.is_elsewhere() {
        return Err(Rejection { reason: "its figures belong to another role".to_string(), nearness: 0 });
    }
    selector.check(process)?;
    let rejected = |reason: String| Err(Rejection { reason, nearness: 100 });
    let pid = process.id.pid;
    if pid == own_pid {
        return rejected("it is highwater itself".to_string());
    }
    if family.is_below(own_pid, pid) && !(pid == 1 && selector.is_exact()) {
        return rejected("highwater was started by it".to_string());
    }
    if !selector.is_exact() && family.is_below(pid, own_pid) {
        return rejected("highwater has started it; name it by its pid".to_string());
    }
    if selector.started().iter().any(|&started| family.is_below(pid, started)) {
        return rejected("highwater has started it to carry out a task or to make load".to_string());
    }
    match is_not_the_service(process) {
        Some(what) if selector.by_words() || what == super::tools::PROXY => {
            rejected(format!("it is {what}, which carries the words and is not the service"))
        }
        _ => Ok(()),
    }
}

/// The number of near misses that are reported at most.
const NEAR_MISSES: usize = 5;

/// The processes that nearly matched, the nearest first.
pub(super) fn near_misses(
    processes: &[ProcessInfo],
    selector: &Selector<'_>,
    family: &Family<'_>,
    own_pid: u32,
    taken: &HashSet<ProcessId>,
) -> Vec<NearMiss> {
    let mut near: Vec<(u32, NearMiss)> = Vec::new();
    for process in processes {
        let of_our_own = family.is_below(own_pid, process.id.pid);
        let rejection = match judge(process, selector, family, own_pid) {
            Ok(()) if taken.contains(&process.id) => {
                Rejection { reason: "it plays another role".to_string(), nearness: 100 }
            }
            Ok(()) => continue,
            Err(rejection) => rejection,
        };
        if rejection.nearness > 0 && !of_our_own {
            let reason = match is_not_the_service(process) {
                Some(what) => format!("it is {what}, which carries the words and is not the service"),
                None => rejection.reason,
            };
            near.push((rejection.nearness, NearMiss { process: process.clone(), reason }));
        }
    }
    near.sort_by_key(|(nearness, miss)| (u32::MAX - nearness, miss.process.id.pid));
    near.into_iter().take(NEAR_MISSES).map(|(_, miss)| miss).collect()
}
