//! Watches the space on the disk of the results: a run that fills it is to be known hours before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;
use crate::files;
use crate::phases::Recorder;
use crate::record::{Event, Warning};
use crate::units::to_mb;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// Full within these hours is worth a warning: a day, and again an hour.
const WARN_H: [f64; 2] = [24.0, 1.0];

/// The pace is that of so many looks: what others write and delete meanwhile evens out.
const LOOKS: usize = 10;

/// Looks every minute, for as long as it is polled, and records a warning where the disk will be full soon.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the warning cannot be written.
pub(super) async fn watch(recorder: &Recorder, directory: PathBuf) -> Result<()> {
    let mut space = Space::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(free_mb) = free_mb(&directory) else { std::future::pending().await };
        if let Some(message) = space.look(free_mb) {
            recorder.event(Event::Warning { message }).await?;
        }
    }
}

fn free_mb(directory: &Path) -> Option<f64> {
    files::free_bytes(directory).map(to_mb)
}

/// The looks so far. Has no clock.
#[derive(Debug, Default)]
struct Space {
    /// Free space in MB, one look apart.
    looks: Vec<f64>,
    /// Warnings that were given.
    given: usize,
}

impl Space {
    /// A look at the free space; a warning where the disk is full within the hours of the next one.
    fn look(&mut self, free_mb: f64) -> Option<Warning> {
        self.looks.push(free_mb);
        let before = self.looks.len().checked_sub(LOOKS)?;
        let hours = (LOOKS - 1) as f64 * EVERY.as_secs_f64() / 3600.0;
        let mb_per_hour = (self.looks[before] - free_mb) / hours;
        self.looks.drain(..before);
        let left_h = free_mb / mb_per_hour;
        if mb_per_hour <= 0.0 || left_h > *WARN_H.get(self.given)? {
            return None;
        }
        self.given = WARN_H.iter().filter(|hours| left_h <= **hours).count();
        Some(Warning::DiskFills { free_mb, mb_per_hour, left_h })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hours left that are warned of, at a pace in MB an hour.
    fn warned(free_mb: f64, mb_per_hour: f64, minutes: u32) -> Vec<f64> {
        let mut space = Space::default();
        let at = |minute: u32| free_mb - mb_per_hour * f64::from(minute) / 60.0;
        let warning = |minute| match space.look(at(minute)) {
            Some(Warning::DiskFills { left_h, .. }) => Some(left_h.round()),
            _ => None,
        };
        (0..minutes).filter_map(warning).collect()
    }

    #[test]
    fn a_disk_that_fills_is_told_a_day_before_and_an_hour_before() {
        assert_eq!(warned(100_000.0, 5000.0, 600), [20.0], "at once where it is less than a day");
        assert_eq!(warned(100_000.0, 5000.0, 1190), [20.0, 1.0]);
        assert_eq!(warned(500.0, 5000.0, 5), [0.0; 0], "no pace is known yet");
        assert_eq!(warned(5000.0, 10_000.0, 20), [0.0], "less than an hour is told once");
    }

    #[test]
    fn a_disk_that_lasts_or_is_freed_is_not_told() {
        assert_eq!(warned(1_000_000.0, 100.0, 600), [0.0; 0]);
        assert_eq!(warned(1000.0, -100.0, 600), [0.0; 0]);
        assert_eq!(warned(1000.0, 0.0, 600), [0.0; 0]);
        let mut space = Space::default();
        for free_mb in 0..10_000 {
            space.look(f64::from(free_mb));
        }
        assert!(space.looks.len() <= LOOKS);
    }
}
