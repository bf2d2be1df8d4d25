//! What a comparison says, in sentences.

use super::rule::{Difference, Rate};
use super::{Change, Signal};

pub(super) fn unit(signal: Signal) -> &'static str {
    match signal {
        Signal::Memory | Signal::Shared => "MB",
        Signal::Descriptors => "fds",
        Signal::Threads => "threads",
    }
}

pub(super) fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Memory => "memory",
        Signal::Shared => "shared memory",
        Signal::Descriptors => "the number of open descriptors",
        Signal::Threads => "the number of threads",
    }
}

/// The sentence behind a verdict.
pub(super) fn reason(
    signal: Signal,
    verdict: Change,
    before: &Rate,
    after: &Rate,
    difference: &Difference,
    slowing: bool,
    needed: Option<usize>,
) -> String {
    let noun = noun(signal);
    let rate = |rate: &Rate| amount(signal, rate.per_task);
    match verdict {
        Change::Fixed if after.high <= signal.least() => {
            format!("{noun} grew by {} before, and grows no more", rate(before))
        }
        Change::Fixed => format!(
            "{noun} grew by {} before, and grows no more (by at most {} after)",
            rate(before),
            amount(signal, after.high.max(0.0)),
        ),
        Change::Better if after.low > signal.least() => {
            format!("{noun} grew by {} before, and still grows by {} after", rate(before), rate(after))
        }
        Change::Better => format!(
            "{noun} grew by {} before and by less after, but a rest of up to {} cannot be excluded",
            rate(before),
            amount(signal, after.high),
        ),
        Change::Worse if before.low > signal.least() => {
            format!("{noun} grew by {} before, and grows by {} after", rate(before), rate(after))
        }
        Change::Worse => format!(
            "{noun} grows by {} after, and did not before (difference {} to {})",
            rate(after),
            amount(signal, difference.low),
            amount(signal, difference.high),
        ),
        Change::NoChange if after.low > signal.least() && before.low > signal.least() => format!(
            "still growing: {noun} grew by {} before and grows by {} after",
            rate(before),
            rate(after)
        ),
        Change::NoChange => format!(
            "{noun} does not grow differently: the difference is between {} and {}",
            amount(signal, difference.low),
            amount(signal, difference.high),
        ),
        Change::NotEnoughData if slowing => format!(
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
