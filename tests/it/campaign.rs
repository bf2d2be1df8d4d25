//! The campaign: highwater killed at random moments in all modes. One command, one table:
//!
//! ```text
//! cargo test --test it campaign -- --ignored --nocapture
//! ```
//!
//! `HIGHWATER_CAMPAIGN_KILLS` says how many kills there are (1,000), `HIGHWATER_CAMPAIGN_AT_ONCE` how many runs are killed
//! at a time (4). A kill takes some four seconds, most of which is waiting.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::helper::Helper;
use crate::support::runs::{Place, Running, eventually, lives};
use crate::support::stopping::{descendants, signal};

/// The command that is killed.
#[derive(Clone, Copy)]
enum Kind {
    /// A run of the embedded service with this fault.
    Run(&'static str),
    /// A soak of it.
    Soak,
    /// A run that goes on from one that was killed before.
    Resume,
    /// A watch.
    Watch,
    /// The report of a run that is over.
    Report,
}

/// A way to use highwater.
struct Mode {
    name: &'static str,
    kind: Kind,
    arguments: &'static str,
    /// The longest time until the kill, in ms.
    within_ms: u64,
}

impl Mode {
    const fn run(name: &'static str, arguments: &'static str, fault: &'static str, within_ms: u64) -> Mode {
        Mode { name, kind: Kind::Run(fault), arguments, within_ms }
    }

    const fn other(name: &'static str, kind: Kind, within_ms: u64) -> Mode {
        Mode { name, kind, arguments: "", within_ms }
    }
}

const MODES: [Mode; 9] = [
    Mode::run("leak check", "--only leak --repeats 6", "--wait 20ms", 3000),
    Mode::run("leak check, forking", "--only leak --repeats 6", "--wait 20ms --fork", 3000),
    Mode::run("ramp", "--only concurrency --max-concurrency 6", "--wait 50ms", 3000),
    Mode::run("both", "--repeats 1 --max-concurrency 4", "--wait 20ms", 5000),
    Mode::run("probes", "--only leak --repeats 1 --probe", "--wait 20ms", 5000),
    Mode::other("soak", Kind::Soak, 3000),
    Mode::other("resume", Kind::Resume, 2000),
    Mode::other("watch", Kind::Watch, 1000),
    Mode::other("report", Kind::Report, 150),
];

/// What became of the kills in one mode.
#[derive(Default)]
struct Tally {
    tried: u32,
    /// Whatever was killed could be taken up again: the run went on, or had not begun to measure; the samples of the
    /// watch could be judged; the report could be made.
    survived: u32,
    /// Results that were shown: tasks, levels, rounds, samples, reports.
    shown: usize,
    /// Shown results that are not on the disk.
    lost: usize,
    left: usize,
    false_passes: u32,
}

/// xorshift64: the moments are the same in each campaign.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// The logs of events in a place, oldest first.
fn logs(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place.path("results")) else { return Vec::new() };
    let mut logs: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("events_"))
        .collect();
    logs.sort();
    logs
}

fn tasks_of(log: &Path) -> PathBuf {
    let name = log.file_name().unwrap().to_string_lossy().replace("events_", "memory_leak_stress_test_");
    log.with_file_name(name)
}

/// The whole lines of a file that may end in a torn one.
fn whole(path: &Path) -> Vec<Value> {
    let text = std::fs::read(path).unwrap_or_default();
    text.split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .map(|line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("a torn line: {error}")))
        .collect()
}

/// Starts `command` and kills it after `after_ms`, unless it ends before; returns the lines that it showed. Whatever it
/// started must end with it.
fn kill(command: &mut Command, after_ms: u64, tally: &mut Tally) -> Vec<String> {
    kill_after(command, after_ms, tally, || {})
}

/// The same, with a `look` right before the kill.
fn kill_after(command: &mut Command, after_ms: u64, tally: &mut Tally, look: impl FnOnce()) -> Vec<String> {
    let running = Running::start(command);
    std::thread::sleep(Duration::from_millis(after_ms));
    look();
    let family = descendants(running.child.id());
    if lives(running.child.id()) {
        signal(running.child.id(), Signal::KILL);
    }
    let (_, lines, _) = running.ended();
    if !family.is_empty() {
        let gone = || family.iter().all(|pid| !lives(*pid)).then_some(());
        eventually("the end of every process", gone);
    }
    tally.left += family.iter().filter(|pid| lives(**pid)).count();
    lines
}

/// What a killed run showed is in its files; what it measured is no pass unless it came to its end.
fn look_at_run(place: &Place, log: &Path, lines: &[String], tally: &mut Tally) {
    let events = whole(log);
    let recorded = whole(&tasks_of(log));
    let of_leak =
        recorded.iter().filter(|task| task["phase"] == "leak" && task["status"] == "success").count();
    let event = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    let shown = |of: fn(&str) -> bool| lines.iter().filter(|line| of(line)).count();
    let pairs = [
        (shown(|line| line.contains("  success  ")), of_leak),
        (shown(|line| line.starts_with("  c=")), event("level_ended")),
        (shown(|line| line.starts_with("  round")), event("soak_round")),
    ];
    for (shown, recorded) in pairs {
        tally.shown += shown;
        tally.lost += shown.saturating_sub(recorded);
    }
    let ended = events.iter().any(|event| event["event"] == "run_ended");
    let report = place.highwater().arg("report").arg(tasks_of(log)).output().unwrap();
    tally.false_passes += u32::from(!ended && report.status.code() == Some(0));
}

/// Goes on from `log` with `command`: 1 if it does, or if nothing had been measured.
fn goes_on(place: &Place, command: &str, log: &Path) -> u32 {
    let resumed = resuming(place, command, log).output().unwrap();
    let said = String::from_utf8_lossy(&resumed.stderr);
    let nothing = ["nothing to resume", "contains no task", "no log of events"];
    match resumed.status.code() {
        Some(0..=2) => 1,
        Some(3) if nothing.iter().any(|words| said.contains(words)) => 1,
        code => {
            println!("not resumed: {code:?} {said}");
            0
        }
    }
}

fn resuming(place: &Place, command: &str, log: &Path) -> Command {
    let mut program = place.highwater();
    program.args([command, "--demo", "--resume"]).arg(log);
    program
}

fn soak(place: &Place) -> Command {
    let mut command = place.highwater();
    command
        .args("soak --demo --results results --short short.wav --long long.wav".split(' '))
        .args("--concurrency 2 --tasks 60 --set settle.quiet_s=0.05".split(' '));
    command
}

fn kill_run(mut command: Command, place: &Place, subcommand: &str, after_ms: u64, tally: &mut Tally) {
    let lines = kill(&mut command, after_ms, tally);
    match logs(place).last() {
        Some(log) => {
            look_at_run(place, log, &lines, tally);
            tally.survived += goes_on(place, subcommand, log);
        }
        // It had not begun.
        None => tally.survived += u32::from(lines.iter().all(|line| !line.starts_with("  "))),
    }
}

/// A run is killed, and then the run that goes on from it.
fn kill_resumed(after_ms: u64, tally: &mut Tally) {
    let place = Place::new(1, 2);
    // It has come to its tasks by then.
    let first = &mut place.run("--only leak --repeats 6", "--wait 20ms");
    kill(first, 1500, tally);
    let Some(log) = logs(&place).pop() else {
        tally.survived += 1;
        return;
    };
    let lines = kill(&mut resuming(&place, "run", &log), after_ms, tally);
    let last = logs(&place).pop().unwrap_or(log.clone());
    // What was shown a second time of the first part is on the disk in it.
    if last != log {
        look_at_run(&place, &last, &lines, tally);
    }
    // A run that was killed before its first event left nothing to go on from: the first part is still there.
    let from = if whole(&last).is_empty() { log } else { last };
    tally.survived += goes_on(&place, "run", &from);
}

/// The CSV of a watch has what it had before the kill, and can be judged. (What a watch shows are readings of its own,
/// beside those of the CSV, which misses ticks on a busy machine.)
fn kill_watch(after_ms: u64, tally: &mut Tally) {
    let place = Place::new(1, 2);
    let helper = Helper::spawn();
    let csv = place.path("watched.csv");
    let mut command = place.highwater();
    command
        .args("watch --interval 10ms --csv watched.csv --json --pid".split(' '))
        .arg(helper.pid.to_string());
    let mut before = Vec::new();
    let lines =
        kill_after(&mut command, after_ms, tally, || before = std::fs::read(&csv).unwrap_or_default());
    let text = std::fs::read(&csv).unwrap_or_default();
    let rows = |text: &[u8]| text.split(|byte| *byte == b'\n').count().saturating_sub(2);
    let samples = lines.iter().filter(|line| line.contains("\"event\":\"sample\"")).count();
    tally.shown += rows(&before);
    let missing = !text.starts_with(&before) || (samples > 0 && rows(&text) == 0);
    tally.lost += usize::from(missing) * rows(&before).max(1);
    let judged = place.highwater().args(["judge", "watched.csv", "--per", "hour"]).output().unwrap();
    let too_few = judged.status.code() == Some(3) && rows(&text) < 3;
    tally.survived += u32::from(matches!(judged.status.code(), Some(0..=2)) || too_few);
}

/// The files of a run that is over, made once.
fn finished() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let place = Place::new(1, 2);
        place.run("--only leak --repeats 2", "").output().unwrap();
        let entries = std::fs::read_dir(place.path("results")).unwrap().map(|entry| entry.unwrap().path());
        let data = entries.filter(|path| path.extension().is_some_and(|ext| ext == "jsonl" || ext == "csv"));
        data.map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
    })
}

/// A report is written whole or not at all, and leaves the data as they were.
fn kill_report(after_ms: u64, tally: &mut Tally) {
    let files = finished();
    let place = Place::new(1, 2);
    std::fs::create_dir(place.path("results")).unwrap();
    files.iter().for_each(|(name, bytes)| std::fs::write(place.path("results").join(name), bytes).unwrap());
    let log = logs(&place).pop().unwrap();
    let report = tasks_of(&log).with_extension("md");
    let page = report.with_extension("html");
    let mut command = place.highwater();
    command.arg("report").arg(tasks_of(&log));
    kill(&mut command, after_ms, tally);
    let written = [&report, &page].map(|path| std::fs::read(path).ok());
    let again: Output = command.output().unwrap();
    let whole = [&report, &page].map(|path| std::fs::read(path).ok());
    tally.shown += written.iter().flatten().count();
    tally.lost += written.iter().zip(&whole).filter(|(one, other)| one.is_some() && one != other).count();
    let kept = |(name, bytes): &(String, Vec<u8>)| {
        name.starts_with("processes_") || std::fs::read(place.path("results").join(name)).unwrap() == *bytes
    };
    tally.survived += u32::from(matches!(again.status.code(), Some(0..=2)) && files.iter().all(kept));
}

fn kill_once(mode: &Mode, after_ms: u64) -> Tally {
    let mut tally = Tally { tried: 1, ..Tally::default() };
    let place = || Place::new(1, 2);
    match mode.kind {
        Kind::Run(fault) => {
            let place = place();
            kill_run(place.run(mode.arguments, fault), &place, "run", after_ms, &mut tally);
        }
        Kind::Soak => {
            let place = place();
            kill_run(soak(&place), &place, "soak", after_ms, &mut tally);
        }
        Kind::Resume => kill_resumed(after_ms, &mut tally),
        Kind::Watch => kill_watch(after_ms, &mut tally),
        Kind::Report => kill_report(after_ms, &mut tally),
    }
    tally
}

fn setting(name: &str, or: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

#[test]
#[ignore = "a thousand kills take a quarter of an hour; see the head of this file"]
fn campaign() {
    let kills = setting("HIGHWATER_CAMPAIGN_KILLS", 1000);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let moments: Vec<u64> = (0..kills).map(|_| random(&mut state)).collect();
    let next = AtomicUsize::new(0);
    let tallies: [Mutex<Tally>; MODES.len()] = Default::default();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(moment) = moments.get(index) else { break };
            let place = index % MODES.len();
            let one = kill_once(&MODES[place], moment % MODES[place].within_ms);
            tallies[place].lock().unwrap().add(&one);
        }
    };
    std::thread::scope(|scope| {
        (0..setting("HIGHWATER_CAMPAIGN_AT_ONCE", 4)).for_each(|_| drop(scope.spawn(work)));
    });
    println!("| mode | tried | survived | shown | lost | processes left | false passes |");
    println!("| --- | --: | --: | --: | --: | --: | --: |");
    let mut all = Tally::default();
    for (mode, tally) in MODES.iter().zip(&tallies) {
        let tally = tally.lock().unwrap();
        println!("{}", tally.row(mode.name));
        all.add(&tally);
    }
    println!("{}", all.row("all"));
    assert_eq!(all.tried as usize, kills, "each kill is counted");
    let seen = |tally: &Mutex<Tally>| kills < 200 || tally.lock().unwrap().shown > 0;
    assert!(tallies.iter().all(seen), "a mode shows nothing, so that nothing can be lost");
    assert_eq!(all.lost, 0, "what was shown is not on the disk");
    assert_eq!(all.left, 0, "processes are left");
    assert_eq!(all.survived, all.tried, "what was killed could not be taken up again");
    assert_eq!(all.false_passes, 0, "a part of a run passed");
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.tried += other.tried;
        self.survived += other.survived;
        self.shown += other.shown;
        self.lost += other.lost;
        self.left += other.left;
        self.false_passes += other.false_passes;
    }

    fn row(&self, name: &str) -> String {
        let Tally { tried, survived, shown, lost, left, false_passes } = self;
        format!("| {name} | {tried} | {survived} | {shown} | {lost} | {left} | {false_passes} |")
    }
}
