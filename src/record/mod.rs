//! What a run leaves behind, as plain data: tasks, events, verdicts.
//!
//! These types are the files' format. They know nothing of how they come to be
//! or to disk; a field is only ever added, never renamed.

mod anatomy;
mod block;
mod bulk;
mod criterion_id;
mod event;
mod exit;
mod failure;
mod figures;
mod first_over;
mod footprint;
mod groups;
mod level;
mod level_tasks;
mod lives;
mod open;
mod own;
mod phase;
mod ramp;
mod reasons;
mod retained;
mod run;
mod samples;
mod sampling;
mod seen;
mod series;
mod task;
mod times;
mod verdict;

pub use anatomy::{Anatomy, DescriptorKind, DescriptorPart, MemoryPart, Place};
pub use block::{BlockReading, IdleReading};
pub use bulk::Bulk;
pub use criterion_id::{Condition, CriterionId};
pub use event::{Event, EventRecord, Machine, Moment, RunFiles};
pub use exit::ExitKind;
pub use failure::{Cause, FailureKind, Stage};
pub use figures::{RunFigures, TaskFigures};
pub use first_over::FirstOver;
pub use footprint::Footprint;
pub use groups::{Group, ReadTasks};
pub use level::{
    Clause, ClauseAnswer, ClauseKind, ClauseState, FullLoad, GeneratorLoad, LevelEnd, LevelMemory, RoleLoad,
    Tally,
};
pub use level_tasks::LevelTasks;
pub use lives::{Life, LivesReading};
pub use open::OpenTasks;
pub use own::{OwnReading, SoakRound};
pub use phase::Phase;
pub use ramp::RampTasks;
pub(crate) use reasons::as_sentence;
pub use reasons::{
    CannotTell, CutShort, GpuProblem, GpuUnread, LimitWithin, NoLimit, RampBound, RecoveryProblem, Warning,
};
pub use retained::{MemoryFigures, Retained};
pub use run::{Damage, RunData};
pub use samples::{ResourceRow, RoleSeries, SampledProcess, Samples};
pub(crate) use samples::{SAMPLES_HEADER, Sample};
pub use sampling::{RoleSampling, Sampling};
pub use seen::{FIRST_ELSEWHERE, ProcessSeen};
pub(crate) use task::id_parts;
pub use task::{TaskRecord, TaskStatus};
pub use times::Times;
pub use verdict::{Criterion, Judgement, Limit, Verdict};
