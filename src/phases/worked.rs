//! Which of several workers did a task. Pure.

use crate::sampler::ProcessReading;
use crate::units::to_mb;

/// A smaller rise is no sign of work, in MB.
const LEAST_MB: f64 = 1.0;

/// The pid of the worker that did the task between two readings of the role; none where that is not known.
///
/// A single worker did it. Of several, it is the one whose memory rose most, or, where none rose, the one that used
/// the most CPU.
pub(super) fn worked(before: &[ProcessReading], after: &[ProcessReading]) -> Option<u32> {
    let roots: Vec<(&ProcessReading, Option<&ProcessReading>)> = after
        .iter()
        .filter(|reading| reading.is_root)
        .map(|reading| (reading, before.iter().find(|earlier| earlier.id == reading.id)))
        .collect();
    if let [(only, _)] = roots.as_slice() {
        return Some(only.id.pid);
    }
    let most = |of: &dyn Fn(&ProcessReading) -> f64, least: f64| {
        let risen = roots.iter().map(|(now, earlier)| (now.id.pid, of(now) - earlier.map_or(0.0, of)));
        risen.filter(|(_, rise)| *rise >= least).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(pid, _)| pid)
    };
    most(&|reading| to_mb(reading.rss_bytes), LEAST_MB)
        .or_else(|| most(&|reading| reading.cpu_seconds, f64::EPSILON))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::ProcessId;

    fn worker(pid: u32, rss_mb: u64, cpu_seconds: f64) -> ProcessReading {
        ProcessReading {
            id: ProcessId { pid, start_ticks: u64::from(pid) },
            name: "worker".into(),
            is_root: true,
            rss_bytes: rss_mb << 20,
            private_bytes: None,
            cpu_seconds,
            cpu_percent: 0.0,
            knows_cpu: true,
            threads: None,
        }
    }

    #[test]
    fn the_worker_whose_memory_rose_did_the_task() {
        let before = [worker(1, 400, 9.0), worker(2, 50, 1.0), worker(3, 50, 1.0)];
        let loaded = [worker(1, 400, 9.2), worker(2, 50, 1.0), worker(3, 250, 1.1)];
        assert_eq!(worked(&before, &loaded), Some(3));
        let flat = [worker(1, 400, 9.0), worker(2, 50, 1.4), worker(3, 50, 1.0)];
        assert_eq!(worked(&before, &flat), Some(2));
        assert_eq!(worked(&before, &before), None);
        assert_eq!(worked(&[], &[worker(7, 50, 0.0)]), Some(7));
    }
}
