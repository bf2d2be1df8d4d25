//! The line to one origin: asks it in a thread of its own, and knows which process is which.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::{Figures, Origin, Sighting};
use crate::record::ExitKind;
use crate::sampler::process::{ProcessId, ProcessInfo, ReadError};
use crate::{Error, ErrorKind, Result};

type Answer = std::result::Result<Sighting, String>;

/// Between two looks, a reading this old is as good as a new one: the origin itself is asked each second.
const PACE: Duration = Duration::from_secs(1);
/// How often at most the search for processes asks.
const SEARCH_PACE: Duration = Duration::from_millis(150);
/// The processes of one look are read one after the other, all from one answer.
const SAME_LOOK: Duration = Duration::from_millis(100);
/// Start times this close are one: they are calculated from a clock that is corrected now and then.
const SAME_START_S: f64 = 1.5;

/// Each end is asked for within a look or two.
const MOST_ENDED: usize = 64;

/// A process of an origin.
struct Known {
    id: ProcessId,
    figures: Figures,
    /// Its figures of the latest answer have been read.
    served: bool,
}

/// The line to the origin of one role.
pub(super) struct Line {
    role: String,
    name: String,
    patience: Duration,
    pace: Duration,
    oldest_s: f64,
    ask: Sender<()>,
    answers: Receiver<Answer>,
    /// A question has no answer yet.
    pending: bool,
    /// The last answer came too late, or not at all: the next one is not waited for.
    hung: bool,
    /// When the latest answer was asked for; `None` if there is none.
    at: Option<Instant>,
    /// Why there are no figures now.
    trouble: Option<String>,
    known: Vec<Known>,
    /// Its processes on this machine.
    here: Vec<u32>,
    /// How processes that are gone have ended.
    ended: Vec<(ProcessId, ExitKind)>,
    /// Those that have not been reported as new.
    new: Vec<ProcessInfo>,
}

impl Line {
    /// Starts the thread that asks `origin`, and asks it for the first time.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if there can be no thread.
    pub(super) fn start(role: &str, mut origin: Box<dyn Origin>) -> Result<Line> {
        let (ask, questions) = mpsc::channel();
        let (reply, answers) = mpsc::channel();
        let (name, patience, pace, oldest_s) =
            (origin.name(), origin.patience(), origin.pace(), origin.oldest_s());
        std::thread::Builder::new()
            .name("highwater-figures".to_string())
            .spawn(move || {
                while questions.recv().is_ok() {
                    if reply.send(origin.read()).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| Error::new(ErrorKind::Io, "cannot start a thread").source(error))?;
        let mut line = Line {
            role: role.to_string(),
            name,
            patience,
            pace,
            oldest_s,
            ask,
            answers,
            pending: false,
            hung: false,
            at: None,
            trouble: None,
            known: Vec::new(),
            here: Vec::new(),
            ended: Vec::new(),
            new: Vec::new(),
        };
        line.refresh();
        line.known.iter_mut().for_each(|known| known.served = true);
        Ok(line)
    }

    pub(super) fn role(&self) -> &str {
        &self.role
    }

    pub(super) fn has(&self, id: ProcessId) -> bool {
        self.known.iter().any(|known| known.id == id)
    }

    /// The pids of its processes, or why there is none.
    pub(super) fn pids(&self) -> std::result::Result<Vec<u32>, String> {
        match &self.trouble {
            Some(trouble) if self.known.is_empty() => Err(trouble.clone()),
            _ => Ok(self.known.iter().map(|known| known.id.pid).chain(self.here.iter().copied()).collect()),
        }
    }

    /// How `id`, which is gone, came to its end; absent where the origin does not say.
    pub(super) fn how_ended(&self, id: ProcessId) -> Option<ExitKind> {
        self.ended.iter().find(|(ended, _)| *ended == id).map(|(_, how)| *how)
    }

    pub(super) fn infos(&self) -> impl Iterator<Item = ProcessInfo> {
        self.known.iter().map(|known| info(known.id, &known.figures, &self.name))
    }

    pub(super) fn take_new(&mut self) -> Vec<ProcessInfo> {
        std::mem::take(&mut self.new)
    }

    /// Looks for processes, unless that was done a moment ago.
    pub(super) fn look(&mut self) {
        if self.at.is_none_or(|at| at.elapsed() >= SEARCH_PACE.max(self.pace)) {
            self.refresh();
            // A reading that is asked for from now on is a later one.
            self.known.iter_mut().for_each(|known| known.served = true);
        }
    }

    /// The figures of `id`: those of now if `fresh`, else at most a second old.
    ///
    /// # Errors
    /// [`ReadError::Gone`] if the origin says that it has ended, [`ReadError::Other`] if the origin says nothing.
    pub(super) fn figures(&mut self, id: ProcessId, fresh: bool) -> std::result::Result<Figures, ReadError> {
        let age = self.at.map(|at| at.elapsed());
        let known = self.known.iter().find(|known| known.id == id);
        let served = known.is_none_or(|known| known.served);
        let good = match age {
            Some(age) if fresh => age < self.pace || !served && age < SAME_LOOK,
            Some(age) => age < PACE,
            None => false,
        };
        if !good {
            self.refresh();
        }
        let known = self.known.iter_mut().find(|known| known.id == id).ok_or(ReadError::Gone)?;
        known.served = true;
        if let Some(trouble) = &self.trouble {
            return Err(ReadError::Other(std::io::Error::other(trouble.clone())));
        }
        Ok(known.figures.clone())
    }

    /// The figures of the latest reading.
    pub(super) fn latest(&self, id: ProcessId) -> Option<&Figures> {
        self.known.iter().find(|known| known.id == id).map(|known| &known.figures)
    }

    /// How old the latest figures of `id` are, in seconds.
    pub(super) fn age_s(&self, id: ProcessId) -> f64 {
        let since = self.at.map_or(0.0, |at| at.elapsed().as_secs_f64());
        self.latest(id).map_or(0.0, |figures| figures.age_s + since)
    }

    /// Asks, and waits for the answer as long as there is hope.
    fn refresh(&mut self) {
        if self.pending {
            match self.answers.try_recv() {
                // It was asked for a while ago and says nothing of now, except that answers come again.
                Ok(late) => {
                    self.pending = false;
                    self.hung &= late.is_err();
                }
                Err(_) => return self.fail(self.no_answer()),
            }
        }
        let asked = Instant::now();
        if self.ask.send(()).is_err() {
            return self.fail(format!("{}: its thread has ended", self.name));
        }
        self.pending = true;
        let patience = if self.hung { Duration::ZERO } else { self.patience };
        match self.answers.recv_timeout(patience) {
            Ok(answer) => {
                self.pending = false;
                self.at = Some(asked);
                match answer {
                    Ok(sighting) => self.take(sighting),
                    Err(trouble) => self.fail(format!("{} {trouble}", self.name)),
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                self.hung = true;
                self.fail(self.no_answer());
            }
            Err(RecvTimeoutError::Disconnected) => self.fail(format!("{}: its thread has ended", self.name)),
        }
    }

    fn no_answer(&self) -> String {
        format!("{} gives no answer within {} s", self.name, self.patience.as_secs_f64())
    }

    fn fail(&mut self, trouble: String) {
        self.at.get_or_insert_with(Instant::now);
        self.trouble = Some(trouble);
        // By the time of the next answer another process may have such a pid.
        self.here.clear();
    }

    /// An answer: which of its processes are known, which are new, and which have ended.
    fn take(&mut self, sighting: Sighting) {
        let Sighting { figures, here, ended, nothing } = sighting;
        let old = figures.iter().find(|figures| figures.age_s > self.oldest_s);
        if let Some(old) = old {
            let age = old.age_s;
            return self.fail(format!("{} has figures that are {age:.0} s old", self.name));
        }
        let nothing = nothing.unwrap_or_else(|| "has no such process".to_string());
        let is_empty = figures.is_empty() && here.is_empty();
        self.trouble = is_empty.then(|| format!("{} {nothing}", self.name));
        self.here = here;
        let mut before = std::mem::take(&mut self.known);
        for figures in figures {
            let same = before.iter().position(|known| is_same(&known.figures, &figures));
            let id = match same {
                Some(index) => before.swap_remove(index).id,
                None => {
                    let id = next_id(figures.started_s);
                    self.new.push(info(id, &figures, &self.name));
                    id
                }
            };
            self.known.push(Known { id, figures, served: false });
        }
        let gone = before.into_iter().map(|known| (known.id, how(&known.figures, &self.known, &ended)));
        self.ended.extend(gone.filter_map(|(id, how)| Some((id, how?))));
        let surplus = self.ended.len().saturating_sub(MOST_ENDED);
        self.ended.drain(..surplus);
    }
}

/// How a process came to its end: as its origin says, or by a kill that its group has counted since.
fn how(gone: &Figures, now: &[Known], ended: &[(String, ExitKind)]) -> Option<ExitKind> {
    let said = ended.iter().find(|(key, _)| *key == gone.key).map(|(_, how)| *how);
    let kills = |figures: &Figures| figures.oom_kills;
    let killed = now.iter().any(|known| {
        known.figures.name == gone.name
            && kills(&known.figures).zip(kills(gone)).is_some_and(|(now, then)| now > then)
    });
    said.or(killed.then_some(ExitKind::OutOfMemory))
}

/// True if both are figures of one process, the second later.
fn is_same(before: &Figures, now: &Figures) -> bool {
    let started = match (before.started_s, now.started_s) {
        (Some(before), Some(now)) => (before - now).abs() < SAME_START_S,
        _ => true,
    };
    // CPU time is counted from 0 again after a restart.
    let counted = match (before.cpu_s, now.cpu_s) {
        (Some(before), Some(now)) => now >= before - SAME_START_S.min(before / 2.0),
        _ => true,
    };
    // Whoever is left after a kill for want of memory is not what was measured before.
    let unharmed = match (before.oom_kills, now.oom_kills) {
        (Some(before), Some(now)) => now <= before,
        _ => true,
    };
    unharmed && before.key == now.key && before.name == now.name && started && counted
}

fn info(id: ProcessId, figures: &Figures, origin: &str) -> ProcessInfo {
    let argv = [figures.name.clone(), origin.to_string()].into_iter().chain(figures.place.clone()).collect();
    ProcessInfo { id, parent: 0, name: figures.name.clone(), argv }
}

/// A number for a process of which only figures are known. No number is given twice.
fn next_id(started_s: Option<f64>) -> ProcessId {
    static GIVEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let given = GIVEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let start_ticks = started_s.map_or(0, |seconds| (seconds * 1000.0) as u64);
    ProcessId { pid: ProcessId::FIRST_ELSEWHERE + given, start_ticks }
}
