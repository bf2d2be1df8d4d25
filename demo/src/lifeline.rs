//! The lifeline: ends a process of the service when its parent has ended.
//!
//! A child's stdin is a pipe whose only write end belongs to its parent. Its first
//! line is the [`Assignment`]; after that nothing is ever written, and the end
//! of the stream means that the parent stopped, was killed, or closed the pipe. The
//! kernel closes a pipe however a process ends, on every system. A parent-death
//! signal, in contrast, fires when merely the *thread* that spawned the child ends.

use std::io::{BufRead, Read};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::options::DemoOptions;

/// The first message to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    /// The supervisor's switches.
    pub(super) options: DemoOptions,
    /// The secret of this service, which the broker requires.
    pub(super) token: String,
    /// The broker's address; `None` for the api, which is the broker.
    pub(super) broker: Option<SocketAddr>,
}

/// Reads the assignment from stdin, and from then on ends this process as
/// soon as stdin closes.
///
/// # Errors
/// If stdin does not begin with an assignment.
pub(super) fn assignment() -> Result<Assignment> {
    let broken = || {
        Error::new("a process of the embedded service was started without its assignment")
            .hint("start the service with `highwater demo`; `--role` is for its own use")
    };
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| broken().source(error))?;
    let assignment = serde_json::from_str(&line).map_err(|error| broken().source(error))?;
    on_end_of_stdin(|| std::process::exit(0))?;
    Ok(assignment)
}

/// Calls `then`, on a thread of its own, when stdin closes.
///
/// # Errors
/// If the thread cannot be started.
pub(super) fn on_end_of_stdin(then: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name("lifeline".to_string())
        .stack_size(64 * 1024)
        .spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut buffer = [0; 64];
            while matches!(stdin.read(&mut buffer), Ok(1..)) {}
            then();
        })
        .map(drop)
        .map_err(|error| Error::new("cannot start the lifeline thread").source(error))
}
