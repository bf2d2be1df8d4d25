//! What a comparison of two versions says.

use std::fmt;

#[cfg(feature = "cli")]
use crate::analysis::Comparison;
use crate::analysis::{Change, ChangeReason, InputRate, JudgedChange, More, Side, Signal};
use crate::units::round;

impl fmt::Display for ChangeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeReason::WorkerChanged { signal, side } => write!(
                f,
                "a worker died or was replaced in a run {}, so its {} is that of two processes",
                match side {
                    Side::Before => "before",
                    Side::After => "after",
                },
                noun(*signal)
            ),
            ChangeReason::Unread { signal } => {
                write!(f, "{} was not read after every task of both sides", noun(*signal))
            }
            ChangeReason::TooFew { needed } => {
                write!(f, "a run on each side needs at least {needed} tasks with a reading")
            }
            ChangeReason::Judged(judged) => f.write_str(&reason(judged)),
        }
    }
}

fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Memory => "memory",
        Signal::Shared => "shared memory",
        Signal::Descriptors => "the number of open descriptors",
        Signal::Threads => "the number of threads",
    }
}

/// The sentence behind a verdict.
fn reason(judged: &JudgedChange) -> String {
    let JudgedChange {
        signal, verdict, before, after, difference, least, slowing, tasks_needed: needed, ..
    } = judged;
    let (signal, least) = (*signal, *least);
    let noun = noun(signal);
    let needed = || tasks_needed(needed.unwrap_or_default(), judged.more);
    let of = |side: Side| match side {
        Side::Before => (before, &judged.by_input[0]),
        Side::After => (after, &judged.by_input[1]),
    };
    let rate = |side: Side| {
        let (rate, inputs) = of(side);
        let memory = matches!(signal, Signal::Memory | Signal::Shared);
        by_input(inputs).filter(|_| memory).unwrap_or_else(|| amount(signal, rate.per_task))
    };
    match verdict {
        Change::Fixed if after.high <= least => {
            format!("{noun} grew by {} before, and grows no more", rate(Side::Before))
        }
        Change::Fixed => format!(
            "{noun} grew by {} before, and grows no more (by at most {} after)",
            rate(Side::Before),
            amount(signal, after.high.max(0.0)),
        ),
        Change::Better if after.low > least => {
            format!(
                "{noun} grew by {} before, and still grows by {} after",
                rate(Side::Before),
                rate(Side::After)
            )
        }
        Change::Better => format!(
            "{noun} grew by {} before and by less after, but a rest of up to {} cannot be excluded",
            rate(Side::Before),
            amount(signal, after.high),
        ),
        Change::Worse if before.low > least => {
            format!("{noun} grew by {} before, and grows by {} after", rate(Side::Before), rate(Side::After))
        }
        Change::Worse => format!(
            "{noun} grows by {} after, and did not before (difference {} to {})",
            rate(Side::After),
            amount(signal, difference.low),
            amount(signal, difference.high),
        ),
        Change::NoChange if after.low > least && before.low > least => format!(
            "still growing: {noun} grew by {} before and grows by {} after",
            rate(Side::Before),
            rate(Side::After)
        ),
        Change::NoChange => format!(
            "{noun} does not grow differently: the difference is between {} and {}",
            amount(signal, difference.low),
            amount(signal, difference.high),
        ),
        Change::NotEnoughData if *slowing => format!(
            "{noun} grew by {} before and grows by {} after, but the difference slows down, as of something \
             that fills; {}",
            rate(Side::Before),
            rate(Side::After),
            needed(),
        ),
        Change::NotEnoughData => format!(
            "the difference is somewhere between {} and {}; {}",
            amount(signal, difference.low),
            amount(signal, difference.high),
            needed(),
        ),
    }
}

/// A line for each figure of a run with a baseline: `peak RSS 180.0 → 120.0 MB (-33 %)`.
#[cfg(feature = "cli")]
pub(crate) fn changes(comparison: &Comparison) -> Vec<String> {
    let growth = comparison.signals.iter().filter_map(|found| {
        let (before, after) = (found.before?.per_task, found.after?.per_task);
        let unit = if found.unit == "MB" { "MB per task" } else { "per task" };
        // A share of next to nothing says nothing.
        let change = match before.abs() > found.least_per_task {
            true => share(before, after),
            false => format!("{:+.2}", round(after - before, 2)),
        };
        let noun = noun(found.signal);
        Some(format!("growth of {noun} {:.2} → {:.2} {unit} ({change})", round(before, 2), round(after, 2)))
    });
    let beside = &comparison.beside;
    let figures = [
        ("kept by warm-up", beside.warm_up_mb, 1, " MB"),
        ("peak RSS", beside.peak_mb, 1, " MB"),
        ("median RTF", beside.rtf, 4, ""),
        ("median task", beside.seconds, 3, " s"),
    ];
    let figures = figures.into_iter().filter_map(|(title, [before, after], digits, unit)| {
        let (before, after) = (before?, after?);
        Some(format!("{title} {before:.digits$} → {after:.digits$}{unit} ({})", share(before, after)))
    });
    let failed = (beside.failed != [0, 0])
        .then(|| format!("failed tasks {} → {}", beside.failed[0], beside.failed[1]));
    growth.chain(figures).chain(failed).collect()
}

/// The relative change of a figure: `-33 %`.
#[cfg(feature = "cli")]
fn share(before: f64, after: f64) -> String {
    if before == after {
        return "no change".to_string();
    }
    if before.abs() < 1e-9 {
        return "from nothing".to_string();
    }
    format!("{:+} %", round((after - before) / before.abs() * 100.0, 0))
}

/// How many tasks would tell, and how to send them.
fn tasks_needed(tasks: usize, more: Option<More>) -> String {
    let tell = format!("about {tasks} tasks on each side would tell");
    match more {
        None => tell,
        Some(More::Repeats(repeats)) => format!(
            "{tell} (`leak.repeats = {repeats}`; with `--baseline` a run sends as many as the comparison needs)"
        ),
        Some(More::Longer) => format!(
            "{tell} (a longer `leak.for_s`; with `--baseline` a run sends as many as the comparison needs)"
        ),
    }
}

/// `353 MB per long task and 0.00 MB per short one`.
fn by_input(rates: &[InputRate]) -> Option<String> {
    let rate = |rate: &InputRate| {
        let amount = amount(Signal::Memory, rate.mb_per_task);
        let amount = amount.trim_end_matches(" per task");
        match rate.input.split_once(' ') {
            Some((kind @ ("short" | "long"), _)) => format!("{amount} per {kind} task"),
            _ => format!("{amount} per task of {}", rate.input),
        }
    };
    (!rates.is_empty()).then(|| rates.iter().map(rate).collect::<Vec<_>>().join(" and "))
}

/// `1.25 MB per task`, `0.5 threads per task`; small amounts of memory in KB.
fn amount(signal: Signal, value: f64) -> String {
    match signal {
        Signal::Memory | Signal::Shared if value.abs() < 0.1 => {
            format!("{} KB per task", round(value * 1024.0, 0))
        }
        Signal::Memory | Signal::Shared if value.abs() < 10.0 => format!("{value:.2} MB per task"),
        Signal::Memory | Signal::Shared => format!("{value:.1} MB per task"),
        Signal::Descriptors | Signal::Threads => format!("{:.2} per task", round(value, 2)),
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::analysis::compare;
    use crate::record::{RunFigures, TaskFigures};

    fn run(rate: f64, failed: usize) -> RunFigures {
        let task = |index: u32| TaskFigures {
            input: "a.wav".to_string(),
            rss_mb: Some(100.0 + rate * f64::from(index)),
            ..TaskFigures::default()
        };
        RunFigures {
            tasks: (0..12).map(task).collect(),
            peak_mb: Some(120.0 + rate * 12.0),
            failed,
            ..RunFigures::default()
        }
    }

    #[test]
    fn each_figure_has_a_line_with_its_change() {
        assert_eq!(
            changes(&compare(&[run(5.0, 0)], &[run(2.0, 1)])),
            [
                "growth of memory 5.00 → 2.00 MB per task (-60 %)",
                "peak RSS 180.0 → 144.0 MB (-20 %)",
                "failed tasks 0 → 1"
            ]
        );
        assert_eq!(
            changes(&compare(&[run(0.0, 0)], &[run(5.0, 0)])),
            ["growth of memory 0.00 → 5.00 MB per task (+5.00)", "peak RSS 120.0 → 180.0 MB (+50 %)"]
        );
        assert_eq!(
            changes(&compare(&[run(5.0, 0)], &[run(5.0, 0)]))[1],
            "peak RSS 180.0 → 180.0 MB (no change)"
        );
    }
}
