//! Memory of two kinds: what a process holds alone, and what is resident beside it.
//!
//! Shared segments, memfds, files in a tmpfs and mapped files accumulate as heaps
//! do, and none of it is private memory. So where private memory is clean, what is
//! resident beside it is held against the same rule. It is let speak only where it
//! certainly grows: the kernel takes back pages of files and reads them again as
//! it likes, so that it is too restless to clear, or to doubt, anything.

use super::bounds::Bounds;
use super::doublings::growth_over_doublings;
use super::rule::growth_within;
use super::{Answer, Growth, Readings, Reason};

/// Judges memory after each task.
///
/// Cheap enough to be asked after every task. Where it is asked again and again
/// and the first certain answer ends the matter, say in [`Readings::looks`] how
/// often that may be.
pub fn growth(readings: &Readings<'_>) -> Growth {
    let private = judged(readings);
    if private.answer != Answer::Clean || readings.beside_mb.len() != readings.after_mb.len() {
        return private;
    }
    // How large it is says nothing about the runtime here: it is what is judged.
    let beside = Readings { after_mb: readings.beside_mb, beside_mb: &[], file_mb: None, ..*readings };
    let beside = judged(&beside);
    // Judged over doublings it is as steady as private memory: the check goes on until both are decided.
    let open = readings.over_doublings() && beside.answer != Answer::Clean;
    if beside.growing {
        Growth { reason: Reason::Shared(Box::new(beside.reason)), beside: true, ..beside }
    } else {
        Growth { firm: private.firm && !open, ..private }
    }
}

fn judged(readings: &Readings<'_>) -> Growth {
    if readings.over_doublings() {
        growth_over_doublings(readings)
    } else {
        growth_within(readings, &Bounds::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(beside: impl Fn(f64) -> f64) -> Growth {
        let after = [100.0; 30];
        let beside: Vec<f64> = (0..30).map(|task| 40.0 + beside(f64::from(task))).collect();
        growth(&Readings { beside_mb: &beside, ..Readings::new(&after) })
    }

    #[test]
    fn what_accumulates_beside_private_memory_is_not_clean() {
        let leak = judged(|task| 20.0 * task);
        assert_eq!((leak.answer, leak.beside), (Answer::Leak, true), "{}", leak.reason);
        assert!(leak.sentence(None).starts_with("LEAK: +20 MB of shared memory per task"));
        let small = judged(|task| 0.3 * task);
        assert_eq!(small.answer, Answer::Inconclusive, "{}", small.reason);
        assert!(small.sentence(None).contains("shared memory"), "{}", small.sentence(None));
    }

    #[test]
    fn what_is_restless_or_flat_beside_it_changes_nothing() {
        for beside in [|_| 0.0, |task: f64| 30.0 * (task * 1.7).sin(), |task: f64| 60.0 - 2.0 * task] {
            let clean = judged(beside);
            assert_eq!((clean.answer, clean.beside), (Answer::Clean, false), "{}", clean.reason);
        }
    }

    #[test]
    fn without_a_reading_for_each_task_private_memory_alone_is_judged() {
        let after = [100.0; 30];
        let beside: Vec<f64> = (0..20).map(|task| f64::from(task) * 20.0).collect();
        let clean = growth(&Readings { beside_mb: &beside, ..Readings::new(&after) });
        assert_eq!(clean.answer, Answer::Clean);
    }
}
