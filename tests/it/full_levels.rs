//! A level holds its concurrency: seen from a service that logs its requests in flight.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use rstest::rstest;
use serde_json::{Value, json};
use serial_test::parallel;

use crate::support::runs::{Place, Running};
use crate::support::service::{Idle, Service};

const PLACES: usize = 8;

/// When a request arrived or was answered, and how many were in flight from then on.
#[derive(Default)]
struct Log {
    in_flight: usize,
    arrivals: usize,
    changes: Vec<(Instant, usize, bool)>,
}

impl Log {
    fn change(&mut self, arrived: bool) -> usize {
        self.in_flight = if arrived { self.in_flight + 1 } else { self.in_flight - 1 };
        self.arrivals += usize::from(arrived);
        self.changes.push((Instant::now(), self.in_flight, arrived));
        self.arrivals
    }

    /// The mean number in flight, over time, from the moment when all places were taken to the last arrival.
    fn mean_in_flight(&self) -> f64 {
        let from = self.changes.iter().position(|(_, count, _)| *count == PLACES).unwrap();
        let to = self.changes.iter().rposition(|(_, _, arrived)| *arrived).unwrap();
        let held = &self.changes[from..=to];
        let weighted: f64 =
            held.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64() * pair[0].1 as f64).sum();
        weighted / (held[held.len() - 1].0 - held[0].0).as_secs_f64()
    }

    /// Answers per second without those of the fill and the drain.
    fn throughput(&self) -> f64 {
        let ends: Vec<Instant> =
            self.changes.iter().filter(|(_, _, arrived)| !arrived).map(|(at, ..)| *at).collect();
        let (first, last) = (ends[PLACES - 1], ends[ends.len() - 1 - PLACES]);
        (ends.len() - 2 * PLACES) as f64 / (last - first).as_secs_f64()
    }
}

/// The level of eight places at a service whose task of that number takes what `task` says.
async fn level(task: fn(usize) -> Duration) -> (Log, Value, String) {
    let log = Arc::new(Mutex::new(Log::default()));
    let shared = Arc::clone(&log);
    let answer = move || {
        let log = Arc::clone(&shared);
        async move {
            let number = log.lock().unwrap().change(true);
            tokio::time::sleep(task(number)).await;
            log.lock().unwrap().change(false);
            Json(json!({"text": "done"}))
        }
    };
    let service = Service::start(Router::new().route("/", post(answer))).await;
    let url = service.url.clone();
    let run = tokio::task::spawn_blocking(move || {
        let place = Place::new(1, 1);
        let worker = Idle::start("worker");
        let mut command = place.highwater();
        command.args("run --json --preset http --only concurrency --required 8".split(' '));
        command.args(["--url", &url, "--worker-pid", &worker.pid().to_string()]);
        command.args("--set ramp.start=8 --max-concurrency 8 --set ramp.rounds=3".split(' '));
        command.args("--set ramp.max_lag_s=0 --set settle.quiet_s=0.05".split(' '));
        Running::start(&mut command).ended()
    });
    let (exit, lines, stderr) = run.await.unwrap();
    assert_eq!(exit, Some(0), "{stderr}");
    let object: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let log = std::mem::take(&mut *log.lock().unwrap());
    (log, object["levels"][0].clone(), stderr)
}

/// Tasks of 1 ms spend much of their time on their way; the longer ones do not.
#[rstest]
#[case::of_1_ms(|_| Duration::from_millis(1), 0.3)]
#[case::of_20_ms(|_| Duration::from_millis(20), 0.7)]
#[case::around_short_s(|number| Duration::from_millis(150 + 25 * (number as u64 * 7 % 5)), 0.9)]
#[case::of_2_s(|_| Duration::from_secs(2), 0.95)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn every_place_is_taken_until_the_last_task_is_sent(
    #[case] task: fn(usize) -> Duration,
    #[case] least_share: f64,
) {
    let (log, level, stderr) = level(task).await;
    let most = log.changes.iter().map(|(_, count, _)| *count).max();
    assert_eq!(most, Some(PLACES), "never more than the level has: {stderr}");
    assert_eq!(log.arrivals % PLACES, 0, "whole rounds");
    assert!(log.arrivals >= 3 * PLACES);
    let mean = log.mean_in_flight();
    assert!(mean >= least_share * PLACES as f64, "{mean:.2} in flight on average\n{stderr}");

    let (reported, true_rate) = (level["throughput"].as_f64().unwrap(), log.throughput());
    let ratio = reported / true_rate;
    assert!((0.75..1.33).contains(&ratio), "{reported} is reported, {true_rate} is true: {level}");
    let full = &level["full"];
    let seconds = |key: &str| full[key].as_f64().unwrap();
    let parts = seconds("fill_s") + seconds("seconds") + seconds("drain_s");
    assert!((parts - level["load_s"].as_f64().unwrap()).abs() < 0.01, "the parts are the whole: {level}");
    assert_eq!(full["tasks"], log.arrivals - 2 * PLACES, "fill and drain are counted apart: {level}");
}
