//! The clauses of "a level holds", one function each.

use super::facts::{LevelFacts, ProcessEnd};
use super::level_found::LevelFound;
use super::stats::{percentile_of, wilson};
use crate::plan::{Figure, RampPlan};
use crate::record::{
    Clause, ClauseAnswer, ClauseKind, ClauseState, ExitKind, Footprint, GeneratorLoad, Times,
};

/// A clause that was asked.
pub(super) struct Answer {
    pub(super) state: ClauseState,
    pub(super) broke: Option<Clause>,
}

/// All of memory's work standing still for this share of a level is thrashing, in percent.
const THRASHING_PERCENT: f64 = 10.0;

/// The longest single delay may be so many times the bound of the 95th percentile.
const WORST_LAG: f64 = 4.0;

/// highwater may be late by this share of the time of a task.
const LAG_SHARE: f64 = 0.1;

/// Waiting for a CPU for this share of a level is want of CPU, in percent.
const WAITING_PERCENT: f64 = 50.0;

/// All clauses, causes first.
pub(super) fn all(facts: &LevelFacts<'_>, plan: &RampPlan) -> Vec<Answer> {
    let mut answers = Vec::new();
    if facts.given_up {
        answers.push(broken(ClauseKind::Completed, &LevelFound::GivenUp));
    }
    // It says more than that a process died.
    answers.push(oom(facts, plan));
    answers.push(processes(facts, plan));
    answers.push(tasks(facts, plan));
    answers.push(health(facts, plan));
    answers.push(service_log(facts, plan));
    answers.push(peak_memory(facts, plan));
    answers.extend(rtf(facts, plan));
    answers.push(latency(facts, plan));
    answers.extend(back(facts, plan));
    answers
}

/// Why the figures of a level are not to be believed, if so.
///
/// Late is judged by what it spoils: a delay of the event loop lengthens each
/// measured time by as much. So the 95th percentile of the delays must stay below
/// `ramp.max_lag_s`, or a tenth of the median task if that is longer, and the
/// longest below four times that. What short tasks take is spoilt by delays that
/// are shorter: where they are more than a tenth of a task, it is enough that
/// highwater spent half of the level waiting for a CPU. CPU pressure is no criterion:
/// a service that uses all CPUs makes it, and that is what a ramp is for.
pub(super) fn starved(facts: &LevelFacts<'_>, plan: &RampPlan) -> Option<String> {
    let mut reasons: Vec<LevelFound> = own_limit(facts).into_iter().collect();
    let Some(own) = facts.own else { return reasons.pop().map(|reason| reason.to_string()) };
    let task_s = percentile_of(&facts.tasks.all_seconds(), 50.0).unwrap_or(0.0);
    let bound = plan.max_lag_s.max(LAG_SHARE * task_s);
    if plan.max_lag_s > 0.0 {
        if let Some(lag_s) = own.lag_p95_s.filter(|lag| *lag > bound) {
            reasons.push(LevelFound::Late { lag_s, bound_s: bound });
        } else if let Some(lag_s) = own.lag_max_s.filter(|lag| *lag > WORST_LAG * bound) {
            reasons.push(LevelFound::LateOnce { lag_s, bound_s: WORST_LAG * bound });
        } else if let Some(percent) = own.cpu_wait_percent.filter(|share| *share > WAITING_PERCENT)
            && let Some(lag_s) = own.lag_p95_s.filter(|lag| *lag > LAG_SHARE * task_s)
        {
            reasons.push(LevelFound::Waited { percent, lag_s, task_s });
        }
    }
    if let Some(percent) = own.memory_pressure_percent.filter(|share| *share > THRASHING_PERCENT) {
        reasons.push(LevelFound::Thrashing { percent });
    }
    let reasons: Vec<String> = reasons.iter().map(LevelFound::to_string).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Tasks that failed for want of something on highwater's own machine say nothing of the service.
fn own_limit(facts: &LevelFacts<'_>) -> Option<LevelFound> {
    let failed = facts.tasks.failed_here as usize;
    let error = facts.tasks.failed_here_error.clone();
    (failed > 0).then_some(LevelFound::FailedHere { failed, all: facts.sent, error })
}

fn processes(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let replaced = facts
        .replacements
        .iter()
        .map(|(role, pid, _)| LevelFound::Replaced { role: role.to_string(), pid: *pid });
    let all: Vec<LevelFound> = facts.exits.iter().map(ended).chain(replaced).collect();
    if all.is_empty() {
        return held(plan.stable.processes, ClauseKind::WorkerAlive, "all alive".to_string());
    }
    let times = facts.exits.iter().map(|end| end.at_s).chain(facts.replacements.iter().map(|found| found.2));
    Answer::of(plan.stable.processes, ClauseKind::WorkerAlive, LevelFound::Changes(all).to_string(), true)
        .at(earliest(times))
        .about(facts.exits.iter().map(|end| end.pid).collect())
}

/// A kill for want of memory is told from another SIGKILL only where the kernel's count says so.
fn oom(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let on = plan.stable.oom;
    let killed: Vec<&ProcessEnd> =
        facts.exits.iter().filter(|end| end.how == ExitKind::OutOfMemory).collect();
    if !killed.is_empty() {
        let what: Vec<LevelFound> = killed.iter().map(|end| ended(end)).collect();
        return Answer::of(on, ClauseKind::Oom, LevelFound::Kills(what).to_string(), true)
            .at(earliest(killed.iter().map(|end| end.at_s)))
            .about(killed.iter().map(|end| end.pid).collect());
    }
    if facts.exits.iter().any(|end| end.how == ExitKind::Signal(9)) {
        return Answer::not_read(on, ClauseKind::Oom, &LevelFound::KilledBySomebody.to_string());
    }
    held(on, ClauseKind::Oom, LevelFound::NoneKilled.to_string())
}

fn ended(end: &ProcessEnd) -> LevelFound {
    LevelFound::Ended { role: end.role.to_string(), pid: end.pid, how: end.how }
}

/// What the program that made the load says of its requests.
fn requests(load: &GeneratorLoad, wanted: f64, at: Option<f64>) -> Answer {
    let (kind, on) = (ClauseKind::TasksSucceed, wanted > 0.0);
    let (all, failed) = load.tasks();
    let good = all - failed;
    let broke = |what: LevelFound| Answer::of(on, kind, what.to_string(), true).at(at);
    match (&load.problem, load.requests) {
        // A generator fails by its own thresholds, too, which say more than a share.
        (Some(problem), _) => broke(LevelFound::GeneratorFailed(problem.clone())),
        (None, Some(0)) => broke(LevelFound::NoRequests),
        (None, None) => held(on, kind, LevelFound::GeneratorEnded.to_string()),
        (None, Some(_)) if f64::from(good) < wanted * f64::from(all) => {
            broke(LevelFound::RequestsFailed { failed, all })
        }
        (None, Some(_)) => held(on, kind, format!("{good} of {all}")),
    }
}

fn tasks(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let kind = ClauseKind::TasksSucceed;
    let wanted = plan.stable.min_success;
    if let Some(load) = facts.generator {
        return requests(load, wanted, facts.load_s);
    }
    let good = u32::try_from(facts.tasks.succeeded).unwrap_or(u32::MAX);
    let (all, on) = (facts.sent, wanted > 0.0);
    let failed = facts.tasks.failures() as usize;
    let first = facts.tasks.first_failed.as_ref();
    let first_at = first.and_then(|first| first.0);
    let what = match first {
        Some((_, error)) => LevelFound::TasksFailed { failed, all, error: error.clone() },
        None if good < all => LevelFound::Unrecorded { missing: all - good, all },
        None => return held(on, kind, format!("{good} of {all}")),
    };
    let (low, high) = wilson(good, all);
    if wanted < 1.0 {
        let figure = LevelFound::Share { good, all, low, high };
        if high >= wanted {
            return held(on, kind, figure.to_string());
        }
        let what = format!("{what}; {figure} is below {:.0} %", 100.0 * wanted);
        return Answer::of(on, kind, what, true).at(first_at);
    }
    Answer::of(on, kind, what.to_string(), true).at(first_at)
}

fn health(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let (on, kind) = (plan.stable.health, ClauseKind::Health);
    match &facts.health {
        None => Answer::not_read(on, kind, "not asked"),
        Some(Ok(())) => held(on, kind, "well".to_string()),
        Some(Err(problem)) => {
            Answer::of(on, kind, LevelFound::Unhealthy(problem.to_string()).to_string(), true)
                .at(facts.load_s)
        }
    }
}

fn service_log(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let (on, kind) = (!plan.stable.log.is_empty(), ClauseKind::ServiceLog);
    match &facts.log {
        None => Answer::not_read(on, kind, "not read"),
        Some((0, _)) => held(on, kind, "no error".to_string()),
        Some((lines, first)) => {
            let found = LevelFound::LogErrors { lines: *lines, first: first.clone().unwrap_or_default() };
            Answer::of(on, kind, found.to_string(), true).at(facts.load_s)
        }
    }
}

fn peak_memory(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let cap = plan.stable.max_peak_mb;
    bounded(ClauseKind::PeakMemory, "peak memory", facts.memory.peak_mb, cap, "MB", 0).at(facts.load_s)
}

/// Nothing is said of RTF where there is no audio.
fn rtf(facts: &LevelFacts<'_>, plan: &RampPlan) -> Option<Answer> {
    let (value, name) = figure(&facts.tasks.rtf, plan.stable.rtf_of)?;
    let over = value >= plan.max_rtf;
    let sign = if over { "≥" } else { "<" };
    let what = format!("RTF {name}{value:.3} {sign} {:?}", plan.max_rtf);
    let at = facts.tasks.rtf_over.reached(plan.max_rtf);
    Some(Answer::of(plan.stop_at_rtf, ClauseKind::Rtf, what, over).at(at))
}

fn latency(facts: &LevelFacts<'_>, plan: &RampPlan) -> Answer {
    let bound = plan.stable.max_latency_s;
    let found = figure(&facts.tasks.waits, plan.stable.latency_of);
    // A generator tells percentiles, and not the longest.
    let told = facts.generator.and_then(|load| load.p95_s).filter(|_| plan.stable.latency_of == Figure::P95);
    let found = found.or(told.map(|seconds| (seconds, "p95 ")));
    let at = facts.tasks.wait_over.reached(bound).filter(|_| bound > 0.0);
    let name = found.map_or("", |(_, name)| name);
    let label = format!("latency {}", name.trim_end());
    bounded(ClauseKind::Latency, label.trim_end(), found.map(|found| found.0), bound, "s", 2).at(at)
}

/// What a level should leave behind as it found it.
fn back(facts: &LevelFacts<'_>, plan: &RampPlan) -> [Answer; 3] {
    let stable = &plan.stable;
    let kept = |of: fn(&Footprint) -> Option<f64>| {
        let before = facts.memory.before.as_ref().and_then(of)?;
        Some(facts.memory.after.as_ref().and_then(of)? - before)
    };
    // Private memory, where it was read: RSS of a tree counts shared pages again and again.
    let both = facts.memory.before.as_ref().zip(facts.memory.after.as_ref());
    let memory = both
        .and_then(|(before, after)| Footprint::private_of_both(before, after))
        .map(|(before, after)| after - before)
        .or_else(|| facts.memory.before_mb.zip(facts.memory.after_mb).map(|(before, after)| after - before));
    let fds = kept(|print| print.fds.map(|count| count as f64));
    let threads = kept(|print| print.threads.map(|count| count as f64));
    let (most_fds, most_threads) = (f64::from(stable.max_kept_fds), f64::from(stable.max_kept_threads));
    [
        kept_at_most(ClauseKind::MemoryBack, memory, stable.max_kept_mb, "MB", 1).at(facts.load_s),
        kept_at_most(ClauseKind::FdsBack, fds, most_fds, "descriptors", 0).at(facts.load_s),
        kept_at_most(ClauseKind::ThreadsBack, threads, most_threads, "threads", 0).at(facts.load_s),
    ]
}

fn kept_at_most(clause: ClauseKind, kept: Option<f64>, most: f64, unit: &str, digits: usize) -> Answer {
    let on = most > 0.0;
    let Some(kept) = kept else { return Answer::not_read(on, clause, "not read") };
    let over = kept > most;
    let what = match (on, over) {
        (true, true) => format!("kept {kept:+.digits$} {unit} > {most:.digits$}"),
        (true, false) => format!("kept {kept:+.digits$} {unit} ≤ {most:.digits$}"),
        _ => format!("{kept:+.digits$} {unit}"),
    };
    Answer::of(on, clause, what, over)
}

/// A figure that must stay below `bound`; 0 for no bound.
fn bounded(
    clause: ClauseKind,
    name: &str,
    value: Option<f64>,
    bound: f64,
    unit: &str,
    digits: usize,
) -> Answer {
    let on = bound > 0.0;
    let Some(value) = value else { return Answer::not_read(on, clause, "not read") };
    let what = match (on, value >= bound) {
        (true, true) => format!("{name} {value:.digits$} {unit} ≥ {bound:.digits$} {unit}"),
        (true, false) => format!("{name} {value:.digits$} {unit} < {bound:.digits$} {unit}"),
        _ => format!("{name} {value:.digits$} {unit}"),
    };
    Answer::of(on, clause, what, value >= bound)
}

/// The figure that counts, and what it is called in front of the number.
fn figure(times: &Times, of: Figure) -> Option<(f64, &'static str)> {
    match of {
        Figure::Max => times.ends().map(|(_, most)| (most, "")),
        Figure::P95 => percentile_of(times, 95.0).map(|value| (value, "p95 ")),
    }
}

fn earliest(times: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    times.flatten().min_by(f64::total_cmp)
}

fn held(on: bool, clause: ClauseKind, figure: String) -> Answer {
    Answer::of(on, clause, figure, false)
}

fn broken(clause: ClauseKind, found: &LevelFound) -> Answer {
    Answer::of(true, clause, found.to_string(), true)
}

impl Answer {
    fn of(on: bool, clause: ClauseKind, detail: String, over: bool) -> Answer {
        let answer = match (on, over) {
            (false, _) => ClauseAnswer::Off,
            (true, true) => ClauseAnswer::Broke,
            (true, false) => ClauseAnswer::Held,
        };
        let broke =
            (on && over).then(|| Clause { clause, detail: detail.clone(), pids: Vec::new(), at_s: None });
        Answer { state: ClauseState { clause, answer, figure: detail }, broke }
    }

    fn not_read(on: bool, clause: ClauseKind, why: &str) -> Answer {
        let answer = if on { ClauseAnswer::NotRead } else { ClauseAnswer::Off };
        Answer { state: ClauseState { clause, answer, figure: why.to_string() }, broke: None }
    }

    fn at(mut self, at_s: Option<f64>) -> Answer {
        if let Some(clause) = &mut self.broke {
            clause.at_s = at_s;
        }
        self
    }

    fn about(mut self, pids: Vec<u32>) -> Answer {
        if let Some(clause) = &mut self.broke {
            clause.pids = pids;
        }
        self
    }
}

#[cfg(test)]
#[path = "clauses_tests.rs"]
mod tests;
