//! Which processes play which role: a pure search in a list of processes.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::process::{ProcessInfo, ProcessSource};
use super::shell::{is_command_shell, is_shell};
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
    /// Where nothing was found: processes that contain some of the words, the
    /// nearest first.
    pub near_misses: Vec<ProcessInfo>,
}

/// Searches the processes of the machine for `roles`.
///
/// That a role was not found is no error here, see [`Found::check`].
///
/// # Errors
/// [`ErrorKind::Config`] for a role with neither pattern nor pid;
/// [`ErrorKind::Io`] if the processes cannot be listed.
pub fn find_processes(
    roles: &BTreeMap<String, ProcessPlan>,
    source: &mut dyn ProcessSource,
) -> Result<Found> {
    for (role, plan) in roles {
        if plan.explicit_pids().is_empty() && plan.patterns.iter().all(|pattern| pattern.trim().is_empty()) {
            let message = format!("role `{role}` has neither patterns nor a pid");
            let hint = format!("give `processes.{role}` words of its command line, or leave the role out");
            return Err(Error::new(ErrorKind::Config, message).hint(hint));
        }
    }
    let processes = source.scan().map_err(source::unreadable)?;
    Ok(find(&processes, roles, std::process::id()))
}

/// Searches `processes` for `roles`.
///
/// By patterns, a process is matched if its joined arguments contain all of
/// them, except: `own_pid` with its ancestors and descendants; a `sh -c`; a
/// shell above another match; a descendant of another match (it belongs to
/// that one's tree). An explicit pid is always accepted. A process plays one
/// role: one named by pid before one matched, a required role before an
/// optional one, and otherwise the first by name.
pub fn find(processes: &[ProcessInfo], roles: &BTreeMap<String, ProcessPlan>, own_pid: u32) -> Found {
    let family = Family::new(processes);
    let mut order: Vec<_> = roles.iter().collect();
    order.sort_by_key(|(_, plan)| (plan.explicit_pids().is_empty(), plan.optional));
    let mut taken = HashSet::new();
    let mut found = BTreeMap::new();
    for (role, plan) in order {
        let explicit = plan.explicit_pids();
        let candidates: Vec<_> = if explicit.is_empty() {
            matches(processes, plan, &family, own_pid)
        } else {
            processes.iter().filter(|process| explicit.contains(&process.id.pid)).collect()
        };
        let mut roots: Vec<ProcessInfo> =
            candidates.into_iter().filter(|process| !taken.contains(&process.id)).cloned().collect();
        roots.sort_by_key(|process| process.id.pid);
        taken.extend(roots.iter().map(|process| process.id));
        let near_misses =
            if roots.is_empty() { near_misses(processes, plan, &family, own_pid) } else { Vec::new() };
        found.insert(role.clone(), RoleFound { plan: plan.clone(), roots, near_misses });
    }
    Found { roles: found }
}

fn matches<'a>(
    processes: &'a [ProcessInfo],
    plan: &ProcessPlan,
    family: &Family<'_>,
    own_pid: u32,
) -> Vec<&'a ProcessInfo> {
    let words: Vec<&str> = plan.patterns.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    let contains_all = |process: &ProcessInfo| {
        let line = process.command_line();
        !line.is_empty() && words.iter().all(|word| line.contains(word))
    };
    let eligible = |process: &&ProcessInfo| {
        contains_all(process) && !is_command_shell(process) && !family.is_own(process.id.pid, own_pid)
    };
    let mut matched: Vec<_> = processes.iter().filter(eligible).collect();
    let all: HashSet<u32> = matched.iter().map(|process| process.id.pid).collect();
    let above_another: HashSet<u32> =
        all.iter().flat_map(|&pid| family.ancestors(pid)).filter(|pid| all.contains(pid)).collect();
    matched.retain(|process| !(is_shell(process) && above_another.contains(&process.id.pid)));
    let all: HashSet<u32> = matched.iter().map(|process| process.id.pid).collect();
    matched.retain(|process| !family.ancestors(process.id.pid).any(|pid| all.contains(&pid)));
    matched
}

/// At most this many near misses are told.
const NEAR_MISSES: usize = 5;

fn near_misses(
    processes: &[ProcessInfo],
    plan: &ProcessPlan,
    family: &Family<'_>,
    own_pid: u32,
) -> Vec<ProcessInfo> {
    let score = |process: &ProcessInfo| {
        let line = process.command_line().to_lowercase();
        let has = |word: &&str| line.contains(&word.to_lowercase());
        let patterns = plan.patterns.iter().map(String::as_str).filter(|word| !word.is_empty());
        // A word of a pattern says less than the pattern; a short one, nothing.
        let words = plan.patterns.iter().flat_map(|pattern| pattern.split_whitespace());
        10 * patterns.filter(has).count() + words.filter(|word| word.len() >= 4).filter(has).count()
    };
    let mut scored: Vec<_> = processes
        .iter()
        .filter(|process| !family.is_own(process.id.pid, own_pid))
        .map(|process| (score(process), process))
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by_key(|(score, process)| (usize::MAX - score, process.id.pid));
    scored.into_iter().take(NEAR_MISSES).map(|(_, process)| process.clone()).collect()
}

/// Who descends from whom.
struct Family<'a> {
    by_pid: HashMap<u32, &'a ProcessInfo>,
}

impl<'a> Family<'a> {
    fn new(processes: &'a [ProcessInfo]) -> Family<'a> {
        Family { by_pid: processes.iter().map(|process| (process.id.pid, process)).collect() }
    }

    /// Parent, grandparent, … The length is bounded, since a list that was
    /// read while processes came and went may hold a circle.
    fn ancestors(&self, pid: u32) -> impl Iterator<Item = u32> {
        let parent =
            |pid: u32| self.by_pid.get(&pid).map(|process| process.parent).filter(|&parent| parent != 0);
        std::iter::successors(parent(pid), move |&pid| parent(pid)).take(self.by_pid.len())
    }

    /// True for ourselves, our ancestors and our descendants.
    fn is_own(&self, pid: u32, own_pid: u32) -> bool {
        pid == own_pid
            || self.ancestors(own_pid).any(|ancestor| ancestor == pid)
            || self.ancestors(pid).any(|ancestor| ancestor == own_pid)
    }
}

impl Found {
    /// Every role that must be there was found.
    ///
    /// # Errors
    /// [`ErrorKind::ProcessNotFound`] for the first role that is neither found
    /// nor optional; the hint lists the near misses and says how to choose.
    pub fn check(&self) -> Result<()> {
        let missing = self.roles.iter().find(|(_, found)| found.roots.is_empty() && !found.plan.optional);
        match missing {
            Some((role, found)) => Err(not_found(role, found)),
            None => Ok(()),
        }
    }
}

fn not_found(role: &str, found: &RoleFound) -> Error {
    if let Some(pid) = found.plan.pid {
        return Error::new(
            ErrorKind::ProcessNotFound,
            format!("there is no live process {pid} for the role `{role}`"),
        )
        .hint(format!("correct `processes.{role}.pid`, or leave it out and give `patterns` instead"));
    }
    let quoted: Vec<_> = found.plan.patterns.iter().map(|pattern| format!("`{pattern}`")).collect();
    let message =
        format!("no process for the role `{role}`: no command line contains {}", quoted.join(" and "));
    let mut hint = match how_to_start(&found.plan.patterns) {
        Some(command) => format!("start it, for example with `{command}`"),
        None => "start the service first".to_string(),
    };
    hint.push_str(&format!(
        ", or choose a process in highwater.toml: `processes.{role}.patterns` or `processes.{role}.pid`"
    ));
    if !found.near_misses.is_empty() {
        hint.push_str("\nnearly matched:");
    }
    for process in &found.near_misses {
        hint.push_str(&format!("\n  pid {}  {}", process.id.pid, shortened(&process.command_line())));
        if is_command_shell(process) {
            hint.push_str("  (a shell that launches a command is never matched)");
        }
    }
    Error::new(ErrorKind::ProcessNotFound, message).hint(hint)
}

/// The commands behind the default patterns.
fn how_to_start(patterns: &[String]) -> Option<&'static str> {
    let has = |word: &str| patterns.iter().any(|pattern| pattern.contains(word));
    if has("rq worker") {
        Some("rq worker asr-queue --url redis://localhost:6379/0")
    } else if has("uvicorn") {
        Some("uvicorn app:app --port 8000")
    } else {
        None
    }
}

fn shortened(line: &str) -> String {
    const MOST: usize = 100;
    if line.chars().count() <= MOST {
        return line.to_string();
    }
    line.chars().take(MOST).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests;
