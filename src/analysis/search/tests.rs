//! The search against a controller that knows the truth: no clock, no network.

use std::collections::BTreeSet;

use super::*;
use crate::record::{RecoveryProblem, Tally};

/// Tries what the search asks for until it is done.
fn run(plan: &RampPlan, mut service: impl FnMut(u32, u32) -> Trial) -> (Vec<Trial>, Done) {
    let mut trials: Vec<Trial> = Vec::new();
    for _ in 0..10_000 {
        let spent = Spent {
            levels: trials.len() as u32,
            tasks: trials.iter().map(|trial| trial.tasks).sum(),
            seconds: trials.len() as f64,
        };
        match next(&trials, &spent, plan) {
            Step::Try { concurrency, attempt, .. } => {
                assert!((1..=plan.max).contains(&concurrency), "c={concurrency}");
                let before = trials.iter().filter(|trial| trial.concurrency == concurrency).count() as u32;
                assert_eq!(attempt, before + 1);
                trials.push(service(concurrency, attempt));
            }
            Step::Done(done) => return (trials, done),
        }
    }
    panic!("the search does not end");
}

fn trial(concurrency: u32, outcome: TrialOutcome) -> Trial {
    let failed = u32::from(outcome == TrialOutcome::TasksFailed);
    Trial { concurrency, outcome, tasks: concurrency, failed, unrecovered: None, outage: false }
}

/// A service that holds up to `limit` and breaks above it.
fn up_to(limit: u32, broken: TrialOutcome) -> impl Fn(u32, u32) -> Trial {
    move |concurrency, _| trial(concurrency, if concurrency <= limit { TrialOutcome::Held } else { broken })
}

fn plan(search: SearchKind, max: u32) -> RampPlan {
    RampPlan { search, max, ..RampPlan::default() }
}

fn order(trials: &[Trial]) -> Vec<u32> {
    trials.iter().map(|trial| trial.concurrency).collect()
}

#[test]
fn both_searches_find_the_same_limit_wherever_it_is() {
    for max in [1, 2, 7, 33] {
        for limit in 0..=max {
            for broken in [TrialOutcome::Broke, TrialOutcome::TasksFailed, TrialOutcome::Died] {
                let found: BTreeSet<(Option<u32>, Option<u32>)> = [SearchKind::Linear, SearchKind::Bisect]
                    .map(|search| {
                        let plan = plan(search, max);
                        let (trials, done) = run(&plan, up_to(limit, broken));
                        let expected = if limit == max { Done::Bound } else { Done::Found };
                        assert_eq!(done, expected, "limit {limit} of {max}, {search:?}");
                        let picture = picture(&trials, &plan);
                        (picture.held, picture.broke)
                    })
                    .into();
                let held = (limit > 0).then_some(limit);
                let broke = (limit < max).then_some(limit + 1);
                assert_eq!(found, BTreeSet::from([(held, broke)]), "limit {limit} of {max}");
            }
        }
    }
}

#[test]
fn the_limit_is_repeated_and_the_level_below_it_confirmed() {
    let plan = plan(SearchKind::Linear, 10);
    let (trials, _) = run(&plan, up_to(5, TrialOutcome::Broke));
    assert_eq!(order(&trials), [1, 2, 3, 4, 5, 6, 6, 5]);
    let picture = picture(&trials, &plan);
    assert_eq!(picture.levels[&5].tally, Tally { held: 2, broke: 0, invalid: 0 });
    assert_eq!(picture.levels[&6].tally, Tally { held: 0, broke: 2, invalid: 0 });
}

#[test]
fn a_death_is_not_repeated() {
    let (trials, _) = run(&plan(SearchKind::Linear, 10), up_to(3, TrialOutcome::Died));
    assert_eq!(order(&trials), [1, 2, 3, 4, 3]);
}

#[test]
fn repeating_and_confirming_can_be_left_out() {
    let once = RampPlan { repeat_broken: false, confirm: false, ..plan(SearchKind::Bisect, 100) };
    let (trials, done) = run(&once, up_to(20, TrialOutcome::Broke));
    assert_eq!(order(&trials), [1, 2, 4, 8, 16, 32, 24, 20, 22, 21]);
    assert_eq!(done, Done::Found);
}

#[test]
fn bisect_goes_where_linear_would_take_hundreds_of_levels() {
    let (trials, done) = run(&plan(SearchKind::Bisect, 1000), up_to(700, TrialOutcome::Broke));
    assert_eq!(done, Done::Found);
    assert!(trials.len() < 30, "{:?}", order(&trials));
}

#[test]
fn a_level_that_breaks_one_time_in_ten_is_not_the_limit() {
    // Each level in turn is the one that breaks once.
    for unlucky in 1..=10 {
        for search in [SearchKind::Linear, SearchKind::Bisect] {
            let plan = plan(search, 10);
            let (trials, done) = run(&plan, |concurrency, attempt| {
                let breaks = concurrency == unlucky && attempt == 1;
                trial(concurrency, if breaks { TrialOutcome::Broke } else { TrialOutcome::Held })
            });
            assert_eq!(done, Done::Bound, "c={unlucky} broke once");
            assert_eq!(picture(&trials, &plan).held, Some(10));
        }
    }
}

/// Every tenth task fails, whatever the load, counted over the whole run.
fn every_tenth_task_fails() -> impl FnMut(u32, u32) -> Trial {
    let mut sent = 0;
    move |concurrency, _| {
        let failed = (sent + 1..=sent + concurrency).filter(|task| task % 10 == 0).count() as u32;
        sent += concurrency;
        let outcome = if failed > 0 { TrialOutcome::TasksFailed } else { TrialOutcome::Held };
        Trial { failed, ..trial(concurrency, outcome) }
    }
}

#[test]
fn tasks_that_fail_at_any_load_are_not_a_limit_of_concurrency() {
    for max in [10, 25] {
        let plan = plan(SearchKind::Linear, max);
        let (trials, done) = run(&plan, every_tenth_task_fails());
        assert_eq!(done, Done::Bound, "{:?}", order(&trials));
        let picture = picture(&trials, &plan);
        assert_eq!(picture.broke, None);
        assert!(picture.flaky().any(|level| level == 10), "ten tasks hold a failure each time: {picture:?}");
    }
}

#[test]
fn tasks_that_fail_more_often_from_a_level_on_are_one() {
    let plan = plan(SearchKind::Linear, 25);
    let mut flaky = every_tenth_task_fails();
    let (trials, done) = run(&plan, |concurrency, attempt| match concurrency {
        12.. => Trial { failed: concurrency / 2, ..trial(concurrency, TrialOutcome::TasksFailed) },
        _ => flaky(concurrency, attempt),
    });
    assert_eq!(done, Done::Found);
    assert_eq!(picture(&trials, &plan).broke, Some(12));
}

#[test]
fn a_level_below_the_limit_that_does_not_confirm_is_broken_itself() {
    let plan = plan(SearchKind::Linear, 10);
    let (trials, done) = run(&plan, |concurrency, attempt| {
        let holds = concurrency < 5 || (concurrency == 5 && attempt == 1);
        trial(concurrency, if holds { TrialOutcome::Held } else { TrialOutcome::Broke })
    });
    assert_eq!(done, Done::Found);
    assert_eq!(order(&trials), [1, 2, 3, 4, 5, 6, 6, 5, 5, 4]);
    let picture = picture(&trials, &plan);
    assert_eq!((picture.held, picture.broke), (Some(4), Some(5)));
    assert_eq!(picture.levels[&5].tally, Tally { held: 1, broke: 2, invalid: 0 });
}

#[test]
fn a_service_that_does_not_recover_is_not_tried_again() {
    let plan = plan(SearchKind::Linear, 10);
    let (trials, done) = run(&plan, |concurrency, _| match concurrency {
        3 => {
            Trial { unrecovered: Some(RecoveryProblem::Text("gone".into())), ..trial(3, TrialOutcome::Died) }
        }
        _ => trial(concurrency, TrialOutcome::Held),
    });
    assert_eq!((order(&trials), done), (vec![1, 2, 3], Done::Found));
    let (trials, done) = run(&plan, |concurrency, _| match concurrency {
        3 => Trial {
            unrecovered: Some(RecoveryProblem::Text("hangs".into())),
            ..trial(3, TrialOutcome::TasksFailed)
        },
        _ => trial(concurrency, TrialOutcome::Held),
    });
    assert_eq!(done, Done::Found, "once is all there will be");
    assert_eq!(picture(&trials, &plan).settled().broke, Some(3));
    let wide = RampPlan { search: SearchKind::Bisect, ..plan };
    let (trials, done) = run(&wide, |concurrency, _| match concurrency {
        4.. => Trial {
            unrecovered: Some(RecoveryProblem::Text("gone".into())),
            ..trial(concurrency, TrialOutcome::Died)
        },
        _ => trial(concurrency, TrialOutcome::Held),
    });
    assert_eq!(order(&trials), [1, 2, 4]);
    assert!(matches!(done, Done::CannotTell(_)), "whether 3 holds is not known");
}

#[test]
fn a_starved_level_is_tried_once_more_and_then_nothing_is_concluded() {
    let plan = plan(SearchKind::Linear, 10);
    let starved = |always: bool| {
        move |concurrency: u32, attempt: u32| match (concurrency, attempt, always) {
            (4, 1, _) | (4, _, true) => trial(4, TrialOutcome::Invalid),
            _ => trial(concurrency, TrialOutcome::Held),
        }
    };
    assert_eq!(run(&plan, starved(false)).1, Done::Bound);
    let (trials, done) = run(&plan, starved(true));
    assert_eq!(order(&trials), [1, 2, 3, 4, 4]);
    assert!(matches!(done, Done::CannotTell(CannotTell::Starved { concurrency: 4, .. })));
    assert_eq!(picture(&trials, &plan).broke, None, "invalid is not broken");
}

#[test]
fn a_service_that_is_not_healthy_alone_has_no_limit() {
    let (trials, done) = run(&plan(SearchKind::Bisect, 10), up_to(0, TrialOutcome::Unhealthy));
    assert_eq!(order(&trials), [1, 1]);
    assert!(matches!(done, Done::CannotTell(CannotTell::Unhealthy)));
}

#[test]
fn each_budget_ends_the_search_and_is_named() {
    let base = plan(SearchKind::Linear, 100);
    for (plan, levels, bound) in [
        (RampPlan { max_levels: 4, ..base.clone() }, 4, RampBound::Levels(4)),
        (RampPlan { max_tasks: 10, ..base.clone() }, 4, RampBound::Tasks(10)),
        (RampPlan { max_s: 6.0, ..base.clone() }, 6, RampBound::Seconds(6.0)),
    ] {
        let (trials, done) = run(&plan, up_to(50, TrialOutcome::Broke));
        assert_eq!((trials.len(), done), (levels, Done::Budget(bound)));
    }
}

#[test]
fn a_first_level_that_is_too_high_sends_the_search_down() {
    for search in [SearchKind::Linear, SearchKind::Bisect] {
        let plan = RampPlan { start: 8, ..plan(search, 20) };
        let (trials, done) = run(&plan, up_to(5, TrialOutcome::Broke));
        assert_eq!(done, Done::Found);
        assert_eq!(picture(&trials, &plan).held, Some(5), "{:?}", order(&trials));
    }
}
