//! Adopts descendants into the role of their parent.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::tracked::Tracked;
use super::{Timepoint, Watch};
use crate::sampler::process::{Newborns, ProcessId, ProcessInfo};

/// When all children were last looked for.
#[derive(Default)]
pub(super) struct Adoption {
    at: Option<Instant>,
}

/// If the source cannot report births, looking for children costs a whole list of processes,
/// and happens only this often.
const BLIND_PAUSE: Duration = Duration::from_millis(500);

impl Adoption {
    /// Makes the next look search for children, whatever was born.
    pub(super) fn expect(&mut self) {
        self.at = None;
    }
}

/// The role in which the process with this pid is tracked.
fn tracked_as(tracked: &BTreeMap<ProcessId, Tracked>, pid: u32) -> Option<&str> {
    let ids = ProcessId { pid, start_ticks: 0 }..=ProcessId { pid, start_ticks: u64::MAX };
    tracked.range(ids).next_back().map(|(_, tracked)| tracked.role.as_str())
}

impl Watch {
    /// Tracks the descendants that are not tracked yet. The root of another
    /// role stays in that role, and its descendants with it. Highwater itself
    /// is never adopted.
    pub(super) fn adopt(&mut self, moment: Timepoint, tell: bool) {
        if self.tracked.is_empty() {
            return;
        }
        // Asked for at every look: the source counts from one call to the next.
        let tracked = &self.tracked;
        let newborns = self.source.newborns(&|pid| tracked_as(tracked, pid).is_some());
        let last = self.adoption.at;
        let pause_is_over = last.is_none_or(|at| moment.at.saturating_duration_since(at) >= BLIND_PAUSE);
        match newborns {
            Newborns::Known(newborns) if last.is_some() => {
                for child in newborns {
                    let role = tracked_as(&self.tracked, child.parent).map(str::to_string);
                    if let Some(role) = role {
                        self.adopt_one(&role, child, moment, tell);
                    }
                }
            }
            Newborns::Unknown if !pause_is_over => {}
            Newborns::Known(_) | Newborns::Many | Newborns::Unknown => {
                self.adoption.at = Some(moment.at);
                self.adopt_children(moment, tell);
            }
        }
    }

    /// Looks for children of every tracked process, and for theirs.
    fn adopt_children(&mut self, moment: Timepoint, tell: bool) {
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

    /// Tracks a child of a process of `role`; returns its id if it was not tracked before.
    fn adopt_one(
        &mut self,
        role: &str,
        child: ProcessInfo,
        moment: Timepoint,
        tell: bool,
    ) -> Option<ProcessId> {
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
