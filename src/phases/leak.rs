//! The leak check: short and long inputs, one task at a time, memory read before and after each.

use std::time::Instant;

use super::anatomy::look;
use super::block::{Before, block};
use super::line::{MemoryAround, TaskPlace, task_line};
use super::rig::Rig;
use super::schedule::{Bound, Known, Next, Progress};
use super::settle::Settled;
use super::task::batch_ids;
use super::turnover::Turnover;
use super::worked::worked;
use crate::analysis::{
    Answer, FIRST_LOOK, LOOKS, LeakTasks, Reason, WORKER, compare, could_decide, next_look, open_gpus,
    open_resources, open_roles, run_figures,
};
use crate::error::Result;
use crate::plan::LeakPlan;
use crate::record::{
    CutShort, Event, EventRecord, FailureKind, IdleReading, Life, LivesReading, Moment, Phase, RunData,
    TaskRecord, TaskStatus,
};
use crate::resume::Earlier;
use crate::sampler::ProcessReading;
use crate::service::Input;
use crate::units::{round, to_mb};

/// After this many repeats over the limit the gate has its answer. Whether memory accumulates goes on being tried…
const OVER: usize = 3;

/// …as long as this share of the memory is left that was available when the check began.
const LEFT_SHARE: f64 = 0.5;

/// A leak of this share of the limit per task is large enough to limit the ramp.
const EXPENSIVE_SHARE: f64 = 0.05;

/// Seconds without tasks after a leak was found: a quarter of the time of the check, within these bounds.
const IDLE_S: (f64, f64) = (5.0, 20.0);

/// This many timeouts in a row end the check…
const TIMEOUTS_IN_A_ROW: usize = 2;

/// …and so do this many failed connections in a row.
const UNREACHED_IN_A_ROW: usize = 3;

/// Runs the leak check and records everything of it.
///
/// Sends each input once (warm-up), then all inputs `leak.repeats` times. If it is still open then whether
/// memory accumulates, more tasks follow until that is decided, within the bounds of the plan: one at a time if tasks
/// are slow, in growing blocks with one reading each if a task takes less time than the wait for quiet memory
/// (`Progress::next`). The verdict is evaluated after increasing numbers of tasks ([`next_look`]), so that frequent
/// looks do not make a wrong verdict more likely.
///
/// `earlier` is the progress of the run that this one resumes.
///
/// Returns true if the service retains so much per task that every further task costs memory.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub async fn leak_check(rig: &Rig, earlier: Earlier) -> Result<bool> {
    let plan = &rig.plan.leak;
    let kinds = rig.inputs.all().count() as u32;
    let tasks = kinds * (1 + plan.repeats);
    rig.recorder.event(Event::PhaseStarted { phase: Phase::Leak, tasks: Some(tasks) }).await?;
    let done = RunData {
        tasks: earlier.tasks,
        read: earlier.read,
        in_blocks: earlier.in_blocks,
        events: earlier.events,
        ..RunData::default()
    };
    if done.tasks.is_empty() {
        memory(rig, Moment::Start, None).await?;
    }

    let mut check = Check {
        rig,
        done,
        before_s: earlier.seconds,
        started: Instant::now(),
        next_look: FIRST_LOOK,
        available_mb: rig.memory.available_mb().await?,
        turnover: Turnover::default(),
        in_lives: false,
        lives_known: false,
    };
    let cut_short = check.run(kinds).await?;
    check.idle().await?;
    let done = check.done;
    if plan.repeats > 0 {
        let baseline = LeakTasks::of(&done).warm_up.last().and_then(|task| task.worker_rss_after_mb);
        memory(rig, Moment::Final, baseline.map(|mb| mb + plan.baseline_tolerance_mb)).await?;
    }
    rig.workers.caught_up().await;
    rig.recorder.event(Event::PhaseEnded { phase: Phase::Leak, cut_short }).await?;
    Ok(retains_much(&done, rig))
}

/// True if tasks retain enough to use up the machine's memory in a ramp, and it is not known to end.
fn retains_much(done: &RunData, rig: &Rig) -> bool {
    let growth = LeakTasks::of(done).growth(LOOKS);
    let much = EXPENSIVE_SHARE * rig.plan.leak.max_delta_mb;
    match growth.answer {
        Answer::Clean => false,
        Answer::Leak if growth.rate_mb_per_task.is_some_and(|rate| rate >= much) => true,
        Answer::Leak | Answer::Inconclusive => over_the_limit(done, rig) >= OVER,
    }
}

/// The running check.
struct Check<'a> {
    rig: &'a Rig,
    done: RunData,
    /// The time spent by the run that this one resumes, in seconds.
    before_s: f64,
    started: Instant,
    /// The number of readings at which to evaluate the verdict next, if each task has a reading.
    next_look: usize,
    /// Memory of the machine that was available when the check began, in MB.
    available_mb: f64,
    /// The processes of the worker at the last readings.
    turnover: Turnover,
    /// True once a reading of them was recorded.
    in_lives: bool,
    /// True once the lives of these processes have been looked at often enough.
    lives_known: bool,
}

impl Check<'_> {
    /// Sends the warm-up, the repeats, and further tasks until the verdict is decided; returns why it ended early, if it did.
    async fn run(&mut self, kinds: u32) -> Result<Option<CutShort>> {
        let plan = &self.rig.plan.leak;
        let singles = self.done.read.tasks;
        // Continues a round in which the earlier run was stopped.
        let (mut round, mut sent) = (singles / kinds, (singles % kinds) as usize);
        loop {
            let next = if round <= plan.repeats { Next::Round } else { self.next(round) };
            let cut_short = match next {
                Next::Round => {
                    let cut_short = self.round(round, std::mem::take(&mut sent)).await?;
                    if round == 0 && plan.repeats > 0 {
                        let event = memory(self.rig, Moment::Baseline, None).await?;
                        let record = |event| EventRecord { time: String::new(), elapsed: 0.0, event };
                        self.done.events.extend(event.map(record));
                    }
                    round += 1;
                    cut_short
                }
                Next::Block(tasks) => self.block(tasks).await?,
                Next::Done => return Ok(None),
                Next::Bound(bound) => return Ok(met(bound, plan)),
            };
            if cut_short.is_some() {
                return Ok(cut_short);
            }
        }
    }

    /// Sends each input once, except the first `skip`; after the warm-up, every other round sends new inputs.
    async fn round(&mut self, round: u32, skip: usize) -> Result<Option<CutShort>> {
        for input in self.rig.inputs.all().skip(skip) {
            let input = self.rig.arms.input(&self.rig.inputs, input, round > 0 && round.is_multiple_of(2))?;
            let (task, roles) = one_task(self.rig, &input).await?;
            self.done.events.extend(roles);
            self.done.take(task);
            self.lives().await?;
            let cut_short =
                hopeless(&self.done).or(self.spent().await?).or(self.rig.memory.shortage().await?);
            if cut_short.is_some() {
                return Ok(cut_short);
            }
        }
        Ok(None)
    }

    async fn block(&mut self, count: u32) -> Result<Option<CutShort>> {
        let before = self.done.events.iter().rev().find_map(|record| match &record.event {
            Event::BlockEnded(reading) => Some(reading.block),
            _ => None,
        });
        let before = Before { block: before.unwrap_or(0) + 1, tasks: self.sent(), seconds: self.seconds() };
        let block = block(self.rig, count, before).await?;
        self.done.in_blocks.merge(block.tasks);
        self.done.events.extend(block.events);
        self.lives().await?;
        Ok(hopeless(&self.done).or(self.rig.memory.shortage().await?))
    }

    /// Looks at the worker's processes one by one, and records them where they are replaced as they work.
    async fn lives(&mut self) -> Result<()> {
        let mut workers = self.rig.memory.workers().await?;
        workers.retain(|process| !process.is_root);
        self.turnover.look(self.sent(), workers.iter().map(|process| process.id).collect());
        if self.lives_known || self.turnover.most_tasks().is_none() {
            return Ok(());
        }
        self.in_lives = true;
        let life = |process: ProcessReading| {
            let private_mb = round(to_mb(process.private_bytes?), 2);
            Some(Life { pid: process.id.pid, start: process.id.start_ticks, private_mb })
        };
        let processes = workers.into_iter().filter_map(life).collect();
        let event = Event::Lives(LivesReading { tasks: self.sent(), processes });
        self.done.events.push(EventRecord { time: String::new(), elapsed: 0.0, event: event.clone() });
        self.rig.recorder.event(event).await
    }

    /// Why the check ends early, if tasks retain too much and have used up what the machine had to spare.
    async fn spent(&self) -> Result<Option<CutShort>> {
        let over = over_the_limit(&self.done, self.rig);
        if over < OVER || self.rig.memory.available_mb().await? > LEFT_SHARE * self.available_mb {
            return Ok(None);
        }
        Ok(Some(CutShort::MemorySpent { tasks: over, limit_mb: self.rig.plan.leak.max_delta_mb }))
    }

    /// After blocks that show a leak: waits as long as some of them took, without a task, and reads memory.
    async fn idle(&mut self) -> Result<()> {
        let leak = LeakTasks::of(&self.done);
        let last = leak.blocks.last().filter(|_| leak.sent_blocks > 0);
        let Some(before) = last.and_then(|block| block.worker) else { return Ok(()) };
        let growth = leak.growth(LOOKS);
        // Processes that are replaced grow with their tasks: without any, none of them does.
        if growth.answer != Answer::Leak || matches!(growth.reason, Reason::WithinLives { .. }) {
            return Ok(());
        }
        let mark = self.rig.workers.mark();
        let started = Instant::now();
        self.rig.memory.wait((self.seconds() / 4.0).clamp(IDLE_S.0, IDLE_S.1)).await?;
        let settled = self.rig.memory.settled(None).await?;
        self.rig.workers.caught_up().await;
        let idle = IdleReading {
            seconds: round(started.elapsed().as_secs_f64(), 2),
            before: Some(before),
            worker: settled.footprint.filter(|_| self.rig.workers.unchanged_since(mark)),
        };
        self.rig.recorder.event(Event::IdleEnded(idle)).await
    }

    /// Tasks that have ended.
    fn sent(&self) -> u32 {
        u32::try_from(self.done.ended()).unwrap_or(u32::MAX)
    }

    fn seconds(&self) -> f64 {
        self.before_s + self.started.elapsed().as_secs_f64()
    }

    /// The next step after the repeats.
    fn next(&mut self, round: u32) -> Next {
        let plan = &self.rig.plan.leak;
        if plan.repeats == 0 {
            return Next::Done;
        }
        let leak = LeakTasks::of(&self.done);
        self.lives_known = self.lives_known || leak.lives_are_known();
        let progress = Progress {
            tasks: self.sent(),
            readings: (round - 1) + leak.sent_blocks as u32,
            seconds: self.seconds(),
            task_s: leak.task_seconds().unwrap_or(f64::INFINITY),
            begun: leak.sent_blocks > 0,
            quiet_s: self.rig.plan.settle.quiet_s,
            mb_per_task: leak.mb_per_task().unwrap_or(0.0),
            in_lives: self.in_lives,
            most_tasks: self.turnover.most_tasks().filter(|_| !self.lives_known),
            known: Known::Open,
        };
        if !leak.all_read() {
            // If a reading is missing, further ones decide nothing.
            return Next::Done;
        }
        let known = self.known(&leak, progress.in_blocks(plan));
        if let Some(looked) = known.1 {
            self.next_look = looked;
        }
        Progress { known: known.0, ..progress }.next(plan)
    }

    /// True if more tasks could decide the comparison with the baseline (`baseline`).
    fn comparison_is_open(&self) -> bool {
        let baseline = &self.rig.baseline;
        !baseline.is_empty() && could_decide(&compare(baseline, &[run_figures(&self.done)]))
    }

    /// The state of the verdict, and the number of readings at the next look.
    fn known(&self, leak: &LeakTasks<'_>, in_blocks: bool) -> (Known, Option<usize>) {
        let readings = leak.read - leak.warm_up.len();
        if leak.sent_blocks == 0 && (in_blocks || readings < self.next_look) {
            return (Known::Open, None);
        }
        let growth = leak.growth(LOOKS);
        let open = open_resources(&self.done, leak, &self.rig.plan.leak);
        let others_open = || {
            let (run, plan) = (&self.done, &self.rig.plan);
            open_roles(run, leak, plan) || open_gpus(run, leak, plan)
        };
        let known = match growth.answer {
            Answer::Inconclusive => Known::Open,
            _ if open || self.comparison_is_open() => Known::Open,
            // Against a baseline a known leak of the worker passes, and what is open in another role does not.
            Answer::Leak if !self.rig.baseline.is_empty() && others_open() => Known::Open,
            Answer::Clean if others_open() => Known::Open,
            _ if growth.firm => Known::Decided,
            Answer::Clean => Known::Clean,
            Answer::Leak => Known::Open,
        };
        (known, Some(next_look(readings)))
    }
}

/// The note on the bound that ended the check; `max_repeats` and `for_s` are its regular ends and need none.
fn met(bound: Bound, plan: &LeakPlan) -> Option<CutShort> {
    match bound {
        Bound::Repeats | Bound::For => None,
        Bound::Seconds => Some(CutShort::VerdictOpen { max_s: plan.max_s }),
        Bound::Tasks => Some(CutShort::VerdictOpenAfterTasks { max_tasks: plan.max_tasks }),
    }
}

/// The line of the task, and the recorded memory of the other roles after it.
async fn one_task(rig: &Rig, input: &Input) -> Result<(TaskRecord, Option<EventRecord>)> {
    let before = &rig.memory.settled(None).await?;
    rig.recorder.events(rig.memory.late_frees.since_last(before, &rig.workers)).await?;
    let workers = rig.memory.workers().await?;
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
    let roles = (!roles.is_empty()).then(|| Event::RolesAfter { test_id: test_id.clone(), roles });
    if let Some(roles) = &roles {
        rig.recorder.event(roles.clone()).await?;
    }
    let peak_mb = rig.memory.peak_mb(WORKER, ended.started, Instant::now());
    let place = TaskPlace { test_id, phase: Phase::Leak, concurrency: 1 };
    let memory = MemoryAround { before, after: &after, peak_mb };
    let mut task = task_line(place, input, &ended, &memory);
    task.worker_pid = worked(&workers, &rig.memory.workers().await?);
    let task = rig.recorder.task(task).await?;
    Ok((task, roles.map(|event| EventRecord { time: String::new(), elapsed: 0.0, event })))
}

/// Records the memory at `moment`; returns the anatomy event, if one was recorded.
async fn memory(rig: &Rig, moment: Moment, high_mb: Option<f64>) -> Result<Option<Event>> {
    let settled = rig.memory.settled(high_mb).await?;
    rig.recorder.events(rig.memory.late_frees.since_last(&settled, &rig.workers)).await?;
    rig.recorder.event(Event::Memory { moment, worker_rss_mb: settled.rss_mb }).await?;
    match moment {
        Moment::Start => Ok(None),
        Moment::Baseline | Moment::Final => {
            for (role, plan) in &rig.plan.processes {
                if role != WORKER && plan.judged {
                    look(&rig.memory, &rig.recorder, moment, &settled, role).await?;
                }
            }
            look(&rig.memory, &rig.recorder, moment, &settled, WORKER).await
        }
    }
}

/// Why further tasks would show nothing new, if that is so.
fn hopeless(done: &RunData) -> Option<CutShort> {
    // A block ends with the first task that fails; after blocks, nothing else is sent.
    let in_blocks = || done.in_blocks.failed.iter().rev().filter(|task| task.block.is_some());
    let last = || in_blocks().chain(done.read.last.iter().rev()).chain(done.tasks.iter().rev());
    let in_a_row = |is: fn(&TaskRecord) -> bool| last().take_while(|task| is(task)).count();
    let timeouts = in_a_row(|task| task.status == TaskStatus::Timeout);
    if timeouts >= TIMEOUTS_IN_A_ROW {
        return Some(CutShort::TimedOut { in_a_row: timeouts });
    }
    let unreached = in_a_row(|task| task.error_kind == Some(FailureKind::Transport));
    if unreached >= UNREACHED_IN_A_ROW {
        return Some(CutShort::Unreached { in_a_row: unreached });
    }
    let last = last().next().filter(|task| task.error_kind == Some(FailureKind::WorkerLost))?;
    last.error.clone().map(|error| CutShort::WorkerLost { error })
}

/// Repeats that retained more than a task may.
fn over_the_limit(done: &RunData, rig: &Rig) -> usize {
    let limit = rig.plan.leak.max_delta_mb;
    let over = |task: &&&TaskRecord| task.worker_rss_delta_mb.is_some_and(|delta| delta >= limit);
    let kept = LeakTasks::of(done).repeats.iter().filter(over).count();
    kept + done.in_blocks.deltas.at_least(limit) as usize
}
