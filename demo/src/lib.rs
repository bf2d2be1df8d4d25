//! The embedded speech service: `highwater demo`.
//!
//! Real processes, so that memory, crashes and CPU are real: a supervisor, an
//! `api` that answers HTTP and keeps the queue, and one or more `worker`s that
//! decode WAV audio, compute a spectrogram and find the speech in it. All are
//! the same binary, re-executed as `demo --role …`: a program that has this
//! service has a subcommand `demo` which calls [`run`].
//!
//! - [`DemoOptions`]: the switches, most of which plant a fault;
//! - [`run`]: run as one of the processes (as the supervisor by default);
//! - [`Embedded`]: start the whole service from a program or a test; it ends
//!   when the value is dropped or the program is killed;
//! - [`Ready`] and [`ServiceEvent`]: the service's announcements on its stdout.
//!
//! Every process has its stdin tied to its parent (`lifeline`), so none
//! outlives the one that started it. There are no fixed ports and no files.

mod announce;
mod api;
mod dsp;
mod embedded;
mod error;
mod lifeline;
mod options;
mod supervisor;
mod units;
mod wire;
mod worker;

pub use announce::{Process, Ready, ServiceEvent};
pub use embedded::Embedded;
pub use error::{Error, Result};
pub use options::{DemoOptions, FdKind, LeakHow, LeakWhen, Role};
pub use units::{ByteSize, CacheSize, parse_duration, parse_factor};

/// Runs the service until SIGINT or SIGTERM (or, with `--lifeline`, until
/// stdin closes), or, when the supervisor says so, one process of it.
///
/// Call it from a plain `main`: the supervisor and the api start a tokio
/// runtime of their own, and a worker that forks should have few threads.
///
/// # Errors
/// If a process of the service does not start, or when the api ends.
pub fn run(options: &DemoOptions) -> Result<()> {
    match options.role {
        None => supervisor::run(options),
        Some(Role::Api) => api::run(&lifeline::assignment()?),
        Some(Role::Worker) => worker::run(&lifeline::assignment()?),
    }
}
