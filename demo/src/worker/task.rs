//! One task, from audio to outcome, with its planted faults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::{self, Circumstances, Faults};
use crate::dsp::{Recognition, measure, recognise};
use crate::options::DemoOptions;
use crate::wire::{Broker, Outcome};

/// The result of a task for the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Performed {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// How many tasks so far satisfied the condition of `--leak-when`.
    pub(super) leaks_met: u32,
}

/// A stalled task waits for this share of its audio's length, on top of its work.
const STALLED_RTF: f64 = 1.2;

/// Does the task. Memory that it does not retain on purpose is freed when this
/// returns, which is before a client can see that the task is done.
pub(super) fn perform(
    task_id: &str,
    broker: &Broker,
    options: &DemoOptions,
    faults: &mut Faults,
) -> Performed {
    faults.before_task();
    let mut new = false;
    let recognised =
        broker.audio(task_id).map_err(|error| format!("cannot fetch the audio: {error}")).and_then(|audio| {
            new = faults.is_new(&audio);
            if options.fast { measure(&audio) } else { recognise(&audio, options.slow) }
        });
    if let Some(wait) = options.wait {
        std::thread::sleep(wait);
    }
    let peak = broker.peak(task_id).unwrap_or(1);
    if options.hang.is_some_and(|limit| peak >= limit) {
        loop {
            std::thread::park();
        }
    }
    if let Some(size) = options.batch_memory {
        faults::hold(size, peak);
    }
    if let Ok(recognition) = &recognised
        && options.stall_at.is_some_and(|limit| peak >= limit)
    {
        std::thread::sleep(Duration::from_secs_f64(STALLED_RTF * recognition.duration_s));
    }
    let outcome = outcome(&recognised, peak, options.fail_at);
    faults.after_task(&Circumstances {
        duration_s: recognised.as_ref().map_or(0.0, |recognition| recognition.duration_s),
        failed: matches!(outcome, Outcome::Failed { .. }),
        peak_outstanding: peak,
        new,
    });
    if let Ok(recognition) = recognised {
        faults.let_go(recognition);
    }
    Performed { outcome, leaks_met: faults.leaks_met() }
}

fn outcome(recognised: &Result<Recognition, String>, peak: u32, fail_at: Option<u32>) -> Outcome {
    match recognised {
        Err(error) => Outcome::Failed { duration: None, error: error.clone() },
        Ok(recognition) => match fail_at {
            Some(limit) if peak >= limit => Outcome::Failed {
                duration: Some(recognition.duration_s),
                error: format!("out of capacity: {peak} tasks outstanding, room for {}", limit - 1),
            },
            _ => Outcome::Done { duration: recognition.duration_s, segments: recognition.segments.clone() },
        },
    }
}
