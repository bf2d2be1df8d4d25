//! Descendants join the role of their parent.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Moment, Watch};
use crate::sampler::process::{Newborn, ProcessId, ProcessInfo};

/// When descendants were last looked for.
#[derive(Default)]
pub(super) struct Adoption {
    births: Option<u64>,
    at: Option<Instant>,
}

/// Where the system does not tell whether any process was born, looking for
/// children costs a whole scan, and is done only this often.
const BLIND_PAUSE: Duration = Duration::from_millis(500);

impl Adoption {
    /// True if there may be children that were not there the last time.
    /// `births` was read before the search that follows, so that a process
    /// born during that search counts for the next one.
    fn is_due(&mut self, births: Option<u64>, now: Instant) -> bool {
        let due = match (births, self.at) {
            (_, None) => true,
            (Some(_), _) => births != self.births,
            (None, Some(at)) => now.saturating_duration_since(at) >= BLIND_PAUSE,
        };
        if due {
            self.births = births;
            self.at = Some(now);
        }
        due
    }

    /// The next look searches, whatever the births say.
    pub(super) fn expect(&mut self) {
        self.at = None;
    }
}

impl Watch {
    /// Finds the descendants that are not tracked yet. The root of another
    /// role stays in that role, and its descendants with it; highwater itself
    /// is never adopted.
    pub(super) fn adopt(&mut self, moment: Moment, tell: bool) {
        if self.tracked.is_empty() {
            return;
        }
        // Asked for each time, since it counts from one time to the next.
        let newborns = self.source.newborns();
        match newborns {
            Some(newborns) if self.adoption.at.is_some() => self.adopt_newborns(newborns, moment, tell),
            _ => {
                let births = self.source.births();
                if self.adoption.is_due(births, moment.at) {
                    self.adopt_children(moment, tell);
                }
            }
        }
    }

    /// Of those that were just born, the descendants of whoever is tracked.
    fn adopt_newborns(&mut self, mut newborns: Vec<Newborn>, moment: Moment, tell: bool) {
        // A child may be told before its parent: as long as one joins, others may follow.
        loop {
            let before = newborns.len();
            let mut rest = Vec::new();
            for newborn in newborns {
                if self.role_of(newborn.parent).is_none() {
                    rest.push(newborn);
                    continue;
                }
                // It may have ended, or have another parent, since it was told.
                let Some(child) = self.source.identify(newborn.pid) else { continue };
                if let Some(role) = self.role_of(child.parent) {
                    self.adopt_one(&role, child, moment, tell);
                }
            }
            if rest.is_empty() || rest.len() == before {
                return;
            }
            newborns = rest;
        }
    }

    fn role_of(&self, pid: u32) -> Option<String> {
        let ids = ProcessId { pid, start_ticks: 0 }..=ProcessId { pid, start_ticks: u64::MAX };
        self.tracked.range(ids).next_back().map(|(_, tracked)| tracked.role.clone())
    }

    fn adopt_children(&mut self, moment: Moment, tell: bool) {
        let mut parents: Vec<ProcessId> = self.tracked.keys().copied().collect();
        while !parents.is_empty() {
            let roles: HashMap<u32, String> =
                parents.iter().map(|id| (id.pid, self.tracked[id].role.clone())).collect();
            let children = self.source.children(&parents);
            parents.clear();
            for child in children {
                let Some(role) = roles.get(&child.parent) else { continue };
                parents.extend(self.adopt_one(role, child, moment, tell));
            }
        }
    }

    /// The child of one of `role` joins it, if it has not yet; returns it if it did.
    fn adopt_one(&mut self, role: &str, child: ProcessInfo, moment: Moment, tell: bool) -> Option<ProcessId> {
        let id = child.id;
        if self.tracked.contains_key(&id)
            || id.pid == self.own_pid
            || !self.track(role, child, false, moment.at)
        {
            return None;
        }
        if tell {
            self.newborn(id);
            self.appeared(id, moment);
        }
        Some(id)
    }
}
