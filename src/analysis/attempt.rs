//! From the log of events to what is known of each attempt at a level.

use super::facts::{LevelFacts, ProcessEnd};
use crate::record::{Event, ExitKind, LevelEnd, RecoveryProblem, RunData};

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
    /// When it began.
    began_s: f64,
    /// When its first task was sent.
    first_sent_s: Option<f64>,
    /// True if the run went on in other files before it came to its end.
    over: bool,
}

impl<'a> Attempt<'a> {
    /// A whole attempt of which nothing but `facts` is known.
    pub(super) fn of(facts: LevelFacts<'a>) -> Attempt<'a> {
        Attempt { facts, complete: true, ..Attempt::default() }
    }

    fn at(&self, elapsed: f64) -> Option<f64> {
        let since = self.first_sent_s.filter(|first| *first <= elapsed).unwrap_or(self.began_s);
        Some((elapsed - since).max(0.0))
    }
}

/// All attempts of the ramp, in the order in which they were made.
pub fn attempts(run: &RunData) -> Vec<Attempt<'_>> {
    let mut attempts: Vec<Attempt<'_>> = Vec::new();
    for record in &run.events {
        let elapsed = record.elapsed;
        if let Event::LevelStarted { concurrency, attempt, .. } = record.event {
            let tasks = run.ramp.levels.get(attempts.len()).cloned().unwrap_or_default();
            let first_sent_s = tasks.first_sent_s;
            let facts = LevelFacts {
                concurrency,
                attempt: attempt.unwrap_or(1),
                sent: concurrency,
                tasks,
                ..LevelFacts::default()
            };
            attempts.push(Attempt { facts, began_s: elapsed, first_sent_s, ..Attempt::default() });
            continue;
        }
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
