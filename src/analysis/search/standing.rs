//! What the attempts at a level come to together.

use std::collections::BTreeMap;

use crate::analysis::stats::fisher_more;
use crate::plan::{RampPlan, SearchKind};
use crate::record::{RecoveryProblem, Tally};

/// Below this probability, that a level fails more often is not put down to chance.
const CHANCE: f64 = 0.05;

/// One attempt at a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Tasks outstanding at once.
    pub concurrency: u32,
    /// How it ended.
    pub outcome: TrialOutcome,
    /// Tasks that were sent.
    pub tasks: u32,
    /// Those that did not succeed.
    pub failed: u32,
    /// What was wrong when the service was given time to recover; absent if nothing was.
    pub unrecovered: Option<RecoveryProblem>,
    /// True if that is no effect of load.
    pub outage: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialOutcome {
    /// Every clause held.
    Held,
    /// The kernel killed a process for want of memory, or nobody saw the end.
    Died,
    /// Tasks failed.
    TasksFailed,
    /// The health endpoint said no.
    Unhealthy,
    /// Another clause broke.
    Broke,
    /// Nothing can be concluded: highwater was starved.
    Invalid,
}

/// What a level is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds.
    Held,
    /// It does not.
    Broke,
    /// Its tasks fail, and no more often than at levels below: not a matter of concurrency.
    Flaky,
    /// Another attempt must decide.
    Open,
    /// Every attempt was invalid.
    Unknown,
}

/// A level, with all its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// What it is taken for.
    pub standing: Standing,
    /// How often it held and broke.
    pub tally: Tally,
    died: bool,
    only_tasks: bool,
    tasks: u32,
    failed: u32,
}

/// All levels that were tried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standings {
    /// By concurrency.
    pub levels: BTreeMap<u32, Tried>,
    /// The lowest level that broke.
    pub broke: Option<u32>,
    /// The highest level that held, below the one that broke.
    pub held: Option<u32>,
}

impl Standings {
    /// The highest level, below the one that broke, above which the search may go on.
    pub(super) fn passable(&self) -> Option<u32> {
        self.below(|standing| matches!(standing, Standing::Held | Standing::Flaky))
    }

    fn below(&self, wanted: impl Fn(Standing) -> bool) -> Option<u32> {
        let high = self.broke.unwrap_or(u32::MAX);
        let fits = self.levels.iter().filter(|(level, tried)| **level < high && wanted(tried.standing));
        fits.map(|(level, _)| *level).next_back()
    }

    /// True if no level is left to be tried between the one that held and the one that broke.
    pub fn closed(&self, plan: &RampPlan) -> bool {
        let Some(broke) = self.broke else { return false };
        let gap = broke - self.passable().unwrap_or(0);
        match plan.search {
            SearchKind::Linear => gap <= plan.step || broke <= plan.start,
            SearchKind::Bisect => gap <= 1,
        }
    }

    /// Levels at which tasks fail no more often than below.
    pub fn flaky(&self) -> impl Iterator<Item = u32> {
        self.levels.iter().filter(|(_, tried)| tried.standing == Standing::Flaky).map(|(level, _)| *level)
    }

    /// A last word on levels that no further attempt will decide: what broke more often than it held, broke.
    pub fn settled(mut self) -> Standings {
        for tried in self.levels.values_mut() {
            if tried.standing == Standing::Open && tried.tally.broke > tried.tally.held {
                tried.standing = Standing::Broke;
            }
        }
        self.find_ends();
        self
    }

    fn find_ends(&mut self) {
        let broke = self.levels.iter().find(|(_, tried)| tried.standing == Standing::Broke);
        self.broke = broke.map(|(level, _)| *level);
        self.held = self.below(|standing| standing == Standing::Held);
    }
}

/// Puts all attempts together, level by level.
pub fn picture(trials: &[Trial], plan: &RampPlan) -> Standings {
    let mut picture = Standings::default();
    for trial in trials {
        let tried = picture.levels.entry(trial.concurrency).or_insert(Tried {
            standing: Standing::Open,
            tally: Tally::default(),
            died: false,
            only_tasks: true,
            tasks: 0,
            failed: 0,
        });
        match trial.outcome {
            TrialOutcome::Invalid => {
                tried.tally.invalid += 1;
                continue;
            }
            TrialOutcome::Held => tried.tally.held += 1,
            outcome => {
                tried.tally.broke += 1;
                tried.died |= outcome == TrialOutcome::Died;
                tried.only_tasks &= outcome == TrialOutcome::TasksFailed;
            }
        }
        tried.tasks += trial.tasks;
        tried.failed += trial.failed;
    }
    // In rising order: whether a level is flaky depends on those below it.
    let (mut tasks, mut failed) = (0, 0);
    for tried in picture.levels.values_mut() {
        tried.standing = standing(tried, (tasks, failed), plan);
        if tried.standing == Standing::Held {
            tasks += tried.tasks;
            failed += tried.failed;
        }
    }
    picture.find_ends();
    picture
}

/// `below` are the tasks of lower levels that held, and how many of them failed.
fn standing(tried: &Tried, below: (u32, u32), plan: &RampPlan) -> Standing {
    let Tally { held, broke, invalid } = tried.tally;
    let needed = if plan.repeat_broken { 2 } else { 1 };
    if held + broke == 0 {
        return if invalid > 0 { Standing::Unknown } else { Standing::Open };
    }
    if tried.died {
        return Standing::Broke;
    }
    if broke >= needed && broke > held {
        let as_below = tried.only_tasks
            && below.1 > 0
            && fisher_more((tried.failed, tried.tasks), (below.1, below.0)) >= CHANCE;
        return if as_below { Standing::Flaky } else { Standing::Broke };
    }
    if broke == 0 || (held >= needed && held > broke) { Standing::Held } else { Standing::Open }
}
