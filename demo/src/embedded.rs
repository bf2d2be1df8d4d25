//! Runs the service from another program, and makes sure that it is stopped.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::announce::{Ready, ServiceEvent};
use crate::error::{Error, Result};

/// Longer than the supervisor's own deadline, whose error says more.
const READY_DEADLINE: Duration = Duration::from_secs(40);

/// Longer than the supervisor needs if it has to kill a process.
const STOP_DEADLINE: Duration = Duration::from_secs(6);

/// How long to wait for the last output of an ended service. Its pipes stay open longer only if another process has inherited them.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The number of lines of stderr that are kept, the newest ones.
const STDERR_LINES: usize = 50;

/// A running embedded service. Dropping it stops the service. If this process
/// is killed, the service ends, too.
#[derive(Debug)]
pub struct Embedded {
    supervisor: Child,
    ready: Ready,
    events: Arc<Mutex<Vec<ServiceEvent>>>,
}

impl Embedded {
    /// Starts `PROGRAM demo --lifeline ARGS…` and waits until it is ready.
    ///
    /// Blocks, usually for some tens of milliseconds. Works on a plain
    /// thread and inside a tokio runtime.
    ///
    /// # Errors
    /// If the service does not become ready; its output on stderr is the
    /// cause of the error.
    pub fn start(program: &Path, args: &[String]) -> Result<Embedded> {
        let mut command = Command::new(program);
        command.arg("demo").arg("--lifeline").args(args);
        // The configuration of highwater does not apply to the service under test.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HIGHWATER_") {
                command.env_remove(name);
            }
        }
        let mut supervisor = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Error::new(format!("cannot start `{}`", program.display()))
                    .source(error)
                    .hint("the variable HIGHWATER_BIN may name another highwater program")
            })?;
        let events = Arc::default();
        let (sender, ready) = channel();
        let stdout = supervisor.stdout.take().expect("stdout is piped");
        let stderr = supervisor.stderr.take().expect("stderr is piped");
        let said = Arc::new(Mutex::new(VecDeque::new()));
        // Reads both to their ends, so that the service never blocks on a full pipe.
        let keeping = {
            let said = Arc::clone(&said);
            std::thread::spawn(move || keep_tail(stderr, &said))
        };
        let follow = {
            let events = Arc::clone(&events);
            move || follow(stdout, &sender, &events)
        };
        std::thread::spawn(follow);
        match ready.recv_timeout(READY_DEADLINE) {
            Ok(ready) => Ok(Embedded { supervisor, ready, events }),
            Err(why) => {
                let status = stop(&mut supervisor);
                let message = match (why, status) {
                    (RecvTimeoutError::Timeout, _) => {
                        "the embedded service was not ready in time".to_string()
                    }
                    (_, Some(status)) => format!("the embedded service ended before it was ready: {status}"),
                    (_, None) => "the embedded service closed its output before it was ready".to_string(),
                };
                // Its last output may still be in the pipe.
                let asked = Instant::now();
                while !keeping.is_finished() && asked.elapsed() < LAST_WORDS {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let said = said.lock().unwrap_or_else(PoisonError::into_inner).make_contiguous().join("\n");
                let error =
                    Error::new(message).hint("`highwater demo --help` lists the switches of the service");
                Err(if said.is_empty() { error } else { error.source(said) })
            }
        }
    }

    /// Says that this process runs the highwater program, whatever the name of its file.
    pub fn is_this_program() {
        IS_THIS_PROGRAM.store(true, Ordering::Relaxed);
    }

    /// The path of the highwater program: the variable `HIGHWATER_BIN`; or this
    /// program, if it is one ([`Embedded::is_this_program`]); or, in a test or an example, the one
    /// that cargo built with it.
    ///
    /// # Errors
    /// If none of these exists; the error has a hint.
    pub fn program() -> Result<PathBuf> {
        if let Some(program) = std::env::var_os("HIGHWATER_BIN").filter(|program| !program.is_empty()) {
            return Ok(PathBuf::from(program));
        }
        let this = std::env::current_exe()
            .map_err(|error| Error::new("cannot find this program's own file").source(error))?;
        if IS_THIS_PROGRAM.load(Ordering::Relaxed) {
            return Ok(this);
        }
        beside(&this).filter(|program| program.is_file()).ok_or_else(|| {
            Error::new("cannot find the `highwater` program that holds the embedded service")
                .hint("build it with `cargo build`, or name it in the variable HIGHWATER_BIN")
        })
    }

    /// The service's address, and its processes at the start.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The supervisor's process id.
    pub fn pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// The events of the service's processes since the start, in order.
    pub fn events(&self) -> Vec<ServiceEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the service: closes its lifeline, kills it if that does not
    /// suffice, and reaps it. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }
}

static IS_THIS_PROGRAM: AtomicBool = AtomicBool::new(false);

impl Drop for Embedded {
    fn drop(&mut self) {
        stop(&mut self.supervisor);
    }
}

/// The highwater program that cargo built with the test or example `this`.
fn beside(this: &Path) -> Option<PathBuf> {
    let name = format!("highwater{}", std::env::consts::EXE_SUFFIX);
    let folder = this.parent()?;
    // Tests are in target/PROFILE/deps, examples in target/PROFILE/examples.
    matches!(folder.file_name()?.to_str()?, "deps" | "examples").then(|| folder.with_file_name(name))
}

/// Ends the supervisor, if it has not ended, and reaps it.
fn stop(supervisor: &mut Child) -> Option<std::process::ExitStatus> {
    drop(supervisor.stdin.take());
    let deadline = Instant::now() + STOP_DEADLINE;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = supervisor.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // An error here means that it has just ended; its children have lifelines of their own.
    let _ = supervisor.kill();
    supervisor.wait().ok()
}

/// Reads stdout to its end: the ready line first, events after it.
fn follow(stdout: impl Read, ready: &Sender<Ready>, events: &Mutex<Vec<ServiceEvent>>) {
    let mut lines = BufReader::new(stdout).lines().map_while(std::io::Result::ok);
    let Some(first) = lines.next().and_then(|line| serde_json::from_str(&line).ok()) else { return };
    if ready.send(first).is_err() {
        return;
    }
    for line in lines {
        if let Ok(event) = serde_json::from_str(&line) {
            events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        }
    }
}

/// Reads stderr to its end and keeps the last lines.
fn keep_tail(stderr: impl Read, tail: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == STDERR_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_test_is_the_one_that_cargo_built_beside_it() {
        let of = |this: &str| beside(Path::new(this));
        assert_eq!(of("/t/debug/deps/leak-0a1b"), Some(PathBuf::from("/t/debug/highwater")));
        assert_eq!(of("/t/release/examples/gate"), Some(PathBuf::from("/t/release/highwater")));
        assert_eq!(of("/opt/bin/other"), None);
    }
}
