//! How completely the processes were sampled.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The ticks of the sampler in one run, and how many of them saw each role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Time between two ticks, in seconds.
    pub interval_s: f64,
    /// Ticks at which the processes were read.
    pub ticks: u64,
    /// Ticks that were left out, because the sampler was late by a whole interval or more.
    pub missed_ticks: u64,
    /// The most of them in a row.
    pub missed_in_a_row: u64,
    /// The missed ticks for which the sampler's own work is to blame: at the others it was not given the CPU.
    pub overrun_ticks: u64,
    /// The roles that had a process.
    pub roles: BTreeMap<String, RoleSampling>,
}

/// The ticks that saw one role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSampling {
    /// Ticks at which a process of the role was alive.
    pub alive_ticks: u64,
    /// Those of them at which a live process could not be read.
    pub unread_ticks: u64,
    /// The most of these in a row.
    pub unread_in_a_row: u64,
}

impl RoleSampling {
    /// Counts a tick at which `processes` were alive, of which `unread` could not be read; `in_a_row` is the
    /// number of such ticks just before it, and after it.
    pub(crate) fn count(&mut self, processes: usize, unread: usize, in_a_row: &mut u64) {
        if processes == 0 {
            *in_a_row = 0;
            return;
        }
        self.alive_ticks += 1;
        *in_a_row = if unread > 0 { *in_a_row + 1 } else { 0 };
        self.unread_ticks += u64::from(unread > 0);
        self.unread_in_a_row = self.unread_in_a_row.max(*in_a_row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_without_a_process_are_not_missed() {
        let (mut role, mut in_a_row) = (RoleSampling::default(), 0);
        for (processes, unread) in [(1, 0), (2, 1), (2, 2), (1, 0), (0, 0), (1, 1)] {
            role.count(processes, unread, &mut in_a_row);
        }
        assert_eq!(role, RoleSampling { alive_ticks: 5, unread_ticks: 3, unread_in_a_row: 2 });
    }
}
