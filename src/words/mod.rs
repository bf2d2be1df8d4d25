//! Every sentence that people read of a run, made from the data behind it.
//!
//! The modules below this one (records, analysis, phases, sampler) decide and measure, and put no sentence together:
//! their reasons are enumerations with figures, which implement `Display` here. So a wording is changed in one
//! place, and no code compares or edits a sentence.

mod compare;
mod criteria;
mod growth;
pub(crate) mod headline;
mod level;
mod limit;
mod notes;
mod numbers;
mod phases;
#[cfg(feature = "html")]
pub(crate) mod pictures;
mod places;
mod reasons;

#[cfg(feature = "cli")]
pub(crate) use compare::changes;
pub(crate) use criteria::{WORKER_CHANGED, criterion, criterion_line, summary};
#[cfg(feature = "cli")]
pub(crate) use notes::resumed;
pub(crate) use numbers::sentence_case;
#[cfg(feature = "cli")]
pub(crate) use numbers::{per_hour, per_task};
pub(crate) use phases::{outstanding, unreadable_log, wrong_pattern};
pub(crate) use reasons::NO_REASON;
