//! Does a task in a child process, like RQ's work-horse.

use std::io::{Read, Write};

use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

use super::faults::Faults;
use super::fork::in_child;
use super::task::{self, Performed};
use crate::options::DemoOptions;
use crate::wire::{Broker, Outcome};

/// Does the task in a forked child and reaps it. A child that dies makes the
/// task fail; the worker lives on.
pub(super) fn perform(task_id: &str, broker: &Broker, options: &DemoOptions, faults: &mut Faults) -> Outcome {
    match ride(task_id, broker, options, faults) {
        Ok(performed) => {
            faults.set_leaks_met(performed.leaks_met);
            performed.outcome
        }
        Err(error) => Outcome::Failed { duration: None, error },
    }
}

fn ride(
    task_id: &str,
    broker: &Broker,
    options: &DemoOptions,
    faults: &mut Faults,
) -> Result<Performed, String> {
    let (mut reader, mut writer) =
        std::io::pipe().map_err(|error| format!("cannot make a pipe to the work-horse: {error}"))?;
    let child = in_child(|| {
        let performed = task::perform(task_id, broker, options, faults);
        if let Ok(text) = serde_json::to_vec(&performed) {
            // The parent treats a short or missing answer as a failure.
            let _ = writer.write_all(&text);
        }
    })
    .map_err(|error| format!("cannot fork a work-horse: {error}"))?;
    // Only the child may have the write end open, or reading the answer would never end.
    drop(writer);
    let mut answer = Vec::new();
    let read = reader.read_to_end(&mut answer);
    let status = reap(child).map_err(|error| format!("cannot wait for the work-horse: {error}"))?;
    if let Some(signal) = status.terminating_signal() {
        return Err(format!("work-horse pid {} was killed, signal {signal}", child.as_raw_nonzero()));
    }
    read.map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_slice(&answer).map_err(|error| error.to_string()))
        .map_err(|error| format!("work-horse pid {} gave no answer: {error}", child.as_raw_nonzero()))
}

fn reap(child: Pid) -> rustix::io::Result<WaitStatus> {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
