//! The cost of a verdict, compared with other statistics of the same readings.
//!
//! `cargo bench --bench verdict` judges real recordings, stretched to 100 and to
//! 1,000 readings, by highwater's rule, by a slope of least squares and by
//! Mann-Kendall with Theil-Sen, in one run and taking turns. Times are CPU time of the
//! thread, the median of the rounds.

#[path = "../examples/verdict_table/recordings.rs"]
#[expect(dead_code, reason = "the labels are not needed here")]
mod recordings;
#[path = "../examples/verdict_table/rivals.rs"]
#[expect(dead_code, reason = "a threshold costs nothing")]
mod rivals;

use std::hint::black_box;

use highwater::analysis::{Answer, Readings, growth};
use recordings::recordings;
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 41;

/// A leak, a clean program, a cache that fills and one whose heap is collected.
const NAMES: [&str; 4] = ["d117", "d000", "d065", "d072"];

fn main() {
    println!("one verdict, microseconds of CPU, median of {ROUNDS} rounds");
    println!(
        "{:>9}  {:>8}  {:>9}  {:>13}  {:>12}  {:>12}  {:>17}",
        "recording",
        "readings",
        "highwater",
        "least squares",
        "Mann-Kendall",
        "ours/squares",
        "ours/Mann-Kendall"
    );
    let all = recordings();
    for name in NAMES {
        let recording = all.iter().find(|recording| recording.name == name).expect("the recording is there");
        for readings in [100, 1_000] {
            let series = stretched(&recording.after_mb, readings);
            let [ours, squares, mann_kendall] = times(&series);
            println!(
                "{name:>9}  {readings:>8}  {ours:>9.1}  {squares:>13.2}  {mann_kendall:>12.1}  {:>12.1}  {:>17.4}",
                ours / squares,
                ours / mann_kendall
            );
        }
    }
}

/// The recording repeated, each time from the level at which the last one ended, so that growth continues.
fn stretched(after_mb: &[f64], readings: usize) -> Vec<f64> {
    let rise = after_mb[after_mb.len() - 1] - after_mb[0];
    (0..readings)
        .map(|index| after_mb[index % after_mb.len()] + rise * (index / after_mb.len()) as f64)
        .collect()
}

fn times(series: &[f64]) -> [f64; 3] {
    let rules: [fn(&[f64]) -> bool; 3] = [
        |series| growth(&Readings::new(series)).answer == Answer::Leak,
        rivals::least_squares,
        rivals::mann_kendall,
    ];
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (rule, times) in rules.iter().zip(&mut rounds) {
            let started = cpu_us();
            black_box(rule(black_box(series)));
            times.push(cpu_us() - started);
        }
    }
    rounds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// CPU time of this thread, in microseconds.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
