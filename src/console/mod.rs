//! What a person sees while a run goes on.
//!
//! The console is an [`Observer`]: it is told what has been recorded, and shows
//! nothing that is not safely on the disk.

mod block;
mod board;
mod lines;
#[cfg(feature = "cli")]
mod live;
mod now;
#[cfg(not(feature = "cli"))]
mod plain;
mod pulse;
mod screen;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use block::lines as block_lines;
pub use board::{Board, GrowthNow, RoleNow, Trail};
pub use pulse::Pulse;
use screen::Progress;
pub use screen::{Screen, Stream};

use crate::analysis::WORKER;
use crate::phases::Observer;
use crate::plan::Plan;
use crate::record::{CriterionId, Event, EventRecord, ExitKind, Phase, RunData, TaskRecord, Verdict};
use crate::sampler::{Boundary, Snapshot};

/// Shows a run, line by line, and what is going on at the moment.
pub struct Console {
    state: Mutex<State>,
}

struct State {
    screen: Screen,
    run: RunData,
    plan: Plan,
    results: PathBuf,
    /// The criteria that were shown, with the answers that they had then.
    shown: HashSet<(CriterionId, Verdict)>,
    /// What the live line and the lines of tasks count.
    counts: Counts,
    /// Warnings of a run that this one goes on from: they were not shown here.
    earlier_warnings: usize,
    /// When the live block was last made.
    looked: Option<Instant>,
    /// The progress that was shown last.
    progress: Progress,
    /// When it changed.
    changed: Instant,
    /// The current state of the board.
    board: Board,
    /// True if the board is served over HTTP.
    served: bool,
    started: Instant,
}

/// The live block is made no more often than this.
const LOOK: Duration = Duration::from_millis(200);

/// Tasks that have ended, by what the lines say of them.
#[derive(Debug, Default)]
struct Counts {
    /// Tasks of the leak check.
    leak: u64,
    /// All others.
    others: u64,
}

impl Counts {
    fn task(&mut self, phase: Option<Phase>) {
        match phase {
            Some(Phase::Leak) => self.leak += 1,
            _ => self.others += 1,
        }
    }
}

impl State {
    /// True if the run has a live block or is served over HTTP.
    fn is_seen(&self) -> bool {
        self.served || self.screen.is_live()
    }

    /// Redraws the live block.
    fn show(&mut self) {
        self.board.passed(self.started.elapsed().as_secs_f64());
        let State { screen, progress, board, changed, .. } = self;
        let mut progress = progress.clone();
        board.doing.clear();
        if let Progress::Tasks { message, wait, .. } = &mut progress {
            if let Some(wait) = wait {
                let trail = board.roles.get(WORKER).map(|role| role.trail.mb()).unwrap_or_default();
                let first = message.find('\n').unwrap_or(message.len());
                message.insert_str(first, &wait.so_far(changed.elapsed().as_secs_f64(), &trail));
            }
            board.doing.clone_from(message);
            block::lines(board).iter().for_each(|line| *message += &format!("\n{line}"));
        }
        screen.progress(progress);
    }

    /// Keeps an event, if a line may need it: what there is one of for each child that a worker forks is not kept.
    fn keep(&mut self, record: &EventRecord) {
        match &record.event {
            Event::ProcessExited {
                root: false, how: ExitKind::OutOfMemory | ExitKind::Signal(_), ..
            } => {}
            Event::ProcessFound { root: false, rss_mb: None, .. }
            | Event::ProcessExited { root: false, .. } => {
                return;
            }
            _ => {}
        }
        self.run.note(record.clone());
    }
}

impl Console {
    /// A console for runs with files in `results`, judged against `plan`.
    pub fn new(screen: Screen, plan: Plan, results: PathBuf) -> Console {
        Console {
            state: Mutex::new(State {
                screen,
                run: RunData::default(),
                plan,
                results,
                shown: HashSet::new(),
                counts: Counts::default(),
                earlier_warnings: 0,
                looked: None,
                progress: Progress::Clear,
                changed: Instant::now(),
                board: Board::default(),
                served: false,
                started: Instant::now(),
            }),
        }
    }

    /// Takes a run that this one goes on from: what it left counts, and is not shown again.
    pub fn earlier(&self, run: RunData) {
        let warnings = run.events.iter().filter(|record| matches!(record.event, Event::Warning { .. }));
        let mut state = self.lock();
        state.earlier_warnings = warnings.count();
        state.counts.leak = run.tasks.iter().filter(|task| task.phase == Some(Phase::Leak)).count() as u64
            + run.in_blocks.tasks;
        state.counts.others = run.ended() - state.counts.leak;
        state.run = run;
    }

    /// Notes that the board is served over HTTP.
    pub fn serve(&self) {
        self.lock().served = true;
    }

    /// True if the run has a live block or is served over HTTP.
    pub fn is_seen(&self) -> bool {
        self.lock().is_seen()
    }

    /// A look at the processes, sometimes a closer one.
    pub fn look(&self, snapshot: &Snapshot, closer: Option<&BTreeMap<String, Boundary>>) {
        let mut state = self.lock();
        let at_s = state.started.elapsed().as_secs_f64();
        state.board.look(&snapshot.roles, at_s);
        if let Some(closer) = closer {
            state.board.look_closer(closer);
        }
        state.show();
    }

    /// The current state of the board.
    pub fn board(&self) -> Board {
        let mut state = self.lock();
        let at_s = state.started.elapsed().as_secs_f64();
        state.board.passed(at_s);
        state.board.clone()
    }

    /// Shows a line that belongs to no event.
    pub fn say(&self, line: &str) {
        self.lock().screen.line(line);
    }

    /// The criteria that were shown, with the answers that they had then.
    #[cfg(feature = "cli")]
    pub(crate) fn shown(&self) -> HashSet<(CriterionId, Verdict)> {
        self.lock().shown.clone()
    }

    /// How many warnings there are of a run that this one goes on from; all others were shown.
    #[cfg(feature = "cli")]
    pub(crate) fn earlier_warnings(&self) -> usize {
        self.lock().earlier_warnings
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Console {
    fn event(&self, record: &EventRecord) {
        let mut state = self.lock();
        state.keep(record);
        let State { screen, run, plan, results, shown, board, .. } = &mut *state;
        let told = lines::of_event(&record.event, run, plan, results);
        told.lines.iter().for_each(|line| screen.line(line));
        now::take(board, record, &told.criteria);
        shown.extend(told.criteria.into_iter().map(|found| (found.name, found.verdict)));
        // A picture of all that was measured costs a look at all of it: a few a second are enough.
        let often = matches!(record.event, Event::TaskStarted { .. } | Event::TaskAnswered { .. });
        let due = !often || state.looked.is_none_or(|at| at.elapsed() >= LOOK);
        if state.is_seen() && due {
            state.looked = Some(Instant::now());
            let State { run, plan, board, .. } = &mut *state;
            now::judge(board, &record.event, run, plan);
            match now::after_event(&record.event, run, plan) {
                Progress::Keep => {}
                progress => (state.progress, state.changed) = (progress, Instant::now()),
            }
            state.show();
        }
    }

    fn task(&self, record: &TaskRecord) {
        let mut state = self.lock();
        state.run.take(record.clone());
        state.counts.task(record.phase);
        let at_s = state.started.elapsed().as_secs_f64();
        state.board.ended(record.status, at_s);
        let State { screen, counts, .. } = &mut *state;
        if let Some(line) = lines::of_task(record, counts) {
            screen.line(&line);
        }
    }
}
