//! Growth of one run by the readings that its own verdict was made from.
//!
//! - Tasks in blocks: the line through the last doublings (`growth::recent`), as in the verdict over doublings.
//! - Fewer tasks than make batches of all recordings (`Run::is_few`), or a check that ended early: the step of each task
//!   after the warm-up, by recording, because short and long recordings retain different amounts, and an allocator may
//!   give back after the one what it took for the other. Each recording has its own mean; the variance is pooled within the recordings (a stratified mean: Cochran, "Sampling Techniques", section 5.4).
//! - Everything else: the increments of the floors (`rule`).

use super::run::{Run, STEADY, increments, slows};
use crate::analysis::growth::{Mean, recent};

/// Tasks after which few are left out as warm-up, at least…
const WARM_UP: usize = 3;
/// …if each recording has so many steps left then.
const LEAST_STEPS: usize = 3;

/// Growth per task of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// Growth per task, in the signal's unit.
    pub(super) rate: f64,
    /// Its standard error.
    pub(super) error: f64,
    /// Degrees of freedom of the error.
    pub(super) freedom: f64,
    /// Tasks that it rests on, warm-up left out.
    pub(super) tasks: usize,
    /// Growth slowed down towards the end, as of something that fills.
    pub(super) slowing: bool,
}

impl Estimate {
    /// Nothing if the run is too short.
    pub(super) fn of(run: &Run) -> Option<Estimate> {
        if !run.places.is_empty() {
            of_blocks(run)
        } else if run.is_few() {
            by_recording(run)
        } else {
            of_increments(run)
        }
    }

    /// The mean of several runs of one version.
    pub(super) fn pooled(runs: &[Run]) -> Option<Estimate> {
        let each: Vec<Estimate> = runs.iter().map(Estimate::of).collect::<Option<_>>()?;
        let count = each.len() as f64;
        let sum = |of: fn(&Estimate) -> f64| each.iter().map(of).sum::<f64>();
        (!each.is_empty()).then(|| Estimate {
            rate: sum(|run| run.rate) / count,
            error: sum(|run| run.error.powi(2)).sqrt() / count,
            freedom: sum(|run| run.freedom),
            tasks: each.iter().map(|run| run.tasks).sum(),
            slowing: each.iter().all(|run| run.slowing),
        })
    }
}

fn of_blocks(run: &Run) -> Option<Estimate> {
    let found = recent(run.places.iter().copied().zip(run.values.iter().copied()))?;
    Some(Estimate {
        rate: found.slope,
        error: found.error,
        freedom: found.freedom as f64,
        tasks: found.tasks as usize,
        slowing: found.slowing,
    })
}

/// The steps of each recording, in the order of their tasks; nothing if a recording was not repeated, or none was
/// repeated twice.
///
/// The first task of a recording is warm-up, and so is the first fifth of all tasks where enough are left without it.
fn by_recording(run: &Run) -> Option<Estimate> {
    let fifth = run.values.len().div_ceil(5).max(WARM_UP);
    by_recording_after(run, fifth, LEAST_STEPS).or_else(|| by_recording_after(run, 0, 1))
}

fn by_recording_after(run: &Run, warm_up: usize, least: usize) -> Option<Estimate> {
    let mut recordings: Vec<(&str, Vec<f64>)> = Vec::new();
    for (index, input) in run.inputs.iter().enumerate() {
        match recordings.iter_mut().find(|(name, _)| name == input) {
            Some(_) if index < warm_up => {}
            Some((_, steps)) => steps.push(run.values[index] - run.values[index - 1]),
            None => recordings.push((input, Vec::new())),
        }
    }
    let count = recordings.len() as f64;
    if recordings.iter().any(|(_, steps)| steps.len() < least) {
        return None;
    }
    let (mut rate, mut squares, mut shares, mut tasks) = (0.0, 0.0, 0.0, 0);
    let (mut early, mut late) = (0.0, 0.0);
    let mean = |steps: &[f64]| steps.iter().sum::<f64>() / steps.len() as f64;
    for (_, steps) in &recordings {
        let mean_step = mean(steps);
        rate += mean_step / count;
        squares += steps.iter().map(|step| (step - mean_step).powi(2)).sum::<f64>();
        shares += 1.0 / steps.len() as f64;
        tasks += steps.len();
        let half = steps.len().div_ceil(2);
        early += mean(&steps[..half]);
        late += mean(&steps[steps.len() - half..]);
    }
    let freedom = tasks as f64 - count;
    (freedom >= 1.0).then(|| Estimate {
        rate,
        error: (squares / freedom * shares).sqrt() / count,
        freedom,
        tasks,
        // In the direction in which it grows.
        slowing: rate.signum() * late < STEADY * rate.signum() * early,
    })
}

fn of_increments(run: &Run) -> Option<Estimate> {
    let (increments, tasks) = increments(&run.values)?;
    let mean = Mean::of(&increments);
    Some(Estimate {
        rate: mean.value,
        error: mean.error,
        freedom: increments.len() as f64 - 1.0,
        tasks,
        slowing: slows(&increments, 1.0),
    })
}
