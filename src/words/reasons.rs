//! Why a phase ended early, why no limit was found, and what was wrong with a service that did not recover.

use std::fmt;

use super::numbers::count;
use crate::record::{
    CannotTell, CutShort, GpuProblem, GpuUnread, LimitWithin, NoLimit, RampBound, RecoveryProblem, Warning,
};

/// What stands for an error that nobody recorded.
pub(crate) const NO_REASON: &str = "no reason was recorded";

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::PssUnread { stall_s, budget_s } => write!(
                f,
                "the PSS of the worker's processes was not read, since that would stall them for about {:.0} ms \
                 (`sampler.pss_budget_s` allows {:.0} ms); the sum of their private memory is reported instead",
                stall_s * 1000.0,
                budget_s * 1000.0
            ),
            Warning::GpuUnread(unread) => unread.fmt(f),
            Warning::NotCollected { problem } => {
                write!(
                    f,
                    "the service's runtime did not collect before a reading (`settle.collect`): {problem}"
                )
            }
            Warning::NotIdle { drain_s } => {
                write!(f, "the workers did not fall idle within {drain_s} s before a level (`ramp.drain_s`)")
            }
            Warning::ProbesCutShort { condition, why } => {
                write!(f, "the probes ended with `{condition}`: {why}")
            }
            Warning::EventsLost { events } => {
                write!(f, "{events} process events came faster than they could be recorded, and are missing")
            }
            Warning::RoleNotWatched { role, problem } => {
                write!(f, "the role `{role}` is not watched: {problem}")
            }
            Warning::FilesShort { limit, enough_for, max } => write!(
                f,
                "highwater may open {limit} files, which is enough for levels up to {enough_for} (`ramp.max` is {max}); \
                 a higher level is INVALID: raise the hard limit (`ulimit -Hn`, `LimitNOFILE=`)"
            ),
            Warning::DiskFills { free_mb, mb_per_hour, left_h } => write!(
                f,
                "the disk of the results has {free_mb:.0} MB left and loses {mb_per_hour:.0} MB an hour: it is full in {}",
                crate::units::span(left_h * 3600.0)
            ),
            Warning::LengthContradicted { told_s, file_s, file } => write!(
                f,
                "the service says that `{file}` is {told_s} s long, and the file has {file_s:.1} s: the file's length \
                 is used for RTF"
            ),
            Warning::TicksMissed { missed, all } => {
                write!(f, "the sampler missed {missed} of {all} ticks: the machine was busy")
            }
            Warning::RowsLost { error } => write!(f, "rows of the CSV are missing: {error}"),
            Warning::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for GpuUnread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match &self.problem {
            GpuProblem::NotPermitted => {
                "the driver does not permit it; run highwater as root or as the service's user"
            }
            GpuProblem::Split => {
                "the device is split into instances (MIG), whose processes only root may list"
            }
            GpuProblem::NotSupported => "this device or its driver does not support it",
            GpuProblem::WithoutMemory => "the driver lists the processes without their memory",
            GpuProblem::Lost => "the device has been lost",
            GpuProblem::NoAnswer => "the driver gives no answer",
            GpuProblem::Other(problem) => problem,
        };
        match self.device {
            Some(device) => write!(f, "memory on GPU {device} could not be read by process: {why}"),
            None => write!(f, "memory on GPUs could not be read by process: {why}"),
        }
    }
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CutShort::VerdictOpen { max_s } => {
                write!(f, "the verdict was open after {max_s} s (`leak.max_s`)")
            }
            CutShort::VerdictOpenAfterTasks { max_tasks } => {
                write!(f, "the verdict was open after {max_tasks} tasks (`leak.max_tasks`)")
            }
            CutShort::MemorySpent { tasks, limit_mb } => write!(
                f,
                "{} kept {limit_mb:.0} MB or more each, and half of the memory that was available is used up",
                count(*tasks, "task")
            ),
            CutShort::TimedOut { in_a_row } => {
                write!(f, "{} in a row had no result within their time", count(*in_a_row, "task"))
            }
            CutShort::Unreached { in_a_row } => {
                write!(f, "{in_a_row} connections to the service failed in a row")
            }
            CutShort::TasksFailed { in_a_row } => write!(f, "{in_a_row} tasks failed in a row"),
            CutShort::WorkerLost { error } => f.write_str(error),
            CutShort::WorkerEnded { pid, how } => write!(f, "worker pid {pid} {how}"),
            CutShort::NoNewInput => f.write_str("every input that was to be new has been sent"),
            CutShort::WorkerChanged => f.write_str("a worker died or was replaced"),
            CutShort::CapReached { peak_mb, cap_mb } => {
                write!(f, "memory of {peak_mb:.0} MB is above the cap of {cap_mb} MB (`soak.cap_mb`)")
            }
            CutShort::MemoryShort { available_percent, least_percent } => write!(
                f,
                "only {available_percent:.1} % of the machine's memory is available \
                 (`guard.min_available_percent` is {least_percent})"
            ),
            CutShort::Leaks => {
                f.write_str("tasks keep so much memory that every further level would cost more of it")
            }
            CutShort::CannotTell { why, detail: None } => write!(f, "{why}"),
            CutShort::CannotTell { why, detail: Some(detail) } => write!(f, "{why}: {detail}"),
            CutShort::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for CannotTell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CannotTell::NotRecovered(problem) => write!(f, "the service did not recover: {problem}"),
            CannotTell::Outage(problem @ RecoveryProblem::RoleGone { .. }) => write!(f, "{problem}"),
            CannotTell::Outage(problem) => write!(f, "the service did not recover: {problem}"),
            CannotTell::Starved { concurrency, times } => {
                write!(
                    f,
                    "highwater or the machine was the bottleneck at c={concurrency}, {}",
                    count(*times, "time")
                )
            }
            CannotTell::Unhealthy => f.write_str("the service was not healthy at c=1"),
            CannotTell::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for RampBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RampBound::Levels(most) => write!(f, "{most} levels (`ramp.max_levels`)"),
            RampBound::Tasks(most) => write!(f, "{most} tasks (`ramp.max_tasks`)"),
            RampBound::Seconds(most) => write!(f, "{most} s (`ramp.max_s`)"),
            RampBound::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for RecoveryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecoveryProblem::NoTime => f.write_str("`ramp.recover_s` is 0"),
            RecoveryProblem::NoWorker => f.write_str("no worker is alive"),
            RecoveryProblem::Unhealthy { problem } => write!(f, "health endpoint: {problem}"),
            RecoveryProblem::RoleGone { role } => write!(f, "{role} is gone"),
            RecoveryProblem::KeepsDying { deaths } => {
                write!(f, "workers died {deaths} more times after the level, so no further task was sent")
            }
            RecoveryProblem::NoResult { patience_s } => {
                write!(f, "a single task had no result within {patience_s} s")
            }
            RecoveryProblem::TaskFailed { error } => {
                write!(f, "a single task did not succeed: {}", error.as_deref().unwrap_or(NO_REASON))
            }
            RecoveryProblem::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for NoLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoLimit::CutShort { why, within } => write!(f, "{why}{}", lies(*within)),
            NoLimit::BoundTooLow { bound: Some(bound), within } => {
                write!(f, "{bound} did not suffice{}", lies(Some(*within)))
            }
            NoLimit::BoundTooLow { bound: None, within } => {
                write!(f, "the ramp's bound did not suffice{}", lies(Some(*within)))
            }
            NoLimit::Flaky { up_to } => {
                write!(f, "up to c={up_to} tasks failed now and then, at no level more often than below it")
            }
            NoLimit::RunEnded { in_flight, within } => {
                write!(
                    f,
                    "the run ended during the ramp, {} in flight{}",
                    count(*in_flight, "task"),
                    lies(*within)
                )
            }
            NoLimit::RunEndedBefore => f.write_str("the run ended before the ramp"),
            NoLimit::NoLevel => f.write_str("no level came to its end"),
            NoLimit::Text(text) => f.write_str(text),
        }
    }
}

fn lies(within: Option<LimitWithin>) -> String {
    match within {
        None => String::new(),
        Some(LimitWithin { held: Some(held), broke }) => {
            format!("; it lies at c={held} or above it, below c={broke}")
        }
        Some(LimitWithin { held: None, broke }) => format!("; it lies below c={broke}"),
    }
}
