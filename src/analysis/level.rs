//! Does a level hold? The question asked live after every level, and again
//! when a journal is judged.

use super::clauses;
use super::facts::LevelFacts;
use crate::plan::RampPlan;
use crate::record::{Clause, ClauseAnswer, ClauseState};

/// The judgement of one attempt at a level.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LevelVerdict {
    /// Every clause with its answer, in the order of causes.
    pub clauses: Vec<ClauseState>,
    /// The clause that broke first; absent if the level held.
    pub broke: Option<Clause>,
    /// Why nothing can be concluded, if so; then nothing broke.
    pub invalid: Option<String>,
}

/// An effect shows up to so many seconds before its cause is learned of.
const CAUSE_WINDOW_S: f64 = 1.0;

/// Judges one attempt at a level: the one function that does, live and afterwards.
///
/// The clause that broke is the one that did so first. Within a second of that
/// a cause goes before its consequences: a worker that died fails the tasks, and
/// failed tasks make an RTF meaningless.
///
/// Where highwater or the machine was starved, what broke may be the measurement:
/// the attempt is invalid, unless a process died, which no measurement does.
pub fn judge_level(facts: &LevelFacts<'_>, plan: &RampPlan) -> LevelVerdict {
    let answers = clauses::all(facts, plan);
    let broken: Vec<&Clause> = answers.iter().filter_map(|answer| answer.broke.as_ref()).collect();
    let when = |clause: &Clause| clause.at_s.unwrap_or(f64::INFINITY);
    let earliest = broken.iter().map(|clause| when(clause)).fold(f64::INFINITY, f64::min);
    // The order of the clauses is that of causes.
    let broke = broken
        .iter()
        .find(|clause| earliest.is_infinite() || when(clause) <= earliest + CAUSE_WINDOW_S)
        .map(|clause| (*clause).clone());
    let died = !facts.exits.is_empty();
    let invalid = clauses::starved(facts, plan).filter(|_| !died && !facts.given_up);
    let clauses = answers.into_iter().map(|answer| answer.state).collect();
    LevelVerdict { clauses, broke: broke.filter(|_| invalid.is_none()), invalid }
}

impl LevelVerdict {
    /// Clauses that are asked for and could not be answered.
    pub fn not_read(&self) -> impl Iterator<Item = &ClauseState> {
        self.clauses.iter().filter(|state| state.answer == ClauseAnswer::NotRead)
    }
}
