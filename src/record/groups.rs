//! The leak check's tasks with a reading each, of which there may be very many: kept one by one while they are few, then
//! in growing groups with one reading each.

use super::block::BlockReading;
use super::event::{Event, EventRecord};
use super::footprint::Footprint;
use super::phase::Phase;
use super::task::TaskRecord;

/// Tasks that are kept one by one.
pub(crate) const ONE_BY_ONE: u32 = 4096;

/// A group has this share of the tasks before it, as a block that is sent without readings has.
const SHARE: f64 = 0.19;

/// The events of a task are among so many last ones.
const NEAR: usize = 64;

/// A group of tasks after those that are kept one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The reading after its last task; the floor is the lowest reading in it.
    pub reading: BlockReading,
    /// Its last task.
    pub test_id: String,
    first: u32,
}

/// The leak check's tasks that had a reading each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadTasks {
    /// Their number.
    pub tasks: u32,
    /// The groups of those that are not kept one by one; to the last one more tasks may come.
    pub groups: Vec<Group>,
    /// The last tasks of the last group.
    pub last: Vec<TaskRecord>,
    /// Seconds of the tasks of the last group.
    busy_seconds: f64,
}

/// Tasks whose failure ends a check, and one more.
const LAST: usize = 4;

impl ReadTasks {
    /// True if `task` is one of those.
    pub(super) fn is_for(task: &TaskRecord) -> bool {
        match task.phase {
            Some(Phase::Leak) => task.condition.is_none() && task.block.is_none(),
            None => task.concurrency == 1,
            _ => false,
        }
    }

    /// Counts `task`; true if it is to be kept, false if only its sums and the reading of its group are.
    pub(super) fn take(&mut self, task: &TaskRecord, events: &mut Vec<EventRecord>) -> bool {
        self.tasks = self.tasks.saturating_add(1);
        if self.tasks <= ONE_BY_ONE {
            return true;
        }
        let full = |group: &Group| {
            f64::from(group.reading.tasks - group.first + 1) >= SHARE * f64::from(group.first)
        };
        if self.groups.last().is_none_or(full) {
            self.busy_seconds = 0.0;
            let reading = BlockReading {
                block: 0,
                tasks: 0,
                seconds: 0.0,
                busy_seconds: 0.0,
                settled: true,
                worker: None,
                floor_rss_mb: None,
                floor_tasks: None,
            };
            self.groups.push(Group { reading, test_id: String::new(), first: self.tasks });
        }
        let Some(group) = self.groups.last_mut() else { return true };
        forget(&group.test_id, events, |event| matches!(event, Event::RolesAfter { .. }));
        forget(&task.test_id, events, |event| {
            matches!(event, Event::TaskStarted { .. } | Event::TaskAnswered { .. })
        });
        self.busy_seconds += task.processing_time.unwrap_or_default();
        let reading = &mut group.reading;
        reading.tasks = self.tasks;
        reading.busy_seconds = self.busy_seconds;
        reading.settled = task.settled.unwrap_or(true);
        let rss = |rss_mb| Footprint { rss_mb: Some(rss_mb), ..Footprint::default() };
        reading.worker = task.worker_after.or(task.worker_rss_after_mb.map(rss));
        if let Some(rss_mb) = reading.worker.and_then(|worker| worker.rss_mb)
            && reading.floor_rss_mb.is_none_or(|floor_mb| rss_mb <= floor_mb)
        {
            (reading.floor_rss_mb, reading.floor_tasks) = (Some(rss_mb), Some(self.tasks));
        }
        group.test_id.clone_from(&task.test_id);
        self.last.push(task.clone());
        if self.last.len() > LAST {
            self.last.remove(0);
        }
        false
    }

    /// Adds the groups of a run that went on from this one, when this one had `before` such tasks.
    pub(super) fn merge(&mut self, other: ReadTasks, before: u32) {
        for mut group in other.groups {
            group.first += before;
            group.reading.tasks += before;
            group.reading.floor_tasks = group.reading.floor_tasks.map(|tasks| tasks + before);
            self.groups.push(group);
        }
        self.tasks = before + other.tasks;
        self.busy_seconds = other.busy_seconds;
        self.last.extend(other.last);
    }
}

/// Removes the events of a task, which are among the last.
fn forget(id: &str, events: &mut Vec<EventRecord>, of: impl Fn(&Event) -> bool) {
    for place in (events.len().saturating_sub(NEAR)..events.len()).rev() {
        let event = &events[place].event;
        let about = match event {
            Event::TaskStarted { test_id }
            | Event::TaskAnswered { test_id, .. }
            | Event::RolesAfter { test_id, .. } => test_id == id,
            _ => false,
        };
        if about && of(event) {
            events.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::task;
    use crate::record::RunData;

    fn run(tasks: u32, mb: impl Fn(u32) -> f64) -> RunData {
        let mut run = RunData::default();
        let note = |run: &mut RunData, event| {
            run.note(EventRecord { time: String::new(), elapsed: 0.0, event });
        };
        note(&mut run, Event::PhaseStarted { phase: Phase::Leak, tasks: None });
        for number in 1..=tasks {
            let mut one = task(if number % 2 == 0 { "long" } else { "short" }, 1, 0.1);
            one.test_id = format!("t{number}");
            (one.phase, one.worker_rss_after_mb) = (Some(Phase::Leak), Some(mb(number)));
            one.worker_rss_delta_mb = Some(if number == 30_000 { 250.0 } else { 0.0 });
            note(&mut run, Event::TaskStarted { test_id: one.test_id.clone() });
            let roles = Default::default();
            note(&mut run, Event::RolesAfter { test_id: one.test_id.clone(), roles });
            run.take(one);
        }
        run
    }

    #[test]
    fn tasks_of_any_number_are_some_thousand_and_their_groups() {
        let few = run(ONE_BY_ONE, |_| 100.0);
        assert!(few.read.groups.is_empty());
        let many = run(60_000, |number| 100.0 + f64::from(number % 10));
        assert_eq!((many.tasks.len(), many.ended()), (ONE_BY_ONE as usize, 60_000));
        assert!((10..20).contains(&many.read.groups.len()), "{}", many.read.groups.len());
        let last = &many.read.groups[many.read.groups.len() - 1];
        assert_eq!((last.reading.tasks, last.test_id.as_str()), (60_000, "t60000"));
        assert_eq!(last.reading.floor_rss_mb, Some(100.0));
        // Two events of each task that is kept, and one of each group.
        assert!(many.events.len() < 2 * ONE_BY_ONE as usize + 30, "{}", many.events.len());
    }

    #[test]
    fn nothing_that_decides_is_lost_in_groups() {
        let plan = crate::plan::Plan::default();
        let verdict = |run: &RunData, name: &str| {
            let found = crate::analysis::fixtures::judge(run, &plan);
            let found = found.criterion(name).unwrap();
            (found.verdict, found.detail.clone())
        };
        let flat = run(40_000, |_| 100.0);
        let (delta, told) = verdict(&flat, "leak.delta");
        assert_eq!(delta, crate::record::Verdict::Fail, "{told}");
        assert!(told.contains("t30000") && told.contains("1 of 19999"), "{told}");
        assert_eq!(verdict(&flat, "leak.growth").0, crate::record::Verdict::Pass);
        // It leaks only after those that are kept one by one.
        let late = run(40_000, |number| 100.0 + 0.02 * f64::from(number.saturating_sub(5000)));
        assert_eq!(verdict(&late, "leak.growth").0, crate::record::Verdict::Fail);
    }

    #[test]
    fn parts_of_a_run_count_on() {
        let whole = run(5000, |_| 100.0).after(run(6000, |_| 100.0));
        assert_eq!((whole.read.tasks, whole.ended()), (11_000, 11_000));
        assert_eq!(whole.tasks.len(), ONE_BY_ONE as usize);
        let places: Vec<u32> = whole.read.groups.iter().map(|group| group.reading.tasks).collect();
        assert!(places.is_sorted() && places.last() == Some(&11_000), "{places:?}");
    }
}
