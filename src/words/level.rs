//! Observations at a level of the ramp, and why no law of scalability is shown.

use std::fmt;

use super::NO_REASON;
use crate::analysis::search::Why;
use crate::analysis::{LevelFound, NoFit};
use crate::record::ClauseKind;
use crate::units::{few, time};

impl fmt::Display for LevelFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |error: &Option<String>| error.clone().unwrap_or_else(|| NO_REASON.to_string());
        match self {
            LevelFound::GivenUp => f.write_str("highwater or the machine was stopped during the level"),
            LevelFound::Late { lag_s, bound_s } => {
                write!(f, "highwater woke up {lag_s:.2} s late (p95; {bound_s:.2} s is allowed)")
            }
            LevelFound::LateOnce { lag_s, bound_s } => {
                write!(f, "highwater woke up {lag_s:.2} s late once ({bound_s:.2} s is allowed)")
            }
            LevelFound::Waited { percent, lag_s, task_s } => write!(
                f,
                "highwater waited for a CPU {percent:.0} % of the time, and woke up {} late (p95) in tasks of {}",
                time(*lag_s),
                time(*task_s)
            ),
            LevelFound::Thrashing { percent } => {
                write!(f, "the machine stood still for want of memory {percent:.0} % of the time")
            }
            LevelFound::FailedHere { failed, all, error } => {
                write!(f, "{failed} of {all} tasks failed on highwater's own machine: {}", or_none(error))
            }
            LevelFound::Ended { role, pid, how } => write!(f, "{role} pid {pid} {how}"),
            LevelFound::Replaced { role, pid } => write!(f, "{role} pid {pid} was started in its place"),
            LevelFound::Changes(all) => f.write_str(&few_of(all, "deaths and restarts")),
            LevelFound::Kills(all) => f.write_str(&few_of(all, "kills")),
            LevelFound::KilledBySomebody => {
                f.write_str("killed by somebody; the kernel told of no want of memory")
            }
            LevelFound::NoneKilled => f.write_str("no process was killed"),
            LevelFound::GeneratorFailed(problem) => write!(f, "the load generator: {problem}"),
            LevelFound::NoRequests => f.write_str("the load generator sent no request"),
            LevelFound::GeneratorEnded => f.write_str("the load generator ended well"),
            LevelFound::RequestsFailed { failed, all } => {
                write!(f, "{failed} of {all} requests of the load generator failed")
            }
            LevelFound::TasksFailed { failed, all, error } => {
                write!(f, "{failed} of {all} tasks failed: {}", or_none(error))
            }
            LevelFound::Unrecorded { missing, all } => write!(f, "{missing} of {all} tasks left no record"),
            LevelFound::Share { good, all, low, high } => write!(
                f,
                "{good} of {all} ({:.0} %, 95 % interval {:.0} to {:.0} %)",
                100.0 * f64::from(*good) / f64::from((*all).max(1)),
                100.0 * low,
                100.0 * high
            ),
            LevelFound::Unhealthy(problem) => write!(f, "health endpoint: {problem}"),
            LevelFound::LogErrors { lines, first } => {
                write!(f, "{lines} errors in the service's log: {first}")
            }
        }
    }
}

fn few_of(all: &[LevelFound], noun: &str) -> String {
    few(&all.iter().map(LevelFound::to_string).collect::<Vec<_>>(), noun)
}

impl fmt::Display for NoFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoFit::FewLevels { levels, least } => {
                write!(f, "{levels} levels with a throughput, at least {least} are needed")
            }
            NoFit::NoSolution => f.write_str("the law cannot be fitted"),
            NoFit::Misses { percent, most_percent } => write!(
                f,
                "the law misses what was measured by {percent:.0} % (at most {most_percent:.0} % is allowed)"
            ),
        }
    }
}

impl Why {
    /// The sentence about a repeated attempt at a level.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Why::New => None,
            Why::Repeat => Some("again, since it broke"),
            Why::Confirm => Some("again, to confirm that it holds"),
            Why::Invalid => Some("again, since highwater was starved"),
        }
    }
}

impl ClauseKind {
    /// What is asked, in a few words, for tables.
    pub fn title(self) -> &'static str {
        match self {
            ClauseKind::WorkerAlive => "processes alive",
            ClauseKind::TasksSucceed => "tasks succeed",
            ClauseKind::Health => "health",
            ClauseKind::Rtf => "RTF",
            ClauseKind::Oom => "no OOM kill",
            ClauseKind::Latency => "latency",
            ClauseKind::PeakMemory => "peak memory",
            ClauseKind::MemoryBack => "memory back",
            ClauseKind::FdsBack => "descriptors back",
            ClauseKind::ThreadsBack => "threads back",
            ClauseKind::ServiceLog => "service log",
            ClauseKind::Completed => "completed",
        }
    }
}
