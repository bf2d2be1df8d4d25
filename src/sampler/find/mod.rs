//! Finds the processes of each role: a pure search in a list of processes.
//!
//! [`find`] gets everything that it decides on: the processes, the roles, and
//! the [`SearchEvidence`] that is not in the list. [`find_processes`] first gathers
//! these on this machine.

mod candidates;
mod evidence;
mod explain;
mod family;
pub(super) mod gather;
mod program;
#[cfg(feature = "rq")]
mod redis;
#[cfg(not(feature = "rq"))]
#[path = "no_redis.rs"]
mod redis;
mod registry;
mod rq;
mod select;
mod tools;

use std::collections::{BTreeMap, HashSet};

pub use self::evidence::SearchEvidence;
use self::family::Family;
pub use self::rq::RqWorker;
use self::select::Selector;
use super::process::{ProcessInfo, ProcessSource, Wanted};
use super::source;
use crate::plan::{ProcessPlan, from_environment};
use crate::{Error, ErrorKind, Result};

/// The result of a search, by role.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The result for each role.
    pub roles: BTreeMap<String, RoleFound>,
}

/// The result of a search for one role.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleFound {
    /// The plan that was searched for.
    pub plan: ProcessPlan,
    /// The processes of the role, each the root of its own tree, by pid.
    pub roots: Vec<ProcessInfo>,
    /// If the role takes one process and several match: those, by pid. `roots` is
    /// empty then.
    pub surplus: Vec<Candidate>,
    /// If nothing was found: the processes that nearly matched, the nearest first.
    pub near_misses: Vec<NearMiss>,
    /// Why the search could find nothing, for example an unreadable pidfile.
    pub trouble: Option<String>,
}

/// One of several processes that match.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The process.
    pub process: ProcessInfo,
    /// Its age in seconds, if known.
    pub age_s: Option<f64>,
    /// Its resident memory in bytes, if it was read.
    pub rss_bytes: Option<u64>,
}

/// A process that nearly matched a role.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss {
    /// The process.
    pub process: ProcessInfo,
    /// Why it does not match.
    pub reason: String,
}

/// Searches the processes of the machine for `roles`.
///
/// A role without a process is no error here, see [`Found::check`]. If a
/// role asks RQ's registry, Redis gets a second to answer.
///
/// # Errors
/// [`ErrorKind::Config`] for a role without any condition; [`ErrorKind::Io`] if
/// the processes cannot be listed.
pub fn find_processes(
    roles: &BTreeMap<String, ProcessPlan>,
    source: &mut dyn ProcessSource,
) -> Result<Found> {
    for (role, plan) in roles {
        if plan.says_nothing() {
            let message = format!("role `{role}` does not say how its process is found");
            let hint = format!(
                "give `processes.{role}` a program, words of the command line, a port or a pid, or leave the role out"
            );
            return Err(Error::new(ErrorKind::Config, message).hint(hint));
        }
    }
    let processes = source.list().map_err(source::unreadable)?;
    let evidence = gather::Gatherer::default().gather(roles, &processes, source, gather::Patience::Wait);
    let mut found = find(&processes, roles, &evidence, std::process::id());
    for candidate in found.roles.values_mut().flat_map(|role| &mut role.surplus) {
        candidate.rss_bytes =
            source.read(candidate.process.id, Wanted::MEMORY).ok().map(|reading| reading.rss_bytes);
    }
    Ok(found)
}

/// Searches `processes` for `roles`.
///
/// A process is a candidate if it satisfies all conditions of the role's plan. These processes
/// are excluded:
///
/// * `own_pid` and its ancestors, and its descendants unless the plan names its processes exactly;
/// * shells, launchers, editors, pagers and test runners that carry the words;
/// * a process that launched another candidate;
/// * a descendant of another candidate, which belongs to that one's tree.
///
/// An explicit pid is always accepted. A process has one role. A role with explicit pids comes
/// first, then a required role, then an optional one; roles of one kind come in the order of
/// their names.
pub fn find(
    processes: &[ProcessInfo],
    roles: &BTreeMap<String, ProcessPlan>,
    evidence: &SearchEvidence,
    own_pid: u32,
) -> Found {
    let family = Family::new(processes);
    let mut order: Vec<_> = roles.iter().collect();
    order.sort_by_key(|(_, plan)| (plan.explicit_pids().is_empty(), plan.optional));
    let mut taken = HashSet::new();
    let mut found = BTreeMap::new();
    for (role, plan) in order {
        let selector = Selector::new(plan, evidence);
        let explicit = plan.explicit_pids();
        let candidates: Vec<_> = if plan.is_elsewhere() {
            let pids = evidence.facts.elsewhere.get(role).and_then(|pids| pids.as_ref().ok());
            processes
                .iter()
                .filter(|process| pids.is_some_and(|pids| pids.contains(&process.id.pid)))
                .collect()
        } else if explicit.is_empty() {
            candidates::candidates(processes, &selector, &family, own_pid)
        } else {
            processes.iter().filter(|process| explicit.contains(&process.id.pid)).collect()
        };
        let mut roots: Vec<ProcessInfo> =
            candidates.into_iter().filter(|process| !taken.contains(&process.id)).cloned().collect();
        roots.sort_by_key(|process| process.id.pid);
        let mut surplus = Vec::new();
        if plan.wants_one() && roots.len() > 1 {
            let age_s = |process: &ProcessInfo| evidence.clock.map(|clock| clock.age_s(process.id));
            let candidate =
                |process: ProcessInfo| Candidate { age_s: age_s(&process), process, rss_bytes: None };
            surplus = roots.drain(..).map(candidate).collect();
        }
        taken.extend(roots.iter().chain(surplus.iter().map(|one| &one.process)).map(|process| process.id));
        let nothing = roots.is_empty() && surplus.is_empty();
        let near_misses = match nothing && explicit.is_empty() && !plan.is_elsewhere() {
            true => candidates::near_misses(processes, &selector, &family, own_pid, &taken),
            false => Vec::new(),
        };
        let trouble = if nothing { explain::trouble(role, plan, evidence) } else { None };
        let role_found = RoleFound { plan: plan.clone(), roots, surplus, near_misses, trouble };
        found.insert(role.clone(), role_found);
    }
    Found { roles: found }
}

/// True if one of these new or changed processes could match one of `roles` by itself. This
/// cheap check saves most searches.
pub(super) fn may_match(changed: &[ProcessInfo], roles: &BTreeMap<String, ProcessPlan>) -> bool {
    let evidence = SearchEvidence::default();
    roles.values().any(|plan| {
        let selector = Selector::new(plan, &evidence);
        !changed.is_empty() && depends_on_evidence(plan)
            || changed.iter().any(|process| selector.check(process).is_ok())
    })
}

/// Why a Redis that is asked for workers (`rq.url`) gives no sign of life; `None` if each of them does. Blocks for
/// seconds at most.
pub(crate) fn silent_redis(roles: &BTreeMap<String, ProcessPlan>) -> Option<String> {
    let urls = roles.values().filter_map(|role| role.rq.url.as_deref());
    urls.filter_map(|url| redis::answers(&from_environment(url)).err()).next()
}

/// True if another process could take the role although no process is new, because a file,
/// a socket or a registry decides.
pub(super) fn depends_on_evidence(plan: &ProcessPlan) -> bool {
    let texts = [&plan.pidfile, &plan.exe, &plan.unit, &plan.cgroup, &plan.rq.url];
    plan.port.is_some() || plan.is_elsewhere() || texts.iter().any(|text| text.is_some())
}

impl Found {
    /// Checks that every required role has a process.
    ///
    /// # Errors
    /// [`ErrorKind::ProcessNotFound`] for the first role that is not optional
    /// and has no process, or that takes one process and is matched by several. The
    /// hint lists the candidates, and says how to choose.
    pub fn check(&self) -> Result<()> {
        let required = self.roles.iter().filter(|(_, found)| !found.plan.optional);
        match required
            .filter(|(_, found)| found.roots.is_empty())
            .map(|(role, found)| found.error(role))
            .next()
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl RoleFound {
    /// The error for a role without a process, with a hint what to do.
    pub fn error(&self, role: &str) -> Error {
        if self.surplus.is_empty() { explain::not_found(role, self) } else { explain::too_many(role, self) }
    }

    /// The conditions of the role, in words.
    pub fn sought(&self) -> String {
        explain::sought(&self.plan)
    }
}

#[cfg(test)]
mod tests;
