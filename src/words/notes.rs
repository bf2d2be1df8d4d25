//! What a reader must know besides the criteria, and why a run ended early.

use std::fmt;

use super::numbers::{count, mb, signed_mb};
use crate::analysis::{Interruption, Kept, LateFree, Note, Rate};
use crate::record::Damage;
use crate::units::{round, significant, time};

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::WarmUp { input, delta_mb, severe } => write!(
                f,
                "warm-up: the first {input} task retained {}{} (a model or a pool that loads at first use is judged \
                 by whether it happens again)",
                signed_mb(*delta_mb),
                if *severe { ", which is severe" } else { "" }
            ),
            Note::Kept(Kept::NewInput(arms)) => write!(
                f,
                "something is kept for each new input ({}) and little or nothing for an input that was sent before ({})",
                per_task(&arms.new),
                per_task(&arms.known)
            ),
            Note::Kept(Kept::EveryTask(arms)) => write!(
                f,
                "something is kept for each task, whether its input is new ({}) or was sent before ({})",
                per_task(&arms.new),
                per_task(&arms.known)
            ),
            Note::OneInput => f.write_str(
                "no input was sent that was never sent before, so growth on new inputs was not tried (placeholders in \
                 `target.http`, or WAV files, make new ones)",
            ),
            Note::PerAudioSecond { mb } => {
                write!(f, "growth goes with the length of the audio: {} MB for each second of it", significant(*mb))
            }
            Note::PerInputMb { mb } => {
                write!(f, "growth goes with the size of the input: {} MB for each MB that was sent", significant(*mb))
            }
            Note::Undecided { runtime } => {
                f.write_str(
                    "growth is undecided: more time decides most cases (`highwater run --leak-for 600`), and a soak \
                     tries it under load (`highwater soak --for 30m`)",
                )?;
                if *runtime {
                    f.write_str("; a collection before each reading (`settle.collect`) takes the garbage out of it")?;
                }
                Ok(())
            }
            Note::Collected => f.write_str(
                "the service's runtime collected before each reading, so that garbage does not count as growth \
                 (`settle.collect = \"off\"` leaves the heap alone)",
            ),
            Note::LateFree { when, first, count, most_mb } => {
                f.write_str(&late_free(*when, first, *count, *most_mb))
            }
            Note::Forks { children, tasks, peak_mb } => {
                write!(
                    f,
                    "tasks run in a child of the worker that ends with them ({children} of them for {}), so what a task \
                     leaks ends with its child and cannot show as growth per task; judged instead: the growth of the \
                     parent",
                    count(*tasks, "task")
                )?;
                match peak_mb {
                    Some(peak) => write!(f, ", and shown: the peak of a task (at most {})", mb(*peak)),
                    None => Ok(()),
                }
            }
            Note::LevelsKept { before_mb, after_mb, tasks, levels } => write!(
                f,
                "the {} of the ramp left {} more than before them ({before_mb:.1} to {} over {}), which is not judged: \
                 too few readings to tell a leak from what fills; `highwater run --only leak` judges it",
                count(*levels, "level"),
                mb(after_mb - before_mb),
                mb(*after_mb),
                count(*tasks, "task")
            ),
            Note::Flaky { levels } => {
                let levels: Vec<String> = levels.iter().map(|level| format!("c={level}")).collect();
                write!(
                    f,
                    "{}: tasks failed at every attempt, but not significantly more often than at the levels below \
                     (Fisher's exact test, 5 %), so none of these is taken for the limit; \
                     `ramp.stable.min_success` says what share of tasks must succeed",
                    levels.join(", ")
                )
            }
            Note::Knee { at, throughput, best_at, best } => write!(
                f,
                "c={at} did {} tasks/s and c={best_at} did {}: throughput collapses under load, though no clause \
                 forbids it (`ramp.stable.max_latency_s` would make it the limit)",
                significant(*throughput),
                significant(*best)
            ),
            Note::Plateau { at, throughput, held, held_throughput } => write!(
                f,
                "throughput stopped rising at c={at} ({} tasks/s; {} at c={held}, the highest level that held): above \
                 it tasks only wait longer",
                significant(*throughput),
                significant(*held_throughput)
            ),
            Note::Answers { at, faster, smaller } => {
                let pairs = [
                    faster.map(|(here, below)| format!("they took {} (median; {} below)", time(here), time(below))),
                    smaller.map(|(here, below)| format!("they have {here:.0} bytes (median; {below:.0} below)")),
                ];
                let what: Vec<String> = pairs.into_iter().flatten().collect();
                write!(
                    f,
                    "the answers at c={at} are unlike those at the levels below it: {}. If these are refusals with a \
                     status of success, `target.success` tells them from results",
                    what.join(", and ")
                )
            }
            Note::Retries { tasks, of, retries } => write!(
                f,
                "{tasks} of {} {} sent again after a failure, {} in all (`target.retries`)",
                count(*of, "task"),
                if *tasks == 1 { "was" } else { "were" },
                count(*retries as usize, "time")
            ),
            Note::Grouped { kept, of } => write!(
                f,
                "the leak check has {}: of those after the first {kept}, only sums and one reading for each group are kept",
                count(*of, "task")
            ),
            Note::Warning(warning) => write!(f, "{warning}"),
            Note::CutShort { phase, why } => write!(f, "the {} phase was cut short: {why}", phase.word()),
            Note::Resumed { gap_s, new_series: None } => {
                write!(f, "the run was stopped and went on after {gap_s:.0} s")
            }
            Note::Resumed { gap_s, new_series: Some(phase) } => write!(
                f,
                "the run was stopped and went on after {gap_s:.0} s, with other processes of the worker: the {} phase \
                 began anew, and its earlier readings are not judged",
                phase.word()
            ),
            Note::Damage(damage) => write!(f, "{damage}"),
        }
    }
}

/// How far the run had come that is gone on with.
#[cfg(feature = "cli")]
pub(crate) fn resumed(tasks: usize, phase: crate::record::Phase) -> String {
    format!(
        "goes on with a run that was stopped in its {} phase; done before: {}",
        phase.word(),
        count(tasks, "task")
    )
}

/// `+1.4 MB per task, 98 % interval 1.2 to 1.6`.
fn per_task(rate: &Rate) -> String {
    format!(
        "{:+} MB per task, 98 % interval {} to {}",
        round(rate.per_task, 3),
        round(rate.low, 3),
        round(rate.high, 3)
    )
}

fn late_free(when: LateFree, first: &str, number: usize, most_mb: f64) -> String {
    let one = number == 1;
    let amount = if one { mb(most_mb) } else { format!("up to {} each", mb(most_mb)) };
    let who =
        |noun: &str| if one { first.to_string() } else { format!("{} ({first} first)", count(number, noun)) };
    match when {
        LateFree::Waited => {
            let end = if one { "its end" } else { "their end" };
            format!(
                "late free: {} released {amount} some time after {end}; what was left then was judged",
                who("task")
            )
        }
        LateFree::Between => {
            let who =
                if one { first.to_string() } else { format!("{number} tasks or levels ({first} first)") };
            format!(
                "late free: {who} released {amount} only after memory had been read; the next task is not credited \
                 with it"
            )
        }
        LateFree::During if one => format!(
            "{first}: {amount} that an earlier task held was released meanwhile; its own delta is {amount} too low"
        ),
        LateFree::During => format!(
            "{}: {amount} that an earlier task held was released meanwhile; their own deltas are too low by as much",
            who("task")
        ),
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.torn { "torn in mid-write" } else { "unreadable" };
        write!(f, "{} line {}: {what}, skipped ({})", self.file, self.line, self.reason)
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interruption::Recorded(reason) => f.write_str(reason),
            Interruption::NoEnd { in_flight } => {
                f.write_str("the log of events has no end: highwater or the machine was stopped; ")?;
                match in_flight.as_slice() {
                    [] => f.write_str("no task was in flight"),
                    tasks => write!(f, "in flight: {}", tasks.join(", ")),
                }
            }
        }
    }
}
