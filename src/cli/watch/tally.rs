//! The figures of each process over a watch. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sampler::tally::{CpuUse, Extent, Listed};
use crate::sampler::{Boundary, Details, ProcessId, ProcessReading};
use crate::units::{round, to_mb};

/// One process at one reading.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) role: String,
    pub(super) name: String,
    pub(super) pid: u32,
    /// True for a descendant of a process that was asked for.
    pub(super) child: bool,
    /// CPU use since the reading before, in percent of one core; absent at the first.
    pub(super) cpu_percent: Option<f64>,
    pub(super) rss_mb: f64,
    pub(super) private_mb: Option<f64>,
    /// The highest RSS since the program began (VmHWM).
    pub(super) peak_mb: Option<f64>,
    pub(super) fds: Option<u64>,
    pub(super) threads: Option<u32>,
    pub(super) zombies: Option<u64>,
}

/// One process over the whole watch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Seen {
    pub(super) role: String,
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) child: bool,
    pub(super) samples: u64,
    pub(super) rss_mb: Extent,
    pub(super) private_mb: Option<Extent>,
    pub(super) peak_mb: Option<f64>,
    /// CPU use over the whole watch, in percent of one core.
    pub(super) cpu_mean_percent: Option<f64>,
    /// The highest CPU use between two readings.
    pub(super) cpu_max_percent: Option<f64>,
    pub(super) fds: Option<Extent>,
    pub(super) threads: Option<Extent>,
    /// How it ended; absent while it is alive.
    pub(super) end: Option<String>,
    #[serde(skip)]
    cpu: CpuUse,
}

/// All processes of a watch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    seen: Listed<Seen>,
    /// The number of replaced processes, by role.
    pub(super) restarts: BTreeMap<String, u64>,
    pub(super) elapsed_s: f64,
    pub(super) missed_ticks: u64,
}

impl Tally {
    /// Adds the reading at `elapsed_s`, and returns its rows.
    pub(super) fn take(&mut self, looked: &BTreeMap<String, Boundary>, elapsed_s: f64) -> Vec<Row> {
        self.elapsed_s = elapsed_s;
        let mut rows = Vec::new();
        for (role, boundary) in looked {
            for (reading, details) in &boundary.processes {
                rows.push(self.add(role, reading, details, elapsed_s));
            }
        }
        rows
    }

    fn add(&mut self, role: &str, reading: &ProcessReading, details: &Details, at: f64) -> Row {
        let mb = |bytes: u64| round(to_mb(bytes), 1);
        let mut row = Row {
            role: role.to_string(),
            name: reading.name.to_string(),
            pid: reading.id.pid,
            child: !reading.is_root,
            cpu_percent: None,
            rss_mb: mb(reading.rss_bytes),
            private_mb: reading.private_bytes.map(|bytes| mb(bytes + details.swap_bytes.unwrap_or(0))),
            peak_mb: details.peak_bytes.map(mb),
            fds: details.fds,
            threads: reading.threads,
            zombies: details.zombies,
        };
        let mut again = true;
        let seen = self.seen.entry(reading.id, || {
            again = false;
            Seen {
                role: row.role.clone(),
                name: row.name.clone(),
                pid: row.pid,
                child: row.child,
                samples: 0,
                rss_mb: Extent::of(row.rss_mb),
                private_mb: None,
                peak_mb: None,
                cpu_mean_percent: None,
                cpu_max_percent: None,
                fds: None,
                threads: None,
                end: None,
                cpu: CpuUse::new(at, reading.cpu_seconds),
            }
        });
        if again {
            seen.rss_mb.push(row.rss_mb);
        }
        seen.samples = seen.rss_mb.count();
        let add = |extent: &mut Option<Extent>, value: Option<f64>| {
            value.into_iter().for_each(|value| Extent::add(extent, value));
        };
        add(&mut seen.private_mb, row.private_mb);
        add(&mut seen.fds, row.fds.map(|count| count as f64));
        add(&mut seen.threads, row.threads.map(f64::from));
        seen.peak_mb = row.peak_mb.or(seen.peak_mb);
        row.cpu_percent = seen.cpu.read(at, reading.cpu_seconds).map(|percent| round(percent, 1));
        if let Some(percent) = row.cpu_percent {
            seen.cpu_mean_percent = seen.cpu.mean_percent.map(|percent| round(percent, 1));
            seen.cpu_max_percent = Some(percent.max(seen.cpu_max_percent.unwrap_or(0.0)));
        }
        row
    }

    /// Records the end of a process.
    pub(super) fn ended(&mut self, id: ProcessId, how: &str) {
        let Some(seen) = self.seen.get_mut(id) else { return };
        seen.end = Some(how.to_string());
        let is_root = !seen.child;
        self.seen.ended(id, is_root);
    }

    /// Ended children that are not listed because there are too many.
    pub(super) fn unlisted(&self) -> u64 {
        self.seen.unlisted
    }

    /// Records that a process of `role` was replaced.
    pub(super) fn restarted(&mut self, role: &str) {
        *self.restarts.entry(role.to_string()).or_default() += 1;
    }

    /// True once every process that was asked for has ended, and there was at least one.
    pub(super) fn all_roots_have_ended(&self) -> bool {
        let mut roots = self.seen.in_order().filter(|seen| !seen.child).peekable();
        roots.peek().is_some() && roots.all(|seen| seen.end.is_some())
    }

    /// The processes in the order in which they were first seen.
    pub(super) fn processes(&self) -> Vec<Seen> {
        let shown = |seen: &Seen| Seen {
            rss_mb: seen.rss_mb.rounded(1),
            private_mb: seen.private_mb.map(|extent| extent.rounded(1)),
            fds: seen.fds.map(|extent| extent.rounded(1)),
            threads: seen.threads.map(|extent| extent.rounded(1)),
            ..seen.clone()
        };
        self.seen.in_order().map(shown).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::Footprint;
    use crate::sampler::Pss;
    use crate::sampler::tally::LISTED_ENDED;

    const MIB: u64 = 1 << 20;

    /// A reading of processes given as (pid, root, MB, CPU seconds, descriptors).
    pub(in crate::cli::watch) fn look(
        processes: &[(u32, bool, u64, f64, u64)],
    ) -> BTreeMap<String, Boundary> {
        let processes = processes.iter().map(|&(pid, is_root, mib, cpu_seconds, fds)| {
            let reading = ProcessReading {
                id: ProcessId { pid, start_ticks: 1 },
                name: "python3".into(),
                is_root,
                rss_bytes: mib * MIB,
                private_bytes: Some(mib * MIB / 2),
                knows_cpu: true,
                cpu_seconds,
                cpu_percent: 0.0,
                threads: Some(3),
            };
            let details = Details {
                shmem_bytes: None,
                swap_bytes: Some(0),
                peak_bytes: Some(mib * MIB * 2),
                fds: Some(fds),
                zombies: Some(0),
            };
            (reading, details)
        });
        let boundary = Boundary {
            footprint: Footprint::default(),
            peak_bytes: None,
            gpu_unread: None,
            pss: Pss::Unread,
            processes: processes.collect(),
        };
        BTreeMap::from([("worker".to_string(), boundary)])
    }

    #[test]
    fn a_process_is_summed_up_over_its_looks() {
        let mut tally = Tally::default();
        let rows = tally.take(&look(&[(7, true, 100, 5.0, 10)]), 0.0);
        assert_eq!((rows[0].cpu_percent, rows[0].rss_mb, rows[0].private_mb), (None, 100.0, Some(50.0)));
        let rows = tally.take(&look(&[(7, true, 300, 6.5, 12)]), 1.0);
        assert_eq!(rows[0].cpu_percent, Some(150.0));
        tally.take(&look(&[(7, true, 200, 6.5, 11)]), 2.0);
        assert!(!tally.all_roots_have_ended());
        tally.ended(ProcessId { pid: 7, start_ticks: 1 }, "was killed, signal 9");
        assert!(tally.all_roots_have_ended());
        let seen = &tally.processes()[0];
        let rss = seen.rss_mb;
        assert_eq!((rss.first, rss.min, rss.mean, rss.max, rss.last), (100.0, 100.0, 200.0, 300.0, 200.0));
        assert_eq!((seen.cpu_mean_percent, seen.cpu_max_percent, seen.samples), (Some(75.0), Some(150.0), 3));
        assert_eq!(seen.fds.map(|fds| (fds.first, fds.max, fds.last)), Some((10.0, 12.0, 11.0)));
        assert_eq!(seen.end.as_deref(), Some("was killed, signal 9"));
    }

    #[test]
    fn ended_children_do_not_pile_up() {
        let mut tally = Tally::default();
        for pid in 100..1000 {
            tally.take(&look(&[(7, true, 10, 0.0, 3), (pid, false, 10, 0.0, 3)]), f64::from(pid));
            tally.ended(ProcessId { pid, start_ticks: 1 }, "exited, code 0");
        }
        assert_eq!(
            (tally.processes().len(), tally.unlisted()),
            (1 + LISTED_ENDED, 900 - LISTED_ENDED as u64)
        );
        assert!(!tally.all_roots_have_ended(), "an ended child is no ended root");
    }
}
