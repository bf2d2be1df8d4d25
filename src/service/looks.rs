//! Takes turns at the service's result endpoint for all tasks of one target.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::spread::Spread;

/// Spreads the polls of all tasks over time, at the plan's rate.
#[derive(Debug)]
pub(super) struct Looks {
    beginning: Instant,
    spread: Mutex<Spread>,
}

impl Looks {
    /// At most `per_s` polls a second.
    pub(super) fn new(per_s: f64) -> Looks {
        Looks { beginning: Instant::now(), spread: Mutex::new(Spread::new(per_s)) }
    }

    /// How long a poll that is due now has to wait for its turn. This takes the turn, whether
    /// the caller uses it or not.
    pub(super) fn turn(&self) -> Duration {
        let now = self.beginning.elapsed();
        self.spread.lock().unwrap_or_else(PoisonError::into_inner).take(now) - now
    }
}
