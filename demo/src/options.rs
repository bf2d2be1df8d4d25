//! The switches of `highwater demo`.

use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, CacheSize, parse_duration, parse_factor};

/// Which process of the service this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers HTTP and keeps the queue.
    Api,
    /// Does the work.
    Worker,
}

impl Role {
    /// The role's name, as in the ready line and in the arguments.
    pub fn name(self) -> &'static str {
        match self {
            Role::Api => "api",
            Role::Worker => "worker",
        }
    }
}

/// Which tasks leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeakWhen {
    /// All of them.
    Always,
    /// Those whose audio is longer than 300 s.
    Long,
    /// Those that fail: a leak on the error path.
    Failed,
    /// Those during which another task was outstanding.
    Parallel,
    /// Those whose audio is longer or shorter than that of the task before.
    Changed,
    /// Those whose audio was never sent before, byte by byte.
    New,
    /// None of them: by the clock, ten times a second, once no task has come for two seconds.
    Idle,
    /// None of them: by the clock, ten times a second, whether tasks come or not.
    Clock,
}

/// What the size of `--leak` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeakPer {
    /// A task.
    Task,
    /// A second of its audio.
    AudioSecond,
}

/// Where the memory of `--leak` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeakHow {
    /// One block of the allocator, which maps large ones by themselves.
    Malloc,
    /// Small blocks on the allocator's heap.
    Heap,
    /// Small blocks in the arena of another thread (glibc).
    Arena,
    /// A private anonymous mapping, past the allocator.
    Mmap,
    /// Shared memory (a memfd) that stays mapped.
    Shm,
    /// A file without a name that stays mapped.
    File,
}

/// The kind of the descriptors of `--leak-fds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FdKind {
    /// An open file (`/dev/null`).
    File,
    /// One end of a pipe.
    Pipe,
    /// One end of a pair of sockets.
    Socket,
}

/// The shape of the embedded speech service and the faults planted in it.
///
/// Each fault is real: memory is resident, a crash is a SIGKILL, slowness is
/// CPU time. Without switches the service is healthy.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[command(group(ArgGroup::new("leaks").args(["leak", "leak_fds", "leak_threads", "leak_children", "leak_zombies"]).multiple(true)))]
pub struct DemoOptions {
    /// Number of worker processes; each does one task at a time
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Shape")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,

    /// Do each task in a forked child of the worker, as RQ's work-horse does
    ///
    /// Whatever a task retains ends with its child: the worker itself stays
    /// clean, and only who watches the whole process tree sees the peaks.
    #[arg(long, help_heading = "Shape")]
    pub fork: bool,

    /// Start a new worker when one dies, as a supervisor would
    #[arg(long, help_heading = "Shape")]
    pub respawn: bool,

    /// Do the work of each task FACTOR times over (1 or more; fractions count)
    ///
    /// Real CPU time, not sleep: with enough of it the RTF rises above 1.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_factor)]
    #[arg(help_heading = "Shape")]
    pub slow: f64,

    /// Each task also waits this long, as one does that asks another service
    ///
    /// It costs no CPU, so a task takes as long on a busy machine as on one at rest.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Shape")]
    pub wait: Option<Duration>,

    /// Answer from the length of the audio alone, within a few milliseconds
    #[arg(long, conflicts_with = "slow", help_heading = "Shape")]
    pub fast: bool,

    /// Each worker ends after N tasks, as with gunicorn's `max_requests`; its replacement goes on
    #[arg(long, value_name = "N", requires = "respawn", help_heading = "Shape")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub recycle: Option<u32>,

    /// Retain SIZE of resident memory per task, for ever (40MB, 1.5GB, 64MiB)
    #[arg(long, value_name = "SIZE", help_heading = "Memory")]
    pub leak: Option<ByteSize>,

    /// The API retains SIZE of resident memory per task, as one that keeps its uploads; the worker stays clean
    #[arg(long, value_name = "SIZE", help_heading = "Memory")]
    pub api_leak: Option<ByteSize>,

    /// Where that memory is
    #[arg(long, value_name = "HOW", value_enum, default_value_t = LeakHow::Malloc, requires = "leak")]
    #[arg(help_heading = "Memory")]
    pub leak_how: LeakHow,

    /// What that size is for
    #[arg(long, value_name = "PER", value_enum, default_value_t = LeakPer::Task, requires = "leak")]
    #[arg(help_heading = "Memory")]
    pub leak_per: LeakPer,

    /// Leak only in every Nth of the tasks that `--leak-when` names
    #[arg(long, value_name = "N", default_value_t = 1, requires = "leaks", help_heading = "Memory")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub leak_every: u32,

    /// Which tasks leak (memory, descriptors, threads and processes alike)
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = LeakWhen::Always, requires = "leaks")]
    #[arg(help_heading = "Memory")]
    pub leak_when: LeakWhen,

    /// Leave N file descriptors open per task [default if given alone: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", help_heading = "Memory")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub leak_fds: Option<u32>,

    /// What these descriptors are
    #[arg(long, value_name = "KIND", value_enum, default_value_t = FdKind::File, requires = "leak_fds")]
    #[arg(help_heading = "Memory")]
    pub leak_fd_kind: FdKind,

    /// Leave N parked threads behind per task, named `leaked` [default if given alone: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", help_heading = "Memory")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub leak_threads: Option<u32>,

    /// Leave N sleeping child processes behind per task [default if given alone: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", help_heading = "Memory")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub leak_children: Option<u32>,

    /// Leave N ended children per task that nobody waits for [default if given alone: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", help_heading = "Memory")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub leak_zombies: Option<u32>,

    /// Keep a bounded cache (8x24MB): an entry more per task, then flat
    ///
    /// Not a leak, though it looks like one until it is full.
    #[arg(long, value_name = "NxSIZE", help_heading = "Memory")]
    pub cache: Option<CacheSize>,

    /// Leave SIZE of garbage behind per task, collected at 256 MB or by `POST /debug/collect`
    ///
    /// Not a leak, though memory rises between collections, as a runtime's heap does.
    #[arg(long, value_name = "SIZE", conflicts_with = "fork", help_heading = "Memory")]
    pub garbage: Option<ByteSize>,

    /// Load SIZE at the first task and keep it, as a model is loaded lazily
    ///
    /// Not a leak, though the first task grows by it.
    #[arg(long, value_name = "SIZE", help_heading = "Memory")]
    pub warmup: Option<ByteSize>,

    /// Free a task's memory this long after its end (5s, 250ms)
    ///
    /// Not a leak, though memory is high when the task is done. With --fork
    /// the memory ends with the task's process instead.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Memory")]
    pub late_free: Option<Duration>,

    /// What --late-free holds besides the task's audio and spectrogram
    #[arg(long, value_name = "SIZE", default_value = "100MB", requires = "late_free")]
    #[arg(help_heading = "Memory")]
    pub late_free_size: ByteSize,

    /// Each worker kills itself (SIGKILL) when K tasks become outstanding
    ///
    /// A task is outstanding from the arrival of its request's headers until
    /// its result is known, or its worker has died.
    #[arg(long, value_name = "K", help_heading = "Failures")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub crash_at: Option<u32>,

    /// A task fails, out of capacity, if K tasks are outstanding while it runs
    #[arg(long, value_name = "K", help_heading = "Failures")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub fail_at: Option<u32>,

    /// Refuse with 503 the submission that would be the Kth outstanding
    #[arg(long, value_name = "K", help_heading = "Failures")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub reject_at: Option<u32>,

    /// A task never ends if K tasks are outstanding while it runs; alone: every task
    #[arg(long, value_name = "K", num_args = 0..=1, default_missing_value = "1", help_heading = "Failures")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub hang: Option<u32>,

    /// Each worker fails every Nth of its tasks, whatever the load
    #[arg(long, value_name = "N", help_heading = "Failures")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    pub flaky: Option<u32>,

    /// A task takes longer than its audio lasts (RTF 1.2) if K tasks are outstanding while it runs
    ///
    /// The worker waits, as for a lock, so that the RTF is the same on any machine.
    #[arg(long, value_name = "K", help_heading = "Failures")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub stall_at: Option<u32>,

    /// Hold SIZE for each task that is outstanding while one is done, as a service that batches
    #[arg(long, value_name = "SIZE", help_heading = "Memory")]
    pub batch_memory: Option<ByteSize>,

    /// Which process of the service to be; set by the supervisor.
    #[arg(long, value_enum, hide = true)]
    pub role: Option<Role>,

    /// Stop when stdin closes, that is, when whoever started this is gone.
    #[arg(long, hide = true)]
    pub lifeline: bool,
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: DemoOptions,
    }

    /// The options that those arguments give, or the text of the error.
    pub(crate) fn parse(arguments: &str) -> Result<DemoOptions, String> {
        Cli::try_parse_from(std::iter::once("demo").chain(arguments.split_whitespace()))
            .map(|cli| cli.options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_switches_nothing_is_planted() {
        let options = parse("").unwrap();
        assert_eq!((options.workers, options.slow, options.fork), (1, 1.0, false));
        assert!(options.leak.is_none() && options.hang.is_none() && options.leak_fds.is_none());
        assert_eq!(options.late_free_size.bytes(), 100_000_000);
    }

    #[test]
    fn counts_may_be_left_out() {
        let options = parse("--hang --leak-fds --leak-threads 3").unwrap();
        assert_eq!((options.hang, options.leak_fds, options.leak_threads), (Some(1), Some(1), Some(3)));
        assert_eq!(parse("--hang=4").unwrap().hang, Some(4));
    }

    #[test]
    fn leak_conditions_want_a_leak() {
        assert!(parse("--leak-when long").unwrap_err().contains("--leak"));
        assert!(parse("--leak-when long --leak-fds").is_ok());
        assert!(parse("--leak 40MB --leak-fds --leak-every 3").is_ok());
    }

    #[test]
    fn a_wrong_size_names_the_switch_and_the_way_out() {
        let error = parse("--leak lots").unwrap_err();
        assert!(error.contains("--leak <SIZE>") && error.contains("40MB"), "{error}");
    }

    #[test]
    fn options_survive_the_way_to_a_child() {
        let options =
            parse("--workers 2 --leak 40MB --leak-when parallel --cache 8x24MB --late-free 5s --hang")
                .unwrap();
        let text = serde_json::to_string(&options).unwrap();
        let back: DemoOptions = serde_json::from_str(&text).unwrap();
        assert_eq!(format!("{options:?}"), format!("{back:?}"));
    }
}
