//! The footprint of a tree at the boundary of a task, which costs more than a tick may.

use std::time::{Duration, Instant};

use super::Watch;
use crate::record::Footprint;
use crate::sampler::cpu::cpu_time;
use crate::sampler::process::{Details, ProcessId, Proportional, ReadError};
use crate::sampler::snapshot::{Boundary, Pss, RoleReading};
use crate::units::{round, to_mb};

/// The cost of reading PSS: the median of the last readings, in CPU time.
///
/// Reading stalls the process, so the cost is estimated before. A reading that is slow once, as on a machine that is
/// busy for a moment, does not decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct PssCost {
    /// Seconds of CPU time per GiB, the last readings; estimates as long as there are fewer.
    readings: [f64; READINGS],
    /// Where the next reading goes.
    next: usize,
    /// Readings that the estimate has prevented in a row.
    prevented: u32,
}

/// The first estimate: 7 to 8 ms per GB were measured on a current machine.
const FIRST_GUESS_S_PER_GIB: f64 = 0.008;
/// The number of readings whose median is the estimate.
const READINGS: usize = 5;
/// After the estimate has prevented so many readings, one is tried again.
const TRIED_AGAIN_AFTER: u32 = 8;
/// The size below which a process says nothing about the cost of a gigabyte.
const INFORMATIVE_GIB: f64 = 0.05;
const GIB: f64 = 1_073_741_824.0;

impl Default for PssCost {
    fn default() -> PssCost {
        PssCost { readings: [FIRST_GUESS_S_PER_GIB; READINGS], next: 0, prevented: 0 }
    }
}

impl PssCost {
    /// The estimated time to read a tree of `bytes`, in seconds.
    fn estimate(self, bytes: u64) -> f64 {
        let mut sorted = self.readings;
        sorted.sort_by(f64::total_cmp);
        bytes as f64 / GIB * sorted[READINGS / 2].max(FIRST_GUESS_S_PER_GIB)
    }

    /// Learns that reading `bytes` took `seconds` of CPU time.
    fn learn(&mut self, bytes: u64, seconds: f64) {
        let gib = bytes as f64 / GIB;
        if gib >= INFORMATIVE_GIB {
            self.readings[self.next] = seconds / gib;
            self.next = (self.next + 1) % READINGS;
        }
    }

    /// Counts a reading that the estimate prevented; now and then it forgets the slowest one, so that PSS is tried
    /// again.
    fn relax(&mut self) {
        self.prevented += 1;
        if self.prevented < TRIED_AGAIN_AFTER {
            return;
        }
        self.prevented = 0;
        if let Some(slowest) = self.readings.iter_mut().max_by(|a, b| a.total_cmp(b)) {
            *slowest = FIRST_GUESS_S_PER_GIB;
        }
    }
}

/// Adds up a figure of all processes; a missing figure makes the sum missing.
fn sum<T>(items: &[T], figure: impl Fn(&T) -> Option<u64>) -> Option<u64> {
    items.iter().map(figure).try_fold(0, |sum: u64, value| Some(sum + value?))
}

impl Watch {
    /// The footprint of the role that `reading` was just taken of, with PSS if it can be
    /// read within `pss_budget`.
    pub(crate) fn boundary(&mut self, reading: &RoleReading, pss_budget: Option<Duration>) -> Boundary {
        let mut alive = Vec::new();
        for process in &reading.processes {
            match self.source.details(process.id) {
                Ok(details) => alive.push((process.clone(), details)),
                // It ended after it was measured, and is no longer part of the tree.
                Err(ReadError::Gone | ReadError::Exiting) => {}
                Err(_) => alive.push((process.clone(), Details::default())),
            }
        }
        if alive.is_empty() || reading.unread > 0 {
            let processes = (reading.unread > 0).then(|| (alive.len() + reading.unread) as u64);
            return Boundary {
                footprint: Footprint { processes, ..Footprint::default() },
                gpu_unread: None,
                peak_bytes: None,
                pss: Pss::Unread,
                processes: alive,
            };
        }
        let rss = sum(&alive, |(process, _)| Some(process.rss_bytes));
        let private = sum(&alive, |(process, details)| Some(process.private_bytes? + details.swap_bytes?));
        let sizes: Vec<(ProcessId, u64)> =
            alive.iter().map(|(process, _)| (process.id, process.rss_bytes)).collect();
        let (pss, found) = self.pss(&sizes, pss_budget);
        let shmem = sum(&found, |one| one.shmem_bytes).filter(|_| pss == Pss::Read);
        let shmem = shmem.or_else(|| sum(&alive, |(_, details)| details.shmem_bytes));
        let mb = |bytes: Option<u64>| bytes.map(|bytes| round(to_mb(bytes), 2));
        Boundary {
            footprint: Footprint {
                rss_mb: mb(rss),
                private_mb: mb(private),
                pss_mb: mb(sum(&found, |one| Some(one.pss_bytes)).filter(|_| pss == Pss::Read)),
                pss_anon_mb: mb(sum(&found, |one| one.anon_bytes).filter(|_| pss == Pss::Read)),
                shmem_mb: mb(shmem),
                fds: sum(&alive, |(_, details)| details.fds),
                threads: sum(&alive, |(process, _)| process.threads.map(u64::from)),
                // One that stands for a group says nothing of how many there are.
                processes: alive
                    .iter()
                    .all(|(process, _)| !process.id.is_elsewhere())
                    .then_some(alive.len() as u64),
                heap_mb: None,
                zombies: sum(&alive, |(_, details)| details.zombies),
                // What a source does not know is absent, and not 0.
                cpu_s: alive
                    .iter()
                    .all(|(process, _)| process.knows_cpu)
                    .then(|| round(reading.cpu_seconds, 2)),
                // Filled in by whoever asks the driver.
                gpu_mb: None,
            },
            gpu_unread: None,
            peak_bytes: alive.iter().filter_map(|(_, details)| details.peak_bytes).max(),
            pss,
            processes: alive,
        }
    }

    fn pss(&mut self, sizes: &[(ProcessId, u64)], budget: Option<Duration>) -> (Pss, Vec<Proportional>) {
        let Some(budget) = budget else { return (Pss::Unread, Vec::new()) };
        let whole: u64 = sizes.iter().map(|(_, rss)| rss).sum();
        let estimate = self.pss_cost.estimate(whole);
        if estimate > budget.as_secs_f64() {
            self.pss_cost.relax();
            return (Pss::TooExpensive { estimate_s: estimate }, Vec::new());
        }
        // CPU time: on a busy machine the clock goes on while nothing is read.
        let started = cpu_time(Instant::now());
        let mut found = Vec::with_capacity(sizes.len());
        for &(id, rss) in sizes {
            let read = cpu_time(Instant::now());
            let left = budget.saturating_sub(read.saturating_sub(started)).as_secs_f64();
            if self.pss_cost.estimate(rss) > left {
                // It costs more than estimated: no figure is better than a longer stall.
                return (Pss::TooExpensive { estimate_s: self.pss_cost.estimate(whole) }, Vec::new());
            }
            match self.source.pss(id) {
                Ok(Some(pss)) => found.push(pss),
                Err(ReadError::Gone | ReadError::Exiting) => {}
                Ok(None) | Err(_) => return (Pss::Unread, Vec::new()),
            }
            self.pss_cost.learn(rss, cpu_time(Instant::now()).saturating_sub(read).as_secs_f64());
        }
        (Pss::Read, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_pss_is_the_median_of_several_readings() {
        let mut cost = PssCost::default();
        assert_eq!(cost.estimate(4 << 30), 0.032);
        cost.learn(1 << 20, 1.0);
        assert_eq!(cost.estimate(4 << 30), 0.032, "a small process teaches nothing");
        // One reading of 142 ms on a process of 78 MB, and a second one.
        cost.learn(78 << 20, 0.142);
        cost.learn(78 << 20, 0.142);
        assert_eq!(cost.estimate(78 << 20), 0.008 * 78.0 / 1024.0, "two of five are not the median");
        cost.learn(78 << 20, 0.142);
        assert!((cost.estimate(78 << 20) - 0.142).abs() < 1e-9, "three are");
    }

    #[test]
    fn an_expensive_pss_is_tried_again_later() {
        let mut cost = PssCost::default();
        (0..3).for_each(|_| cost.learn(1 << 30, 0.5));
        let prevented = (0..100)
            .take_while(|_| {
                let expensive = cost.estimate(1 << 30) > 0.1;
                cost.relax();
                expensive
            })
            .count();
        assert_eq!(prevented as u32, TRIED_AGAIN_AFTER);
        cost.learn(1 << 30, 0.5);
        assert!(cost.estimate(1 << 30) > 0.1, "still slow: one reading shows it");
    }

    #[test]
    fn a_missing_figure_makes_the_sum_missing() {
        assert_eq!(sum(&[Some(1), Some(2)], |figure| *figure), Some(3));
        assert_eq!(sum(&[Some(1), None], |figure| *figure), None);
    }
}
