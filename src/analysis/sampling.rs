//! Did the sampler see every role at every tick?
//!
//! A process that was not looked at can have done anything meanwhile, so a run with holes in its samples
//! does not prove that nothing happened.

use std::collections::BTreeMap;

use super::finding::{Evidence, Finding, SamplingFound, Unit};
use crate::record::{CriterionId, Event, RoleSampling, RunData, Sampling, Verdict};

/// A hole of one tick, or of several within this many seconds, hides nothing that a reading around a task
/// would not show: every machine delays a thread now and then.
const TOLERATED_S: f64 = 1.0;

/// What is missing in all may last longer, up to this share of the ticks, in percent.
const TOLERATED_PERCENT: f64 = 5.0;

/// The criterion; absent for runs whose log does not say how they were sampled.
pub(super) fn sampling_criterion(run: &RunData) -> Option<Finding> {
    let samplings = run.events.iter().filter_map(|record| match &record.event {
        Event::Sampled(sampling) => Some(sampling),
        _ => None,
    });
    // A run that was resumed has been sampled more than once.
    samplings.map(judged).reduce(|worst, next| if next.verdict > worst.verdict { next } else { worst })
}

fn judged(sampling: &Sampling) -> Finding {
    let all = sampling.ticks + sampling.missed_ticks;
    let hidden = |ticks: u64, in_a_row: u64| {
        let long = |ticks: u64| ticks > 1 && ticks as f64 * sampling.interval_s > TOLERATED_S;
        long(in_a_row) || (long(ticks) && percent(ticks, all) > TOLERATED_PERCENT)
    };
    let unread: Vec<(String, RoleSampling)> = sampling
        .roles
        .iter()
        .filter(|(_, role)| hidden(role.unread_ticks, role.unread_in_a_row))
        .map(|(name, role)| (name.clone(), *role))
        .collect();
    let late = hidden(sampling.missed_ticks, sampling.missed_in_a_row);
    let seen: BTreeMap<_, _> = sampling.roles.iter().filter(|(_, role)| role.alive_ticks > 0).collect();
    let (verdict, found) = if !unread.is_empty() {
        (Verdict::Fail, SamplingFound::Unread(unread))
    } else if late && 2 * sampling.overrun_ticks >= sampling.missed_ticks {
        (Verdict::Fail, SamplingFound::TooSlow)
    } else if late {
        (Verdict::Inconclusive, SamplingFound::Starved)
    } else if seen.is_empty() {
        (Verdict::Inconclusive, SamplingFound::NothingAlive)
    } else {
        let roles = seen.keys().map(|name| (*name).clone()).collect();
        (Verdict::Pass, SamplingFound::Saw { roles })
    };
    let worst = seen.values().map(|role| role.unread_ticks).max().unwrap_or(0).max(sampling.missed_ticks);
    let evidence = Evidence::Sampling {
        ticks: sampling.ticks,
        missed: sampling.missed_ticks,
        missed_in_a_row: sampling.missed_in_a_row,
        found,
    };
    Finding {
        value: Some(crate::units::round(percent(worst, all), 2)),
        threshold: Some(TOLERATED_PERCENT),
        unit: Some(Unit::PercentOfTicks),
        ..Finding::new(CriterionId::SamplerComplete, verdict, evidence)
    }
}

fn percent(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64 * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::run;

    /// A run of 100 ticks, a second apart, all of which saw the worker.
    fn whole() -> Sampling {
        let worker = RoleSampling { alive_ticks: 100, ..RoleSampling::default() };
        let roles = BTreeMap::from([("worker".to_string(), worker)]);
        Sampling { interval_s: 1.0, ticks: 100, roles, ..Sampling::default() }
    }

    fn judge(change: impl FnOnce(&mut Sampling)) -> (Verdict, String) {
        let mut sampling = whole();
        change(&mut sampling);
        let found = sampling_criterion(&run(Vec::new(), vec![Event::Sampled(sampling)]));
        let found = found.expect("the log says how it was sampled");
        (found.verdict, crate::words::criterion(&found).detail)
    }

    fn unread(sampling: &mut Sampling, unread_ticks: u64, unread_in_a_row: u64) {
        let role = sampling.roles.get_mut("worker").expect("the role is there");
        (role.unread_ticks, role.unread_in_a_row) = (unread_ticks, unread_in_a_row);
    }

    fn missed(sampling: &mut Sampling, missed_ticks: u64, missed_in_a_row: u64) {
        (sampling.missed_ticks, sampling.missed_in_a_row) = (missed_ticks, missed_in_a_row);
    }

    #[test]
    fn every_role_at_every_tick_passes() {
        assert_eq!(judge(|_| {}), (Verdict::Pass, "100 of 100 ticks saw worker".to_string()));
    }

    #[test]
    fn a_live_role_that_is_not_read_fails() {
        let (verdict, detail) = judge(|sampling| unread(sampling, 2, 2));
        assert_eq!(verdict, Verdict::Fail);
        assert!(detail.contains("worker was alive and could not be read at 2 of 100 ticks"), "{detail}");
        assert_eq!(judge(|sampling| unread(sampling, 6, 1)).0, Verdict::Fail, "more than 5 %");
        assert_eq!(judge(|sampling| unread(sampling, 3, 1)).0, Verdict::Pass, "a tick now and then");
    }

    #[test]
    fn a_starved_sampler_decides_nothing_and_a_slow_one_fails() {
        let (verdict, detail) = judge(|sampling| missed(sampling, 3, 3));
        assert_eq!(verdict, Verdict::Inconclusive, "{detail}");
        let (verdict, detail) = judge(|sampling| {
            missed(sampling, 3, 3);
            sampling.overrun_ticks = 2;
        });
        assert_eq!(verdict, Verdict::Fail, "{detail}");
        assert_eq!(judge(|sampling| missed(sampling, 1, 1)).0, Verdict::Pass);
    }

    #[test]
    fn short_intervals_may_miss_what_lasts_a_moment() {
        let quick = |in_a_row| {
            judge(|sampling| {
                sampling.interval_s = 0.1;
                (sampling.ticks, sampling.missed_ticks, sampling.missed_in_a_row) = (990, in_a_row, in_a_row);
            })
        };
        assert_eq!(quick(9).0, Verdict::Pass);
        assert_eq!(quick(11).0, Verdict::Inconclusive);
    }

    #[test]
    fn without_a_process_or_without_a_word_nothing_passes() {
        assert_eq!(judge(|sampling| sampling.roles.clear()).0, Verdict::Inconclusive);
        assert_eq!(sampling_criterion(&run(Vec::new(), Vec::new())), None);
    }

    #[test]
    fn of_two_parts_the_worse_one_counts() {
        let mut starved = whole();
        missed(&mut starved, 9, 9);
        let events = vec![Event::Sampled(starved), Event::Sampled(whole())];
        let found = sampling_criterion(&run(Vec::new(), events)).expect("both say so");
        assert_eq!(found.verdict, Verdict::Inconclusive);
    }
}
