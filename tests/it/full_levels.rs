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

/// How long the service waits for a further request before it takes the level for over. A busy machine takes less.
const OVER: Duration = Duration::from_secs(5);

/// The requests that the service has in flight, and when it answered which.
#[derive(Default)]
struct Log {
    in_flight: usize,
    most: usize,
    arrivals: usize,
    ends: Vec<Instant>,
    /// Requests that were answered although not all places were taken, since none came any more.
    drained: usize,
}

impl Log {
    fn arrive(&mut self) -> usize {
        self.in_flight += 1;
        self.most = self.most.max(self.in_flight);
        self.arrivals += 1;
        self.arrivals
    }

    fn answer(&mut self) {
        self.in_flight -= 1;
        self.ends.push(Instant::now());
    }

    /// Answers per second without those of the fill and the drain.
    fn throughput(&self) -> f64 {
        let ends = &self.ends;
        let (first, last) = (ends[PLACES - 1], ends[ends.len() - 1 - PLACES]);
        (ends.len() - 2 * PLACES) as f64 / (last - first).as_secs_f64()
    }
}

/// The level of eight places at a service whose task of that number takes what `task` says, and then waits until all
/// places are taken: where one stays empty, the level stands still.
async fn level(task: fn(usize) -> Duration) -> (Log, Value, String) {
    let log = Arc::new(Mutex::new(Log::default()));
    let shared = Arc::clone(&log);
    let answer = move || {
        let log = Arc::clone(&shared);
        async move {
            let number = log.lock().unwrap().arrive();
            tokio::time::sleep(task(number)).await;
            let (mut arrivals, mut since) = (0, Instant::now());
            loop {
                {
                    let mut log = log.lock().unwrap();
                    if log.in_flight == PLACES {
                        log.answer();
                        break;
                    }
                    if log.arrivals > arrivals {
                        (arrivals, since) = (log.arrivals, Instant::now());
                    } else if since.elapsed() > OVER {
                        log.drained += 1;
                        log.answer();
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
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

#[rstest]
#[case::of_1_ms(|_| Duration::from_millis(1))]
#[case::of_20_ms(|_| Duration::from_millis(20))]
#[case::around_short_s(|number| Duration::from_millis(150 + 25 * (number as u64 * 7 % 5)))]
#[case::of_2_s(|_| Duration::from_secs(2))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[parallel(machine)]
async fn every_place_is_taken_until_the_last_task_is_sent(#[case] task: fn(usize) -> Duration) {
    let (log, level, stderr) = level(task).await;
    assert_eq!(log.most, PLACES, "never more than the level has: {stderr}");
    assert_eq!(log.drained, PLACES - 1, "all places were taken until then: {stderr}");
    assert_eq!(log.arrivals % PLACES, 0, "whole rounds");
    assert!(log.arrivals >= 3 * PLACES);
    let (reported, true_rate) = (level["throughput"].as_f64().unwrap(), log.throughput());
    let ratio = reported / true_rate;
    assert!((0.5..2.0).contains(&ratio), "{reported} is reported, {true_rate} is true: {level}");
    let full = &level["full"];
    let seconds = |key: &str| full[key].as_f64().unwrap();
    let parts = seconds("fill_s") + seconds("seconds") + seconds("drain_s");
    assert!((parts - level["load_s"].as_f64().unwrap()).abs() < 0.01, "the parts are the whole: {level}");
    assert_eq!(full["tasks"], log.arrivals - 2 * PLACES, "fill and drain are counted apart: {level}");
}
