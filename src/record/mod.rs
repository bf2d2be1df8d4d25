//! What a run leaves behind, as plain data: tasks, events, verdicts.
//!
//! These types are the files' format. They know nothing of how they come to be
//! or to disk; a field is only ever added, never renamed.

mod event;
mod exit;
mod run;
mod task;
mod verdict;

pub use event::{Event, EventRecord, LevelMemory, Machine, Moment, RunFiles};
pub use exit::ExitKind;
pub use run::{Damage, ResourceRow, RunData};
pub use task::{Phase, TaskRecord, TaskStatus};
pub use verdict::{Clause, ClauseKind, Criterion, Judgement, Limit, Verdict};
