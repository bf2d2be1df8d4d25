//! A running embedded service, and its processes as `/proc` shows them.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use highwater::demo::{Embedded, Ready, Role};
use rustix::process::{Pid, Signal, kill_process};

use super::demo_client::{Client, wav};

/// One megabyte.
pub(crate) const MB: i64 = 1_000_000;

/// The most that a healthy worker's memory changes over a few small tasks, in bytes.
pub(crate) const NOISE: i64 = 3 * MB;

/// A running service with what the tests ask of it; stopped when dropped.
pub(crate) struct Service {
    pub(crate) embedded: Embedded,
    pub(crate) client: Client,
}

impl Service {
    pub(crate) fn start(args: &str) -> Service {
        let args: Vec<String> = args.split_whitespace().map(String::from).collect();
        let embedded = Embedded::start(program(), &args).map_err(highwater::Error::from).unwrap();
        let client = Client::new(&embedded.ready().url);
        Service { embedded, client }
    }

    pub(crate) fn worker(&self) -> u32 {
        self.embedded.ready().pids(Role::Worker)[0]
    }

    /// Resident memory of the worker in bytes.
    pub(crate) fn rss(&self) -> i64 {
        rss(self.worker())
    }

    /// Does one task to its end and returns its status.
    pub(crate) fn task(&self, audio: &[u8]) -> String {
        let id = self.client.submit(audio);
        self.client.ended(&id)["status"].as_str().unwrap().to_string()
    }

    /// How much the worker grew over `action`, in bytes.
    pub(crate) fn growth(&self, action: impl FnOnce()) -> i64 {
        let before = self.rss();
        action();
        self.rss() - before
    }

    /// Does the tasks that load code and fill the allocator, so that what follows is the fault alone.
    pub(crate) fn warmed(self) -> Service {
        assert_eq!(self.task(&wav(2.0)), "done");
        self
    }
}

pub(crate) fn program() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_highwater"))
}

/// Resident memory in bytes; panics when the process is gone.
pub(crate) fn rss(pid: u32) -> i64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).expect("the process lives");
    let pages: i64 =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm has two fields");
    pages * i64::try_from(rustix::param::page_size()).unwrap()
}

/// True until the process has ended; a zombie has.
pub(crate) fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

pub(crate) fn count(pid: u32, what: &str) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count)
}

pub(crate) fn children(pid: u32) -> Vec<u32> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).expect("the process lives");
}

/// Waits until the condition holds; fails after a time that no healthy machine needs.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn assert_near(actual: i64, expected: i64) {
    assert!((actual - expected).abs() <= NOISE, "{actual} bytes, expected {expected}");
}

/// The TCP ports (IPv4) on which a process listens.
pub(crate) fn listening_ports(pid: u32) -> Vec<u16> {
    let sockets: HashSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let listening = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    listening
        .filter(|row| row[3] == "0A" && sockets.contains(row[9]))
        .filter_map(|row| u16::from_str_radix(row[1].split(':').nth(1)?, 16).ok())
        .collect()
}

/// CPU time of a process in clock ticks.
pub(crate) fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A supervisor that was started as from a terminal; killed when dropped.
pub(crate) struct Supervisor(pub(crate) std::process::Child);

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Its children have lifelines of their own.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the service without a lifeline, and returns its ready line.
pub(crate) fn by_hand(args: &str) -> (Supervisor, Ready) {
    let mut child = Command::new(program())
        .arg("demo")
        .args(args.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let supervisor = Supervisor(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (supervisor, serde_json::from_str(&line).unwrap())
}
