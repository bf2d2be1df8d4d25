//! Descendants join the role of their parent.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Moment, Watch};
use crate::sampler::process::ProcessId;

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
        let births = self.source.births();
        if self.tracked.is_empty() || !self.adoption.is_due(births, moment.at) {
            return;
        }
        let mut parents: Vec<ProcessId> = self.tracked.keys().copied().collect();
        while !parents.is_empty() {
            let roles: HashMap<u32, String> =
                parents.iter().map(|id| (id.pid, self.tracked[id].role.clone())).collect();
            let children = self.source.children(&parents);
            parents.clear();
            for child in children {
                let (id, parent) = (child.id, child.parent);
                let Some(role) = roles.get(&parent) else { continue };
                if self.tracked.contains_key(&id) || id.pid == self.own_pid {
                    continue;
                }
                if self.track(role, child, false) {
                    parents.push(id);
                    if tell {
                        self.appeared(id, moment);
                    }
                }
            }
        }
    }
}
