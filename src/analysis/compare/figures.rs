//! From a run to the figures that it is compared by.

use super::Beside;
use crate::analysis::leak::worker_changed;
use crate::analysis::leak_tasks::LeakTasks;
use crate::analysis::stats::summary;
use crate::record::{Event, Footprint, Phase, RunData, RunFigures, TaskFigures, TaskRecord};
use crate::units::round;

/// What a comparison needs of a run.
///
/// A task whose memory could not be read, at the end of a run whose worker
/// died, is left out; one in the middle leaves a gap that makes the signal unknown.
pub fn run_figures(run: &RunData) -> RunFigures {
    let leak = LeakTasks::of(run);
    let plain: Vec<&TaskRecord> =
        leak.tasks.iter().copied().filter(|task| task.condition.is_none()).collect();
    let repeats: Vec<&TaskRecord> =
        leak.repeats.iter().copied().filter(|task| task.condition.is_none()).collect();
    let median = |pick: fn(&TaskRecord) -> Option<f64>| {
        let pool = if repeats.is_empty() { &plain } else { &repeats };
        summary(&pool.iter().filter_map(|task| pick(task)).collect::<Vec<_>>()).map(|found| found.p50)
    };
    let kept: Vec<f64> = leak.warm_up.iter().filter_map(|task| task.worker_rss_delta_mb).collect();
    let after_blocks = leak.blocks.iter().filter_map(|block| block.worker?.rss_mb);
    let peaks = plain.iter().filter_map(|task| task.worker_rss_peak_mb).chain(after_blocks);
    let peaks = peaks.chain(leak.in_blocks.peak_mb);
    RunFigures {
        file: run.file.clone(),
        tasks: plain.iter().map(|task| task_figures(task)).collect(),
        warm_up_mb: (!kept.is_empty()).then(|| round(kept.iter().sum(), 1)),
        peak_mb: peaks.max_by(f64::total_cmp),
        rtf: median(|task| task.rtf),
        seconds: median(|task| task.processing_time),
        failed: plain.iter().filter(|task| !task.succeeded()).count() + leak.in_blocks.failures() as usize,
        worker_changed: worker_changed(run),
        blocks: leak.blocks.iter().map(|block| **block).collect(),
        ended_as_certain: leak.blocks.is_empty() && ended_as_certain(run, &plain),
    }
}

/// Checks with more tasks than this have batches enough.
const FEW: usize = 16;

/// True if the leak check ended early after few tasks, all of which succeeded: several repeats kept more than the limit,
/// or the machine's memory ran short. A file gives the reason as a sentence only, so it is not asked for.
fn ended_as_certain(run: &RunData, tasks: &[&TaskRecord]) -> bool {
    let early = |event: &Event| matches!(event, Event::PhaseEnded { phase: Phase::Leak, cut_short: Some(_) });
    tasks.len() < FEW
        && tasks.iter().all(|task| task.succeeded())
        && run.events.iter().any(|record| early(&record.event))
}

fn task_figures(task: &TaskRecord) -> TaskFigures {
    let kind = task.kind.map_or("", |kind| kind.word());
    TaskFigures {
        input: format!("{kind} {}", task.audio_file).trim().to_string(),
        rss_mb: task.worker_rss_after_mb,
        ..figures_of(&task.worker_after.unwrap_or_default())
    }
}

/// The figures of one reading.
pub(super) fn figures_of(footprint: &Footprint) -> TaskFigures {
    TaskFigures {
        input: String::new(),
        rss_mb: footprint.rss_mb,
        private_mb: footprint.private_mb,
        pss_mb: footprint.pss_mb,
        pss_anon_mb: footprint.pss_anon_mb,
        shmem_mb: footprint.shmem_mb,
        fds: footprint.fds.map(|count| count as f64),
        threads: footprint.threads.map(|count| count as f64),
    }
}

/// The figures beside the verdict: of several runs a side, their median.
pub(super) fn beside(before: &[RunFigures], after: &[RunFigures]) -> Beside {
    let both = |pick: fn(&RunFigures) -> Option<f64>| {
        [before, after]
            .map(|runs| summary(&runs.iter().filter_map(pick).collect::<Vec<_>>()).map(|found| found.p50))
    };
    Beside {
        warm_up_mb: both(|run| run.warm_up_mb),
        peak_mb: both(|run| run.peak_mb),
        rtf: both(|run| run.rtf),
        seconds: both(|run| run.seconds),
        failed: [before, after].map(|runs| runs.iter().map(|run| run.failed).sum()),
    }
}
