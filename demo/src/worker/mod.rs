//! A worker process: one task at a time, on the main thread.
//!
//! It does not use tokio. With `--fork` its children do not call exec, so it has
//! few threads, and none that holds a lock which a child could need.

mod faults;
mod fork;
mod garbage;
mod horse;
mod leaks;
mod mapping;
mod task;

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use self::faults::Faults;
use self::garbage::Garbage;
use crate::error::{Error, Result};
use crate::lifeline::Assignment;
use crate::wire::{Broker, Order, Outcome, Report, Wish, line, read};

/// Works until the lifeline, the end of the api or a fault ends the process.
pub(super) fn run(assignment: &Assignment) -> Result<()> {
    let cannot = |error: std::io::Error| Error::new("the worker cannot reach the api's broker").source(error);
    let address = assignment.broker.ok_or_else(|| Error::new("a worker needs a broker"))?;
    let broker = Broker { address, token: assignment.token.clone() };
    let mut stream = broker.connect(Wish::Work { pid: std::process::id() }).map_err(cannot)?;
    let options = &assignment.options;
    let garbage = Garbage::default();
    let tasks = listen(stream.try_clone().map_err(cannot)?, options.crash_at, garbage.clone())?;
    let mut faults = Faults::new(options, garbage)?;
    let mut number = 0u32;
    while let Some(task_id) = faults.wait(&tasks) {
        number = number.wrapping_add(1);
        let started = Instant::now();
        let outcome = if options.fork {
            horse::perform(&task_id, &broker, options, &mut faults)
        } else {
            task::perform(&task_id, &broker, options, &mut faults).outcome
        };
        let outcome = flaky(outcome, number, options.flaky);
        let leaving = options.recycle.is_some_and(|tasks| number >= tasks);
        let report = Report { task_id, seconds: started.elapsed().as_secs_f64(), outcome, leaving };
        let text = line(&report).map_err(cannot)?;
        stream.write_all(text.as_bytes()).map_err(cannot)?;
        if leaving {
            break;
        }
    }
    Ok(())
}

/// Every Nth task of a worker fails, independently of load.
fn flaky(outcome: Outcome, number: u32, every: Option<u32>) -> Outcome {
    match every {
        Some(every) if number.is_multiple_of(every) => {
            let error = format!("flaky: task {number} of this worker fails, whatever the load");
            Outcome::Failed { duration: None, error }
        }
        _ => outcome,
    }
}

/// Receives the api's orders on a thread of its own, so that a worker can crash
/// in the middle of a task. Returns a receiver of tasks.
fn listen(stream: TcpStream, crash_at: Option<u32>, garbage: Garbage) -> Result<Receiver<String>> {
    let (sender, tasks) = channel();
    std::thread::Builder::new()
        .name("orders".to_string())
        .stack_size(256 * 1024)
        .spawn(move || {
            obey(stream, crash_at, &garbage, &sender);
            // A worker without the api ends, whatever its main thread is doing.
            std::process::exit(1);
        })
        .map_err(|error| Error::new("cannot start the orders thread").source(error))?;
    Ok(tasks)
}

fn obey(stream: TcpStream, crash_at: Option<u32>, garbage: &Garbage, tasks: &Sender<String>) {
    let mut stream = BufReader::new(stream);
    let mut known = u32::MAX;
    while let Ok(order) = read(&mut stream) {
        match order {
            Order::Outstanding(count) => {
                // Only a rise counts: a worker that replaces a crashed one must complete the
                // tasks that are still outstanding.
                if count > known && crash_at.is_some_and(|limit| count >= limit) {
                    kill_self();
                }
                known = count;
            }
            Order::Collect => garbage.collect(),
            Order::Task(task_id) => {
                if tasks.send(task_id).is_err() {
                    return;
                }
            }
        }
    }
}

/// Kills this process with SIGKILL, as the kernel's OOM killer would.
fn kill_self() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}
