//! Comparing two runs: is a leak fixed, is a version worse than the one before it? Pure.
//!
//! The question is not whether memory grows but whether it grows *differently*,
//! so what both runs share (warm-up, a cache that fills, what one input needs
//! more than another) cancels out where both were sent the same inputs in the
//! same order. That makes it the strongest test there is of a fix.
//!
//! - [`run_figures`]: what a comparison needs of a run;
//! - [`compare`]: the verdict over all signals: memory, descriptors, threads;
//! - `rule`: the rule for one signal, with its statistics;
//! - `estimate`: growth of one run by the readings of its own verdict, where tasks were sent in blocks.

mod baseline;
mod estimate;
mod figures;
mod rule;
mod run;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

use super::change::{Change, ChangeReason, Difference, Rate, Side, Signal};
use crate::record::{Retained, RunFigures, TaskFigures, as_sentence};

pub use baseline::baseline_comparison;
pub(super) use baseline::hold_against;
pub use figures::run_figures;

pub(super) use rule::growth_of;
use rule::{Judged, judge_signal};
use run::Run;

/// True if more tasks of the version after could decide, or show that nothing is left of a leak.
pub fn could_decide(comparison: &Comparison) -> bool {
    match &comparison.reason {
        ChangeReason::TooFew { .. } => true,
        ChangeReason::Judged(judged) => match judged.verdict {
            Change::NotEnoughData => true,
            Change::Better => judged.after.low <= judged.least,
            Change::Fixed | Change::NoChange | Change::Worse => false,
        },
        ChangeReason::WorkerChanged { .. } | ChangeReason::Unread { .. } => false,
    }
}

/// The comparison of one signal.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct SignalComparison {
    /// Which signal.
    pub signal: Signal,
    /// The unit of its figures: `MB`, `fds`, `threads`.
    pub unit: &'static str,
    /// What became of its growth.
    pub verdict: Change,
    /// Why; one sentence in files.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub reason: ChangeReason,
    /// Growth per task before; absent where there are too few readings.
    pub before: Option<Rate>,
    /// Growth per task after.
    pub after: Option<Rate>,
    /// After minus before.
    pub difference: Option<Difference>,
    /// Growth of less than this per task counts as none.
    pub least_per_task: f64,
    /// Tasks a run, warm-up included, that would probably decide it; absent where it is decided.
    pub tasks_needed: Option<usize>,
}

/// What is told beside the verdict and does not decide it.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize)]
pub struct Beside {
    /// What the first tasks kept, in MB, before and after.
    pub warm_up_mb: [Option<f64>; 2],
    /// Highest RSS, in MB, before and after.
    pub peak_mb: [Option<f64>; 2],
    /// Median real-time factor, before and after.
    pub rtf: [Option<f64>; 2],
    /// Median seconds a task, before and after.
    pub seconds: [Option<f64>; 2],
    /// Tasks that did not succeed, before and after.
    pub failed: [usize; 2],
}

/// What two versions came to, beside each other.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Comparison {
    /// The verdict over all signals.
    pub verdict: Change,
    /// Why; one sentence in files.
    #[serde(serialize_with = "as_sentence")]
    #[schemars(with = "String")]
    pub reason: ChangeReason,
    /// Memory first, then what else was read on both sides.
    pub signals: Vec<SignalComparison>,
    /// Warm-up, peak and speed.
    pub beside: Beside,
    /// The files before.
    pub before_files: Vec<String>,
    /// The files after.
    pub after_files: Vec<String>,
}

/// Compares the runs of one version with those of the next.
///
/// Each signal is judged by itself (see `rule`). A signal that is worse makes
/// the whole worse; otherwise memory decides, and where that has not changed,
/// what has become of shared memory, descriptors and threads does.
pub fn compare(before: &[RunFigures], after: &[RunFigures]) -> Comparison {
    let mut signals = vec![signal(Signal::Memory, before, after)];
    for other in [Signal::Shared, Signal::Descriptors, Signal::Threads] {
        if readings(other, before, after).is_some() {
            signals.push(signal(other, before, after));
        }
    }
    let decisive = decisive(&signals);
    Comparison {
        verdict: decisive.verdict,
        reason: decisive.reason.clone(),
        beside: figures::beside(before, after),
        before_files: before.iter().map(|run| run.file.clone()).collect(),
        after_files: after.iter().map(|run| run.file.clone()).collect(),
        signals,
    }
}

fn decisive(signals: &[SignalComparison]) -> &SignalComparison {
    let with = |wanted: Change| signals.iter().find(|signal| signal.verdict == wanted);
    let memory = &signals[0];
    match (with(Change::Worse), memory.verdict) {
        (Some(worse), _) => worse,
        (None, Change::NoChange) => with(Change::Fixed).or_else(|| with(Change::Better)).unwrap_or(memory),
        (None, _) => memory,
    }
}

fn signal(signal: Signal, before: &[RunFigures], after: &[RunFigures]) -> SignalComparison {
    let changed = [(before, Side::Before), (after, Side::After)]
        .into_iter()
        .find(|(runs, _)| runs.iter().any(|run| run.worker_changed));
    let judged = match (changed, readings(signal, before, after)) {
        (Some((_, side)), _) => Judged::unknown(ChangeReason::WorkerChanged { signal, side }),
        (None, None) => Judged::unknown(ChangeReason::Unread { signal }),
        (None, Some([before, after])) => judge_signal(signal, &before, &after),
    };
    SignalComparison {
        signal,
        unit: signal.unit(),
        verdict: judged.verdict,
        reason: judged.reason,
        before: judged.before,
        after: judged.after,
        difference: judged.difference,
        least_per_task: judged.least.unwrap_or(signal.least()),
        tasks_needed: judged.tasks_needed,
    }
}

/// The readings of both sides, if the same figure was read on both.
fn readings(signal: Signal, before: &[RunFigures], after: &[RunFigures]) -> Option<[Vec<Run>; 2]> {
    let both = |pick: &dyn Fn(&TaskFigures) -> Option<f64>| -> Option<[Vec<Run>; 2]> {
        let side = |runs: &[RunFigures]| -> Option<Vec<Run>> {
            let runs: Vec<Run> =
                runs.iter().map(|run| Run::of(run, pick, signal == Signal::Memory)).collect::<Option<_>>()?;
            (!runs.is_empty()).then_some(runs)
        };
        Some([side(before)?, side(after)?])
    };
    // The best figure of retained memory that all runs of both sides have, as in the leak check.
    let retained = || {
        let figures = Retained::ALL.into_iter();
        let found: Vec<_> = figures
            .filter_map(|figure| Some((figure, both(&|task| figure.of(task.into()))?)))
            .map(|(figure, runs)| (figure, runs.iter().flatten().map(Run::readings).sum::<usize>(), runs))
            .collect();
        // A figure that stops being read half way (PSS, where it takes too long) is worse than one that all tasks have.
        let most = found.iter().map(|(_, readings, _)| *readings).max()?;
        found.into_iter().find(|(_, readings, _)| *readings == most).map(|(figure, _, runs)| (figure, runs))
    };
    match signal {
        Signal::Memory => retained().map(|(_, runs)| runs),
        Signal::Shared => {
            let (figure, _) = retained()?;
            both(&|task| figure.shared(task.into()))
        }
        Signal::Descriptors => both(&|task| task.fds),
        Signal::Threads => both(&|task| task.threads),
    }
}
