//! A run that goes on from another: which readings belong together.

use std::collections::HashSet;

use super::bulk::Bulk;
use super::event::{Event, EventRecord};
use super::groups::ReadTasks;
use super::phase::Phase;
use super::run::RunData;

impl RunData {
    /// The run with `earlier`, which it went on from, before it.
    ///
    /// Where the service was started anew in between, a phase that compares memory begins
    /// anew: what it had read before is left out, since no figure can be compared across that.
    #[must_use]
    pub fn after(self, mut earlier: RunData) -> RunData {
        for phase in anew(&self) {
            earlier.forget(phase);
        }
        earlier.file = self.file;
        let levels = earlier.ramp.levels.len();
        let before = earlier.read.tasks;
        self.tasks.into_iter().for_each(|task| earlier.keep(task));
        earlier.read.merge(self.read, before);
        earlier.ramp.merge(self.ramp);
        earlier.open.merge(self.open, levels);
        earlier.soaked.merge(self.soaked);
        earlier.in_blocks.merge(self.in_blocks);
        earlier.events.extend(self.events);
        earlier.samples.extend(self.samples);
        earlier.damage.extend(self.damage);
        earlier.missing.extend(self.missing);
        earlier
    }

    /// Leaves out what `phase` has read.
    fn forget(&mut self, phase: Phase) {
        let left_out: Vec<String> = self
            .tasks
            .iter()
            .filter(|task| task.phase == Some(phase))
            .map(|task| task.test_id.clone())
            .collect();
        let left_out: HashSet<&str> = left_out.iter().map(String::as_str).collect();
        self.tasks.retain(|task| task.phase != Some(phase));
        match phase {
            Phase::Soak => self.soaked = Bulk::default(),
            Phase::Leak => (self.in_blocks, self.read) = (Bulk::default(), ReadTasks::default()),
            Phase::Concurrency => {}
        }
        let mut inside = false;
        let of_task = |id: &str| left_out.contains(id);
        self.events.retain(|record| {
            if let Event::PhaseStarted { phase: begun, .. } = &record.event {
                inside = *begun == phase;
            }
            !match &record.event {
                Event::TaskStarted { test_id }
                | Event::TaskAnswered { test_id, .. }
                | Event::TaskRetried { test_id, .. }
                | Event::RolesAfter { test_id, .. } => of_task(test_id),
                Event::Memory { .. }
                | Event::Anatomy { .. }
                | Event::ProbeStep { .. }
                | Event::BlockStarted { .. }
                | Event::BlockEnded(_)
                | Event::IdleEnded(_)
                | Event::Lives(_)
                | Event::LateFree { .. } => inside,
                Event::SoakRound(_) => phase == Phase::Soak,
                _ => false,
            }
        });
    }

    /// Seconds that the open or ended `phase` took, over all parts of the run.
    pub fn seconds_of(&self, phase: Phase) -> f64 {
        let (mut seconds, mut inside) = (0.0, false);
        let mut last = 0.0;
        for EventRecord { elapsed, event, .. } in &self.events {
            match event {
                Event::PhaseStarted { phase: begun, .. } => inside = *begun == phase,
                // It has a clock of its own.
                Event::RunStarted { .. } => inside = false,
                // Judged long after its run perhaps, at no time of the run.
                Event::Verdict { .. } | Event::Resumed { .. } => continue,
                _ if inside => seconds += elapsed - last,
                _ => {}
            }
            if matches!(event, Event::PhaseEnded { .. }) {
                inside = false;
            }
            last = *elapsed;
        }
        seconds
    }
}

/// The phases that begin anew in `run`.
fn anew(run: &RunData) -> Vec<Phase> {
    let of = |record: &EventRecord| match record.event {
        Event::Resumed { new_series, .. } => new_series,
        _ => None,
    };
    run.events.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::record::{SoakRound, TaskRecord};

    fn part(rounds: std::ops::Range<u32>, resumed: Option<Option<Phase>>) -> RunData {
        let mut events = Vec::new();
        events.extend(resumed.map(|new_series| Event::Resumed {
            tasks: "earlier.jsonl".to_string(),
            in_flight_broke: true,
            new_series,
            gap_s: Some(60.0),
        }));
        events.push(Event::PhaseStarted { phase: Phase::Soak, tasks: None });
        let mut tasks = Vec::new();
        for round in rounds {
            let mut one = TaskRecord { phase: Some(Phase::Soak), ..task("short", 1, 0.1) };
            one.test_id = format!("t{round}");
            events.push(Event::TaskStarted { test_id: one.test_id.clone() });
            tasks.push(one);
            let (seconds, floor) = (f64::from(round), Some(100.0));
            events.push(Event::SoakRound(SoakRound {
                round,
                tasks: round,
                seconds,
                floor_mb: floor,
                peak_mb: floor,
                ..SoakRound::default()
            }));
        }
        run(tasks, events)
    }

    fn rounds(run: &RunData) -> Vec<u32> {
        let of = |record: &EventRecord| match record.event {
            Event::SoakRound(round) => Some(round.round),
            _ => None,
        };
        run.events.iter().filter_map(of).collect()
    }

    #[test]
    fn the_time_of_a_phase_is_that_of_all_its_parts() {
        let soak = || Event::PhaseStarted { phase: Phase::Soak, tasks: None };
        let started = || Event::RunStarted {
            title: String::new(),
            version: String::new(),
            machine: Default::default(),
            plan: serde_json::Value::Null,
            files: Default::default(),
        };
        let health = || Event::Health { problem: None };
        let at = |(elapsed, event)| EventRecord { time: String::new(), elapsed, event };
        let first = [(0.0, started()), (2.0, soak()), (5.0, health())];
        let second = [(0.0, started()), (1.0, soak()), (8.0, health())];
        let ended = [(9.0, Event::PhaseEnded { phase: Phase::Soak, cut_short: None }), (20.0, health())];
        let events: Vec<_> = first.into_iter().chain(second).chain(ended).map(at).collect();
        let run = RunData { events, ..RunData::default() };
        assert_eq!((run.seconds_of(Phase::Soak), run.seconds_of(Phase::Leak)), (3.0 + 8.0, 0.0));
    }

    #[test]
    fn the_same_service_goes_on_with_its_series_and_another_begins_one() {
        let joined = part(3..5, Some(None)).after(part(1..3, None));
        assert_eq!((rounds(&joined), joined.ended()), (vec![1, 2, 3, 4], 4));
        let anew = part(1..4, Some(Some(Phase::Soak))).after(joined.clone());
        assert_eq!((rounds(&anew), anew.ended()), (vec![1, 2, 3], 3));
        assert!(anew.open.ids().is_empty(), "what is left out is not in flight");
        // In whatever order parts are put together.
        let last = part(4..6, Some(None)).after(part(1..4, Some(Some(Phase::Soak))));
        assert_eq!(rounds(&last.after(joined)), [1, 2, 3, 4, 5]);
        let other = part(1..4, Some(Some(Phase::Leak))).after(part(1..3, None));
        assert_eq!(rounds(&other), [1, 2, 1, 2, 3], "another phase begins anew");
    }
}
