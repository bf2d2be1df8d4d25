//! Finds peaks between two looks, from the kernel's record of each process's highest RSS.

use super::Watch;

/// The highest RSS of a process, as its peak reported it so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct High {
    known: Option<u64>,
    /// It was born since the last look, so all of its peak is new.
    newborn: bool,
}

impl High {
    /// How far the process rose above `rss`, which was just read, at some moment since
    /// the last look, in bytes.
    ///
    /// A peak that did not rise may be a week old and says nothing. A peak that
    /// fell belongs to another program: the process has called exec.
    pub(super) fn excess(&mut self, peak: Option<u64>, rss: u64) -> u64 {
        let newborn = std::mem::take(&mut self.newborn);
        let Some(peak) = peak else { return 0 };
        let is_new = match self.known.replace(peak) {
            Some(known) => peak > known,
            None => newborn,
        };
        if is_new { peak.saturating_sub(rss) } else { 0 }
    }
}

/// A rise from one look to the next after which looks become more frequent: a fiftieth, and
/// more than an allocator takes at once.
const RISE_SHARE: u64 = 50;
const RISE_BYTES: u64 = 4 << 20;

/// True if memory is rising fast.
pub(super) fn grows_fast(before: Option<u64>, now: Option<u64>) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return false };
    now.saturating_sub(before) > RISE_BYTES.max(before / RISE_SHARE)
}

impl Watch {
    /// Sets whether a task is in flight.
    pub(crate) fn set_busy(&mut self, busy: bool) {
        if busy && !self.busy {
            // Peaks from before the task do not belong to it.
            for tracked in self.tracked.values_mut() {
                tracked.high = High::default();
            }
        }
        self.busy = busy;
    }

    /// Records that the process was born since the last look.
    pub(super) fn newborn(&mut self, id: crate::sampler::process::ProcessId) {
        if let Some(tracked) = self.tracked.get_mut(&id) {
            tracked.high.newborn = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_peak_that_rose_counts() {
        let mut high = High::default();
        assert_eq!(high.excess(Some(900), 100), 0, "a week old");
        assert_eq!(high.excess(Some(900), 100), 0);
        assert_eq!(high.excess(Some(1500), 100), 1400, "between the looks");
        assert_eq!(high.excess(Some(1500), 1200), 0);
        assert_eq!(high.excess(None, 1200), 0, "the process has just ended");
        assert_eq!(high.excess(Some(300), 300), 0, "another program");
        assert_eq!(high.excess(Some(400), 300), 100);
    }

    #[test]
    fn all_of_a_newborns_peak_counts_once() {
        let mut high = High { newborn: true, ..High::default() };
        assert_eq!(high.excess(Some(900), 100), 800);
        assert_eq!(high.excess(Some(900), 100), 0);
    }

    #[test]
    fn a_rise_is_more_than_noise() {
        const MIB: u64 = 1 << 20;
        assert!(grows_fast(Some(100 * MIB), Some(110 * MIB)));
        assert!(!grows_fast(Some(100 * MIB), Some(103 * MIB)));
        assert!(!grows_fast(Some(1000 * MIB), Some(1015 * MIB)));
        assert!(!grows_fast(Some(100 * MIB), Some(50 * MIB)) && !grows_fast(None, Some(50 * MIB)));
    }
}
