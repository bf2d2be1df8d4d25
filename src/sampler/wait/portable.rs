//! Waits with a condition variable, on systems where no descriptor reports a process's end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::record::ExitKind;
use crate::sampler::process::ProcessId;

/// Waits; owned by the sampler's thread.
pub(crate) struct Waiter(Arc<Bell>);

/// Ends a [`Waiter::wait`] from another thread.
#[derive(Clone)]
pub(crate) struct Waker(Arc<Bell>);

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    condition: Condvar,
}

impl Waker {
    /// Makes the current or the next wait return.
    pub(crate) fn wake(&self) {
        *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.condition.notify_all();
    }
}

impl Waiter {
    /// A waiter and its waker. Never fails, unlike on Linux.
    pub(crate) fn new() -> std::io::Result<(Waiter, Waker)> {
        let bell = Arc::new(Bell::default());
        Ok((Waiter(Arc::clone(&bell)), Waker(bell)))
    }

    /// Always false: the end of `id` is noticed at the next look.
    pub(crate) fn watch(&mut self, _id: ProcessId) -> bool {
        false
    }

    /// Does nothing, since nothing is watched.
    pub(crate) fn unwatch(&mut self, _id: ProcessId) {}

    /// Waits until the waker is called or `timeout` has passed.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Vec<ProcessId> {
        let rung = self.0.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.condition.wait_timeout_while(rung, timeout, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
        Vec::new()
    }

    /// Always unknown.
    pub(crate) fn how(&mut self, _id: ProcessId) -> ExitKind {
        ExitKind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_wake_ends_the_wait_and_a_deadline_is_waited_for() {
        let (mut waiter, waker) = Waiter::new().expect("it cannot fail");
        let id = ProcessId { pid: 1, start_ticks: 1 };
        assert!(!waiter.watch(id));
        waiter.unwatch(id);
        assert_eq!(waiter.how(id), ExitKind::Unknown);
        waker.wake();
        let start = Instant::now();
        waiter.wait(Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30), "it waited for the deadline");
        let start = Instant::now();
        waiter.wait(Duration::from_millis(30));
        assert!(start.elapsed() >= Duration::from_millis(30));
    }
}
