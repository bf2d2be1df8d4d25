//! Searching for new roots: seldom, and more often after one has ended. Where the source
//! reports changes, a search that could find nothing new is skipped.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::{Timepoint, Watch};
use crate::plan::ProcessPlan;
use crate::sampler::find::gather::Patience;
use crate::sampler::find::{Found, depends_on_evidence, find, may_match};
use crate::sampler::process::{ProcessId, ProcessInfo, ReadError, Wanted};

/// An explicit pid is not searched for: nothing can replace it.
fn is_searched(plan: &ProcessPlan) -> bool {
    plan.explicit_pids().is_empty()
}

/// When the machine was last searched, and why it should be again.
pub(super) struct Search {
    /// When a search was last considered, and when all processes were last compared.
    last: Instant,
    looked: Instant,
    tells_changes: bool,
    root_ended: Option<Instant>,
    /// The candidates that were last rejected because there were several, by role.
    untaken: BTreeMap<String, Vec<u32>>,
}

/// The pause between searches while all is well, with a source that reports changes.
const CALM_PAUSE: Duration = Duration::from_secs(1);
/// The pause while a role has no process, or shortly after an exit.
const ALERT_PAUSE: Duration = Duration::from_millis(200);
/// The same two pauses with a source that has to list everything each time.
const BLIND_CALM_PAUSE: Duration = Duration::from_secs(5);
const BLIND_ALERT_PAUSE: Duration = Duration::from_secs(1);
/// How long the short pause lasts after the exit of a root.
const ALERT_SPAN: Duration = Duration::from_secs(10);
/// The pause for roles that depend on a file, a socket or a registry: these may change although
/// no process is new.
const EVIDENCE_PAUSE: Duration = Duration::from_secs(5);
/// How often a search is repeated at most because a process that it found has ended.
const TRIES: u32 = 3;

impl Search {
    /// `now` counts as the last search, since the sampler starts with one.
    /// `tells_changes` is true for a source that reports which processes are new.
    pub(super) fn new(now: Instant, tells_changes: bool) -> Search {
        Search { last: now, looked: now, tells_changes, root_ended: None, untaken: BTreeMap::new() }
    }

    pub(super) fn root_ended(&mut self, now: Instant) {
        self.root_ended = Some(now);
    }

    fn pause(&self, alert: bool) -> Duration {
        match (self.tells_changes, alert) {
            (true, false) => CALM_PAUSE,
            (true, true) => ALERT_PAUSE,
            (false, false) => BLIND_CALM_PAUSE,
            (false, true) => BLIND_ALERT_PAUSE,
        }
    }
}

impl Watch {
    /// When to call [`Watch::search`] next; `None` if every role has
    /// an explicit pid, which nothing can replace.
    pub(crate) fn next_search(&self) -> Option<Instant> {
        let mut searched = self.roles.iter().filter(|(_, role)| is_searched(&role.plan)).peekable();
        searched.peek()?;
        let missed = searched.any(|(name, role)| {
            let wanted = !role.plan.optional || role.summary.roots_exited > 0;
            wanted && !self.has_root(name)
        });
        let alert = self.search.root_ended.is_some_and(|at| self.search.last < at + ALERT_SPAN);
        Some(self.search.last + self.search.pause(missed || alert))
    }

    fn has_root(&self, role: &str) -> bool {
        self.tracked.values().any(|tracked| tracked.is_root && tracked.role == role)
    }

    /// Searches for new roots and tracks them.
    pub(crate) fn search(&mut self, moment: Timepoint) {
        // A successor registers itself or opens its socket only some time after its birth.
        let missed =
            self.roles.iter().any(|(name, role)| role.summary.roots_exited > 0 && !self.has_root(name));
        let patience = if missed { ALERT_PAUSE } else { EVIDENCE_PAUSE };
        let evidence_is_old = moment.at >= self.search.looked + patience;
        let searched: BTreeMap<String, ProcessPlan> = self
            .roles
            .iter()
            .filter(|(_, role)| is_searched(&role.plan))
            .map(|(name, role)| (name.clone(), role.plan.clone()))
            .collect();
        let by_evidence = evidence_is_old && searched.values().any(depends_on_evidence);
        self.search.last = moment.at;
        match self.source.changes() {
            Ok(Some(changed)) if !by_evidence && !may_match(&changed, &searched) => return,
            Ok(_) => {}
            Err(error) => tracing::warn!("cannot search for new processes: {error}"),
        }
        self.search.looked = moment.at;
        let found = match self.found(&searched) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("cannot search for new processes: {error}");
                return;
            }
        };
        for (role, found) in found.roles {
            let candidates = found.roots.into_iter().chain(found.surplus.into_iter().map(|one| one.process));
            let candidates: Vec<ProcessInfo> = candidates.collect();
            if found.plan.wants_one() {
                self.take_one(&role, candidates, moment);
            } else {
                for root in candidates {
                    self.take(&role, root, moment);
                }
            }
        }
    }

    /// The result of a search now, with live processes only.
    fn found(&mut self, roles: &BTreeMap<String, ProcessPlan>) -> io::Result<Found> {
        let mut tries = 0;
        loop {
            let processes = self.source.list()?;
            let evidence = self.gatherer.gather(roles, &processes, &mut *self.source, Patience::None);
            let found = find(&processes, roles, &evidence, self.own_pid);
            let all = found.roles.values().flat_map(|role| {
                role.roots.iter().chain(role.surplus.iter().map(|one| &one.process)).map(|process| process.id)
            });
            let ids: Vec<ProcessId> = all.filter(|id| !self.tracked.contains_key(id)).collect();
            let mut ended = 0;
            for id in ids {
                ended += u32::from(matches!(self.source.read(id, Wanted::CPU), Err(ReadError::Gone)));
            }
            // A process that has ended since the source last read it hides its successor.
            tries += 1;
            if ended == 0 || tries > TRIES {
                return Ok(found);
            }
        }
    }

    /// Takes a single new candidate for a role of one process. A live root keeps the role, and of
    /// several new candidates none is taken.
    fn take_one(&mut self, role: &str, candidates: Vec<ProcessInfo>, moment: Timepoint) {
        let plays =
            |process: &ProcessInfo| self.tracked.get(&process.id).is_some_and(|tracked| tracked.role == role);
        let newcomers: Vec<ProcessInfo> = candidates.into_iter().filter(|process| !plays(process)).collect();
        if self.has_root(role) {
            return;
        }
        match newcomers.as_slice() {
            [] => {}
            [one] => self.take(role, one.clone(), moment),
            several => {
                let pids: Vec<u32> = several.iter().map(|process| process.id.pid).collect();
                // A role without a process from the start is already in the run's log.
                let was_played = self.roles.get(role).is_some_and(|role| role.summary.roots_exited > 0);
                if was_played
                    && self.search.untaken.insert(role.to_string(), pids.clone()).as_ref() != Some(&pids)
                {
                    tracing::warn!(
                        role,
                        ?pids,
                        "several processes could take the place of one that ended: none is taken"
                    );
                }
            }
        }
    }

    /// Tracks a process that matches `role`, unless it is tracked already.
    fn take(&mut self, role: &str, root: ProcessInfo, moment: Timepoint) {
        let id = root.id;
        match self.tracked.get_mut(&id) {
            // A descendant that has outlived its parent stays a descendant.
            Some(tracked) if tracked.is_root || tracked.role == role => return,
            // Another role adopted it before it had its command line.
            Some(tracked) => {
                tracked.becomes(role, root);
                self.tallies.moved(id, role, true);
                self.move_children(id.pid, role);
            }
            None => {
                if !self.track(role, root, true, moment.at) {
                    return;
                }
                self.adoption.expect();
            }
        }
        if let Some(role) = self.roles.get_mut(role) {
            role.summary.roots_appeared += 1;
        }
        self.appeared(id, moment);
    }

    /// Moves the tracked descendants of `parent` to `role`.
    fn move_children(&mut self, parent: u32, role: &str) {
        let mut parents = vec![parent];
        while let Some(parent) = parents.pop() {
            for (&id, tracked) in &mut self.tracked {
                if tracked.info.parent == parent && !tracked.is_root && tracked.role != role {
                    tracked.role = role.to_string();
                    self.tallies.moved(id, role, false);
                    parents.push(id.pid);
                }
            }
        }
    }
}
