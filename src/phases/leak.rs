//! The leak check: short and long inputs, one task at a time, memory read before and after each.

use std::time::Instant;

use super::anatomy::look;
use super::line::{MemoryAround, TaskPlace, task_line};
use super::rig::Rig;
use super::settle::Settled;
use super::task::batch_ids;
use crate::analysis::{Answer, FIRST_LOOK, LOOKS, LeakTasks, WORKER, next_look};
use crate::error::Result;
use crate::record::{Event, EventRecord, Moment, Phase, RunData, TaskRecord, TaskStatus};
use crate::resume::Earlier;
use crate::service::Input;

/// After this many repeats over the limit the leak is certain, and every further repeat would
/// only use up the machine's memory.
const CERTAIN: usize = 3;

/// A certain leak of this share of the limit per task is large enough to limit the ramp.
const EXPENSIVE_SHARE: f64 = 0.05;

/// This many timeouts in a row end the check…
const TIMEOUTS_IN_A_ROW: usize = 2;

/// …and so do this many failed connections in a row.
const UNREACHED_IN_A_ROW: usize = 3;

/// Runs the leak check and records everything of it.
///
/// Sends each input once (warm-up), then all inputs `leak.repeats` times. If it is still open
/// then whether memory accumulates, more repeats follow until that is decided, up to
/// `leak.max_repeats` and `leak.max_s`. The verdict is evaluated after increasing numbers of
/// tasks ([`next_look`]), so that frequent looks do not make a wrong verdict more likely.
///
/// `earlier` is the progress of the run that this one resumes.
///
/// Returns true if the leak is certain and large, so that every further task costs memory.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub async fn leak_check(rig: &Rig, earlier: Earlier) -> Result<bool> {
    let plan = &rig.plan.leak;
    let kinds = rig.inputs.all().count() as u32;
    let tasks = kinds * (1 + plan.repeats);
    rig.recorder.event(Event::PhaseStarted { phase: Phase::Leak, tasks: Some(tasks) }).await?;
    let mut done = RunData { tasks: earlier.tasks, events: earlier.events, ..RunData::default() };
    if done.tasks.is_empty() {
        memory(rig, Moment::Start, None).await?;
    }

    let mut cut_short = None;
    // Continues a round in which the earlier run was stopped.
    let (mut round, mut sent) = (done.tasks.len() as u32 / kinds, done.tasks.len() % kinds as usize);
    let before_s = earlier.seconds;
    let started = Instant::now();
    let mut next = FIRST_LOOK;
    while cut_short.is_none() && (round <= plan.repeats || undecided(&done, rig, round, &mut next)) {
        if round > plan.repeats && before_s + started.elapsed().as_secs_f64() >= plan.max_s {
            cut_short = Some(format!("the verdict was open after {} s (`leak.max_s`)", plan.max_s));
            break;
        }
        for input in rig.inputs.all().skip(std::mem::take(&mut sent)) {
            done.tasks.push(one_task(rig, input).await?);
            cut_short = certain(&done, rig).or_else(|| hopeless(&done)).or(rig.memory.shortage().await?);
            if cut_short.is_some() {
                break;
            }
        }
        if round == 0 && plan.repeats > 0 {
            let event = memory(rig, Moment::Baseline, None).await?;
            let record = |event| EventRecord { time: String::new(), elapsed: 0.0, event };
            done.events.extend(event.map(record));
        }
        round += 1;
    }
    if plan.repeats > 0 {
        let baseline = LeakTasks::of(&done).warm_up.last().and_then(|task| task.worker_rss_after_mb);
        memory(rig, Moment::Final, baseline.map(|mb| mb + plan.baseline_tolerance_mb)).await?;
    }
    rig.workers.caught_up().await;
    rig.recorder.event(Event::PhaseEnded { phase: Phase::Leak, cut_short }).await?;
    Ok(certain(&done, rig).is_some() || leaks_much(&done, rig))
}

/// True if memory certainly accumulates, and fast enough to use up the machine's memory in a ramp.
fn leaks_much(done: &RunData, rig: &Rig) -> bool {
    let growth = LeakTasks::of(done).growth(LOOKS);
    let much = EXPENSIVE_SHARE * rig.plan.leak.max_delta_mb;
    growth.answer == Answer::Leak && growth.rate_mb_per_task.is_some_and(|rate| rate >= much)
}

async fn one_task(rig: &Rig, input: &Input) -> Result<TaskRecord> {
    let before = &rig.memory.settled(None).await?;
    rig.recorder.events(rig.memory.late_frees.since_last(before, &rig.workers)).await?;
    let mark = rig.workers.mark();
    let test_id = batch_ids(&rig.recorder, &input.stem, 1, false).remove(0);
    let busy = rig.memory.busy();
    let ended = rig.driver.drive(input, &test_id, mark).await?;
    drop(busy);
    let high = before.rss_mb.map(|mb| mb + rig.plan.leak.baseline_tolerance_mb);
    let mut after = rig.memory.settled(high).await?;
    rig.workers.caught_up().await;
    if !rig.workers.unchanged_since(mark) {
        // The process is another one than before, so a difference would mean nothing.
        after = Settled { seconds: after.seconds, ..Settled::nothing() };
    }
    let lowest_mb = rig.memory.lowest_mb(ended.started);
    rig.recorder.events(rig.memory.late_frees.during(&test_id, before, lowest_mb, &rig.workers)).await?;
    rig.memory.late_frees.remember(&test_id, after, &rig.workers);
    let roles = rig.memory.other_roles().await?;
    if !roles.is_empty() {
        rig.recorder.event(Event::RolesAfter { test_id: test_id.clone(), roles }).await?;
    }
    let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
    let place = TaskPlace { test_id, phase: Phase::Leak, concurrency: 1 };
    let memory = MemoryAround { before, after: &after, peak_mb };
    rig.recorder.task(task_line(place, input, &ended, &memory)).await
}

/// Records the memory at `moment`; returns the anatomy event, if one was recorded.
async fn memory(rig: &Rig, moment: Moment, high_mb: Option<f64>) -> Result<Option<Event>> {
    let settled = rig.memory.settled(high_mb).await?;
    rig.recorder.events(rig.memory.late_frees.since_last(&settled, &rig.workers)).await?;
    rig.recorder.event(Event::Memory { moment, worker_rss_mb: settled.rss_mb }).await?;
    match moment {
        Moment::Start => Ok(None),
        Moment::Baseline | Moment::Final => look(&rig.memory, &rig.recorder, moment, &settled).await,
    }
}

/// True if more repeats are allowed and could decide the open verdict; `next` is the
/// number of readings at which to evaluate it next.
fn undecided(done: &RunData, rig: &Rig, round: u32, next: &mut usize) -> bool {
    let plan = &rig.plan.leak;
    if plan.repeats == 0 || round > plan.max_repeats {
        return false;
    }
    let leak = LeakTasks::of(done);
    let readings = leak.readings().after_mb.len();
    if readings < leak.repeats.len() {
        // If a reading is missing, further repeats decide nothing.
        return false;
    }
    if readings < *next {
        return true;
    }
    *next = next_look(readings);
    leak.growth(LOOKS).answer == Answer::Inconclusive
}

/// Why further tasks would show nothing new, if that is so.
fn hopeless(done: &RunData) -> Option<String> {
    let in_a_row = |is: fn(&TaskRecord) -> bool| done.tasks.iter().rev().take_while(|task| is(task)).count();
    let timeouts = in_a_row(|task| task.status == TaskStatus::Timeout);
    if timeouts >= TIMEOUTS_IN_A_ROW {
        return Some(format!("{timeouts} tasks in a row had no result within their time"));
    }
    let unreached = in_a_row(|task| task.error_kind.as_deref() == Some("transport"));
    if unreached >= UNREACHED_IN_A_ROW {
        return Some(format!("the service could not be spoken to {unreached} times in a row"));
    }
    if done.tasks.last().is_some_and(|task| task.error_kind.as_deref() == Some("worker_lost")) {
        return done.tasks.last().and_then(|task| task.error.clone());
    }
    None
}

/// Why the leak is certain, if it is.
fn certain(done: &RunData, rig: &Rig) -> Option<String> {
    let limit = rig.plan.leak.max_delta_mb;
    let over = LeakTasks::of(done)
        .repeats
        .iter()
        .filter(|task| task.worker_rss_delta_mb.is_some_and(|delta| delta >= limit))
        .count();
    (over >= CERTAIN).then(|| format!("{over} repeats kept {limit:.0} MB or more each: the leak is certain"))
}
