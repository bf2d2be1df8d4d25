//! Judging: from what a run left behind to verdicts. Pure.
//!
//! Nothing here knows of tokio, reqwest, sysinfo, files or clocks: the same
//! functions decide live whether a level held, judge a run at its end, and
//! judge it again from a journal that is a year old.

mod answers;
mod arms;
mod attempt;
mod attribution;
mod block_points;
mod by_input;
mod change;
mod children;
mod clauses;
mod compare;
mod facts;
mod finding;
mod full_load;
mod gpu_growth;
mod growth;
mod heap_in_use;
mod idle;
mod incomplete;
mod judge;
mod knee;
mod late;
mod leak;
mod leak_tasks;
mod length;
mod level;
mod level_found;
mod limit;
mod lives;
mod note;
mod over_time;
mod probe;
mod ramp_criteria;
mod ramp_growth;
mod resources;
mod retained;
mod role_growth;
mod runtime;
mod sampling;
mod scalability;
pub mod search;
mod soak;
mod soak_criteria;
mod stats;
mod student;
mod works;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

pub use attempt::{Attempt, attempts};
pub use attribution::{
    Attribution, GrownCount, GrownMemory, GrownThing, Hint, attribute, attributed, attributed_roles,
};
pub use by_input::InputRate;
pub use change::{Change, ChangeReason, Difference, JudgedChange, Method, More, Rate, Side, Signal};
pub use compare::{
    Beside, Comparison, SignalComparison, baseline_comparison, compare, could_decide, run_figures,
};
pub use facts::{LevelFacts, ProcessEnd};
pub use finding::{
    BaselineStanding, CountEvidence, CountStanding, DeltaEvidence, Evidence, Finding, GpuFound,
    ProbeEvidence, ProbeFound, RtfStanding, SamplingFound, SoakRates, Succeeded, Unit, Watched, WorkerChange,
};
pub use full_load::LoadCourse;
pub(crate) use gpu_growth::{GpuGrowth, open_gpus};
pub use growth::{
    Answer, Bounds, ENOUGH, FIRST_LOOK, Grounds, Growth, LOOKS, Readings, Reason, Undecided, Unsettled,
    growth, growth_within, next_look,
};
pub(crate) use judge::{Derived, Judged, judge};
pub use leak::MemoryMoments;
pub(crate) use leak::worker_changed;
pub use leak_tasks::{LeakReadings, LeakTasks};
pub use level::{LevelVerdict, judge_level};
pub(crate) use level_found::LevelFound;
pub(crate) use limit::level;
pub use limit::{Level, levels, spent, throughputs, trials};
pub use note::{Arms, Interruption, Kept, LateFree, Note};
pub use probe::{ConditionGrowth, conditions};
pub(crate) use resources::open_resources;
pub(crate) use role_growth::open_roles;
pub use scalability::{NoFit, Peak, Scalability, scalability};
pub use soak::{RoundStart, Soak, round_over, soak, soak_over};
pub(crate) use stats::summary_of_times;
pub use stats::{Summary, percentile, summary, wilson};

use crate::record::{ExitKind, RunData};

/// The role whose memory is judged.
pub const WORKER: &str = "worker";

/// Tasks that were sent and have no line.
pub fn in_flight(run: &RunData) -> Vec<&str> {
    run.open.ids()
}

/// `worker pid 12345 was killed, signal 9`.
pub fn worker_end(pid: u32, how: ExitKind) -> String {
    format!("{WORKER} pid {pid} {how}")
}
