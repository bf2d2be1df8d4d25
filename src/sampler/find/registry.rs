//! RQ's registry of workers, in Redis.
//!
//! The set `rq:workers:QUEUE` names the workers of a queue and is never
//! cleaned; a worker is registered while its hash `rq:worker:NAME` exists.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::redis;
use super::rq::{Registry, shown};

/// The time limit for the whole look-up.
const WHOLE: Duration = Duration::from_secs(3);
/// The age at which an answer is looked up again.
const FRESH: Duration = Duration::from_secs(1);

/// Looks up a registry on a thread of its own, since a tick must not wait for Redis.
pub(super) struct Lookup {
    url: String,
    queue: String,
    running: Option<Receiver<Registry>>,
    /// The last answer, and when it was asked for.
    last: Option<Registry>,
    asked: Instant,
}

impl Lookup {
    /// Starts to look up the workers of `queue`.
    pub(super) fn start(url: &str, queue: &str) -> Lookup {
        let (url, queue) = (url.to_string(), queue.to_string());
        let running = Some(spawn(&url, &queue));
        Lookup { url, queue, running, last: None, asked: Instant::now() }
    }

    /// The registry; waits for it, at most [`WHOLE`].
    pub(super) fn wait(&mut self) -> Registry {
        if let Some(running) = self.running.take() {
            self.last = Some(match running.recv_timeout(WHOLE) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => {
                    Err(format!("Redis at {} does not answer", shown(&self.url)))
                }
                Err(RecvTimeoutError::Disconnected) => Err("the look-up in Redis failed".to_string()),
            });
        }
        self.latest()
    }

    /// The registry as it was last read. If that was too long ago, starts to read it again for
    /// the next call.
    pub(super) fn poll(&mut self) -> Registry {
        match self.running.as_ref().map(Receiver::try_recv) {
            Some(Ok(answer)) => {
                self.last = Some(answer);
                self.running = None;
            }
            Some(Err(TryRecvError::Disconnected)) => self.running = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        if self.running.is_none() && self.asked.elapsed() >= FRESH {
            self.running = Some(spawn(&self.url, &self.queue));
            self.asked = Instant::now();
        }
        self.latest()
    }

    fn latest(&self) -> Registry {
        self.last.clone().unwrap_or_else(|| Err("RQ's registry has not been read yet".to_string()))
    }
}

fn spawn(url: &str, queue: &str) -> Receiver<Registry> {
    let (send, receive) = mpsc::channel();
    let (url, queue) = (url.to_string(), queue.to_string());
    // If the thread cannot be started, the sender is dropped, and the receiver notices.
    let thread = std::thread::Builder::new().name("highwater-registry".to_string());
    let started = thread.spawn(move || {
        // The caller may have stopped waiting.
        let _ = send.send(redis::workers(&url, &queue));
    });
    drop(started);
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "rq")]
    fn an_absent_or_silent_redis_is_reported_without_the_password() {
        // Bound and never accepted from; the second is closed again.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let ports = [&silent, &closed].map(|listener| listener.local_addr().expect("bound").port());
        drop(closed);
        for port in ports {
            let answer = Lookup::start(&format!("redis://:secret@127.0.0.1:{port}/0"), "q").wait();
            let error = answer.expect_err("there is no Redis");
            assert!(error.contains(&format!("redis://127.0.0.1:{port}/0")), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
