//! What is going on: the phase, how far it has come, and what is waited for. Pure.

use super::board::{Board, GrowthNow};
use super::screen::{Progress, Wait};
use crate::analysis::{Answer, Growth, LOOKS, LeakTasks, WORKER, soak as soaked};
use crate::plan::Plan;
use crate::readings::Per;
use crate::record::{Criterion, Event, EventRecord, Moment, Phase, RunData, TaskRecord, Verdict};
use crate::report::sparkline;
use crate::units::span;
use crate::words::sentence_case;

/// The opinion so far costs a look at all readings: with more of them it is given block by block, in lines.
const READINGS: usize = 400;

/// Updates the board with an event and the criteria that it decided.
pub(super) fn take(board: &mut Board, record: &EventRecord, criteria: &[Criterion]) {
    match &record.event {
        Event::RunStarted { title, .. } => board.title.clone_from(title),
        Event::PhaseStarted { phase, .. } => board.phase = Some(*phase),
        Event::PhaseEnded { .. } => (board.phase, board.level) = (None, None),
        Event::TaskStarted { .. } => board.sent(),
        Event::LevelStarted { concurrency, .. } => (board.level, board.outstanding) = (Some(*concurrency), 0),
        Event::LevelEnded(end) if end.broke.is_none() => {
            board.held = board.held.max(Some(end.concurrency));
        }
        Event::Warning { message } => {
            board.warnings += 1;
            board.last_warning = Some(message.to_string());
        }
        Event::RunEnded | Event::RunInterrupted { .. } => board.ended = true,
        _ => {}
    }
    for found in criteria {
        match board.criteria.iter_mut().find(|known| known.name == found.name) {
            Some(known) => *known = found.clone(),
            None => board.criteria.push(found.clone()),
        }
    }
}

/// Takes growth so far into the board, after the events that change it.
pub(super) fn judge(board: &mut Board, event: &Event, run: &RunData, plan: &Plan) {
    let found = match event {
        Event::TaskStarted { .. } if board.phase == Some(Phase::Leak) => {
            growth(run).and_then(|found| of_leak(&found))
        }
        Event::BlockEnded(_) => of_leak(&LeakTasks::of(run).growth(LOOKS)),
        Event::SoakRound(_) => soaked(run, plan).and_then(|soak| {
            Some(GrowthNow {
                role: WORKER.to_string(),
                per: Per::Hour,
                rate_mb: soak.mb_per_hour?,
                interval_mb: soak.mb_per_hour_low.zip(soak.mb_per_hour_high),
                answer: match soak.verdict {
                    Verdict::Pass => Answer::Clean,
                    Verdict::Inconclusive => Answer::Inconclusive,
                    Verdict::Fail => Answer::Leak,
                },
            })
        }),
        _ => None,
    };
    if let Some(found) = found {
        board.growth = vec![found];
    }
}

fn of_leak(growth: &Growth) -> Option<GrowthNow> {
    Some(GrowthNow {
        role: WORKER.to_string(),
        per: Per::Task,
        rate_mb: growth.rate_mb_per_task?,
        interval_mb: growth.low.zip(growth.high),
        answer: growth.answer,
    })
}

/// The verdict on growth as it would be now, where it does not cost too much.
fn growth(run: &RunData) -> Option<Growth> {
    (leak_tasks(run).count() <= READINGS).then(|| LeakTasks::of(run).growth(LOOKS))
}

/// What is shown after an event that `run` already holds.
pub(super) fn after_event(event: &Event, run: &RunData, plan: &Plan) -> Progress {
    let shows = |message: String, wait| Progress::Tasks { done: 0, total: None, message, wait };
    let waits = |message: String, wait| shows(message, Some(wait));
    let quiet = Wait { at_most_s: None, for_memory: true };
    match event {
        Event::TaskStarted { .. } => match phase(run) {
            Some((Phase::Leak, since, planned)) => {
                leak(run, plan, since, planned, ("a task is running", None))
            }
            Some((Phase::Concurrency, ..)) => ramp(run, plan),
            Some((Phase::Soak, since, _)) => soak(run, plan, since),
            None => Progress::Keep,
        },
        Event::TaskAnswered { .. } => match phase(run) {
            Some((Phase::Leak, since, planned)) => {
                leak(run, plan, since, planned, ("waiting for quiet memory", Some(quiet)))
            }
            _ => Progress::Keep,
        },
        Event::BlockStarted { tasks, .. } => {
            let done = leak_tasks(run).count() as u64 + run.in_blocks.tasks;
            let message = format!("leak check, a block of {tasks} tasks");
            Progress::Tasks { done, total: None, message, wait: None }
        }
        Event::PhaseStarted { phase: Phase::Soak, .. } => {
            waits("soak: waiting for quiet memory".to_string(), quiet)
        }
        Event::LevelStarted { concurrency, attempt, .. } => {
            let level = level_name(*concurrency, attempt.unwrap_or(1), plan);
            waits(format!("{level}: waiting for idle workers and quiet memory"), quiet)
        }
        Event::LevelEnded(end) => {
            let ended = if end.broke.is_some() { "broke" } else { "held" };
            shows(format!("level {} {ended}", end.concurrency), None)
        }
        Event::Recovering { at_most_s, .. } => {
            let wait = Wait { at_most_s: Some(*at_most_s), for_memory: false };
            waits(format!("{}waiting for the service to recover", broken(run)), wait)
        }
        Event::ProbeStep { condition, .. } => {
            shows(format!("probe `{condition}`: {} steps done", steps(run, event)), None)
        }
        Event::PhaseEnded { .. } | Event::RunEnded | Event::RunInterrupted { .. } => Progress::Clear,
        _ => Progress::Keep,
    }
}

/// The phase that is going on: since when, in seconds, and how many tasks it was to send.
fn phase(run: &RunData) -> Option<(Phase, f64, Option<u32>)> {
    run.events.iter().rev().find_map(|record| match record.event {
        Event::PhaseStarted { phase, tasks } => Some((phase, record.elapsed, tasks)),
        _ => None,
    })
}

fn leak_tasks(run: &RunData) -> impl Iterator<Item = &TaskRecord> {
    run.tasks.iter().filter(|task| task.phase == Some(Phase::Leak) && task.condition.is_none())
}

fn now(run: &RunData) -> f64 {
    run.events.last().map_or(0.0, |record| record.elapsed)
}

fn leak(
    run: &RunData,
    plan: &Plan,
    since: f64,
    planned: Option<u32>,
    (what, wait): (&str, Option<Wait>),
) -> Progress {
    let done = leak_tasks(run).count() as u64 + run.in_blocks.tasks;
    let planned = u64::from(planned.unwrap_or_default());
    let passed = (now(run) - since).max(0.0);
    let (total, progress) = if done < planned {
        let left = match done {
            0 => String::new(),
            done => format!(", about {} left", span(passed / done as f64 * (planned - done) as f64)),
        };
        (Some(planned), format!("leak check{left}: {what}"))
    } else {
        // The repeats were not enough to decide: it goes on until they are, or until a bound.
        let left = span((plan.leak.max_s - passed).max(0.0));
        (None, format!("leak check, {done} tasks, undecided, time for {left} more: {what}"))
    };
    let lines = std::iter::once(progress).chain(memory(run, plan));
    Progress::Tasks { done, total, message: lines.collect::<Vec<_>>().join("\n"), wait }
}

/// Memory after each task as a line, with the bound that it must return to.
fn memory(run: &RunData, plan: &Plan) -> Option<String> {
    let after: Vec<f64> = leak_tasks(run).filter_map(|task| task.worker_rss_after_mb).collect();
    let (first, last) = (after.first()?, after.last()?);
    let baseline = run.events.iter().rev().find_map(|record| match record.event {
        Event::Memory { moment: Moment::Baseline, worker_rss_mb } => worker_rss_mb,
        _ => None,
    });
    let bound = baseline.map_or(String::new(), |baseline| {
        format!("  (baseline {baseline:.0}, at most {:.0} MB)", baseline + plan.leak.baseline_tolerance_mb)
    });
    Some(format!("memory {} {first:.0} to {last:.0} MB{bound}", sparkline(&after, 32)))
}

/// The events since the present level began.
fn of_level(run: &RunData) -> &[EventRecord] {
    let began = run.events.iter().rposition(|record| matches!(record.event, Event::LevelStarted { .. }));
    &run.events[began.unwrap_or(0)..]
}

fn level_name(concurrency: u32, attempt: u32, plan: &Plan) -> String {
    let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
    format!("level {concurrency} of {}{again}", plan.ramp.max)
}

fn ramp(run: &RunData, plan: &Plan) -> Progress {
    let level = of_level(run);
    let Some(Event::LevelStarted { concurrency, attempt, .. }) = level.first().map(|record| &record.event)
    else {
        return Progress::Keep;
    };
    let (sent, answered) = run.ramp.levels.last().map_or((0, 0), |tasks| (tasks.sent, tasks.answered));
    let name = level_name(*concurrency, attempt.unwrap_or(1), plan);
    let message = format!("{name}: {} outstanding, {answered} done", sent.saturating_sub(answered));
    Progress::Tasks { done: answered, total: None, message, wait: None }
}

fn soak(run: &RunData, plan: &Plan, since: f64) -> Progress {
    let done = run.soaked.tasks;
    let passed = now(run) - since;
    let message = match plan.soak.tasks {
        0 => {
            let left = span((plan.soak.for_s - passed).max(0.0));
            format!("soak, {passed:.0} of {:.0} s, {left} left: {done} tasks done", plan.soak.for_s)
        }
        tasks => format!("soak, {done} of {tasks} tasks"),
    };
    Progress::Tasks { done, total: None, message, wait: None }
}

/// `Level 6 broke; `, after a level that did.
fn broken(run: &RunData) -> String {
    let broke = run.events.iter().rev().find_map(|record| match &record.event {
        Event::LevelEnded(end) if end.broke.is_some() => Some(end.concurrency),
        _ => None,
    });
    broke.map_or(String::new(), |level| sentence_case(&format!("level {level} broke; ")))
}

fn steps(run: &RunData, event: &Event) -> usize {
    let Event::ProbeStep { condition: wanted, .. } = event else { return 0 };
    let same = |record: &&EventRecord| matches!(&record.event, Event::ProbeStep { condition, .. } if condition == wanted);
    run.events.iter().filter(same).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{LevelEnd, TaskStatus};

    fn run(events: Vec<(f64, Event)>, tasks: Vec<TaskRecord>) -> RunData {
        let mut run = RunData::default();
        for (elapsed, event) in events {
            run.note(EventRecord { time: String::new(), elapsed, event });
        }
        tasks.into_iter().for_each(|task| run.take(task));
        run
    }

    fn message(run: &RunData, plan: &Plan) -> String {
        match after_event(&run.events.last().unwrap().event, run, plan) {
            Progress::Tasks { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    fn started(test_id: &str) -> Event {
        Event::TaskStarted { test_id: test_id.to_string() }
    }

    fn task(after: f64) -> TaskRecord {
        let task = TaskRecord::new("a", 1, TaskStatus::Success);
        TaskRecord { phase: Some(Phase::Leak), worker_rss_after_mb: Some(after), ..task }
    }

    #[test]
    fn a_leak_check_says_how_long_it_takes_and_why_it_goes_on() {
        let plan = Plan::default();
        let phase = Event::PhaseStarted { phase: Phase::Leak, tasks: Some(4) };
        let two = run(vec![(10.0, phase.clone()), (30.0, started("x"))], vec![task(100.0), task(110.0)]);
        let shown = message(&two, &plan);
        assert!(shown.starts_with("leak check, about 20 s left: a task is running\n"), "{shown}");
        assert!(shown.contains("memory ▁█ 100 to 110 MB"), "{shown}");
        let more = run(vec![(10.0, phase), (30.0, started("x"))], (0..5).map(|_| task(100.0)).collect());
        let shown = message(&more, &plan);
        assert!(shown.contains("5 tasks, undecided, time for"), "{shown}");
    }

    #[test]
    fn a_ramp_says_its_level_and_a_soak_its_time() {
        let mut plan = Plan::default();
        plan.ramp.max = 10;
        let ramp = Event::PhaseStarted { phase: Phase::Concurrency, tasks: None };
        let level = Event::LevelStarted { concurrency: 7, attempt: Some(2), why: None };
        let waits = run(vec![(0.0, ramp.clone()), (1.0, level.clone())], Vec::new());
        assert_eq!(
            message(&waits, &plan),
            "level 7 of 10, attempt 2: waiting for idle workers and quiet memory"
        );
        let busy = run(vec![(0.0, ramp), (1.0, level), (2.0, started("a")), (2.0, started("b"))], Vec::new());
        assert_eq!(message(&busy, &plan), "level 7 of 10, attempt 2: 2 outstanding, 0 done");
        plan.soak.for_s = 40.0;
        let soak = Event::PhaseStarted { phase: Phase::Soak, tasks: None };
        let held = run(vec![(5.0, soak), (17.0, started("a"))], Vec::new());
        assert_eq!(message(&held, &plan), "soak, 12 of 40 s, 28 s left: 0 tasks done");
    }

    #[test]
    fn a_wait_says_what_for() {
        let broke = crate::record::Clause {
            clause: crate::record::ClauseKind::Health,
            detail: "gone".to_string(),
            pids: Vec::new(),
            at_s: None,
        };
        let end = LevelEnd { concurrency: 6, broke: Some(broke), ..LevelEnd::default() };
        let problem = crate::record::RecoveryProblem::NoTime;
        let events = vec![
            (0.0, Event::LevelEnded(Box::new(end))),
            (1.0, Event::Recovering { problem, at_most_s: 60.0 }),
        ];
        let shown = message(&run(events, Vec::new()), &Plan::default());
        assert_eq!(shown, "Level 6 broke; waiting for the service to recover");
    }
}
