//! The parts of a run.

use serde::{Deserialize, Serialize};

/// The part of a run that a task belongs to, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The leak check: one task at a time.
    Leak,
    /// The concurrency ramp: a level of tasks at once.
    Concurrency,
    /// The soak: one level, held for a time.
    Soak,
}

impl Phase {
    /// The word that stands for the phase in data files.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Leak => "leak",
            Phase::Concurrency => "concurrency",
            Phase::Soak => "soak",
        }
    }
}
