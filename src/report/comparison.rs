//! A comparison in words: the verdict first, then the figures beside each other.

use std::fmt::Write;

use super::doc::Doc;
use super::figures::put;
use super::table::ABSENT;
use super::table::Column::{Left, Right};
use crate::analysis::{Beside, Comparison, Method, Rate, Signal, SignalComparison};

/// The comparison as text that is also Markdown.
pub fn comparison_text(comparison: &Comparison) -> String {
    let mut text = Doc::default();
    section(&mut text, comparison);
    text.markdown()
}

/// The comparison as a part of a report.
pub(super) fn section(text: &mut Doc, comparison: &Comparison) {
    put!(text, "{}: {}", comparison.verdict.word().to_uppercase(), comparison.reason);
    for signal in &comparison.signals {
        if signal.reason != comparison.reason {
            put!(text, "{}: {}", signal.verdict.word(), signal.reason);
        }
    }
    put!(
        text,
        "\nbefore: {}\nafter:  {}\n",
        comparison.before_files.join(", "),
        comparison.after_files.join(", ")
    );
    figures(text, comparison);
}

/// The figures of both versions beside each other, and what their intervals are.
pub(super) fn figures(text: &mut Doc, comparison: &Comparison) {
    let mut rows: Vec<Vec<String>> = comparison.signals.iter().map(signal_row).collect();
    rows.extend(beside_rows(&comparison.beside));
    text.table(&[Left(""), Right("before"), Right("after"), Right("difference")], &rows);
    if let Some(difference) = comparison.signals.iter().find_map(|signal| signal.difference) {
        put!(text, "{}", method(difference.method));
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Paired => {
            "In brackets: 98 % intervals. The same inputs were sent in the same order, so the difference was taken batch \
             by batch."
        }
        Method::Rates => {
            "In brackets: 98 % intervals. Tasks were sent in blocks, or a check ended early, so the difference is that of \
             two rates, each from the readings that its own verdict was made from."
        }
        Method::Welch => {
            "In brackets: 98 % intervals. The inputs were not the same in the same order, so the difference is that of \
             two means; send both versions the same to see more."
        }
    }
}

fn signal_row(found: &SignalComparison) -> Vec<String> {
    let interval = |mean: f64, low: f64, high: f64, sign: bool| {
        let mean = plain(mean);
        let plus = if sign && !mean.starts_with('-') { "+" } else { "" };
        format!("{plus}{mean} ({} to {})", plain(low), plain(high))
    };
    let side = |rate: &Option<Rate>| {
        rate.map_or(ABSENT.to_string(), |rate| interval(rate.per_task, rate.low, rate.high, false))
    };
    let difference = found
        .difference
        .map_or(ABSENT.to_string(), |found| interval(found.per_task, found.low, found.high, true));
    vec![
        format!("growth of {} per task", title(found.signal)),
        side(&found.before),
        side(&found.after),
        difference,
    ]
}

fn title(signal: Signal) -> &'static str {
    match signal {
        Signal::Memory => "memory, MB,",
        Signal::Shared => "shared memory, MB,",
        Signal::Descriptors => "descriptors",
        Signal::Threads => "threads",
    }
}

/// Two digits, and never a negative zero.
fn plain(value: f64) -> String {
    format!("{:.2}", crate::units::round(value, 2))
}

fn beside_rows(beside: &Beside) -> Vec<Vec<String>> {
    let row = |title: &str, [before, after]: [Option<f64>; 2], digits: usize| {
        let figure =
            |value: Option<f64>| value.map_or(ABSENT.to_string(), |value| format!("{value:.digits$}"));
        let difference = before.zip(after).map(|(before, after)| after - before);
        let difference = difference.map_or(ABSENT.to_string(), |value| {
            format!("{:+.digits$}", crate::units::round(value, digits as i32))
        });
        vec![title.to_string(), figure(before), figure(after), difference]
    };
    let known = |pair: [Option<f64>; 2]| pair.iter().any(Option::is_some);
    let mut rows = Vec::new();
    let figures = [
        ("kept by warm-up, MB", beside.warm_up_mb, 1),
        ("peak RSS, MB", beside.peak_mb, 1),
        ("RTF, median", beside.rtf, 4),
        ("seconds a task, median", beside.seconds, 3),
    ];
    rows.extend(
        figures
            .into_iter()
            .filter(|(_, pair, _)| known(*pair))
            .map(|(title, pair, digits)| row(title, pair, digits)),
    );
    if beside.failed != [0, 0] {
        rows.push(row("failed tasks", beside.failed.map(|count| Some(count as f64)), 0));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::compare;
    use crate::record::{RunFigures, TaskFigures};

    fn run(file: &str, rate: f64) -> RunFigures {
        let task = |index: u32| TaskFigures {
            input: "a.wav".to_string(),
            rss_mb: Some(100.0 + rate * f64::from(index)),
            ..TaskFigures::default()
        };
        RunFigures {
            file: file.to_string(),
            tasks: (0..12).map(task).collect(),
            peak_mb: Some(120.0 + rate * 12.0),
            ..RunFigures::default()
        }
    }

    #[test]
    fn the_verdict_comes_first_and_the_figures_stand_beside_each_other() {
        let text = comparison_text(&compare(&[run("old.jsonl", 5.0)], &[run("new.jsonl", 0.0)]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "FIXED: memory grew by 5.00 MB per task before, and grows no more");
        assert_eq!(lines[2..4], ["before: old.jsonl", "after:  new.jsonl"]);
        let growth = lines.iter().find(|line| line.contains("growth of memory")).unwrap();
        assert!(
            growth.contains("5.00 (5.00 to 5.00)") && growth.contains("-5.00 (-5.00 to -5.00)"),
            "{text}"
        );
        assert!(text.contains("180.0") && text.contains("-60.0"), "{text}");
        assert!(!text.contains("failed tasks") && !text.contains("RTF"), "{text}");
    }
}
