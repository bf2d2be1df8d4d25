//! What is asked, and what was found.

use std::cmp::Ordering;
use std::fmt;

use super::numbers::{count, figure, mb, signed_mb};
use super::reasons::NO_REASON;
use crate::analysis::{
    BaselineStanding, CountEvidence, CountStanding, DeltaEvidence, Evidence, Finding, GpuFound,
    ProbeEvidence, ProbeFound, Rate, RtfStanding, SamplingFound, SoakRates, Succeeded, Unit, Watched,
    WorkerChange,
};
use crate::record::{Condition, Criterion, CriterionId, ExitKind, Limit, Verdict};
use crate::units::few;

/// What is said of memory and counts that do not go on across a worker's end.
pub(crate) const WORKER_CHANGED: &str =
    "a worker process died or was replaced during the check: its memory cannot be compared across that";

/// A finding as the files and the reports have it.
pub(crate) fn criterion(found: &Finding) -> Criterion {
    Criterion {
        name: found.id.clone(),
        title: title(found),
        verdict: found.verdict,
        detail: detail(found),
        value: found.value,
        threshold: found.threshold,
        unit: found.unit.map(|unit| unit.to_string()),
    }
}

/// A criterion in one line: `PASS  memory delta of every long task: delta +1.2 MB < 200 MB`.
pub(crate) fn criterion_line(criterion: &Criterion) -> String {
    format!("{}  {}: {}", criterion.verdict.word(), criterion.title, criterion.detail)
}

fn title(found: &Finding) -> String {
    let title = match &found.id {
        CriterionId::LeakTasks => "every task of the leak check succeeds",
        CriterionId::LeakDelta => {
            let long = matches!(found.evidence, Evidence::Delta { long: true, .. });
            return format!("memory delta of every {}", task(long));
        }
        CriterionId::LeakBaseline => "memory returns to its baseline",
        CriterionId::LeakGrowth => "nothing accumulates over the repeats",
        CriterionId::LeakGrowthOf(role) => return format!("nothing accumulates in {role}"),
        CriterionId::LeakFds => "no file descriptors accumulate",
        CriterionId::LeakThreads => "no threads accumulate",
        CriterionId::LeakProcesses => "no processes accumulate, zombies neither",
        CriterionId::LeakGpu => "no GPU memory accumulates",
        CriterionId::WorkerWorks => "the worker that is watched does the work",
        CriterionId::WorkerAlive => "no worker crash",
        CriterionId::WorkerChildren => "no child of a worker is killed",
        CriterionId::SamplerComplete => "the sampler saw every role at every tick",
        CriterionId::CompareGrowth => "growth is no worse than the baseline's",
        CriterionId::Probe(condition) => return format!("nothing leaks {}", under(condition)),
        CriterionId::SoakTasks => "every task of the soak succeeds",
        CriterionId::SoakGrowth => "memory does not accumulate under load",
        CriterionId::SoakCap => "memory stays below its cap",
        CriterionId::RampRequired => {
            let required = found.threshold.unwrap_or_default();
            return format!("at least {required} concurrent tasks succeed");
        }
        CriterionId::RampGrowth => "memory does not accumulate over the levels",
        CriterionId::RampRtf => "RTF stays below its bound under load",
        CriterionId::RampUseful => {
            let required = found.threshold.unwrap_or_default();
            return format!("throughput rises up to {required} tasks at once");
        }
        CriterionId::Other(name) => name,
    };
    title.to_string()
}

fn under(condition: &Condition) -> &'static str {
    match condition {
        Condition::Repeat => "while one input is repeated",
        Condition::New => "while inputs are sent that were never sent before",
        Condition::Pause => "while nothing is sent",
        Condition::Alternate => "while short and long alternate",
        Condition::Parallel => "while tasks run at once",
        Condition::Error => "on the error path",
        Condition::Recovery | Condition::Other(_) => "under this condition",
    }
}

fn detail(found: &Finding) -> String {
    let mut detail = evidence(found);
    if found.without_success {
        detail = format!("no task succeeded, so this says nothing of its work: {detail}");
    }
    if found.without_log {
        detail = format!("the log of events is incomplete, so this may not be all that happened: {detail}");
    }
    match found.by_itself {
        Some(verdict) => {
            format!(
                "{detail}; by itself this would be {}, but it is no worse than the baseline",
                verdict.word()
            )
        }
        None => detail,
    }
}

fn evidence(found: &Finding) -> String {
    match &found.evidence {
        Evidence::Succeeded(tasks) => succeeded(tasks),
        Evidence::Delta { long, read } => delta(*long, read),
        Evidence::WorkerChanged => WORKER_CHANGED.to_string(),
        Evidence::NoRepeats => "no task was sent after warm-up".to_string(),
        Evidence::BaselineUnread => {
            "worker memory was not read both after warm-up and at the end".to_string()
        }
        Evidence::Baseline { end_mb, baseline_mb, tolerance_mb, standing } => {
            baseline(*end_mb, *baseline_mb, *tolerance_mb, standing)
        }
        Evidence::Growth { growth, gate_mb } => growth.detail(Some(*gate_mb)),
        Evidence::RoleGrowth(growth) => growth.detail(None),
        Evidence::RoleChanged => {
            "one of its processes ended or was replaced during the check: its memory cannot be \
            compared across that"
                .to_string()
        }
        Evidence::RoleUnread => "its memory was not read after every task".to_string(),
        Evidence::Gpu { role, found } => format!("{role}: {}", gpu(found)),
        Evidence::Children { killed, of } => children(killed, *of),
        Evidence::Counts { role: Some(role), counted } => format!("{role}: {}", counts(counted)),
        Evidence::Counts { role: None, counted } => counts(counted),
        Evidence::IdleWorker { tasks, seconds } => format!(
            "it used no CPU while {} of {seconds:.1} s in all succeeded: does another process do the work? \
             `highwater doctor` shows what is found, and why",
            count(*tasks, "task")
        ),
        Evidence::NoLog => {
            "the log of events is missing or incomplete, and nothing else tells of a worker's end".to_string()
        }
        Evidence::NotWatched => "no worker process was watched".to_string(),
        Evidence::Workers(changes) => workers(changes),
        Evidence::Sampling { ticks, missed, missed_in_a_row, found } => {
            sampling(*ticks, *missed, *missed_in_a_row, found)
        }
        Evidence::Probe(probe) => probe.to_string(),
        Evidence::Compared { change, reason } => format!("{}: {reason}", change.word()),
        Evidence::SoakGrowth { detail, rates } => format!("{detail}; {rates}"),
        Evidence::SoakCap { peak_mb, cap_mb, over_after_s } => match (peak_mb, over_after_s) {
            (None, _) => "the worker's memory was not read".to_string(),
            (Some(peak), None) => format!("peak {} ≤ {cap_mb} MB", mb(*peak)),
            (Some(peak), Some(after)) => {
                format!("peak {} > {cap_mb} MB, first in the round that ended after {after:.0} s", mb(*peak))
            }
        },
        Evidence::Required { limit, required } => required_of(limit, *required),
        Evidence::Useful { found: None, .. } => "the throughput of no level was measured".to_string(),
        Evidence::Useful { found: Some((at, throughput, held)), required } => match at.cmp(held) {
            _ if at >= required => format!("it rises up to c={at}: {} tasks/s", figure(*throughput, 2)),
            Ordering::Less => format!(
                "{at} at once is the most that helps: {} tasks/s, and no more up to c={held}",
                figure(*throughput, 2)
            ),
            _ => format!("{} tasks/s at c={at}, above which no level held", figure(*throughput, 2)),
        },
        Evidence::Rtf { worst, at, bound, required, standing } => match standing {
            RtfStanding::Over => format!("RTF {worst:.3} ≥ {bound:?} at c={at}"),
            RtfStanding::NotReached => format!("RTF {worst:.3} at c={at}, c={required} was not reached"),
            RtfStanding::Within { beyond: None } => format!("RTF {worst:.3} < {bound:?} up to c={required}"),
            RtfStanding::Within { beyond: Some((level, rtf)) } => format!(
                "RTF {worst:.3} < {bound:?} up to c={required}; above the required level RTF reaches {rtf:.3} at \
                 c={level}"
            ),
        },
    }
}

fn gpu(found: &GpuFound) -> String {
    match found {
        GpuFound::Changed => {
            "one of its processes ended or was replaced during the check: its GPU memory cannot be \
            compared across that"
                .to_string()
        }
        GpuFound::Unread { unread, of } => {
            format!("the driver gave no figure after {unread} of {}", count(*of, "reading"))
        }
        GpuFound::Read(growth) => growth.detail(None),
    }
}

fn succeeded(tasks: &Succeeded) -> String {
    let Succeeded { succeeded, all, first_failure } = tasks;
    match first_failure {
        None if *all == 0 => "no task was recorded".to_string(),
        None => format!("{succeeded}/{all} tasks succeeded"),
        Some(error) => {
            let error = error.as_deref().unwrap_or(NO_REASON);
            format!("{succeeded}/{all} tasks succeeded; first failure: {error}")
        }
    }
}

fn task(long: bool) -> &'static str {
    if long { "long task" } else { "task" }
}

fn delta(long: bool, read: &DeltaEvidence) -> String {
    let task = task(long);
    match read {
        DeltaEvidence::Unread => format!("worker memory was not read around any {task}"),
        DeltaEvidence::Over { largest_mb, limit_mb, severe_mb, over, of, worst } => {
            let severe = severe_mb.map_or(String::new(), |bound| format!(", SEVERE (> {bound} MB)"));
            format!(
                "delta {} ≥ {limit_mb} MB{severe}; {over} of {} kept {limit_mb} MB or more, worst {worst}",
                signed_mb(*largest_mb),
                count(*of, task)
            )
        }
        DeltaEvidence::TimedOut { test_id } => {
            format!("{test_id} had no result in time, so what it retained is not known")
        }
        DeltaEvidence::PartlyUnread { unread, of } => {
            format!("worker memory was not read around {unread} of {}", count(*of, task))
        }
        DeltaEvidence::Within { largest_mb, limit_mb, of } => {
            format!("delta {} < {limit_mb} MB (largest of {})", signed_mb(*largest_mb), count(*of, task))
        }
    }
}

fn baseline(end_mb: f64, baseline_mb: f64, tolerance_mb: f64, standing: &BaselineStanding) -> String {
    let figures = format!(
        "{} at the end, {} from the baseline {}",
        mb(end_mb),
        signed_mb(end_mb - baseline_mb),
        mb(baseline_mb)
    );
    let tolerance = format!("(tolerance {tolerance_mb} MB)");
    match standing {
        BaselineStanding::Within => format!("{figures} {tolerance}"),
        BaselineStanding::Plateau(growth) => format!("{figures}: a new plateau, since {}", growth.reason),
        BaselineStanding::Open => format!("{figures} {tolerance}, and not yet clear whether it stops there"),
        BaselineStanding::Growing => format!("{figures} {tolerance}, and still growing"),
    }
}

fn counts(counted: &CountEvidence) -> String {
    match counted {
        CountEvidence::Nothing => "nothing was counted".to_string(),
        CountEvidence::WorkerChanged => {
            "a worker process died or was replaced, and counts do not go on across that".to_string()
        }
        CountEvidence::Unread { unread, of } => {
            format!("not counted after {unread} of {}", count(*of, "task"))
        }
        CountEvidence::TooFew { readings, least } => {
            format!("{} after warm-up, at least {least} are needed", count(*readings, "reading"))
        }
        CountEvidence::OverDoublings { first, last, tasks, growth, limit } => {
            counts_over_doublings([*first, *last], *tasks, *growth, *limit)
        }
        CountEvidence::Counted { first, last, tasks, growth, limit, standing } => {
            let figures =
                format!("{first} to {last} over {}, lowest of each half {growth:+}", count(*tasks, "task"));
            match standing {
                CountStanding::Within => format!("{figures} (at most +{limit})"),
                CountStanding::Growing => format!("{figures} (at most +{limit}), and still growing"),
                CountStanding::Filled(flat) => {
                    format!("{figures}, then flat over {}: something that fills", count(*flat, "task"))
                }
                CountStanding::Open => {
                    format!("{figures} (at most +{limit}), and not yet clear whether it stops there")
                }
            }
        }
    }
}

fn counts_over_doublings(
    [first, last]: [i64; 2],
    tasks: usize,
    growth: Option<(i64, CountStanding)>,
    limit: u32,
) -> String {
    let figures = format!("{first} to {last} over {}", count(tasks, "task"));
    match growth {
        None => format!("{figures}, and too few readings"),
        Some((_, CountStanding::Filled(_))) => {
            format!("{figures}, then flat over the later half: something that fills")
        }
        Some((growth, standing)) => {
            let tail = match standing {
                CountStanding::Growing => ", and still growing",
                CountStanding::Open => ", and not yet clear whether it stops there",
                CountStanding::Within | CountStanding::Filled(_) => "",
            };
            format!("{figures}, lowest lately {growth:+} (at most +{limit}){tail}")
        }
    }
}

fn children(killed: &[(u32, ExitKind)], of: usize) -> String {
    let told = |(pid, how): &(u32, ExitKind)| format!("pid {pid} {how}");
    match killed {
        [] => format!("none of {} was", count(of, "child process")),
        [one] => format!("a child of the worker ended by a signal: {}", told(one)),
        [first, .., last] => format!(
            "{} children of the worker ended by a signal; the first: {}; the last: {}",
            killed.len(),
            told(first),
            told(last)
        ),
    }
}

/// Ends and replacements of workers that are named one by one; of more, the first and the last.
const CHANGES_NAMED: usize = 20;

fn workers(changes: &[WorkerChange]) -> String {
    let restarts = changes.iter().filter(|change| matches!(change, WorkerChange::Replaced { .. })).count();
    let told: Vec<String> = changes
        .iter()
        .map(|change| match change {
            WorkerChange::Ended { pid, how } => format!("worker pid {pid} {how}"),
            WorkerChange::Replaced { pid } => format!("pid {pid} took its place"),
        })
        .collect();
    if let ([first, .., last], true) = (told.as_slice(), told.len() > CHANGES_NAMED) {
        return format!("{restarts} restarts; the first: {first}; the last: {last}");
    }
    match restarts {
        _ if told.is_empty() => "no worker process died or was replaced".to_string(),
        0 | 1 if told.len() <= 3 => told.join("; "),
        _ if told.len() <= 3 => format!("{restarts} restarts: {}", told.join("; ")),
        _ => format!(
            "{} and {}: {}",
            count(told.len() - restarts, "death"),
            count(restarts, "restart"),
            few(&told, "events")
        ),
    }
}

fn sampling(ticks: u64, missed: u64, in_a_row: u64, found: &SamplingFound) -> String {
    let all = ticks + missed;
    let missed = format!("the sampler missed {missed} of {all} ticks, {in_a_row} of them in a row");
    match found {
        SamplingFound::Unread(roles) => {
            let roles = roles.iter().map(|(name, role)| {
                format!(
                    "{name} was alive and could not be read at {} of {} ticks, {} of them in a row",
                    role.unread_ticks, role.alive_ticks, role.unread_in_a_row
                )
            });
            roles.collect::<Vec<_>>().join("; ")
        }
        SamplingFound::TooSlow => {
            format!("{missed}: reading the processes takes longer than `sampler.interval_s` allows")
        }
        SamplingFound::Starved => format!("{missed}: highwater was suspended or got no CPU"),
        SamplingFound::NothingAlive => format!("no process was alive at any of {all} ticks"),
        SamplingFound::Saw { roles } => format!("{ticks} of {all} ticks saw {}", roles.join(", ")),
    }
}

fn required_of(limit: &Limit, required: u32) -> String {
    match (limit, limit.held()) {
        (_, Some(held)) if held >= required => format!("c={held} held, at least {required} required"),
        (Limit::Found { max_stable, broke_at, .. }, _) if broke_at - max_stable > 1 || *max_stable == 0 => {
            format!("c={broke_at} failed, at least {required} required")
        }
        (Limit::Found { max_stable, .. }, _) => format!("maximum {max_stable}, at least {required} required"),
        (Limit::BoundReached { at_least, .. }, _) => {
            format!(
                "the ramp ended at its bound c={at_least}, below the required {required}: raise `ramp.max`"
            )
        }
        _ => format!("not determined, at least {required} required"),
    }
}

impl fmt::Display for ProbeEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let growth = |watched: Watched, rate: &Rate| probe_growth(watched, rate, &self.condition);
        match &self.found {
            ProbeFound::Leaks(leaks) => {
                let leaks: Vec<String> = leaks.iter().map(|(watched, rate)| growth(*watched, rate)).collect();
                write!(f, "LEAK: {}", leaks.join("; "))?;
            }
            ProbeFound::TooFew => {
                let steps = count(self.steps, "reading");
                return write!(f, "{steps}, at least 8 without a gap are needed");
            }
            ProbeFound::Clean(rate) if self.condition == Condition::Pause => {
                write!(f, "memory is flat or comes down: {}", growth(Watched::Memory, rate))?;
            }
            ProbeFound::Clean(rate) => f.write_str(&growth(Watched::Memory, rate))?,
            ProbeFound::Open(rate) => {
                write!(f, "{}; more steps (`leak.probe_steps`) would tell", growth(Watched::Memory, rate))?;
            }
        }
        write!(f, ", {}", count(self.steps, "reading"))
    }
}

fn probe_growth(watched: Watched, rate: &Rate, condition: &Condition) -> String {
    let unit = match watched {
        Watched::Memory => "MB",
        Watched::Shared => "MB of shared memory",
        Watched::Descriptors => "descriptors",
        Watched::Threads => "threads",
    };
    let per = if *condition == Condition::Pause { "second" } else { "task" };
    format!(
        "{:+.2} {unit} per {per} (98 % interval {} to {})",
        crate::units::round(rate.per_task, 2),
        figure(rate.low, 2),
        figure(rate.high, 2)
    )
}

/// `floors +0.520 MB per task, +380.0 MB per hour over rounds, 12.3 h until the cap`.
impl fmt::Display for SoakRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((task, hour)) = self.mb_per_task.zip(self.mb_per_hour) else {
            return f.write_str("too few rounds for a rate");
        };
        write!(f, "floors {task:+.3} MB per task, {hour:+.1} MB per hour over rounds")?;
        match self.hours_to_cap {
            Some(hours) => write!(f, ", {hours:.1} h until the cap"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Mb => "MB",
            Unit::MbPerTask => "MB per task",
            Unit::MbPerSecond => "MB per second",
            Unit::MbPerHour => "MB/h",
            Unit::Tasks => "tasks",
            Unit::CpuSeconds => "CPU-seconds",
            Unit::Descriptors => "descriptors",
            Unit::Threads => "threads",
            Unit::Processes => "processes",
            Unit::PercentOfTicks => "% of ticks missing",
        })
    }
}

/// Which criteria a verdict is owed to, in a sentence without its verdict.
pub(crate) fn summary(criteria: &[Criterion], interrupted: bool) -> String {
    let titles = |verdict: Verdict| -> Vec<&str> {
        criteria.iter().filter(|found| found.verdict == verdict).map(|found| found.title.as_str()).collect()
    };
    let all = criteria.len();
    let (failed, open) = (titles(Verdict::Fail), titles(Verdict::Inconclusive));
    match (failed.len(), open.len()) {
        _ if all == 0 => "nothing was measured that a criterion could be held against".to_string(),
        (0, 0) if interrupted => {
            format!(
                "{all} {} met by what was measured, but the run did not come to its end",
                if all == 1 { "criterion is" } else { "criteria are" }
            )
        }
        (0, 0) => format!("all {all} criteria are met"),
        (0, _) => format!("{} of {all} criteria undecided: {}", open.len(), open.join("; ")),
        (_, 0) => format!("{} of {all} criteria failed: {}", failed.len(), failed.join("; ")),
        _ => format!(
            "{} of {all} criteria failed: {}. Undecided ({}): {}",
            failed.len(),
            failed.join("; "),
            open.len(),
            open.join("; ")
        ),
    }
}
