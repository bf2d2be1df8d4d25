//! Does memory accumulate? A judgement on one reading per task. Pure.
//!
//! A leak and a cache that is filling look alike until the cache is full, so
//! the question is never whether memory rose, but whether what it *keeps* goes
//! on rising past anything that fills. [`growth`] answers with one of three
//! words, a rate with its interval, and what it would take to decide.
//!
//! The parts: `beside` (private memory, and what is resident beside it), `floors`
//! (what memory never gave back), `window` (growth of the floors with its interval),
//! `trend` (whether it goes on), `bounds` (from where on it is a leak), `rule` (the
//! verdict on one reading per task), `points` and `doublings` (the verdict on thousands of tasks), `recent` (its line, for a comparison), `looks` (asking
//! again while tasks go on), `reason` (why, as data), `words` (the sentences).

mod beside;
mod bounds;
mod doublings;
mod floors;
mod looks;
mod points;
mod reason;
mod recent;
mod rule;
mod trend;
mod window;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::by_input::InputRate;
use crate::record::Verdict;

pub use beside::growth;
pub use bounds::Bounds;
pub use doublings::ENOUGH;
pub(super) use doublings::enough;
pub use looks::{FIRST_LOOK, LOOKS, next_look};
pub(in crate::analysis) use points::{Point, line};
pub use reason::{Grounds, Reason, Undecided, Unsettled};
pub(super) use recent::recent;
pub use rule::growth_within;
pub(super) use rule::{RUNTIME_RISE_MB, is_runtime};
pub(super) use window::{LEAST_INCREMENTS, Mean, increments_of_floors};

/// What the readings say about accumulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Memory accumulates, task after task.
    Leak,
    /// It does not, down to the size that is told.
    Clean,
    /// The evidence does not suffice yet. Never a pass.
    Inconclusive,
}

impl Answer {
    /// The answer as the verdict of a criterion.
    pub fn verdict(self) -> Verdict {
        match self {
            Answer::Leak => Verdict::Fail,
            Answer::Clean => Verdict::Pass,
            Answer::Inconclusive => Verdict::Inconclusive,
        }
    }

    /// The word for people and files: `leak`, `clean`, `inconclusive`.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Leak => "leak",
            Answer::Clean => "clean",
            Answer::Inconclusive => "inconclusive",
        }
    }
}

/// What is judged: memory after each task, and what is known beside it.
#[derive(Debug, Clone, Copy)]
pub struct Readings<'a> {
    /// Private memory (anonymous and swapped) of the process tree after each
    /// task, in the order of the tasks, in MB. RSS will do where there is no better.
    pub after_mb: &'a [f64],
    /// Resident memory that is backed by files (RSS less anonymous), in MB,
    /// where it is known. A large one tells of a large runtime, such as a Java
    /// or a JavaScript engine, whose heap grows to its limit before anything
    /// in it is collected. Absent, too, for what is known to be none.
    pub file_mb: Option<f64>,
    /// What was resident beside it after each of the same tasks (RSS less private: shared
    /// segments, mapped files), in MB; empty where it is not known for each.
    pub beside_mb: &'a [f64],
    /// True only if nothing was sent that had not been sent before the first of
    /// these readings *and* everything the service keeps on purpose is keyed by
    /// its input, so that nothing is left that could fill. Steady growth is then a leak
    /// without having to outlast a cache.
    pub inputs_seen: bool,
    /// How often the verdict is asked for while the readings come in, if the
    /// first certain answer ends it ([`LOOKS`]); 1 for readings that are complete.
    pub looks: u32,
    /// How many tasks had ended at each reading, rising; the rule over doublings judges then. Empty where one task lies
    /// between two readings. Seconds will do as well, where growth per second is asked for: rates are then per second.
    pub at: &'a [f64],
    /// So many tasks (or seconds) are enough for a verdict over doublings ([`ENOUGH`] if absent); fewer where
    /// tasks take so long that as many would not fit the time.
    pub enough: Option<f64>,
    /// Memory that was freed and may still be resident, in MB: a leak is not seen before it is used up. If absent,
    /// what memory rose by over the readings (in the rule over doublings; 0 in that on single tasks).
    pub slack_mb: Option<f64>,
    /// A large runtime's heap may rise by this much before anything in it is collected, in MB, where more is known than
    /// that it is large.
    pub heap_mb: Option<f64>,
    /// Tasks per second at the pace that was seen, for what a bound comes to in a day.
    pub per_second: Option<f64>,
}

impl<'a> Readings<'a> {
    /// Readings of which nothing else is known.
    pub fn new(after_mb: &'a [f64]) -> Readings<'a> {
        Readings {
            after_mb,
            file_mb: None,
            beside_mb: &[],
            inputs_seen: false,
            looks: 1,
            at: &[],
            enough: None,
            slack_mb: None,
            heap_mb: None,
            per_second: None,
        }
    }

    /// True if they are judged over doublings: where it is known how many tasks lie between them, or they are many.
    pub(crate) fn over_doublings(&self) -> bool {
        (!self.at.is_empty() && self.at.len() == self.after_mb.len()) || self.after_mb.len() as f64 >= ENOUGH
    }
}

/// What a series of readings says about accumulation.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Growth {
    /// The answer.
    #[serde(rename = "verdict")]
    pub answer: Answer,
    /// Why; one sentence in files.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub reason: Reason,
    /// Growth of what memory keeps, in MB per task; none where there are too few readings.
    pub rate_mb_per_task: Option<f64>,
    /// Lower end of the rate's 98 % interval, in MB per task.
    pub low: Option<f64>,
    /// Upper end of the rate's 98 % interval, in MB per task.
    pub high: Option<f64>,
    /// True if memory grew for certain, whether or not that is a leak.
    pub growing: bool,
    /// True if this is told of what is resident beside private memory, which itself is clean.
    pub beside: bool,
    /// Readings that were judged.
    pub tasks: usize,
    /// How many tasks more it would take to decide, as far as can be foreseen; 0 where it is decided.
    pub tasks_needed: usize,
    /// The smallest leak that would have been seen in as many tasks, in MB per
    /// task; none where there are too few readings to see any.
    pub detectable_mb_per_task: Option<f64>,
    /// True if more tasks are not expected to change the answer.
    #[serde(skip)]
    pub firm: bool,
    /// Tasks per second at the pace that was seen, where that is known.
    #[serde(skip)]
    pub per_second: Option<f64>,
    /// What each input retains, largest first, where inputs retain different amounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_input: Vec<InputRate>,
}

fn as_sentence<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

impl Growth {
    /// The answer as the verdict of a criterion.
    pub fn verdict(&self) -> Verdict {
        self.answer.verdict()
    }
}
