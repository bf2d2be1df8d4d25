//! Readings after single tasks and after blocks, each at its number of tasks, with the floors within the blocks. Pure.

use crate::record::{BlockReading, Footprint};

/// A reading at its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    /// Which of the quiet readings it is, or lies before, from 0.
    pub(super) reading: usize,
    /// Tasks that had ended.
    pub(super) at: f64,
    /// Memory, in MB.
    pub(super) mb: f64,
}

/// The quiet readings after `singles` tasks with one each and after `blocks`, and the floors within the blocks.
///
/// `quiet_mb` has the readings after the single tasks first; it may end early.
pub(super) fn with_floors(singles: usize, blocks: &[&BlockReading], quiet_mb: &[f64]) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::with_capacity(quiet_mb.len());
    for (reading, &mb) in quiet_mb.iter().enumerate() {
        let block = reading.checked_sub(singles).and_then(|block| blocks.get(block));
        let at = block.map_or(reading as f64 + 1.0, |block| f64::from(block.tasks));
        let floor = block.and_then(|block| floor(block, block.worker.as_ref()?, mb));
        let last = placed.last().map(|last| last.at);
        if let Some((at, mb)) = floor.filter(|(at, _)| last.is_none_or(|last| last < *at)) {
            placed.push(Placed { reading, at, mb });
        }
        // The quiet reading of a block stands for itself where it is the lowest, and at the end.
        if floor.is_none() || reading + 1 == quiet_mb.len() {
            placed.push(Placed { reading, at, mb });
        }
    }
    placed
}

/// The floor within a block by the figure of its quiet reading, and the tasks that had ended then; none where the quiet
/// reading is the lowest, or where processes came and went.
fn floor(block: &BlockReading, held: &Footprint, quiet_mb: f64) -> Option<(f64, f64)> {
    let below_mb = held.rss_mb? - block.floor_rss_mb?;
    let alone = held.processes == Some(1);
    (alone && below_mb > 0.0 && below_mb < quiet_mb)
        .then(|| (block.floor_tasks.map(f64::from), quiet_mb - below_mb))
        .and_then(|(at, mb)| Some((at?, mb)))
}
