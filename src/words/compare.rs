//! What a comparison of two versions says.

use std::fmt;

use crate::analysis::{Change, ChangeReason, JudgedChange, Rate, Side, Signal};

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
    let JudgedChange { signal, verdict, before, after, difference, least, slowing, tasks_needed: needed } =
        judged;
    let (signal, least) = (*signal, *least);
    let noun = noun(signal);
    let rate = |rate: &Rate| amount(signal, rate.per_task);
    match verdict {
        Change::Fixed if after.high <= least => {
            format!("{noun} grew by {} before, and grows no more", rate(before))
        }
        Change::Fixed => format!(
            "{noun} grew by {} before, and grows no more (by at most {} after)",
            rate(before),
            amount(signal, after.high.max(0.0)),
        ),
        Change::Better if after.low > least => {
            format!("{noun} grew by {} before, and still grows by {} after", rate(before), rate(after))
        }
        Change::Better => format!(
            "{noun} grew by {} before and by less after, but a rest of up to {} cannot be excluded",
            rate(before),
            amount(signal, after.high),
        ),
        Change::Worse if before.low > least => {
            format!("{noun} grew by {} before, and grows by {} after", rate(before), rate(after))
        }
        Change::Worse => format!(
            "{noun} grows by {} after, and did not before (difference {} to {})",
            rate(after),
            amount(signal, difference.low),
            amount(signal, difference.high),
        ),
        Change::NoChange if after.low > least && before.low > least => format!(
            "still growing: {noun} grew by {} before and grows by {} after",
            rate(before),
            rate(after)
        ),
        Change::NoChange => format!(
            "{noun} does not grow differently: the difference is between {} and {}",
            amount(signal, difference.low),
            amount(signal, difference.high),
        ),
        Change::NotEnoughData if *slowing => format!(
            "{noun} grew by {} before and grows by {} after, but the difference slows down, as of something \
             that fills; about {} tasks on each side would tell",
            rate(before),
            rate(after),
            needed.unwrap_or_default(),
        ),
        Change::NotEnoughData => format!(
            "the difference is somewhere between {} and {}; about {} tasks on each side would tell",
            amount(signal, difference.low),
            amount(signal, difference.high),
            needed.unwrap_or_default(),
        ),
    }
}

/// `1.25 MB per task`, `0.5 threads per task`; small amounts of memory in KB.
fn amount(signal: Signal, value: f64) -> String {
    let value = if value == 0.0 { 0.0 } else { value };
    match signal {
        Signal::Memory | Signal::Shared if value.abs() < 0.1 => {
            format!("{:.0} KB per task", value * 1024.0 + 0.0)
        }
        Signal::Memory | Signal::Shared if value.abs() < 10.0 => format!("{value:.2} MB per task"),
        Signal::Memory | Signal::Shared => format!("{value:.1} MB per task"),
        Signal::Descriptors => format!("{value:.2} per task"),
        Signal::Threads => format!("{value:.2} per task"),
    }
}
