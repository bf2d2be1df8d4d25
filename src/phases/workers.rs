//! Follows the worker processes of a run: their exits and replacements.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::recorder::Recorder;
use crate::analysis::{WORKER, worker_end};
use crate::record::{Event, ExitKind, Warning};
use crate::sampler::{EventKind, ProcessEvent};
use crate::units::{bounded, few};

/// The roots of the worker role.
#[derive(Debug, Clone, Default)]
struct State {
    alive: BTreeSet<u32>,
    exits: Vec<(u32, ExitKind)>,
    replacements: Vec<u32>,
}

/// A point in the history of the workers, to ask for the changes since.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    exits: usize,
    replacements: usize,
}

/// Follows the sampler's events: records them, then shows them to the phases.
#[derive(Debug, Clone)]
pub struct Workers {
    state: watch::Receiver<State>,
    barrier: mpsc::Sender<oneshot::Sender<()>>,
}

impl Workers {
    /// Starts following; `alive` are the roots that were found at the start.
    pub fn follow(
        events: broadcast::Receiver<ProcessEvent>,
        recorder: Arc<Recorder>,
        alive: impl IntoIterator<Item = u32>,
    ) -> Workers {
        let initial = State { alive: alive.into_iter().collect(), ..State::default() };
        let (publish, state) = watch::channel(initial);
        let (barrier, requests) = mpsc::channel(1);
        tokio::spawn(forward(events, recorder, publish, requests));
        Workers { state, barrier }
    }

    /// The present point in the history.
    pub fn mark(&self) -> Mark {
        let state = self.state.borrow();
        Mark { exits: state.exits.len(), replacements: state.replacements.len() }
    }

    /// Waits until every event that the sampler has sent is recorded and visible.
    pub async fn caught_up(&self) {
        let (done, reached) = oneshot::channel();
        if self.barrier.send(done).await.is_ok() {
            drop(reached.await);
        }
    }

    /// The workers that ended since `mark`, and their replacements.
    pub fn since(&self, mark: Mark) -> (Vec<(u32, ExitKind)>, Vec<u32>) {
        let state = self.state.borrow();
        (state.exits[mark.exits..].to_vec(), state.replacements[mark.replacements..].to_vec())
    }

    /// True if no worker ended and none was replaced since `mark`.
    pub(super) fn unchanged_since(&self, mark: Mark) -> bool {
        let state = self.state.borrow();
        state.exits.len() == mark.exits && state.replacements.len() == mark.replacements
    }

    /// Resolves when a worker has ended since `mark`, or if none was alive at that point.
    /// Returns what happened, and whether a worker is left.
    pub async fn lost(&self, mark: Mark) -> (String, bool) {
        let mut state = self.state.clone();
        let changed = state.wait_for(|state| {
            state.exits.len() > mark.exits || (state.alive.is_empty() && !state.exits.is_empty())
        });
        match changed.await {
            Ok(state) => {
                let recent = state.exits.get(mark.exits..).filter(|exits| !exits.is_empty());
                let ends: Vec<String> =
                    recent.unwrap_or(&state.exits).iter().map(|(pid, how)| worker_end(*pid, *how)).collect();
                (few(&ends, "deaths"), !state.alive.is_empty())
            }
            // The sampler has stopped, so no further event will come.
            Err(_) => std::future::pending().await,
        }
    }
}

async fn forward(
    mut events: broadcast::Receiver<ProcessEvent>,
    recorder: Arc<Recorder>,
    publish: watch::Sender<State>,
    mut requests: mpsc::Receiver<oneshot::Sender<()>>,
) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => take(&event, &recorder, &publish).await,
                Err(RecvError::Lagged(missed)) => lagged(missed, &recorder).await,
                Err(RecvError::Closed) => return,
            },
            request = requests.recv() => {
                let Some(request) = request else { return };
                loop {
                    match events.try_recv() {
                        Ok(event) => take(&event, &recorder, &publish).await,
                        Err(TryRecvError::Lagged(missed)) => lagged(missed, &recorder).await,
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
                // The caller may have been cancelled meanwhile.
                let _: Result<(), ()> = request.send(());
            }
        }
    }
}

async fn take(event: &ProcessEvent, recorder: &Recorder, publish: &watch::Sender<State>) {
    let is_worker = event.role == WORKER && event.is_root;
    let pid = event.id.pid;
    let record = match &event.kind {
        EventKind::Appeared { cmdline, parent } => Event::ProcessFound {
            role: event.role.clone(),
            pid,
            name: bounded(event.name.clone()),
            command: bounded(cmdline.clone()),
            root: event.is_root,
            parent: (!event.is_root).then_some(*parent),
            start: Some(event.id.start_ticks),
            replacement: event.is_root,
            rss_mb: None,
        },
        EventKind::Exited { how } => Event::ProcessExited {
            role: event.role.clone(),
            pid,
            name: event.name.clone(),
            root: event.is_root,
            how: *how,
        },
    };
    if let Err(error) = recorder.event(record).await {
        // The recorder fails from now on, which ends the run; this task has no caller to return the error to.
        tracing::error!("{error}");
    }
    if is_worker {
        publish.send_modify(|state| match &event.kind {
            EventKind::Appeared { .. } => {
                state.alive.insert(pid);
                state.replacements.push(pid);
            }
            EventKind::Exited { how } => {
                state.alive.remove(&pid);
                state.exits.push((pid, *how));
            }
        });
    }
}

async fn lagged(missed: u64, recorder: &Recorder) {
    let message = Warning::EventsLost { events: missed };
    if let Err(error) = recorder.event(Event::Warning { message }).await {
        tracing::error!("{error}");
    }
}
