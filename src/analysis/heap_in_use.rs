//! Growth of the heap in use after a collection, as the runtime reports it. Pure.
//!
//! The pages of a collected heap rise in steps, by up to three times what is in use, so that a leak shows late and
//! unsteadily in them. The heap in use rises with every task that keeps something. It does not show memory outside
//! the heap, so it can prove a leak and never rule one out.

use super::growth::{Answer, Growth, Readings, Reason, enough, growth};
use crate::record::{BlockReading, Footprint, TaskRecord};

/// Heap in use after each single task and after each block, with the number of tasks by then.
#[derive(Debug, Default)]
pub(super) struct HeapInUse {
    at: Vec<f64>,
    mb: Vec<f64>,
}

impl HeapInUse {
    /// The series over the single tasks and the blocks after them. It is empty unless every reading has the figure.
    pub(super) fn of(tasks: &[&TaskRecord], blocks: &[&BlockReading]) -> HeapInUse {
        let singles = tasks.iter().zip(1..).map(|(task, at)| (f64::from(at), task.worker_after));
        let later = blocks.iter().map(|block| (f64::from(block.tasks), block.worker));
        let used = |held: Option<Footprint>| held.and_then(|held| held.heap_mb);
        let read = singles.chain(later).map(|(at, held)| Some((at, used(held)?)));
        let (at, mb) = read.collect::<Option<Vec<_>>>().unwrap_or_default().into_iter().unzip();
        HeapInUse { at, mb }
    }

    /// Growth of the heap in use if it grows and private memory does not prove a leak; otherwise `private`, the
    /// growth of private memory.
    pub(super) fn judged(&self, private: Growth, per_second: Option<f64>, slack_mb: f64) -> Growth {
        if self.mb.is_empty() || private.answer == Answer::Leak {
            return private;
        }
        let heap = growth(&Readings {
            at: &self.at,
            enough: per_second.map(enough),
            slack_mb: Some(slack_mb),
            per_second,
            ..Readings::new(&self.mb)
        });
        // Private memory stays flat while a heap fills the pages that it has.
        let open = private.answer == Answer::Clean && heap.growing;
        if heap.answer == Answer::Leak || open {
            return Growth { reason: Reason::InHeap(Box::new(heap.reason)), ..heap };
        }
        private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(used_mb: impl Fn(f64) -> f64) -> HeapInUse {
        let at: Vec<f64> = (1..=40).map(|index| (8.0 * 1.19_f64.powi(index)).round()).collect();
        HeapInUse { mb: at.iter().map(|at| used_mb(*at)).collect(), at }
    }

    fn private(mb: impl Fn(f64) -> f64) -> Growth {
        let HeapInUse { at, mb } = blocks(mb);
        growth(&Readings { at: &at, heap_mb: Some(96.0), ..Readings::new(&mb) })
    }

    #[test]
    fn a_leak_under_the_steps_of_the_pages_is_found() {
        // Pages come by steps of nine tenths; 20 KB stay in use with every task.
        let steps = |at: f64| 60.0 + 1.9_f64.powf((at * 0.03 + 1.0).log(1.9).floor());
        let found = private(steps);
        assert_ne!(found.answer, Answer::Leak, "{}", found.reason);
        let judged = blocks(|at| 5.0 + 0.02 * at).judged(found, Some(400.0), 2.0);
        assert_eq!(judged.answer, Answer::Leak, "{}", judged.reason);
        let said = judged.sentence(None);
        assert!(said.starts_with("LEAK: +20.5 KB in use after a collection per task"), "{said}");
    }

    #[test]
    fn a_heap_in_use_that_is_flat_neither_accuses_nor_clears() {
        let flat = || blocks(|at| 5.0 + (at * 1.7).sin() * 0.1);
        for rise in [0.0, 0.01] {
            let found = private(|at| 60.0 + rise * at);
            let before = found.answer;
            assert_eq!(flat().judged(found, Some(400.0), 2.0).answer, before);
        }
    }

    #[test]
    fn a_cache_on_the_heap_that_has_filled_is_no_leak() {
        let filled = blocks(|at| 5.0 + 0.1 * at.min(500.0));
        let judged = filled.judged(private(|_| 60.0), Some(400.0), 2.0);
        assert_eq!(judged.answer, Answer::Clean, "{}", judged.reason);
    }

    #[test]
    fn what_is_not_known_after_each_is_not_judged() {
        let told = Footprint { heap_mb: Some(5.0), ..Footprint::default() };
        let task =
            |held| TaskRecord { worker_after: held, ..crate::analysis::fixtures::task("short", 1, 0.1) };
        let (with, without) = (task(Some(told)), task(Some(Footprint::default())));
        assert_eq!(HeapInUse::of(&[&with, &with], &[]).mb, [5.0, 5.0]);
        assert!(HeapInUse::of(&[&with, &without], &[]).mb.is_empty());
    }
}
