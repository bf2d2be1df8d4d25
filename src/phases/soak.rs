//! The soak: holds one level for a time, and records the floor of memory meanwhile.

use std::time::{Duration, Instant};

use super::ramp::{OwnWatch, drain};
use super::rig::Rig;
use super::settle::Settled;
use super::slots::Slots;
use super::task::Together;
use crate::analysis::{RoundStart, round_over, soak_over};
use crate::error::Result;
use crate::generator::Generator;
use crate::plan::SoakPlan;
use crate::record::{CutShort, Event, Footprint, Phase, SoakRound};
use crate::resume::Earlier;
use crate::units::round;

/// Time between two looks at memory.
const LOOK: Duration = Duration::from_millis(500);

/// The soak ends after this many failures in a row for each outstanding task.
const FAILED_IN_A_ROW: u32 = 3;

/// Holds `soak.concurrency` tasks outstanding and records the floor of memory, round by round.
///
/// `earlier` is the progress of the run that this one resumes; its rounds and its time count.
///
/// # Errors
/// [`crate::ErrorKind::Io`] if the results cannot be written,
/// [`crate::ErrorKind::Interrupted`] if the run is to stop.
pub async fn soak(rig: &Rig, earlier: Earlier) -> Result<()> {
    let plan = &rig.plan.soak;
    let tasks = (plan.tasks > 0).then_some(plan.tasks);
    rig.recorder.event(Event::PhaseStarted { phase: Phase::Soak, tasks }).await?;
    let before = drain(rig).await?;
    let busy = rig.memory.busy();
    let cut_short = match Generator::of_plan(&rig.plan) {
        Some(generator) => generated(rig, &generator).await?,
        None => hold(rig, &before, &earlier).await?,
    };
    drop(busy);
    // The CSV shows what memory does without load; the verdict is about memory under load.
    rig.memory.settled(before.rss_mb.map(|mb| mb + rig.plan.leak.baseline_tolerance_mb)).await?;
    rig.workers.caught_up().await;
    rig.recorder.event(Event::PhaseEnded { phase: Phase::Soak, cut_short }).await
}

/// Keeps the tasks outstanding; returns why it ended early, if it did.
async fn hold(rig: &Rig, before: &Settled, earlier: &Earlier) -> Result<Option<CutShort>> {
    let plan = &rig.plan.soak;
    let mark = rig.workers.mark();
    let front = format!("{}_c{}", rig.inputs.get(rig.plan.ramp.audio).stem, plan.concurrency);
    let second = rig.recorder.batch_second(&front);
    let together = Together { phase: Phase::Soak, concurrency: plan.concurrency, attempt: 1, before, mark };
    let test_id = |index: u32| format!("{front}_t{index}_{second}");
    let started = Instant::now();
    let mut slots = Slots::new(rig, &together);
    for index in 0..plan.concurrency {
        slots.send(test_id(index), false);
    }
    let (before_round, before_done, before_s) =
        earlier.round.map_or((0, 0, 0.0), |round| (round.round, round.tasks, round.seconds));
    let mut sent = earlier.soaked + plan.concurrency;
    let (mut done, mut failed_in_a_row) = (before_done, 0);
    let mut cut_short = None;
    let mut present = Present::new(before_round + 1, RoundStart { tasks: before_done, seconds: before_s });
    let mut look = tokio::time::interval(LOOK);
    loop {
        let ended = tokio::select! {
            ended = slots.ended() => ended?,
            _ = look.tick() => {
                present.look(rig).await?;
                cut_short = cut_short.or_else(|| present.over_cap(plan.cap_mb));
                continue;
            }
        };
        let Some(task) = ended else { break };
        done += 1;
        failed_in_a_row = if task.succeeded { 0 } else { failed_in_a_row + 1 };
        let seconds = before_s + started.elapsed().as_secs_f64();
        if round_over(plan, present.start, done, seconds) {
            present = present.end(rig, done, seconds).await?;
            cut_short = cut_short.or(rig.memory.shortage().await?);
        }
        cut_short = cut_short.or_else(|| {
            let (exits, _) = rig.workers.since(mark);
            if let Some((pid, how)) = exits.first() {
                return Some(CutShort::WorkerEnded { pid: *pid, how: *how });
            }
            let hopeless = failed_in_a_row >= FAILED_IN_A_ROW.saturating_mul(plan.concurrency);
            hopeless.then_some(CutShort::TasksFailed { in_a_row: failed_in_a_row })
        });
        if cut_short.is_none() && !soak_over(plan, sent, seconds) {
            slots.send(test_id(sent), !task.succeeded);
            sent += 1;
        }
    }
    if matches!(cut_short, Some(CutShort::CapReached { .. })) {
        // The round that went above the cap shows by how much.
        present.end(rig, done, before_s + started.elapsed().as_secs_f64()).await?;
    }
    Ok(cut_short)
}

/// Lets another program make the load; returns why it ended early, if it did.
///
/// How many requests there were is known at its end only: the rounds count seconds in their place.
async fn generated(rig: &Rig, generator: &Generator) -> Result<Option<CutShort>> {
    let plan = &rig.plan.soak;
    // As many seconds as are asked for make the rounds, whatever runs at once.
    let rounds = SoakPlan { concurrency: 1, tasks: 0, ..plan.clone() };
    let mark = rig.workers.mark();
    let started = Instant::now();
    let running = rig.driver.unless_stopped(generator.run(plan.concurrency, plan.for_s));
    tokio::pin!(running);
    let mut present = Present::new(1, RoundStart { tasks: 0, seconds: 0.0 });
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            load = &mut running => {
                rig.recorder.event(Event::GeneratorEnded(load??)).await?;
                return Ok(None);
            }
            _ = look.tick() => {}
        }
        present.look(rig).await?;
        let seconds = started.elapsed().as_secs_f64();
        if let Some(cap) = present.over_cap(plan.cap_mb) {
            // The round that went above the cap shows by how much.
            present.end(rig, seconds as u32, seconds).await?;
            return Ok(Some(cap));
        }
        if round_over(&rounds, present.start, seconds as u32, seconds) {
            present = present.end(rig, seconds as u32, seconds).await?;
            if let Some(shortage) = rig.memory.shortage().await? {
                return Ok(Some(shortage));
            }
        }
        if let Some((pid, how)) = rig.workers.since(mark).0.first() {
            return Ok(Some(CutShort::WorkerEnded { pid: *pid, how: *how }));
        }
    }
}

/// Reading the PSS stalls the worker: this share of the soak's time is the most that it takes.
const PSS_SHARE: f64 = 0.05;

/// Whether the next reading is to have the PSS. It is the figure of the leak check, and differs from the sum of private
/// memory where the tree has several processes.
#[derive(Debug, Clone, Copy, Default)]
struct PssTurns {
    /// True once the tree had several processes.
    several: bool,
    /// Not before this moment, in seconds since the soak began.
    next_s: f64,
}

impl PssTurns {
    fn due(self, now_s: f64) -> bool {
        self.several && now_s >= self.next_s
    }

    /// A reading was taken from `from_s` to `until_s`. Returns true if it is to be repeated with the PSS: it is the
    /// first of several processes.
    fn read(&mut self, held: &Footprint, with_pss: bool, from_s: f64, until_s: f64) -> bool {
        let first = !self.several && held.processes.is_some_and(|processes| processes > 1);
        self.several |= first;
        if with_pss {
            self.next_s = until_s + (until_s - from_s) * (1.0 / PSS_SHARE - 1.0);
        }
        first
    }
}

/// The current round.
struct Present {
    start: RoundStart,
    saw: SoakRound,
    pss: PssTurns,
    clock: Instant,
    own: OwnWatch,
}

impl Present {
    fn new(round: u32, start: RoundStart) -> Present {
        let saw = SoakRound { round, ..SoakRound::default() };
        Present { start, saw, pss: PssTurns::default(), clock: Instant::now(), own: OwnWatch::start() }
    }

    /// Reads the worker's memory, with the PSS where its turn has come.
    async fn look(&mut self, rig: &Rig) -> Result<()> {
        let mut with_pss = self.pss.due(self.clock.elapsed().as_secs_f64());
        loop {
            let from_s = self.clock.elapsed().as_secs_f64();
            let Some(held) = rig.memory.footprint(with_pss).await? else { return Ok(()) };
            self.saw.saw(&held);
            if !self.pss.read(&held, with_pss, from_s, self.clock.elapsed().as_secs_f64()) {
                return Ok(());
            }
            with_pss = true;
        }
    }

    /// Why the soak ends, if memory is above `cap_mb`; 0 is no cap.
    fn over_cap(&self, cap_mb: f64) -> Option<CutShort> {
        let peak_mb = self.saw.best().1.filter(|peak| cap_mb > 0.0 && *peak > cap_mb)?;
        Some(CutShort::CapReached { peak_mb, cap_mb })
    }

    /// Records the round and begins the next one.
    async fn end(mut self, rig: &Rig, tasks: u32, seconds: f64) -> Result<Present> {
        if self.pss.several && self.saw.floor_pss_anon_mb.is_none() {
            // No turn came in this round: its floor is compared with those of the others.
            self.pss.next_s = 0.0;
        }
        if self.saw.floor_mb.is_none() || self.pss.several && self.saw.floor_pss_anon_mb.is_none() {
            self.look(rig).await?;
        }
        let figure = |value: Option<f64>| value.map(|value| round(value, 2));
        rig.recorder.event(Event::OwnLoad(self.own.end())).await?;
        rig.recorder
            .event(Event::SoakRound(SoakRound {
                tasks,
                seconds: round(seconds, 2),
                floor_mb: figure(self.saw.floor_mb),
                peak_mb: figure(self.saw.peak_mb),
                floor_pss_anon_mb: figure(self.saw.floor_pss_anon_mb),
                peak_pss_anon_mb: figure(self.saw.peak_pss_anon_mb),
                ..self.saw
            }))
            .await?;
        let next = Present::new(self.saw.round + 1, RoundStart { tasks, seconds });
        Ok(Present { pss: self.pss, clock: self.clock, ..next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pss_is_read_of_several_processes_and_takes_a_twentieth_of_the_time_at_most() {
        let of = |processes| Footprint { processes: Some(processes), ..Footprint::default() };
        let mut turns = PssTurns::default();
        assert!(!turns.due(0.0));
        assert!(!turns.read(&of(1), false, 0.0, 0.001) && !turns.due(0.5));
        assert!(turns.read(&of(2), false, 0.5, 0.501), "the first child is read again, with PSS");
        assert!(!turns.read(&of(2), true, 0.501, 0.551));
        assert!(!turns.due(1.0) && !turns.due(1.5) && turns.due(1.502), "50 ms in 1000");
        assert!(!turns.read(&of(1), true, 1.502, 1.503) && turns.due(2.0), "between two children, too");
    }
}
