//! Searching for new roots: seldom, more often after one has ended, and not at
//! all while no process was born.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Moment, Watch};
use crate::plan::ProcessPlan;
use crate::sampler::find::find;
use crate::sampler::process::ProcessInfo;

/// When the machine was last searched, and why it should be again.
pub(super) struct Search {
    last: Instant,
    births: Option<u64>,
    /// A process may have been born before the last search and have become
    /// what it is (by exec) after it: one more search tells.
    settled: bool,
    root_ended: Option<Instant>,
}

/// Between two searches while all is well.
const CALM_PAUSE: Duration = Duration::from_secs(5);
/// Between two searches while a role is missing, or shortly after an exit.
const ALERT_PAUSE: Duration = Duration::from_secs(1);
/// How long after the exit of a root its successor is searched for eagerly.
const ALERT_SPAN: Duration = Duration::from_secs(10);

impl Search {
    /// `now` counts as the last search, since the sampler starts with one.
    pub(super) fn new(now: Instant) -> Search {
        Search { last: now, births: None, settled: false, root_ended: None }
    }

    pub(super) fn root_ended(&mut self, now: Instant) {
        self.root_ended = Some(now);
    }

    /// True if a search now could find what the last one did not.
    fn is_due(&mut self, births: Option<u64>, now: Instant) -> bool {
        self.last = now;
        let unchanged = births.is_some() && births == self.births;
        if unchanged && self.settled {
            return false;
        }
        self.settled = unchanged;
        self.births = births;
        true
    }
}

impl Watch {
    /// When [`Watch::search`] is to be called next; `None` if every role has
    /// an explicit pid, which nothing can replace.
    pub(crate) fn next_search(&self) -> Option<Instant> {
        let mut by_pattern = self.roles.iter().filter(|(_, role)| role.plan.pid.is_none()).peekable();
        by_pattern.peek()?;
        let missed = by_pattern.any(|(name, role)| {
            let wanted = !role.plan.optional || role.summary.roots_exited > 0;
            wanted && !self.tracked.values().any(|tracked| tracked.is_root && tracked.role == *name)
        });
        let alert = self.search.root_ended.is_some_and(|at| self.search.last < at + ALERT_SPAN);
        Some(self.search.last + if missed || alert { ALERT_PAUSE } else { CALM_PAUSE })
    }

    /// Searches for roots that are not tracked yet, and tracks them.
    pub(crate) fn search(&mut self, moment: Moment) {
        let births = self.source.births();
        if !self.search.is_due(births, moment.at) {
            return;
        }
        let processes = match self.source.scan() {
            Ok(processes) => processes,
            Err(error) => {
                tracing::warn!("cannot search for new processes: {error}");
                return;
            }
        };
        let by_pattern: BTreeMap<String, ProcessPlan> = self
            .roles
            .iter()
            .filter(|(_, role)| role.plan.pid.is_none())
            .map(|(name, role)| (name.clone(), role.plan.clone()))
            .collect();
        let found = find(&processes, &by_pattern, self.own_pid);
        for (role, found) in found.roles {
            for root in found.roots {
                self.meet(&role, root, moment);
            }
        }
    }

    /// A process matches `role`: is it news?
    fn meet(&mut self, role: &str, root: ProcessInfo, moment: Moment) {
        let id = root.id;
        match self.tracked.get_mut(&id) {
            // A descendant that outlived its parent still is that descendant.
            Some(tracked) if tracked.is_root || tracked.role == role => return,
            // It was adopted by another role before it had its command line.
            Some(tracked) => {
                tracked.role = role.to_string();
                tracked.is_root = true;
                tracked.info = root;
                self.tallies.moved(id, role, true);
                self.move_children(id.pid, role);
            }
            None => {
                if !self.track(role, root, true) {
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

    /// The tracked descendants of `parent` follow it to `role`.
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
