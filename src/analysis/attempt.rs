//! From the log of events to what is known of each attempt at a level.

use std::collections::HashMap;

use super::facts::{LevelFacts, ProcessEnd};
use crate::record::{Event, ExitKind, LevelEnd, Phase, RecoveryProblem, RunData, TaskRecord};

/// One attempt at a level, as the log tells it.
#[derive(Debug, Clone, Default)]
pub struct Attempt<'a> {
    /// What is known of it.
    pub facts: LevelFacts<'a>,
    /// False if the run ended during it.
    pub complete: bool,
    /// What was wrong when the service was given time to recover; absent if nothing was.
    pub unrecovered: Option<RecoveryProblem>,
    /// True if that is no effect of load.
    pub outage: bool,
    /// When its first task was sent; when it began, as long as none was.
    first_sent: f64,
    sent_any: bool,
    /// True if the run went on in other files before it came to its end.
    over: bool,
}

impl<'a> Attempt<'a> {
    /// A whole attempt of which nothing but `facts` is known.
    pub(super) fn of(facts: LevelFacts<'a>) -> Attempt<'a> {
        Attempt { facts, complete: true, ..Attempt::default() }
    }

    fn at(&self, elapsed: f64) -> Option<f64> {
        Some((elapsed - self.first_sent).max(0.0))
    }
}

/// All attempts of the ramp, in the order in which they were made.
pub fn attempts(run: &RunData) -> Vec<Attempt<'_>> {
    // A task with a condition asked whether the service had recovered: it is no part of a level.
    let tasks: Vec<&TaskRecord> = run
        .tasks
        .iter()
        .filter(|task| task.phase == Some(Phase::Concurrency) && task.condition.is_none())
        .collect();
    let mut attempts: Vec<Attempt<'_>> = Vec::new();
    let mut answered: HashMap<&str, f64> = HashMap::new();
    // In which attempt a task was sent; without such an event, it says so itself.
    let mut sent_in: HashMap<&str, usize> = HashMap::new();
    for record in &run.events {
        let elapsed = record.elapsed;
        if let Event::LevelStarted { concurrency, attempt, .. } = record.event {
            let facts = LevelFacts {
                concurrency,
                attempt: attempt.unwrap_or(1),
                sent: concurrency,
                ..LevelFacts::default()
            };
            attempts.push(Attempt { facts, first_sent: elapsed, ..Attempt::default() });
            continue;
        }
        let index = attempts.len();
        let Some(last) = attempts.last_mut() else { continue };
        if let Event::Resumed { in_flight_broke, .. } = &record.event {
            last.facts.given_up = *in_flight_broke && !last.complete;
            last.over = true;
        }
        if let Event::Recovery { problem, outage, .. } = &record.event {
            last.unrecovered = problem.clone();
            last.outage = *outage;
        }
        if last.complete || last.over {
            continue;
        }
        match &record.event {
            Event::TaskStarted { test_id } => {
                sent_in.insert(test_id, index - 1);
                if !last.sent_any {
                    last.sent_any = true;
                    last.first_sent = elapsed;
                }
            }
            Event::TaskAnswered { test_id, .. } => {
                answered.insert(test_id, (elapsed - last.first_sent).max(0.0));
            }
            // A child comes and goes; one that was killed for want of memory did not go by itself.
            Event::ProcessExited { role, root, pid, how, .. } if *root || *how == ExitKind::OutOfMemory => {
                let at_s = last.at(elapsed);
                last.facts.exits.push(ProcessEnd { role: role.clone(), pid: *pid, how: *how, at_s });
            }
            Event::ProcessFound { role, root: true, pid, replacement: true, .. } => {
                let at_s = last.at(elapsed);
                last.facts.replacements.push((role.clone(), *pid, at_s));
            }
            Event::Health { problem } => {
                last.facts.health = Some(problem.clone().map_or(Ok(()), Err));
            }
            Event::ServiceLog { matches, first, problem: None } => {
                last.facts.log = Some((*matches, first.clone()));
            }
            Event::GeneratorEnded(load) => last.facts.generator = Some(load),
            Event::OwnLoad(own) => last.facts.own = Some(*own),
            Event::LevelEnded(end) => {
                last.end(end);
                last.complete = true;
            }
            _ => {}
        }
    }
    for task in tasks {
        let id = task.test_id.as_str();
        let attempt = sent_in.get(id).copied().or_else(|| {
            let own = (task.concurrency, task.attempt.unwrap_or(1));
            attempts.iter().position(|attempt| (attempt.facts.concurrency, attempt.facts.attempt) == own)
        });
        if let Some(attempt) = attempt.and_then(|index| attempts.get_mut(index)) {
            attempt.facts.tasks.push((task, answered.get(id).copied()));
        }
    }
    attempts
}

impl Attempt<'_> {
    /// Takes what only the end of a level tells.
    pub(crate) fn end(&mut self, end: &LevelEnd) {
        self.facts.memory = end.memory;
        self.facts.load_s = end.load_s;
        self.facts.full = end.full;
        self.facts.roles.clone_from(&end.roles);
        self.facts.sent = end.sent.unwrap_or(end.concurrency);
    }
}
