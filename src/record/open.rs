//! Tasks that were sent and have no line yet, of runs in which millions are sent.

use std::collections::{HashMap, HashSet, VecDeque};

/// Tasks that were answered and have no line, at most: their lines were lost. More than are ever outstanding at once.
pub(crate) const ANSWERED: usize = 20_000;

/// A task that was sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sent {
    /// The place of its level among those of the run; absent outside the ramp.
    pub(super) level: Option<usize>,
    /// When it was answered, in seconds since the first task of its level was sent.
    pub(super) answered_s: Option<f64>,
    /// Its place in the order of sending.
    number: u64,
}

/// Tasks that were sent and have no line yet.
#[derive(Debug, Clone, Default)]
pub struct OpenTasks {
    sent: HashMap<String, Sent>,
    /// Those that were answered, in their order, and some that have a line by now.
    answered: VecDeque<(String, u64)>,
    /// How many of them have no line.
    waiting: usize,
    /// Tasks whose line came before their events.
    early: VecDeque<String>,
    early_ids: HashSet<String>,
    number: u64,
}

impl OpenTasks {
    pub(super) fn sent(&mut self, id: &str, level: Option<usize>) {
        if self.early_ids.remove(id) {
            return;
        }
        self.number += 1;
        self.sent.insert(id.to_string(), Sent { level, answered_s: None, number: self.number });
    }

    pub(super) fn answered(&mut self, id: &str, at_s: impl FnOnce(usize) -> f64) {
        let Some(sent) = self.sent.get_mut(id).filter(|sent| sent.answered_s.is_none()) else { return };
        sent.answered_s = Some(sent.level.map_or(0.0, at_s));
        self.answered.push_back((id.to_string(), sent.number));
        self.waiting += 1;
        let waits = |sent: &HashMap<String, Sent>, (id, number): &(String, u64)| {
            sent.get(id).is_some_and(|sent| sent.number == *number)
        };
        if self.answered.len() > 2 * ANSWERED {
            self.answered.retain(|entry| waits(&self.sent, entry));
        }
        while self.waiting > ANSWERED
            && let Some(oldest) = self.answered.pop_front()
        {
            if waits(&self.sent, &oldest) {
                self.sent.remove(&oldest.0);
                self.waiting -= 1;
            }
        }
    }

    /// A task that has its line now, if its events came before.
    pub(super) fn take(&mut self, id: &str) -> Option<Sent> {
        let sent = self.sent.remove(id)?;
        self.waiting -= usize::from(sent.answered_s.is_some());
        Some(sent)
    }

    /// Notes a line whose events may still come.
    pub(super) fn early(&mut self, id: &str) {
        if self.early.len() == ANSWERED
            && let Some(oldest) = self.early.pop_front()
        {
            self.early_ids.remove(&oldest);
        }
        self.early.push_back(id.to_string());
        self.early_ids.insert(id.to_string());
    }

    /// True if the events of a task have been seen, or if more of them would be more than are kept.
    pub(crate) fn may_end(&self, id: &str) -> bool {
        self.waiting >= ANSWERED || self.sent.get(id).is_some_and(|sent| sent.answered_s.is_some())
    }

    /// The tasks, in the order in which they were sent.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<(&str, u64)> =
            self.sent.iter().map(|(id, sent)| (id.as_str(), sent.number)).collect();
        ids.sort_by_key(|(_, number)| *number);
        ids.into_iter().map(|(id, _)| id).collect()
    }

    /// Adds those of a run that went on from this one, in which `levels` of the levels were tried before.
    pub(super) fn merge(&mut self, other: OpenTasks, levels: usize) {
        for (id, sent) in other.sent {
            let number = self.number + sent.number;
            let level = sent.level.map(|level| level + levels);
            self.waiting += usize::from(sent.answered_s.is_some());
            self.sent.insert(id, Sent { level, number, ..sent });
        }
        let later = other.answered.into_iter().map(|(id, number)| (id, self.number + number));
        self.answered.extend(later);
        self.number += other.number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_lines_of_any_number_take_little() {
        let mut open = OpenTasks::default();
        for task in 0..10 * ANSWERED {
            let id = format!("t{task}");
            open.sent(&id, None);
            open.answered(&id, |_| 0.0);
            // One has its line in time, and one before its events.
            if task % 2 == 0 {
                assert!(open.take(&id).is_some());
            }
        }
        assert_eq!((open.sent.len(), open.waiting), (ANSWERED, ANSWERED));
        assert!(open.answered.len() <= 2 * ANSWERED && open.may_end("none"));
        assert_eq!(open.ids().last(), Some(&format!("t{}", 10 * ANSWERED - 1).as_str()));
    }

    #[test]
    fn a_line_before_its_events_is_not_in_flight() {
        let mut open = OpenTasks::default();
        assert!(open.take("a").is_none());
        open.early("a");
        open.sent("a", Some(0));
        open.answered("a", |_| 1.0);
        open.sent("b", Some(0));
        assert_eq!(open.ids(), ["b"]);
        // The same id again is another task.
        open.sent("a", Some(0));
        assert_eq!(open.ids(), ["b", "a"]);
    }
}
