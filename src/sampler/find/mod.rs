//! Which processes play which role: a pure search in a list of processes.
//!
//! [`find`] is given everything it decides on: the processes, the roles, and
//! the [`Evidence`] that the list does not hold. [`find_processes`] gathers
//! that on this machine first.

mod candidates;
mod evidence;
mod explain;
mod family;
pub(super) mod gather;
mod program;
mod registry;
mod rq;
mod select;
mod tools;

use std::collections::{BTreeMap, HashSet};

pub use self::evidence::Evidence;
use self::family::Family;
pub use self::rq::RqWorker;
use self::select::Selector;
use super::process::{ProcessInfo, ProcessSource, Wanted};
use super::source;
use crate::plan::ProcessPlan;
use crate::{Error, ErrorKind, Result};

/// What a search found, by role.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Every role that was searched for.
    pub roles: BTreeMap<String, RoleFound>,
}

/// What a search found for one role.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleFound {
    /// What was searched for.
    pub plan: ProcessPlan,
    /// The processes of the role, each the root of its own tree, by pid.
    pub roots: Vec<ProcessInfo>,
    /// Where the role is to be played by one process and several fit: those,
    /// by pid. `roots` is empty then.
    pub surplus: Vec<Candidate>,
    /// Where nothing was found: the processes that came near, the nearest first.
    pub near_misses: Vec<NearMiss>,
    /// What kept the search from finding anything, such as a pidfile that
    /// cannot be read.
    pub trouble: Option<String>,
}

/// One of several processes that fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub process: ProcessInfo,
    /// How long it has been running, in seconds, where that is known.
    pub age_s: Option<f64>,
    /// Its resident memory in bytes, where it was read.
    pub rss_bytes: Option<u64>,
}

/// A process that was nearly what a role asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss {
    /// Which.
    pub process: ProcessInfo,
    /// Why it is not what was looked for.
    pub reason: String,
}

/// Searches the processes of the machine for `roles`.
///
/// That a role was not found is no error here, see [`Found::check`]. Where a
/// role asks RQ's registry, Redis gets a second to answer.
///
/// # Errors
/// [`ErrorKind::Config`] for a role that says nothing; [`ErrorKind::Io`] if
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
/// A process is a candidate if it is all that the role's plan asks for, except:
/// `own_pid` and its ancestors, and, unless the plan names its processes
/// exactly, its descendants; shells, launchers, editors, pagers and test
/// runners that carry the words; whatever launched another candidate; a
/// descendant of another candidate (it belongs to that one's tree). An explicit
/// pid is always accepted. A process plays one role: one named by pid before
/// one matched, a required role before an optional one, and otherwise the first
/// by name.
pub fn find(
    processes: &[ProcessInfo],
    roles: &BTreeMap<String, ProcessPlan>,
    evidence: &Evidence,
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
        let candidates: Vec<_> = if explicit.is_empty() {
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
        let near_misses = match nothing && explicit.is_empty() {
            true => candidates::near_misses(processes, &selector, &family, own_pid, &taken),
            false => Vec::new(),
        };
        let trouble = if nothing { explain::trouble(plan, evidence) } else { None };
        let role_found = RoleFound { plan: plan.clone(), roots, surplus, near_misses, trouble };
        found.insert(role.clone(), role_found);
    }
    Found { roles: found }
}

/// True if one of these new processes could, by itself, play one of `roles`:
/// the cheap question, which saves the search for all the others.
pub(super) fn may_play(news: &[ProcessInfo], roles: &BTreeMap<String, ProcessPlan>) -> bool {
    let evidence = Evidence::default();
    roles.values().any(|plan| {
        let selector = Selector::new(plan, &evidence);
        !news.is_empty() && depends_on_evidence(plan)
            || news.iter().any(|process| selector.check(process).is_ok())
    })
}

/// True if the role could come to be played by another process although no
/// process is new: a file, a socket or a registry says who it is.
pub(super) fn depends_on_evidence(plan: &ProcessPlan) -> bool {
    let texts = [&plan.pidfile, &plan.exe, &plan.unit, &plan.cgroup, &plan.rq.url];
    plan.port.is_some() || texts.iter().any(|text| text.is_some())
}

impl Found {
    /// Every role that must be there was found.
    ///
    /// # Errors
    /// [`ErrorKind::ProcessNotFound`] for the first role that is not optional
    /// and was not found, or for which several processes fit though it is to be
    /// played by one; the hint lists what came near, and says how to choose.
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
    /// What there is to say about a role that nobody plays, with what to do.
    pub fn error(&self, role: &str) -> Error {
        if self.surplus.is_empty() { explain::not_found(role, self) } else { explain::too_many(role, self) }
    }

    /// What was looked for, in words.
    pub fn sought(&self) -> String {
        explain::sought(&self.plan)
    }
}

#[cfg(test)]
mod tests;
