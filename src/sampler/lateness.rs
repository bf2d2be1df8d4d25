//! Why a tick is missed: because the sampler is at work, or because it is not given the CPU.

use std::time::{Duration, Instant};

/// Counts the missed ticks for which the sampler's own work is to blame.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    /// When the last tick was taken, and the CPU time that the thread had used by then.
    last: Option<(Instant, Duration)>,
    overrun: u64,
}

impl Lateness {
    /// A tick is taken after `missed` others; the thread has used `cpu` so far.
    pub(crate) fn tick(&mut self, at: Instant, cpu: Duration, missed: u64) {
        if let Some((before, used)) = self.last
            && cpu.saturating_sub(used) * 2 >= at - before
        {
            self.overrun += missed;
        }
        self.last = Some((at, cpu));
    }

    /// The ticks that were missed while the thread worked for half of the time or more.
    pub(crate) fn overrun(&self) -> u64 {
        self.overrun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_told_from_waiting() {
        let start = Instant::now();
        let s = Duration::from_secs_f64;
        let mut lateness = Lateness::default();
        lateness.tick(start, s(0.0), 3);
        assert_eq!(lateness.overrun(), 0, "a thread that starts late has done nothing yet");
        lateness.tick(start + s(4.0), s(0.1), 3);
        assert_eq!(lateness.overrun(), 0, "it did not run");
        lateness.tick(start + s(8.0), s(3.5), 3);
        lateness.tick(start + s(9.0), s(4.5), 0);
        assert_eq!(lateness.overrun(), 3);
    }
}
