//! Peaks between two looks: the kernel keeps the highest RSS of each process.

use super::Watch;

/// The highest RSS of a process that its peak told of so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct High {
    known: Option<u64>,
    /// It was born since the last look: all of its peak is news.
    newborn: bool,
}

impl High {
    /// By how much the process was above `rss`, just read, at some moment since
    /// the last look, in bytes.
    ///
    /// A peak that did not rise may be of last week, and says nothing. One that
    /// fell is another program's: the process has gone through exec.
    pub(super) fn excess(&mut self, peak: Option<u64>, rss: u64) -> u64 {
        let newborn = std::mem::take(&mut self.newborn);
        let Some(peak) = peak else { return 0 };
        let news = match self.known.replace(peak) {
            Some(known) => peak > known,
            None => newborn,
        };
        if news { peak.saturating_sub(rss) } else { 0 }
    }
}

/// A rise from one look to the next that is worth a closer look: a fiftieth, and
/// more than an allocator takes at once.
const RISE_SHARE: u64 = 50;
const RISE_BYTES: u64 = 4 << 20;

/// True if memory is on its way up.
pub(super) fn grows_fast(before: Option<u64>, now: Option<u64>) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return false };
    now.saturating_sub(before) > RISE_BYTES.max(before / RISE_SHARE)
}

impl Watch {
    /// A task is in flight from now on, or not any more.
    pub(crate) fn set_busy(&mut self, busy: bool) {
        if busy && !self.busy {
            // What peaked while nobody asked does not belong to the task.
            for tracked in self.tracked.values_mut() {
                tracked.high = High::default();
            }
        }
        self.busy = busy;
    }

    /// The process was born since the last look.
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
    fn only_a_peak_that_rose_is_news() {
        let mut high = High::default();
        assert_eq!(high.excess(Some(900), 100), 0, "of last week");
        assert_eq!(high.excess(Some(900), 100), 0);
        assert_eq!(high.excess(Some(1500), 100), 1400, "between the looks");
        assert_eq!(high.excess(Some(1500), 1200), 0);
        assert_eq!(high.excess(None, 1200), 0, "the process has just ended");
        assert_eq!(high.excess(Some(300), 300), 0, "another program");
        assert_eq!(high.excess(Some(400), 300), 100);
    }

    #[test]
    fn all_of_a_newborns_peak_is_news_and_once() {
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
