//! Starts and stops the sampler's thread.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::allowance::Allowance;
use super::client::SamplerClient;
use super::csv::CsvFile;
use super::find::{Found, find_processes};
use super::gpu::Gpu;
use super::lateness::Lateness;
use super::process::{ProcessInfo, ProcessSource};
use super::run::SamplerThread;
use super::series::MemorySeries;
use super::summary::SamplerSummary;
use super::ticker::Ticker;
use super::wait::Waiter;
use super::watch::{Timepoint, Watch};
use crate::plan::ProcessPlan;
use crate::{Error, ErrorKind, Result};

/// Options of the sampler.
#[derive(Debug, Clone)]
pub struct SamplerOptions {
    /// Time between two ticks; 10 ms or more.
    pub interval: Duration,
    /// Time between two looks while a task is in flight.
    pub busy_interval: Duration,
    /// The most CPU time that these looks may take, in percent of one core.
    pub busy_cpu_percent: f64,
    /// The CSV file to create, which must not exist yet; `None` for no CSV.
    pub csv: Option<PathBuf>,
    /// Whether to read the memory of GPUs, where there are any.
    pub gpu: bool,
    /// The CSV file for the figures of GPUs, which is made only where there is one; `None` for no CSV.
    pub gpu_csv: Option<PathBuf>,
    /// The processes, by role.
    pub roles: BTreeMap<String, ProcessPlan>,
}

/// The shortest interval.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// The number of events that a slow subscriber may be behind.
const EVENTS: usize = 1024;

impl SamplerOptions {
    /// A tick every second, a look every 20 ms while a task is in flight, no CSV.
    pub fn new(roles: BTreeMap<String, ProcessPlan>) -> SamplerOptions {
        SamplerOptions {
            interval: Duration::from_secs(1),
            busy_interval: Duration::from_millis(20),
            busy_cpu_percent: 5.0,
            csv: None,
            gpu: true,
            gpu_csv: None,
            roles,
        }
    }
}

/// The running sampler. Dropping it stops and joins its thread, also during a
/// panic.
#[must_use = "dropping the sampler stops it"]
pub struct Sampler {
    thread: Option<JoinHandle<SamplerSummary>>,
    client: SamplerClient,
    found: Found,
    descendants: BTreeMap<String, Vec<ProcessInfo>>,
}

impl Sampler {
    /// Finds the processes of every role, opens the CSV and starts sampling.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an interval below 10 ms or a role without any
    /// condition; [`ErrorKind::ProcessNotFound`] if a role that is not optional
    /// has no process; [`ErrorKind::Io`] if the processes cannot be listed,
    /// the CSV cannot be created or the thread cannot be started.
    pub fn start(options: SamplerOptions, mut source: Box<dyn ProcessSource>) -> Result<Sampler> {
        for (name, interval) in
            [("sampling interval", options.interval), ("busy interval", options.busy_interval)]
        {
            check_interval(name, interval)?;
        }
        let found = find_processes(&options.roles, &mut *source)?;
        found.check()?;
        let machine = source.machine().map_err(|error| {
            Error::new(ErrorKind::Io, "cannot read how much memory the machine has").source(error)
        })?;
        let csv = options.csv.as_deref().map(|path| create_csv(path, options.interval)).transpose()?;
        let (waiter, waker) = Waiter::new().map_err(cannot_start)?;
        let moment = Timepoint::now();
        let series = Arc::new(Mutex::new(MemorySeries::new(moment.at)));
        let (commands, receiver) = mpsc::channel();
        let (events, _) = broadcast::channel(EVENTS);
        let busy = Arc::new(AtomicBool::new(false));
        let client =
            SamplerClient::new(commands, waker, Arc::clone(&busy), Arc::clone(&series), events.clone());
        let watch = Watch::new(source, &found, series, std::process::id(), moment);
        let descendants = watch.descendants();
        let run = SamplerThread {
            watch,
            waiter,
            ticker: Ticker::new(Instant::now(), options.interval),
            interval: options.interval,
            busy_interval: options.busy_interval,
            busy,
            commands: receiver,
            events,
            csv,
            gpu: if options.gpu { Gpu::start(options.gpu_csv, options.interval) } else { None },
            total_memory_bytes: machine.total_memory_bytes,
            time_zone: jiff::tz::TimeZone::system(),
            next_look: moment.at,
            allowance: Allowance::new(options.busy_cpu_percent, moment.at),
            was_busy: false,
            lateness: Lateness::default(),
        };
        let thread = std::thread::Builder::new()
            .name("highwater-sampler".to_string())
            .spawn(move || run.run())
            .map_err(cannot_start)?;
        Ok(Sampler { thread: Some(thread), client, found, descendants })
    }

    /// A handle for the phases.
    pub fn client(&self) -> SamplerClient {
        self.client.clone()
    }

    /// The processes that were found at the start.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The descendants of those processes at the start, by role; they are watched, too.
    pub fn descendants(&self) -> &BTreeMap<String, Vec<ProcessInfo>> {
        &self.descendants
    }

    /// Stops the sampler, waits for its thread and returns its summary.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the thread panicked.
    pub fn stop(mut self) -> Result<SamplerSummary> {
        self.join().unwrap_or_else(|| Err(panicked()))
    }

    fn join(&mut self) -> Option<Result<SamplerSummary>> {
        let thread = self.thread.take()?;
        self.client.stop();
        Some(thread.join().map_err(|_| panicked()))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.join() {
            tracing::error!("{error}");
        }
    }
}

fn check_interval(name: &str, interval: Duration) -> Result<()> {
    if interval >= SHORTEST_INTERVAL {
        return Ok(());
    }
    let ms = interval.as_secs_f64() * 1000.0;
    Err(Error::new(ErrorKind::Config, format!("the {name} of {ms} ms is too short"))
        .hint("use 10 ms (0.01 s) or more"))
}

/// Creates the file, and its directory if that is missing. An existing file belongs to
/// another run and is an error.
fn create_csv(path: &Path, interval: Duration) -> Result<CsvFile<File>> {
    let create = || {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        CsvFile::new(File::options().append(true).create_new(true).open(path)?, interval)
    };
    create().map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot create `{}`", path.display()))
            .source(error)
            .hint("choose another results directory, or make this one writable")
    })
}

fn cannot_start(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot start the sampler").source(error)
}

fn panicked() -> Error {
    Error::new(ErrorKind::Io, "the sampler's thread has panicked").hint("please report this: it is a bug")
}
