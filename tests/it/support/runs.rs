//! highwater as its users start it: the program, in a place of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Far more than any run here takes: only one that hangs meets it.
const RUN_DEADLINE: Duration = Duration::from_secs(300);

/// Copies the program to `path`.
///
/// `cp` and not this process has the copy open for writing: a child that another test forks meanwhile would inherit that,
/// and a program that is open for writing cannot be started.
pub(crate) fn copy_program(path: &Path) {
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_highwater")).arg(path).status().unwrap();
    assert!(copied.success());
}

/// A directory with two recordings of its own; results go there too.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// With recordings of these lengths in seconds.
    pub(crate) fn new(short_s: u32, long_s: u32) -> Place {
        let directory = tempfile::tempdir().unwrap();
        for (name, seconds) in [("short.wav", short_s), ("long.wav", long_s)] {
            std::fs::write(directory.path().join(name), highwater::audio::make(seconds)).unwrap();
        }
        Place { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program with a clean environment; it finds no configuration but what it is given.
    pub(crate) fn highwater(&self) -> Command {
        // Tests that run under `nohup` ignore SIGHUP, and so would highwater.
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").arg(env!("CARGO_BIN_EXE_highwater"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HIGHWATER_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.directory.path());
        command
    }

    /// `highwater run --demo` with this place's recordings, `arguments`, and `fault` for the service.
    pub(crate) fn run(&self, arguments: &str, fault: &str) -> Command {
        let mut command = self.highwater();
        command
            .args("run --demo --results results --short short.wav --long long.wav".split(' '))
            // One batch a level and one task a reading, also where tasks take no time: these tests count them.
            .args("--set settle.quiet_s=0.05 --set ramp.short_s=0 --set leak.for_s=0".split(' '))
            // A machine that compiles beside the tests makes a level of a second INVALID, rightly.
            .args("--set ramp.max_lag_s=0".split(' '))
            .args(arguments.split_whitespace())
            .arg("--")
            .args(fault.split_whitespace());
        command
    }
}

/// A highwater that runs; killed when dropped. Its embedded service ends with it.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// The lines of stdout as they come.
    pub(crate) lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut stderr = child.stderr.take().unwrap();
        let read = move || {
            let mut text = Vec::new();
            // Show what arrived before an error.
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        };
        Running { child, lines, stderr: Some(std::thread::spawn(read)) }
    }

    /// Waits for the end: exit code (absent after a signal), the rest of stdout, stderr.
    pub(crate) fn ended(mut self) -> (Option<i32>, Vec<String>, String) {
        let deadline = Instant::now() + RUN_DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "highwater does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let stderr = self.stderr.take().unwrap().join().unwrap();
        (status.code(), self.lines.iter().collect(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a file, each a JSON value; fails on one that is none.
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends in mid-line", path.display());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// True until the process has ended; a zombie has.
pub(crate) fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// Waits until the condition holds; fails after a time that no healthy machine needs.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until none of the processes is left.
pub(crate) fn assert_gone(pids: &[u32]) {
    assert!(!pids.is_empty(), "no process is known, so none can be missed");
    for &pid in pids {
        eventually(&format!("the end of pid {pid}"), || (!lives(pid)).then_some(()));
    }
}
