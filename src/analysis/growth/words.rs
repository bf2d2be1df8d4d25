//! How a verdict is told.

use super::rule::Grounds;
use super::window::Window;
use super::{Answer, Growth};
use crate::units::round;

pub(super) fn too_short(tasks: usize, least: usize) -> String {
    let readings = if tasks == 1 { "reading" } else { "readings" };
    format!("{tasks} {readings} after warm-up, at least {least} are needed")
}

pub(super) fn leak(window: &Window, grounds: Grounds) -> String {
    let why = match grounds {
        Grounds::Large => "more than what fills commonly holds",
        Grounds::Fast => "faster, and for longer, than a warm-up or a cache",
        Grounds::Long => "for longer than what fills commonly takes",
        Grounds::Seen => "though nothing was sent that had not been sent before",
    };
    format!(
        "what memory keeps rose by {} MB over {} tasks without slowing down, {why}",
        figure(window.rise),
        window.tasks
    )
}

/// What is said where private memory is clean and what is resident beside it is not.
pub(super) fn beside(reason: &str) -> String {
    format!("private memory is clean, shared or mapped memory is not: {reason}")
}

pub(super) fn growing(rate_mb: f64, rise_mb: f64, slowing: bool, needed: usize) -> String {
    let growth = format!("growing {} MB per task", signed(rate_mb));
    if slowing {
        return format!(
            "{growth}, and slowing down: something that fills, or a leak that began earlier; {} would tell",
            more(needed)
        );
    }
    format!(
        "{growth}: a leak, unless something larger than {} MB is still filling; {} would tell",
        figure(rise_mb),
        more(needed)
    )
}

/// A rise of this many MB is told, since a reader sees it too.
const TOLD_MB: f64 = 10.0;

pub(super) fn clean(high_mb: f64, rise_mb: f64, tasks: usize) -> String {
    if high_mb <= 0.0 && rise_mb < TOLD_MB {
        return format!(
            "nothing accumulates over {tasks} tasks: memory falls; any growth would have been seen"
        );
    }
    // What is less than the last digit that is told is not told as nothing.
    let high_mb = high_mb.max(0.01);
    if rise_mb >= TOLD_MB {
        return format!(
            "rose by {} MB in {tasks} tasks, then no more: something that fills, not a leak; a leak of {} MB per task \
             would have been seen",
            figure(rise_mb),
            figure(high_mb)
        );
    }
    format!(
        "nothing accumulates over {tasks} tasks; a leak of {} MB per task would have been seen",
        figure(high_mb)
    )
}

/// Why readings that are neither a leak nor clean decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecided {
    /// They are flat, and too few.
    Few,
    /// They are flat lately, and were not before.
    Lately,
    /// They go up and down by more than a leak would.
    Noisy,
}

pub(super) fn undecided(why: Undecided, (low_mb, high_mb): (f64, f64), needed: usize) -> String {
    let interval = format!("98 % interval {} to {} MB per task", figure(low_mb), figure(high_mb));
    let more = more(needed);
    match why {
        Undecided::Few => {
            format!("flat so far ({interval}), over too few readings to rule out a leak; {more} would tell")
        }
        Undecided::Lately => {
            format!("flat lately, and not for long enough after it rose ({interval}); {more} would tell")
        }
        Undecided::Noisy => {
            format!("neither flat nor steadily growing ({interval}); {more} would tell")
        }
    }
}

/// So many tasks more, as the subject of a sentence.
fn more(tasks: usize) -> String {
    if tasks == 1 { "one task more".to_string() } else { format!("about {tasks} tasks more") }
}

/// The verdict in a line; see [`Growth::sentence`].
pub(super) fn sentence(growth: &Growth, gate_mb: Option<f64>) -> String {
    let word = growth.answer.word().to_uppercase();
    let (Some(rate), Some(low), Some(high)) = (growth.rate_mb_per_task, growth.low, growth.high) else {
        return format!("{word}: {}", growth.reason);
    };
    match growth.answer {
        Answer::Leak => {
            let gate = gate_mb.filter(|gate| rate > 0.0 && rate < *gate).map_or(String::new(), |gate| {
                format!("; would pass a {} MB gate for {:.0} tasks", figure(gate), (gate / rate).floor())
            });
            format!(
                "{word}: {} MB{} per task (98 % interval {} to {}) over {} tasks{gate}",
                signed(rate),
                if growth.beside { " of shared or mapped memory" } else { "" },
                figure(low),
                figure(high),
                growth.tasks,
            )
        }
        Answer::Clean | Answer::Inconclusive => format!("{word}: {}", growth.reason),
    }
}

/// A figure with as many decimals as it needs to be told from nothing.
fn figure(value: f64) -> String {
    let decimals = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 1.0 {
        1
    } else {
        2
    };
    round(value, decimals).to_string()
}

fn signed(value: f64) -> String {
    let figure = figure(value);
    if figure.starts_with('-') { figure } else { format!("+{figure}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_negative_and_no_empty_leak_is_said_to_have_been_seen() {
        assert!(clean(-5.0, -90.0, 30).ends_with("memory falls; any growth would have been seen"));
        assert!(clean(0.004, 0.0, 30).contains("a leak of 0.01 MB per task"));
        assert!(clean(0.2, 0.0, 30).contains("a leak of 0.2 MB per task"));
    }
}
