//! The campaign: highwater killed at random moments in all modes. One command, one table:
//!
//! ```text
//! cargo test --test it campaign -- --ignored --nocapture
//! ```
//!
//! `HIGHWATER_CAMPAIGN_KILLS` says how many kills there are (1,000). It takes some two seconds a kill.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::runs::{Place, Running, eventually, lives};
use crate::support::stopping::{descendants, signal};

/// A way to use highwater, and what shows that a task is done.
struct Mode {
    name: &'static str,
    arguments: &'static str,
    fault: &'static str,
    /// The longest time until the kill, in ms.
    within_ms: u64,
}

const MODES: [Mode; 5] = [
    Mode { name: "leak check", arguments: "--only leak --repeats 6", fault: "--wait 20ms", within_ms: 3000 },
    Mode {
        name: "leak check, forking",
        arguments: "--only leak --repeats 6",
        fault: "--wait 20ms --fork",
        within_ms: 3000,
    },
    Mode {
        name: "ramp",
        arguments: "--only concurrency --max-concurrency 6",
        fault: "--wait 50ms",
        within_ms: 3000,
    },
    Mode {
        name: "both",
        arguments: "--repeats 1 --max-concurrency 4",
        fault: "--wait 20ms",
        within_ms: 5000,
    },
    Mode {
        name: "probes",
        arguments: "--only leak --repeats 1 --probe",
        fault: "--wait 20ms",
        within_ms: 5000,
    },
];

/// What became of the kills in one mode.
#[derive(Default)]
struct Tally {
    tried: u32,
    shown: usize,
    lost: usize,
    left: usize,
    resumed: u32,
    nothing_to_resume: u32,
    refused: u32,
    false_passes: u32,
}

/// xorshift64: the moments are the same in each campaign.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn logs(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place.path("results")) else { return Vec::new() };
    let mut logs: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("events_"))
        .collect();
    logs.sort();
    logs
}

/// The whole lines of a file that may end in a torn one.
fn whole(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read(path).unwrap_or_default();
    text.split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .map(|line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("a torn line: {error}")))
        .collect()
}

fn kill_once(mode: &Mode, after_ms: u64, tally: &mut Tally) {
    let place = Place::new(1, 2);
    let running = Running::start(&mut place.run(mode.arguments, mode.fault));
    std::thread::sleep(Duration::from_millis(after_ms));
    let family = descendants(running.child.id());
    let alive = lives(running.child.id());
    if alive {
        signal(running.child.id(), Signal::KILL);
    }
    let (_, lines, _) = running.ended();
    tally.tried += 1;
    if !family.is_empty() {
        let gone = || family.iter().all(|pid| !lives(*pid)).then_some(());
        eventually("the end of every process", gone);
    }
    tally.left += family.iter().filter(|pid| lives(**pid)).count();
    let shown = lines.iter().filter(|line| line.contains("  success  ")).count();
    tally.shown += shown;
    let logs = logs(&place);
    let Some(log) = logs.first() else { return };
    let name = log.file_name().unwrap().to_string_lossy().replace("events_", "memory_leak_stress_test_");
    let tasks = log.with_file_name(name);
    let recorded =
        whole(&tasks).iter().filter(|task| task["phase"] == "leak" && task["status"] == "success").count();
    tally.lost += shown.saturating_sub(recorded);
    let ended = whole(log).iter().any(|event| event["event"] == "run_ended");
    let report = place.highwater().arg("report").arg(&tasks).output().unwrap();
    tally.false_passes += u32::from(!ended && report.status.code() == Some(0));
    let resumed = place.highwater().args(["run", "--demo", "--resume"]).arg(log).output().unwrap();
    let said = String::from_utf8_lossy(&resumed.stderr).into_owned();
    match resumed.status.code() {
        Some(3)
            if said.contains("nothing to resume")
                || said.contains("contains no task")
                || said.contains("no log of events") =>
        {
            tally.nothing_to_resume += 1;
        }
        Some(0..=2) => tally.resumed += 1,
        code => {
            println!("not resumed: {code:?} {said}");
            tally.refused += 1;
        }
    }
}

#[test]
#[ignore = "a thousand kills take an hour; see the head of this file"]
fn campaign() {
    let kills =
        std::env::var("HIGHWATER_CAMPAIGN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(1000);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for index in 0..kills {
        let mode = &MODES[index % MODES.len()];
        let after_ms = random(&mut state) % mode.within_ms;
        kill_once(mode, after_ms, tallies.entry(mode.name).or_default());
    }
    println!(
        "| mode | kills | tasks shown | lost | processes left | went on | nothing to go on from | refused | false passes |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --: |");
    for (name, tally) in &tallies {
        let Tally { tried, shown, lost, left, resumed, nothing_to_resume, refused, false_passes } = tally;
        println!(
            "| {name} | {tried} | {shown} | {lost} | {left} | {resumed} | {nothing_to_resume} | {refused} | {false_passes} |"
        );
    }
    let sum = |of: fn(&Tally) -> usize| tallies.values().map(of).sum::<usize>();
    assert_eq!(sum(|tally| tally.lost), 0, "tasks that were shown are not on the disk");
    assert_eq!(sum(|tally| tally.left), 0, "processes are left");
    assert_eq!(sum(|tally| tally.refused as usize), 0, "a run could not go on");
    assert_eq!(sum(|tally| tally.false_passes as usize), 0, "a part of a run passed");
}
