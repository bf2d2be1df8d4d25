//! The summary of all processes for a run's log.

use super::summary::{ProcessSummary, SamplerSummary};
use crate::record::{Event, ProcessSeen, Sampling};
use crate::units::{round, to_mb};

impl SamplerSummary {
    /// The event that lists all processes that were watched.
    pub fn processes_seen(&self) -> Event {
        let processes = self.processes.iter().map(seen).collect();
        Event::ProcessesSeen { processes, unlisted: self.unlisted_processes }
    }

    /// How completely the roles were sampled.
    pub fn sampling(&self) -> Sampling {
        let roles = self.roles.iter().map(|(name, role)| (name.clone(), role.sampling));
        Sampling {
            interval_s: self.interval_s,
            ticks: self.ticks,
            missed_ticks: self.missed_ticks,
            missed_in_a_row: self.missed_in_a_row,
            overrun_ticks: self.overrun_ticks,
            roles: roles.filter(|(_, role)| role.alive_ticks > 0).collect(),
        }
    }
}

fn seen(process: &ProcessSummary) -> ProcessSeen {
    ProcessSeen {
        role: process.role.clone(),
        pid: process.id.pid,
        parent: process.parent,
        name: process.name.clone(),
        command: process.command.clone(),
        root: process.is_root,
        age_s: round(process.age_s, 3),
        peak_mb: round(to_mb(process.rss_max_bytes), 1),
        end: process.end,
    }
}
