//! The sentences of the verdict on growth, from [`Reason`].

use std::fmt;

use crate::analysis::{Answer, Grounds, Growth, InputRate, Reason, Undecided, Unsettled};
use crate::units::round;

impl Growth {
    /// The verdict in a line: `LEAK: +1.2 MB per task (98 % interval 1.0 to 1.4)
    /// over 64 tasks; would pass a 200 MB gate for 166 tasks`.
    ///
    /// `gate_mb` is how much a single task may keep, or nothing where there is no such gate.
    pub fn sentence(&self, gate_mb: Option<f64>) -> String {
        sentence(self, gate_mb)
    }

    /// [`Growth::sentence`] as the detail of a criterion, whose verdict says INCONCLUSIVE already.
    pub(crate) fn detail(&self, gate_mb: Option<f64>) -> String {
        match self.answer {
            Answer::Inconclusive => self.reason.to_string(),
            Answer::Leak | Answer::Clean => self.sentence(gate_mb),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reason(self))
    }
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::TooShort { tasks, least } => {
            format!("{tasks} {} after warm-up, at least {least} are needed", plural(*tasks, "reading"))
        }
        Reason::Leak { rise_mb, tasks, grounds } => leak(*rise_mb, *tasks, *grounds),
        Reason::Growing { rate_mb, rise_mb, slowing } => growing(*rate_mb, *rise_mb, *slowing),
        Reason::Clean { high_mb, rise_mb, tasks, risen_by, filled } => {
            clean(*high_mb, *rise_mb, [*risen_by, *tasks], *filled)
        }
        Reason::Undecided { why, low_mb, high_mb } => undecided(*why, *low_mb, *high_mb),
        Reason::Shared(reason) => format!("private memory is clean, shared memory is not: {reason}"),
        Reason::GoesOn { rise_mb, tasks, grounds } => goes_on(*rise_mb, *tasks, *grounds),
        Reason::InHeap(reason) => reason.to_string(),
        Reason::StillFew { rate_mb, rise_mb, runtime } => still_few(*rate_mb, *rise_mb, *runtime),
        Reason::Few { tasks, enough } => {
            format!(
                "{} {} so far, too few to tell a leak from what fills (some {} are needed)",
                grouped(*tasks),
                plural(*tasks, "task"),
                grouped(*enough)
            )
        }
        Reason::Flat { bound_mb, rise_mb, tasks, filled } => flat(*bound_mb, *rise_mb, *tasks, *filled),
        Reason::Unsettled { why, late_mb, early_mb } => unsettled(*why, *late_mb, *early_mb),
        Reason::Fills { held_mb, bound_mb, rate_mb } => format!(
            "fills: {} of {} MB (`leak.fills_to_mb`) at {} per task",
            figure(*held_mb),
            grouped(*bound_mb as usize),
            amount(*rate_mb)
        ),
        Reason::WithTime { mb_per_hour, busy_mb_per_hour, idle_s, mostly } => {
            with_time(*mb_per_hour, *busy_mb_per_hour, *idle_s, *mostly)
        }
        Reason::WithinLives { lives, risen_mb, tasks } => format!(
            "each process grows until it is replaced: by {} MB in {:.0} tasks, over {} lives",
            figure(*risen_mb),
            tasks,
            grouped(*lives)
        ),
        Reason::Incomparable(why) => why.clone(),
    }
}

fn leak(rise_mb: f64, tasks: usize, grounds: Grounds) -> String {
    format!(
        "retained memory rose by {} MB over {} tasks without slowing down, {}",
        figure(rise_mb),
        grouped(tasks),
        because(grounds)
    )
}

fn because(grounds: Grounds) -> &'static str {
    match grounds {
        Grounds::Large => "more than what fills commonly holds",
        Grounds::Fast => "faster, and for longer, than a warm-up or a cache",
        Grounds::Long => "for longer than what fills commonly takes",
        Grounds::Seen => "though nothing was sent that had not been sent before",
        Grounds::Doublings => "at the same rate over the last two doublings of the number of tasks",
    }
}

fn goes_on(rise_mb: f64, tasks: usize, grounds: Grounds) -> String {
    format!(
        "retained memory rose by {} MB over the later three quarters of {} tasks, {}",
        figure(rise_mb),
        grouped(tasks),
        because(grounds)
    )
}

fn with_time(mb_per_hour: f64, busy_mb_per_hour: f64, idle_s: f64, mostly: bool) -> String {
    let idle = format!("{} an hour in {idle_s:.0} s without a task", signed_amount(mb_per_hour));
    let busy = format!("{} an hour with tasks", signed_amount(busy_mb_per_hour));
    if mostly {
        format!("memory grows whether the service is asked or not: {idle}, {busy}")
    } else {
        format!("memory grows with time and with tasks: {idle}, {busy}")
    }
}

fn growing(rate_mb: f64, rise_mb: f64, slowing: bool) -> String {
    let growth = format!("growing {} per task", signed_amount(rate_mb));
    if slowing {
        return format!("{growth}, and slowing down: something that fills, or a leak that began earlier");
    }
    format!("{growth}: a leak, unless something larger than {} MB is still filling", figure(rise_mb))
}

fn still_few(rate_mb: f64, rise_mb: f64, runtime: bool) -> String {
    let growth = format!("growing {} per task", signed_amount(rate_mb));
    if runtime {
        return format!(
            "{growth}, by {} MB so far: a leak, unless the heap of this runtime is still rising to its limit",
            figure(rise_mb)
        );
    }
    format!("{growth}: a leak, unless something larger than {} MB is still filling", figure(rise_mb))
}

/// Less than this per task is called nothing, in MB.
const NOTHING_MB: f64 = 0.05;

/// A rise of this many MB is mentioned, since a reader sees it too.
const MENTIONED_MB: f64 = 10.0;

fn clean(high_mb: f64, rise_mb: f64, [risen_by, tasks]: [usize; 2], filled: bool) -> String {
    // Never round a positive bound to 0.00, nor claim that a falling memory shows everything.
    let seen = format!("a leak of {} per task would have been seen", amount(high_mb.max(0.01)));
    if rise_mb < MENTIONED_MB {
        return format!("nothing accumulates over {tasks} tasks; {seen}");
    }
    let rose = match risen_by {
        early if early < tasks => {
            format!("rose by {} MB in the first {early} of {tasks} tasks", figure(rise_mb))
        }
        _ => format!("rose by {} MB in {tasks} tasks", figure(rise_mb)),
    };
    if filled {
        format!("{rose}, then no more: something that fills, not a leak; {seen}")
    } else {
        format!("{rose}, at most as much as a leak of {} per task", amount(high_mb.max(0.01)))
    }
}

fn flat(bound_mb: f64, rise_mb: f64, tasks: usize, filled: bool) -> String {
    let seen = format!("a leak of {} per task would have been seen", amount(bound_mb));
    let tasks = grouped(tasks);
    if filled {
        return format!(
            "rose by {} MB in {tasks} tasks, and the second half of them added nothing: something that fills, not a leak; {seen}",
            figure(rise_mb)
        );
    }
    format!("nothing accumulates over {tasks} tasks; {seen}")
}

fn undecided(why: Undecided, low_mb: f64, high_mb: f64) -> String {
    let interval = format!("98 % interval {} to {} MB per task", figure(low_mb), figure(high_mb));
    match why {
        Undecided::Few => format!("flat so far ({interval}), over too few readings to rule out a leak"),
        Undecided::Lately => format!("flat lately, and not for long enough after it rose ({interval})"),
        Undecided::Noisy => format!("neither flat nor steadily growing ({interval})"),
    }
}

fn unsettled(why: Unsettled, late_mb: f64, early_mb: f64) -> String {
    let rates = format!(
        "{} per task over the last half of the tasks, {} over the quarter before",
        signed_amount(late_mb),
        signed_amount(early_mb)
    );
    match why {
        Unsettled::Falls => format!("memory comes down, which hides what is kept meanwhile ({rates})"),
        Unsettled::Slows => format!("growth slows down: something that fills, or a leak beside it ({rates})"),
        Unsettled::Grows => format!("memory grows, not steadily ({rates})"),
        Unsettled::Noisy => format!("memory goes up and down by more than a leak would ({rates})"),
    }
}

fn sentence(growth: &Growth, gate_mb: Option<f64>) -> String {
    let word = growth.answer.word().to_uppercase();
    let (Some(rate), Some(low), Some(high)) = (growth.rate_mb_per_task, growth.low, growth.high) else {
        return format!("{word}: {}", growth.reason);
    };
    match growth.answer {
        Answer::Leak if !growth.by_input.is_empty() => {
            format!("{word}: {} over {} tasks", by_input(&growth.by_input), grouped(growth.tasks))
        }
        // A rate per task would be that of the pace of this check.
        Answer::Leak if matches!(growth.reason, Reason::WithTime { mostly: true, .. }) => {
            format!("{word}: {}", growth.reason)
        }
        // The sum does not go on growing, so it meets no gate.
        Answer::Leak if matches!(growth.reason, Reason::WithinLives { .. }) => format!(
            "{word}: {} per task of a process (98 % interval {}); {}",
            signed_amount(rate),
            interval(low, high, rate),
            growth.reason
        ),
        Answer::Leak => {
            let gate = gate_mb.filter(|gate| rate > 0.0 && rate < *gate).map_or(String::new(), |gate| {
                format!(
                    "; would pass a {} MB gate for {} tasks",
                    figure(gate),
                    grouped((gate / rate).floor() as usize)
                )
            });
            format!(
                "{word}: {}{} per task (98 % interval {}) over {} tasks{}{gate}",
                signed_amount(rate),
                which(growth),
                interval(low, high, rate),
                grouped(growth.tasks),
                daily(growth, rate, "").unwrap_or_default(),
            )
        }
        Answer::Clean => {
            let day = growth.detectable_mb_per_task.and_then(|bound| daily(growth, bound, "under "));
            format!("{word}: {}{}", growth.reason, day.unwrap_or_default())
        }
        Answer::Inconclusive => format!("{word}: {}", growth.reason),
    }
}

/// Which memory grows, where it is not private memory.
fn which(growth: &Growth) -> &'static str {
    match growth.reason {
        _ if growth.beside => " of shared memory",
        Reason::InHeap(_) => " in use after a collection",
        _ => "",
    }
}

/// `+353 MB per long task, nothing per short task`.
fn by_input(rates: &[InputRate]) -> String {
    let rate = |rate: &InputRate| {
        let amount = match rate.mb_per_task {
            mb if mb < NOTHING_MB => "nothing".to_string(),
            mb => signed_amount(mb),
        };
        match rate.input.as_str() {
            "short" | "long" => format!("{amount} per {} task", rate.input),
            input => format!("{amount} per task of {input}"),
        }
    };
    rates.iter().map(rate).collect::<Vec<_>>().join(", ")
}

/// What so much per task comes to in a day at the pace that was seen.
fn daily(growth: &Growth, mb_per_task: f64, under: &str) -> Option<String> {
    const DAY_S: f64 = 86_400.0;
    let pace = growth.per_second.filter(|pace| pace.is_finite() && *pace > 0.0)?;
    Some(format!(": at {} tasks a second {under}{} a day", figure(pace), amount(mb_per_task * pace * DAY_S)))
}

/// `0.4 KB`, `1.2 MB`, `2.8 GB`.
fn amount(mb: f64) -> String {
    let size = mb.abs();
    if size >= 1024.0 {
        format!("{} GB", figure(mb / 1024.0))
    } else if size >= 0.1 {
        format!("{} MB", figure(mb))
    } else {
        format!("{} KB", figure(mb * 1024.0))
    }
}

fn signed_amount(mb: f64) -> String {
    let amount = amount(mb);
    if amount.starts_with('-') { amount } else { format!("+{amount}") }
}

/// Both ends in the unit of `like`.
fn interval(low: f64, high: f64, like: f64) -> String {
    let scale = if like.abs() >= 1024.0 {
        1.0 / 1024.0
    } else if like.abs() >= 0.1 {
        1.0
    } else {
        1024.0
    };
    format!("{} to {}", figure(low * scale), figure(high * scale))
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

/// `12,345`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_string() } else { format!("{noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_negative_and_no_empty_leak_is_said_to_have_been_seen() {
        assert!(clean(-5.0, -90.0, [1, 30], false).contains("a leak of 10.2 KB per task"));
        assert!(clean(0.2, 0.0, [1, 30], false).contains("a leak of 0.2 MB per task"));
    }

    #[test]
    fn something_that_fills_is_said_only_where_it_has_ended() {
        let filled = clean(0.1, 572.0, [6, 38], true);
        assert!(filled.starts_with("rose by 572 MB in the first 6 of 38 tasks, then no more"), "{filled}");
        assert!(!clean(0.1, 50.0, [400, 400], false).contains("fills"));
    }

    #[test]
    fn amounts_have_the_unit_that_fits() {
        assert_eq!([0.0004, 0.02, 1.25, 2867.0].map(amount), ["0.41 KB", "20.5 KB", "1.3 MB", "2.8 GB"]);
        assert_eq!([12, 1_234, 1_234_567].map(grouped), ["12", "1,234", "1,234,567"]);
    }
}
