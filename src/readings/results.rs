//! The readings in the results of a run.

use std::path::Path;

use super::{Axis, Series};
use crate::analysis::{LeakReadings, LeakTasks};
use crate::error::{Error, ErrorKind, Result};
use crate::journal;
use crate::record::{Event, RunData, SoakRound, TaskRecord};

/// True if the first line is a task of a results file.
pub(super) fn is_task(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\n').find(|line| !line.iter().all(u8::is_ascii_whitespace));
    line.is_some_and(|line| serde_json::from_slice::<TaskRecord>(line).is_ok())
}

/// The floors of the rounds of a soak, each after so many tasks; nothing where there was none. The first round is warm-up.
fn of_soak(run: &RunData) -> Option<Series> {
    let rounds = run.events.iter().filter_map(|record| match record.event {
        Event::SoakRound(round) => Some(round),
        _ => None,
    });
    let rounds = SoakRound::by_one_figure(&rounds.collect::<Vec<_>>()).into_iter();
    let (at, after_mb): (Vec<f64>, Vec<f64>) =
        rounds.skip(1).filter_map(|round| Some((f64::from(round.tasks), round.floor_mb?))).unzip();
    (!after_mb.is_empty()).then(|| Series {
        after_mb,
        at: Axis::Tasks(at),
        column: "floor_mb".to_string(),
        notes: run.damage.iter().map(ToString::to_string).collect(),
        incomparable: crate::analysis::worker_changed(run).then(|| crate::words::WORKER_CHANGED.to_string()),
        ..Series::default()
    })
}

/// The readings of the leak check, or of the soak, in the results file at `path`: those that a
/// report on it judges, without the warm-up.
pub(super) fn series(path: &Path) -> Result<Series> {
    let run = journal::read(path)?;
    let leak = LeakTasks::of(&run);
    if leak.tasks.is_empty()
        && let Some(series) = of_soak(&run)
    {
        return Ok(series);
    }
    let LeakReadings { after_mb, beside_mb, file_mb, figure, .. } = leak.readings();
    if after_mb.is_empty() {
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{}` has no memory reading after a task that was sent alone", path.display()),
        )
        .hint(
            "growth is judged on tasks sent one at a time: phase 1 of `highwater run`, or `concurrency` 1",
        ));
    }
    let mut notes: Vec<String> = run.damage.iter().map(ToString::to_string).collect();
    let unread = leak.for_growth().len() - after_mb.len();
    if unread > 0 {
        notes.push(format!("{unread} tasks have no reading and were left out"));
    }
    Ok(Series {
        after_mb,
        file_mb,
        beside_mb,
        column: figure.to_string(),
        notes,
        incomparable: crate::analysis::worker_changed(&run).then(|| crate::words::WORKER_CHANGED.to_string()),
        // Comparing reads results for itself, with all that they hold.
        ..Series::default()
    })
}
