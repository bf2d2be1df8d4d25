//! Verdicts: what a run came to, with the figures that say so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::criterion_id::CriterionId;
use super::level::{Clause, Tally};
use super::reasons::{NoLimit, RampBound};

/// The answer to one question, or to all of them.
///
/// The order is that of severity, so that the worst of several is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The evidence says yes.
    Pass,
    /// The evidence does not suffice. Never a pass.
    Inconclusive,
    /// The evidence says no.
    Fail,
}

impl Verdict {
    /// The word for people: `PASS`, `INCONCLUSIVE`, `FAIL`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Fail => "FAIL",
        }
    }

    /// The exit code that stands for it: 0, 2, 1.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Fail => 1,
            Verdict::Inconclusive => 2,
        }
    }
}

/// One criterion with its verdict and figures.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Criterion {
    /// Stable name for machines: `leak.delta`.
    pub name: CriterionId,
    /// What is asked, for people.
    pub title: String,
    /// The answer.
    pub verdict: Verdict,
    /// The figures behind it, in one line.
    pub detail: String,
    /// The figure that was compared, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it was compared with, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Unit of `value` and `threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// How the ramp ended. The three endings are never worded alike.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Limit {
    /// A level broke: the one below it is the maximum stable concurrency.
    Found {
        /// The maximum stable concurrency; 0 if not even the first level held.
        max_stable: u32,
        /// The level that broke.
        broke_at: u32,
        /// What broke first.
        broke: Clause,
        /// How often the level below it held; absent in files of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Tally>,
        /// How often the level that broke did so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broken: Option<Tally>,
    },
    /// Every level up to the configured bound held: the limit is somewhere above.
    BoundReached {
        /// The highest level that held.
        at_least: u32,
        /// The bound in levels, tasks or time, where it was not that of concurrency.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<RampBound>,
    },
    /// The ramp was stopped, or could not be judged.
    Undetermined {
        /// The highest level that held, if any did.
        at_least: Option<u32>,
        /// Why there is no more.
        reason: NoLimit,
    },
    /// The ramp was not part of the run.
    NotRun,
}

impl Limit {
    /// The maximum stable concurrency, if it was found.
    pub fn max_stable(&self) -> Option<u32> {
        match self {
            Limit::Found { max_stable, .. } => Some(*max_stable),
            _ => None,
        }
    }

    /// The highest level that was seen to hold.
    pub fn held(&self) -> Option<u32> {
        match self {
            Limit::Found { max_stable, .. } => Some(*max_stable),
            Limit::BoundReached { at_least, .. } => Some(*at_least),
            Limit::Undetermined { at_least, .. } => *at_least,
            Limit::NotRun => None,
        }
    }

    /// The clause that broke, if the limit was found.
    pub fn broke(&self) -> Option<&Clause> {
        match self {
            Limit::Found { broke, .. } => Some(broke),
            _ => None,
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Judgement {
    /// The worst verdict of all criteria.
    pub verdict: Verdict,
    /// Every criterion, in the order of the phases.
    pub criteria: Vec<Criterion>,
    /// How the ramp ended.
    pub limit: Limit,
    /// Observations that are not verdicts: warm-up, torn lines, restarts.
    pub notes: Vec<String>,
    /// Why the run ended before its end, if it did.
    #[serde(default)]
    pub interrupted: Option<String>,
}

impl Judgement {
    /// The criterion called `name`, if it was judged.
    pub fn criterion(&self, name: &str) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.name.name() == name)
    }

    /// The exit code of a run that came to this: 130 if it was interrupted.
    pub fn exit_code(&self) -> u8 {
        if self.interrupted.is_some() { 130 } else { self.verdict.exit_code() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_is_the_maximum() {
        assert_eq!(
            [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive].into_iter().max(),
            Some(Verdict::Fail)
        );
        assert!(Verdict::Inconclusive > Verdict::Pass);
    }
}
