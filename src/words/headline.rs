//! The verdict of a run in one sentence, and the three figures that matter.

use super::criteria::summary;
use super::numbers::{amount, per_hour, per_task, sentence_case};
use crate::analysis::{Answer, Growth, Reason, Soak};
use crate::record::{Judgement, Limit, Verdict};
use crate::units::{round, span};

/// The verdict in a word, and what it is owed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headline {
    /// `Leak.`, `Pass.`, `Inconclusive.`
    pub(crate) word: String,
    /// The rest of the sentence.
    pub(crate) text: String,
    /// The verdict that the word stands for.
    pub(crate) verdict: Verdict,
}

/// A figure that matters, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headfigure {
    /// `+4.8 MB a task`.
    pub(crate) figure: String,
    /// `98 % interval 4.7 to 4.8, over 38 tasks`.
    pub(crate) meaning: String,
}

/// The headline of a run.
pub(crate) fn headline(judgement: &Judgement, growth: Option<&Growth>, soak: Option<&Soak>) -> Headline {
    let of = |word: &str, text: String| Headline { word: word.to_string(), text, verdict: judgement.verdict };
    if let Some(why) = &judgement.interrupted {
        let so_far = match judgement.verdict {
            Verdict::Pass => "nothing failed until then, which is no pass",
            Verdict::Inconclusive => "what was measured until then does not decide",
            Verdict::Fail => "what was measured until then fails",
        };
        return of("Interrupted.", format!("{}: {so_far}.", sentence_case(why)));
    }
    if let Some((rate, growth)) = leak(growth) {
        let by_task = !matches!(growth.reason, Reason::WithTime { .. } | Reason::WithinLives { .. });
        let pace = if growth.growing && by_task { " and does not slow down" } else { "" };
        return of("Leak.", format!("{}{pace}.", leak_told(growth, rate)));
    }
    if let Some(soak) = soak.filter(|soak| soak.verdict == Verdict::Fail) {
        let rate = soak.mb_per_hour.map_or("Memory accumulates".to_string(), |rate| {
            format!("Memory rises by {} under load", per_hour(rate).trim_start_matches('+'))
        });
        let cap = soak
            .hours_to_cap
            .map_or(String::new(), |hours| format!(" and meets its cap in {}", span(hours * 3600.0)));
        return of("Leak.", format!("{rate}{cap}."));
    }
    match judgement.verdict {
        Verdict::Pass => of("Pass.", passed(judgement, growth)),
        Verdict::Fail => of("Fail.", format!("{}.", sentence_case(&failed(judgement)))),
        Verdict::Inconclusive => of("Inconclusive.", format!("{}.", sentence_case(&failed(judgement)))),
    }
}

/// What a leak of `rate` MB per task keeps of what: `The worker keeps 4.8 MB of every task`.
pub(crate) fn leak_told(growth: &Growth, rate: f64) -> String {
    match growth.reason {
        Reason::WithTime { mb_per_hour, mostly: true, .. } => {
            let rate = per_hour(mb_per_hour);
            format!("Memory grows by {}, whether the service is asked or not", rate.trim_start_matches('+'))
        }
        Reason::WithinLives { .. } => {
            format!("Each process keeps {} of every task until it is replaced", amount(rate))
        }
        _ => format!("The worker keeps {} of every task", amount(rate)),
    }
}

/// `4.7 to 4.8 MB`, `-3 to 12 KB`: both ends in one unit.
fn interval(low: f64, high: f64) -> String {
    if low.abs().max(high.abs()) < 0.1 {
        let digits = if low.abs().max(high.abs()) < 0.01 { 2 } else { 0 };
        return format!("{} to {} KB", round(low * 1024.0, digits), round(high * 1024.0, digits));
    }
    format!("{low:.1} to {high:.1} MB")
}

fn leak(growth: Option<&Growth>) -> Option<(f64, &Growth)> {
    let growth = growth.filter(|growth| growth.answer == Answer::Leak)?;
    Some((growth.rate_mb_per_task?, growth))
}

fn passed(judgement: &Judgement, growth: Option<&Growth>) -> String {
    let memory = growth
        .and_then(|growth| growth.detectable_mb_per_task)
        .map(|seen| format!("No leak: {} a task would have been seen", amount(seen.max(0.01))));
    let load = match &judgement.limit {
        Limit::Found { max_stable, .. } => Some(format!("{max_stable} at once hold")),
        Limit::BoundReached { at_least, .. } => {
            Some(format!("{at_least} at once hold, and no limit was found"))
        }
        Limit::Undetermined { .. } | Limit::NotRun => None,
    };
    match (memory, load) {
        (Some(memory), Some(load)) => format!("{memory}, and {load}."),
        (Some(only), None) => format!("{only}."),
        (None, Some(only)) => format!("{}.", sentence_case(&only)),
        (None, None) => format!("{}.", sentence_case(&summary(&judgement.criteria, false))),
    }
}

/// The criterion that decides, with its figures; how many others there are.
fn failed(judgement: &Judgement) -> String {
    let alike: Vec<_> =
        judgement.criteria.iter().filter(|found| found.verdict == judgement.verdict).collect();
    match alike.as_slice() {
        [] => summary(&judgement.criteria, false),
        // A title says what should be, and the detail what is.
        [only] => format!("{} (criterion: {})", only.detail, only.title),
        [first, rest @ ..] => {
            format!("{} (criterion: {}; and {} more, below)", first.detail, first.title, rest.len())
        }
    }
}

/// Growth per task with its interval, what the service stands, and its highest memory.
pub(crate) fn headfigures(
    judgement: &Judgement,
    growth: Option<&Growth>,
    soak: Option<&Soak>,
    peak: Option<(f64, Option<f64>)>,
) -> Vec<Headfigure> {
    let figure = |figure: String, meaning: String| Headfigure { figure, meaning };
    let mut figures = Vec::new();
    if let Some(growth) = growth {
        let hourly = match growth.reason {
            // A rate per task would be that of the pace of this check.
            Reason::WithTime { mb_per_hour, mostly: true, .. } => Some(mb_per_hour),
            _ => None,
        };
        figures.push(match (hourly, growth.rate_mb_per_task, growth.low, growth.high) {
            (Some(rate), ..) => figure(per_hour(rate), "growth while no task was sent".to_string()),
            (None, Some(rate), Some(low), Some(high)) => figure(
                per_task(rate),
                format!("growth: 98 % interval {}, over {} tasks", interval(low, high), growth.tasks),
            ),
            _ => figure("growth unknown".to_string(), sentence_case(&growth.reason.to_string())),
        });
    }
    if let Some(soak) = soak {
        let rate = soak.mb_per_hour.map_or("growth unknown".to_string(), per_hour);
        let cap = match (soak.over_cap_s, soak.hours_to_cap) {
            (Some(after), _) => format!(", over the cap after {}", span(after)),
            (None, Some(hours)) => format!(", the cap is met in {}", span(hours * 3600.0)),
            (None, None) => String::new(),
        };
        let between = soak
            .mb_per_hour_low
            .zip(soak.mb_per_hour_high)
            .map_or(String::new(), |(low, high)| format!("98 % interval {}, ", interval(low, high)));
        figures.push(figure(
            rate,
            format!("{between}{} at once for {}{cap}", soak.concurrency, span(soak.seconds)),
        ));
    }
    match &judgement.limit {
        Limit::Found { max_stable, broke_at, broke, .. } => figures.push(figure(
            format!("{max_stable} at once"),
            format!("maximum stable concurrency; at {broke_at}: {}", broke.detail),
        )),
        Limit::BoundReached { at_least, .. } => figures.push(figure(
            format!("{at_least} or more at once"),
            "held; no limit was found up to the bound".to_string(),
        )),
        Limit::Undetermined { at_least: Some(level), reason } => {
            figures.push(figure(
                format!("{level} or more at once"),
                format!("held; limit not determined: {reason}"),
            ));
        }
        Limit::Undetermined { at_least: None, .. } | Limit::NotRun => {}
    }
    if let Some((peak, start)) = peak {
        let began = start.map_or(String::new(), |start| format!("; it began with {start:.0} MB"));
        figures.push(figure(format!("{peak:.0} MB"), format!("highest memory of the worker{began}")));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Criterion, CriterionId};

    fn judged(verdict: Verdict, interrupted: Option<&str>) -> Judgement {
        let criterion = Criterion {
            name: CriterionId::LeakDelta,
            title: "memory delta of every task".to_string(),
            verdict,
            detail: "delta +250.0 MB ≥ 200 MB".to_string(),
            value: None,
            threshold: None,
            unit: None,
        };
        Judgement {
            verdict,
            criteria: vec![criterion],
            limit: Limit::NotRun,
            notes: Vec::new(),
            interrupted: interrupted.map(ToString::to_string),
        }
    }

    #[test]
    fn an_interrupted_run_is_no_pass() {
        let told = headline(&judged(Verdict::Pass, Some("interrupted (SIGINT)")), None, None);
        assert_eq!(told.word, "Interrupted.");
        assert!(told.text.contains("no pass"), "{}", told.text);
    }

    #[test]
    fn a_failure_names_its_criterion_and_its_figures() {
        let told = headline(&judged(Verdict::Fail, None), None, None);
        assert_eq!(told.word, "Fail.");
        assert_eq!(told.text, "Delta +250.0 MB ≥ 200 MB (criterion: memory delta of every task).");
        assert_ne!(headline(&judged(Verdict::Inconclusive, None), None, None).word, told.word);
    }

    #[test]
    fn both_ends_of_an_interval_have_one_unit() {
        assert_eq!(
            (interval(4.68, 4.81), interval(-0.003, 0.012)),
            ("4.7 to 4.8 MB".into(), "-3 to 12 KB".into())
        );
    }

    #[test]
    fn what_was_not_measured_is_no_figure() {
        assert_eq!(headfigures(&judged(Verdict::Pass, None), None, None, None), []);
    }
}
