//! The turns of all tasks of one target at the service's result endpoint.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::spread::Spread;

/// Spreads the looks of all tasks over the time, at the plan's rate.
#[derive(Debug)]
pub(super) struct Looks {
    beginning: Instant,
    spread: Mutex<Spread>,
}

impl Looks {
    /// At most `per_s` looks a second.
    pub(super) fn new(per_s: f64) -> Looks {
        Looks { beginning: Instant::now(), spread: Mutex::new(Spread::new(per_s)) }
    }

    /// How long a look that is due now has to wait for its turn. The turn is taken: it
    /// passes, whether it is used or not.
    pub(super) fn turn(&self) -> Duration {
        let now = self.beginning.elapsed();
        self.spread.lock().unwrap_or_else(PoisonError::into_inner).take(now) - now
    }
}
