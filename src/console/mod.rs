//! What a person sees while a run goes on.
//!
//! The console is an [`Observer`]: it is told what has been recorded, and shows
//! nothing that is not safely on the disk.

mod lines;
#[cfg(feature = "cli")]
mod live;
#[cfg(not(feature = "cli"))]
mod plain;
mod screen;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

pub use lines::criterion_line;
pub use screen::{Screen, Stream};

use crate::phases::Observer;
use crate::plan::Plan;
use crate::record::{EventRecord, RunData, TaskRecord};

/// Shows a run, line by line, and what is going on at the moment.
pub struct Console {
    state: Mutex<State>,
}

struct State {
    screen: Screen,
    run: RunData,
    plan: Plan,
    results: PathBuf,
    /// The lines so far, without their indents: what was said is not said again.
    said: HashSet<String>,
}

impl Console {
    /// A console for runs with files in `results`, judged against `plan`.
    pub fn new(screen: Screen, plan: Plan, results: PathBuf) -> Console {
        Console {
            state: Mutex::new(State { screen, run: RunData::default(), plan, results, said: HashSet::new() }),
        }
    }

    /// Takes a run that this one goes on from: what it left counts, and is not shown again.
    pub fn earlier(&self, run: RunData) {
        self.lock().run = run;
    }

    /// Shows a line that belongs to no event.
    pub fn say(&self, line: &str) {
        self.lock().screen.line(line);
    }

    /// True if this line was shown, whatever its indent.
    pub fn has_said(&self, line: &str) -> bool {
        self.lock().said.contains(line.trim())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Console {
    fn event(&self, record: &EventRecord) {
        let mut state = self.lock();
        state.run.events.push(record.clone());
        let State { screen, run, plan, results, said } = &mut *state;
        for line in lines::of_event(&record.event, run, plan, results) {
            screen.line(&line);
            said.insert(line.trim().to_string());
        }
        screen.progress(lines::progress(&record.event, run));
    }

    fn task(&self, record: &TaskRecord) {
        let mut state = self.lock();
        state.run.tasks.push(record.clone());
        let State { screen, run, .. } = &mut *state;
        if let Some(line) = lines::of_task(record, run) {
            screen.line(&line);
        }
    }
}
