//! The sampler's thread: waits for the next thing to do and does it.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::allowance::Allowance;
use super::cpu::cpu_time;
use super::csv::{CsvFile, Row};
use super::event::ProcessEvent;
use super::gpu::{Gpu, Looked};
use super::lateness::Lateness;
use super::process::ProcessId;
use super::snapshot::{Boundary, RoleReading, Snapshot};
use super::summary::SamplerSummary;
use super::ticker::Ticker;
use super::wait::Waiter;
use super::watch::{Look, Timepoint, Watch};
use crate::units::to_mb;
use crate::{Error, ErrorKind, Result};

/// A command to the thread.
pub(crate) enum Command {
    /// Measure now, and pass the snapshot to this function.
    Observe(Box<dyn FnOnce(Result<Snapshot>) + Send>),
    /// Measure now, and read the footprints of the trees of these roles.
    Boundaries {
        /// The roles; empty for all.
        roles: Vec<String>,
        /// The longest that reading the PSS of one role may take; `None` to leave it out.
        pss_budget: Option<Duration>,
        /// Gets the result.
        reply: Box<dyn FnOnce(BTreeMap<String, Boundary>) + Send>,
    },
    /// End the thread.
    Stop,
}

/// Everything that the thread owns.
pub(crate) struct SamplerThread {
    pub(crate) watch: Watch,
    pub(crate) waiter: Waiter,
    pub(crate) ticker: Ticker,
    pub(crate) interval: Duration,
    pub(crate) busy_interval: Duration,
    pub(crate) busy: Arc<AtomicBool>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) events: broadcast::Sender<ProcessEvent>,
    pub(crate) csv: Option<CsvFile<File>>,
    /// The driver of GPUs, if there is one.
    pub(crate) gpu: Option<Gpu>,
    pub(crate) total_memory_bytes: u64,
    pub(crate) time_zone: jiff::tz::TimeZone,
    /// When to look between two ticks while a task is in flight.
    pub(crate) next_look: Instant,
    /// The CPU time that such looks may take.
    pub(crate) allowance: Allowance,
    /// Whether a task was in flight at the last check.
    pub(crate) was_busy: bool,
    /// Why ticks are missed.
    pub(crate) lateness: Lateness,
}

/// How many times as often to look while memory is rising.
const RISING_FACTOR: u32 = 4;

impl SamplerThread {
    /// Runs until a stop command arrives or no client is left.
    pub(crate) fn run(mut self) -> SamplerSummary {
        // Tick before the first command: however soon the stop comes, every process that was found is read once.
        self.after_change(Vec::new());
        self.tick_if_due();
        loop {
            self.after_change(Vec::new());
            let timeout = self.deadline().saturating_duration_since(Instant::now());
            let ended = self.waiter.wait(timeout);
            self.after_change(ended);
            self.on_busy_change();
            if !self.obey() {
                return self.summary();
            }
            if !self.tick_if_due() && self.is_busy() && Instant::now() >= self.next_look {
                self.look(Look::Between);
            }
            if self.watch.next_search().is_some_and(|due| Instant::now() >= due) {
                self.watch.search(Timepoint::now());
            }
        }
    }

    fn deadline(&self) -> Instant {
        let mut deadline = self.ticker.deadline();
        if self.is_busy() {
            deadline = deadline.min(self.next_look);
        }
        self.watch.next_search().map_or(deadline, |due| deadline.min(due))
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Looks if a task has begun or ended: peaks up to now belong to the time before the task,
    /// or to the task.
    fn on_busy_change(&mut self) {
        let busy = self.is_busy();
        if busy == self.was_busy {
            return;
        }
        self.was_busy = busy;
        if busy {
            self.watch.set_busy(true);
        }
        self.look(Look::Between);
        if !busy {
            self.watch.set_busy(false);
        }
    }

    /// Carries out the waiting commands; false if one of them is to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Observe(reply)) => {
                    let snapshot = self.snapshot();
                    reply(snapshot);
                }
                Ok(Command::Boundaries { roles, pss_budget, reply }) => {
                    let (_, mut readings) = self.look(Look::Asked);
                    if !roles.is_empty() {
                        readings.retain(|role, _| roles.contains(role));
                    }
                    let boundary = |(role, reading)| (role, self.watch.boundary(&reading, pss_budget));
                    let mut boundaries: BTreeMap<String, Boundary> =
                        readings.into_iter().map(boundary).collect();
                    self.read_gpus(&mut boundaries);
                    reply(boundaries);
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    /// True if a tick was due.
    fn tick_if_due(&mut self) -> bool {
        let now = Instant::now();
        let missed_before = self.ticker.missed();
        let due = self.ticker.take(now);
        if due {
            self.lateness.tick(now, cpu_time(now), self.ticker.missed() - missed_before);
            self.tick();
        }
        due
    }

    fn tick(&mut self) {
        let (moment, roles) = self.look(Look::Tick);
        let timestamp = self.time_zone.to_datetime(moment.timestamp);
        let elapsed_s = (moment.at - self.ticker.start()).as_secs_f64();
        if let Some(gpu) = &self.gpu {
            gpu.sample(timestamp, elapsed_s, &roles);
        }
        let Some(csv) = &mut self.csv else { return };
        let percent = 100.0 / self.total_memory_bytes as f64;
        let rows = roles.values().flat_map(|role| &role.processes).map(|process| Row {
            process_name: &process.name,
            pid: process.id.pid,
            cpu_percent: process.cpu_percent,
            memory_rss_mb: to_mb(process.rss_bytes),
            memory_percent: process.rss_bytes as f64 * percent,
        });
        csv.write(timestamp, elapsed_s, rows);
    }

    /// Adds what these roles hold on GPUs.
    fn read_gpus(&mut self, boundaries: &mut BTreeMap<String, Boundary>) {
        let Some(gpu) = &mut self.gpu else { return };
        match gpu.read() {
            Looked::Nothing => self.gpu = None,
            looked => boundaries.iter_mut().for_each(|(role, boundary)| gpu.add(&looked, role, boundary)),
        }
    }

    fn look(&mut self, look: Look) -> (Timepoint, BTreeMap<String, RoleReading>) {
        let moment = Timepoint::now();
        let before = cpu_time(moment.at);
        let looked = self.watch.look(moment, look);
        let now = Instant::now();
        self.allowance.spend(cpu_time(now).saturating_sub(before), now);
        let interval = self.busy_interval / if looked.rising { RISING_FACTOR } else { 1 };
        self.next_look = (moment.at + interval).max(now + self.allowance.pause());
        self.after_change(looked.gone);
        (moment, looked.roles)
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let (moment, roles) = self.look(Look::Asked);
        let machine = self.watch.machine().map_err(|error| {
            Error::new(ErrorKind::Io, "cannot read how much memory the machine has left").source(error)
        })?;
        Ok(Snapshot {
            at: moment.at,
            timestamp: moment.timestamp,
            roles,
            available_memory_bytes: machine.available_memory_bytes,
            total_memory_bytes: machine.total_memory_bytes,
        })
    }

    /// Passes the watch's changes on to the waiter and the subscribers.
    fn after_change(&mut self, ended: Vec<ProcessId>) {
        for id in self.watch.take_fresh() {
            self.waiter.watch(id);
        }
        for id in ended {
            let how = self.waiter.how(id);
            self.waiter.unwatch(id);
            self.watch.ended(id, how, Timepoint::now());
        }
        for event in self.watch.take_events() {
            // It is no error if nobody has subscribed.
            let _ = self.events.send(event);
        }
    }

    fn summary(&self) -> SamplerSummary {
        let (roles, tallies, failed_reads) = self.watch.totals();
        let (processes, unlisted_processes) = tallies.finish(Instant::now());
        let csv = self.csv.as_ref();
        SamplerSummary {
            interval_s: self.interval.as_secs_f64(),
            elapsed_s: self.ticker.start().elapsed().as_secs_f64(),
            ticks: self.ticker.ticks(),
            missed_ticks: self.ticker.missed(),
            missed_in_a_row: self.ticker.missed_in_a_row(),
            overrun_ticks: self.lateness.overrun(),
            csv_rows: csv.map_or(0, |csv| csv.rows),
            csv_failed_writes: csv.map_or(0, |csv| csv.failed_writes),
            csv_first_error: csv.and_then(|csv| csv.first_error.clone()),
            failed_reads,
            roles,
            processes,
            unlisted_processes,
        }
    }
}
