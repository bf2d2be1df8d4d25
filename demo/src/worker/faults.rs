//! The memory that a worker retains between tasks: leaks, and what only looks like a leak.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::garbage::Garbage;
use super::leaks::{Leaked, Resident};
use crate::dsp::Recognition;
use crate::error::{Error, Result};
use crate::options::{DemoOptions, LeakPer, LeakWhen};
use crate::units::ByteSize;

/// The length above which audio counts as long, in seconds.
const LONG_S: f64 = 300.0;

/// The share by which two lengths must differ to count as different.
const OTHER_LENGTH: f64 = 0.1;

/// A worker is idle when no task has come for this long…
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// …and from then on leaks at this interval, if it leaks by the clock.
const IDLE_STEP: Duration = Duration::from_millis(100);

/// The duration of the peak. A shorter one could fall between two looks of a sampler.
const HELD_FOR: Duration = Duration::from_millis(200);

/// Holds `size` for each of `outstanding` tasks for a moment, and frees it.
pub(super) fn hold(size: ByteSize, outstanding: u32) {
    let held: Vec<Resident> = (0..outstanding).map(|_| Resident::new(size)).collect();
    std::thread::sleep(HELD_FOR);
    drop(held);
}

/// The properties of a task that decide whether it leaks.
pub(super) struct Circumstances {
    pub(super) duration_s: f64,
    pub(super) failed: bool,
    /// The most tasks outstanding at once while it ran, itself included.
    pub(super) peak_outstanding: u32,
    /// True if the same audio was never sent to this worker before.
    pub(super) new: bool,
}

impl LeakWhen {
    fn holds(self, task: &Circumstances, before_s: Option<f64>) -> bool {
        match self {
            LeakWhen::Always => true,
            LeakWhen::Long => task.duration_s > LONG_S,
            LeakWhen::Failed => task.failed,
            LeakWhen::Parallel => task.peak_outstanding > 1,
            LeakWhen::Changed => before_s.is_some_and(|before_s| {
                (task.duration_s - before_s).abs() > OTHER_LENGTH * task.duration_s.max(before_s)
            }),
            LeakWhen::New => task.new,
            LeakWhen::Idle | LeakWhen::Clock => false,
        }
    }
}

/// Everything that outlives a task.
pub(super) struct Faults {
    options: DemoOptions,
    leaks_met: u32,
    /// Seconds of audio of the task before.
    before_s: Option<f64>,
    leaked: Leaked,
    warm: Option<Resident>,
    cache: VecDeque<Resident>,
    late: Option<LateFree>,
    garbage: Garbage,
    /// Hashes of the audio that was sent, for `--leak-when new`.
    sent: HashSet<u64>,
}

impl Faults {
    /// Nothing retained yet.
    ///
    /// # Errors
    /// If the thread of `--late-free` cannot be started.
    pub(super) fn new(options: &DemoOptions, garbage: Garbage) -> Result<Faults> {
        if options.leak_when == LeakWhen::Clock {
            leak_by_the_clock(options.clone())?;
        }
        // A forked child ends, and its memory with it, before anything could be freed late.
        let late = options.late_free.filter(|_| !options.fork);
        Ok(Faults {
            options: options.clone(),
            leaks_met: 0,
            before_s: None,
            leaked: Leaked::default(),
            warm: None,
            cache: VecDeque::new(),
            late: late.map(LateFree::start).transpose()?,
            garbage,
            sent: HashSet::new(),
        })
    }

    /// How many tasks so far satisfied the condition of `--leak-when`.
    pub(super) fn leaks_met(&self) -> u32 {
        self.leaks_met
    }

    /// Takes over the count of a forked child, so that every Nth task still leaks.
    pub(super) fn set_leaks_met(&mut self, leaks_met: u32) {
        self.leaks_met = leaks_met;
    }

    /// Loads the "model" at the first task.
    pub(super) fn before_task(&mut self) {
        if let (Some(size), None) = (self.options.warmup, &self.warm) {
            self.warm = Some(Resident::new(size));
        }
    }

    /// Retains what a task leaves behind.
    pub(super) fn after_task(&mut self, task: &Circumstances) {
        if let Some(cache) = self.options.cache {
            // Removes before it inserts, so that a full cache does not grow for a moment.
            while self.cache.len() >= cache.entries {
                self.cache.pop_front();
            }
            self.cache.push_back(Resident::new(cache.entry));
        }
        if let Some(size) = self.options.garbage {
            self.garbage.leave(size);
        }
        let holds = self.options.leak_when.holds(task, self.before_s);
        self.before_s = Some(task.duration_s);
        if holds {
            self.leak(match self.options.leak_per {
                LeakPer::Task => 1.0,
                LeakPer::AudioSecond => task.duration_s,
            });
        }
    }

    /// True if `audio` was never sent before. Only `--leak-when new` remembers what was.
    pub(super) fn is_new(&mut self, audio: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        audio.hash(&mut hasher);
        self.options.leak_when == LeakWhen::New && self.sent.insert(hasher.finish())
    }

    fn leak(&mut self, times: f64) {
        self.leaks_met += 1;
        if self.leaks_met.is_multiple_of(self.options.leak_every) {
            self.leaked.leak(&self.options, times);
        }
    }

    /// Waits for the next of `tasks`, and meanwhile leaks by the clock.
    pub(super) fn wait(&mut self, tasks: &Receiver<String>) -> Option<String> {
        if self.options.leak_when != LeakWhen::Idle {
            return tasks.recv().ok();
        }
        let mut wait = IDLE_AFTER;
        loop {
            match tasks.recv_timeout(wait) {
                Ok(task) => return Some(task),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.leak(1.0),
            }
            wait = IDLE_STEP;
        }
    }

    /// Frees what a task computed, immediately or as late as the options say.
    pub(super) fn let_go(&mut self, recognition: Recognition) {
        if let Some(late) = &self.late {
            late.keep(recognition, self.options.late_free_size);
        }
    }
}

/// Starts a thread that leaks at a fixed interval, whatever the worker does.
fn leak_by_the_clock(options: DemoOptions) -> Result<()> {
    let leak = move || {
        let mut leaked = Leaked::default();
        loop {
            std::thread::sleep(IDLE_STEP);
            leaked.leak(&options, 1.0);
        }
    };
    let started = std::thread::Builder::new().name("clock".to_string()).spawn(leak);
    started.map(drop).map_err(|error| Error::new("cannot start the thread that leaks").source(error))
}

/// A thread that keeps things for a while and then drops them.
struct LateFree {
    delay: Duration,
    queue: Sender<Kept>,
}

struct Kept {
    until: Instant,
    held: (Recognition, Resident),
}

impl LateFree {
    fn start(delay: Duration) -> Result<LateFree> {
        let (queue, kept) = channel::<Kept>();
        std::thread::Builder::new()
            .name("late-free".to_string())
            .spawn(move || {
                // All have the same delay, so they arrive in the order in which they are due.
                for Kept { until, held } in kept {
                    std::thread::sleep(until.saturating_duration_since(Instant::now()));
                    drop(held);
                }
            })
            .map_err(|error| Error::new("cannot start the late-free thread").source(error))?;
        Ok(LateFree { delay, queue })
    }

    fn keep(&self, recognition: Recognition, extra: ByteSize) {
        let held = (recognition, Resident::new(extra));
        // The thread lives as long as this sender. If it were gone, the value would be dropped, as it should.
        let _ = self.queue.send(Kept { until: Instant::now() + self.delay, held });
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::options::tests::parse;

    fn task() -> Circumstances {
        Circumstances { duration_s: 10.0, failed: false, peak_outstanding: 1, new: false }
    }

    fn leaked_after(arguments: &str, tasks: &[Circumstances]) -> usize {
        let mut faults = Faults::new(&parse(arguments).unwrap(), Garbage::default()).unwrap();
        tasks.iter().for_each(|task| faults.after_task(task));
        faults.leaked.blocks.len()
    }

    #[rstest]
    #[case::always("--leak 1KB", 4)]
    #[case::long("--leak 1KB --leak-when long", 1)]
    #[case::failed("--leak 1KB --leak-when failed", 1)]
    #[case::parallel("--leak 1KB --leak-when parallel", 1)]
    #[case::changed("--leak 1KB --leak-when changed", 2)]
    #[case::idle("--leak 1KB --leak-when idle", 0)]
    #[case::every_second("--leak 1KB --leak-every 2", 2)]
    #[case::no_leak("", 0)]
    fn a_leak_has_its_condition(#[case] arguments: &str, #[case] leaks: usize) {
        let tasks = [
            task(),
            Circumstances { duration_s: 301.0, ..task() },
            Circumstances { failed: true, ..task() },
            Circumstances { peak_outstanding: 2, ..task() },
        ];
        assert_eq!(leaked_after(arguments, &tasks), leaks);
    }

    #[test]
    fn every_nth_counts_only_the_tasks_that_meet_the_condition() {
        let long = || Circumstances { duration_s: 301.0, ..task() };
        let tasks = [long(), task(), long(), task(), long(), task(), long()];
        assert_eq!(leaked_after("--leak 1KB --leak-when long --leak-every 2", &tasks), 2);
    }

    #[test]
    fn audio_is_new_once() {
        let mut faults =
            Faults::new(&parse("--leak 1KB --leak-when new").unwrap(), Garbage::default()).unwrap();
        assert_eq!([b"one", b"two", b"one"].map(|audio| faults.is_new(audio)), [true, true, false]);
        faults.after_task(&Circumstances { new: true, ..task() });
        faults.after_task(&task());
        assert_eq!(faults.leaked.blocks.len(), 1);
    }

    #[test]
    fn a_leak_per_second_of_audio_goes_with_its_length() {
        let arguments = parse("--leak 1KB --leak-per audio-second").unwrap();
        let mut faults = Faults::new(&arguments, Garbage::default()).unwrap();
        faults.after_task(&Circumstances { duration_s: 30.0, ..task() });
        assert_eq!(faults.leaked.blocks[0]._bytes.len(), 30_000);
    }

    #[test]
    fn a_cache_fills_and_then_stays() {
        let mut faults = Faults::new(&parse("--cache 3x1KB").unwrap(), Garbage::default()).unwrap();
        let sizes: Vec<usize> = (0..5)
            .map(|_| {
                faults.after_task(&task());
                faults.cache.len()
            })
            .collect();
        assert_eq!(sizes, [1, 2, 3, 3, 3]);
    }

    #[test]
    fn the_warm_up_happens_once() {
        let mut faults = Faults::new(&parse("--warmup 1KB").unwrap(), Garbage::default()).unwrap();
        faults.before_task();
        let first = faults.warm.as_ref().map(|warm| warm._bytes.as_ptr());
        faults.before_task();
        assert!(first.is_some());
        assert_eq!(first, faults.warm.as_ref().map(|warm| warm._bytes.as_ptr()));
    }
}
