//! The sampler's thread: waits for the next thing to do, and does it.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::csv::{CsvFile, Row};
use super::event::ProcessEvent;
use super::process::ProcessId;
use super::snapshot::{RoleReading, Snapshot};
use super::summary::SamplerSummary;
use super::ticker::Ticker;
use super::wait::Waiter;
use super::watch::{Look, Moment, Watch};
use crate::units::to_mb;
use crate::{Error, ErrorKind, Result};

/// What the thread can be asked to do.
pub(crate) enum Command {
    /// Measure now, and hand the snapshot to this.
    Observe(Box<dyn FnOnce(Result<Snapshot>) + Send>),
    /// End.
    Stop,
}

/// Everything that the thread owns.
pub(crate) struct Run {
    pub(crate) watch: Watch,
    pub(crate) waiter: Waiter,
    pub(crate) ticker: Ticker,
    pub(crate) interval: Duration,
    pub(crate) busy_interval: Duration,
    pub(crate) busy: Arc<AtomicBool>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) events: broadcast::Sender<ProcessEvent>,
    pub(crate) csv: Option<CsvFile<File>>,
    pub(crate) total_memory_bytes: u64,
    pub(crate) time_zone: jiff::tz::TimeZone,
    /// When to look between two ticks while a task is in flight.
    pub(crate) next_look: Instant,
}

/// Looking between ticks takes at most this share of a core, however long a
/// look takes: the pause is at least this many times the look.
const LOOK_PAUSE_FACTOR: u32 = 20;

impl Run {
    /// Runs until it is told to stop, or nobody is left to tell it.
    pub(crate) fn run(mut self) -> SamplerSummary {
        loop {
            self.after_change(Vec::new());
            let timeout = self.deadline().saturating_duration_since(Instant::now());
            let ended = self.waiter.wait(timeout);
            self.after_change(ended);
            if !self.obey() {
                return self.summary();
            }
            let now = Instant::now();
            if self.ticker.take(now) {
                self.tick();
            } else if self.is_busy() && now >= self.next_look {
                self.look(Look::Between);
            }
            if self.watch.next_search().is_some_and(|due| Instant::now() >= due) {
                self.watch.search(Moment::now());
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

    /// Carries out what was asked; false if that is to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Observe(reply)) => {
                    let snapshot = self.snapshot();
                    reply(snapshot);
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn tick(&mut self) {
        let (moment, roles) = self.look(Look::Tick);
        let rows = self.rows(moment, &roles);
        if let Some(csv) = &mut self.csv {
            csv.write(&rows);
        }
    }

    fn look(&mut self, look: Look) -> (Moment, BTreeMap<String, RoleReading>) {
        let moment = Moment::now();
        let looked = self.watch.look(moment, look);
        let took = moment.at.elapsed();
        self.next_look = moment.at + self.busy_interval.max(took * LOOK_PAUSE_FACTOR);
        self.after_change(looked.gone);
        (moment, looked.roles)
    }

    fn snapshot(&mut self) -> Result<Snapshot> {
        let (moment, roles) = self.look(Look::Between);
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

    /// Brings waiter and subscribers up to date with the watch.
    fn after_change(&mut self, ended: Vec<ProcessId>) {
        for id in self.watch.take_fresh() {
            self.waiter.watch(id);
        }
        for id in ended {
            let how = self.waiter.how(id);
            self.waiter.unwatch(id);
            self.watch.ended(id, how, Moment::now());
        }
        for event in self.watch.take_events() {
            // That nobody listens is fine.
            let _ = self.events.send(event);
        }
    }

    fn rows(&self, moment: Moment, roles: &BTreeMap<String, RoleReading>) -> Vec<Row> {
        let timestamp = self.time_zone.to_datetime(moment.timestamp);
        let elapsed_seconds = (moment.at - self.ticker.start()).as_secs_f64();
        let processes = roles.values().flat_map(|role| &role.processes);
        let row = |process: &super::ProcessReading| Row {
            timestamp,
            elapsed_seconds,
            process_name: process.name.clone(),
            pid: process.id.pid,
            cpu_percent: process.cpu_percent,
            memory_rss_mb: to_mb(process.rss_bytes),
            memory_percent: process.rss_bytes as f64 / self.total_memory_bytes as f64 * 100.0,
        };
        processes.map(row).collect()
    }

    fn summary(&self) -> SamplerSummary {
        let (roles, tallies, failed_reads) = self.watch.totals();
        let (processes, unlisted_processes) = tallies.finish();
        let csv = self.csv.as_ref();
        SamplerSummary {
            interval_s: self.interval.as_secs_f64(),
            elapsed_s: self.ticker.start().elapsed().as_secs_f64(),
            ticks: self.ticker.ticks(),
            missed_ticks: self.ticker.missed(),
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
