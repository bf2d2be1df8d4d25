//! A block of the leak check: many short tasks one after another, and one reading after them.

use std::pin::pin;
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::ends::Ends;
use super::line::{MemoryAround, TaskPlace, task_line};
use super::rig::Rig;
use super::settle::Settled;
use super::task::BatchIds;
use crate::error::Result;
use crate::record::{BlockReading, Bulk, Event, EventRecord, Phase};
use crate::service::Input;
use crate::units::round;

/// The number of lines that may be on their way to the disk while the next tasks are sent.
const LINES_AHEAD: usize = 256;

/// The progress of the check before a block.
pub(super) struct Before {
    /// The number of the block, from 1.
    pub(super) block: u32,
    /// Tasks of the check that have ended.
    pub(super) tasks: u32,
    /// Seconds that it has taken.
    pub(super) seconds: f64,
}

/// A completed block.
pub(super) struct Block {
    /// Its tasks.
    pub(super) tasks: Bulk,
    /// The recorded readings after it: of the other roles, and of the worker.
    pub(super) events: Vec<EventRecord>,
}

/// Sends `count` tasks, cycling through the inputs (every other block sends inputs that were never sent before), and
/// reads memory when it is quiet afterwards. Ends early if a task does not succeed.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub(super) async fn block(rig: &Rig, count: u32, before: Before) -> Result<Block> {
    rig.recorder.event(Event::BlockStarted { block: before.block, tasks: count }).await?;
    let mark = rig.workers.mark();
    let started = Instant::now();
    let busy = rig.memory.busy();
    let (tasks, ends) = send(rig, count, &before).await?;
    drop(busy);
    let (ended, busy_seconds) = (Instant::now(), started.elapsed().as_secs_f64());
    // The wait for quiet takes at most as long as the tasks did: what is still held is not in the floors.
    let mut settled = rig.memory.settled_within(busy_seconds).await?;
    rig.workers.caught_up().await;
    if !rig.workers.unchanged_since(mark) {
        settled = Settled { seconds: settled.seconds, ..Settled::nothing() };
    }
    let roles = rig.memory.other_roles().await?;
    let mut events = Vec::new();
    if !roles.is_empty() {
        let test_id = format!("block_{}", before.block);
        events.push(Event::RolesAfter { test_id, roles });
    }
    let low = rig.memory.lowest_between(started, ended);
    let done_at = |moment: Instant| before.tasks + ends.by(moment);
    let reading = BlockReading {
        block: before.block,
        tasks: before.tasks + u32::try_from(tasks.tasks).unwrap_or(u32::MAX),
        seconds: round(before.seconds + started.elapsed().as_secs_f64(), 2),
        busy_seconds: round(busy_seconds, 3),
        settled: settled.quiet,
        worker: settled.footprint,
        floor_rss_mb: low.map(|(_, mb)| round(mb, 2)),
        floor_tasks: low.map(|(moment, _)| done_at(moment)),
    };
    events.push(Event::BlockEnded(reading));
    for event in &events {
        rig.recorder.event(event.clone()).await?;
    }
    let record = |event| EventRecord { time: String::new(), elapsed: 0.0, event };
    Ok(Block { tasks, events: events.into_iter().map(record).collect() })
}

/// The tasks, and when each ended. A line is written while the next task runs.
async fn send(rig: &Rig, count: u32, before: &Before) -> Result<(Bulk, Ends)> {
    let block = before.block;
    let inputs: Vec<&Input> = rig.inputs.all().collect();
    let batches: Vec<BatchIds> =
        inputs.iter().map(|input| BatchIds::new(&rig.recorder, &input.stem, count, true)).collect();
    let mark = rig.workers.mark();
    let nothing = Settled::nothing();
    let (mut tasks, mut ends) = (Bulk::default(), Ends::default());
    let mut writing = FuturesUnordered::new();
    let mut stopped = None;
    for index in 0..count {
        // The turns go on from block to block: short blocks would else send the first input more often than the others.
        let turn = (before.tasks + index) as usize % inputs.len();
        let test_id = batches[turn].id(index / inputs.len() as u32);
        let input = rig.arms.input(&rig.inputs, inputs[turn], block.is_multiple_of(2))?;
        let input = input.as_ref();
        let mut driving = pin!(rig.driver.drive_in_block(input, &test_id, mark));
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut driving => break ended,
                Some(line) = writing.next() => tasks.add(&line?),
            }
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        };
        ends.push(Instant::now());
        let place = TaskPlace { test_id: test_id.clone(), phase: Phase::Leak, concurrency: 1 };
        let memory = MemoryAround { before: &nothing, after: &nothing, peak_mb: None };
        let mut line = task_line(place, input, &ended, &memory);
        line.block = Some(block);
        (line.settle_seconds, line.settled) = (None, None);
        let good = line.succeeded();
        writing.push(rig.recorder.task(line));
        while writing.len() > LINES_AHEAD
            && let Some(line) = writing.next().await
        {
            tasks.add(&line?);
        }
        if !good {
            break;
        }
    }
    while let Some(line) = writing.next().await {
        tasks.add(&line?);
    }
    match stopped {
        Some(error) => Err(error),
        None => Ok((tasks, ends)),
    }
}
