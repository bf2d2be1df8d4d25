//! Programs that highwater starts itself to carry out a task or to make load.
//!
//! They stand next to the service and may match what finds its processes. So the pids of those that run are kept
//! here, and the search leaves them and their descendants out.

#[cfg(feature = "command")]
mod group;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "command")]
pub(crate) use group::{Ended, Group};

/// How long a program counts as ours after its end: a search that began before still has it in its list.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// The pids of the programs, and when those that have ended did.
static STARTED: Mutex<Vec<(u32, Option<Instant>)>> = Mutex::new(Vec::new());

fn started() -> MutexGuard<'static, Vec<(u32, Option<Instant>)>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pids of the programs that highwater has started. Ask after the processes were listed: a program is known here
/// before [`starting`] returns.
pub(crate) fn pids() -> BTreeSet<u32> {
    let mut started = started();
    started.retain(|(_, ended)| ended.is_none_or(|at| at.elapsed() < AFTERWARDS));
    started.iter().map(|(pid, _)| *pid).collect()
}

/// Starts a program; whoever asks for [`pids`] meanwhile waits, so that no search sees it as a stranger.
#[cfg(feature = "command")]
fn starting<T>(start: impl FnOnce() -> std::io::Result<(T, u32)>) -> std::io::Result<(T, u32)> {
    let mut started = started();
    let begun = start()?;
    started.push((begun.1, None));
    Ok(begun)
}

/// Records that a program has ended.
#[cfg(feature = "command")]
fn ended(pid: u32) {
    for (_, ended) in started().iter_mut().filter(|(started, _)| *started == pid) {
        ended.get_or_insert_with(Instant::now);
    }
}
