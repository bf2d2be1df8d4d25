//! The cost of driving: highwater's client, reqwest, and the floor that no client can beat, in one run.
//!
//! `cargo bench --bench driver` prints the CPU time (user and system) of the client's process
//! alone, since the service is another process: CPU-seconds per GB of uploads of 23.5 MB, each
//! over a connection of its own, at 1, 16 and 256 at a time; µs for a small request over connections
//! that stay open; and how much memory 256 uploads at once add to a fresh process, the file included.
//! Then how much longer than they are tasks of 5 s and more appear, at the default rate of questions for results.
//! The ways take turns, and each figure is the least of the rounds: what else the machine does only adds to it.

#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod timing;
#[cfg(target_os = "linux")]
mod ways;

#[cfg(target_os = "linux")]
fn main() {
    bench::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the bench reads clocks and memory as Linux has them");
}

#[cfg(target_os = "linux")]
mod bench {
    use std::process::Command;

    use rustix::time::{ClockId, clock_gettime};

    use super::service::{self, Server};
    use super::timing;
    use super::ways::{FILE, Way, audio};

    const ROUNDS: usize = 9;

    /// Rounds of what waits and is not compared.
    const TIMED: usize = 3;

    /// Which part this process plays, and what it needs for it.
    const PART: &str = "HIGHWATER_BENCH_DRIVER";

    pub(crate) fn main() {
        match std::env::var(PART).unwrap_or_default().split(' ').collect::<Vec<_>>()[..] {
            ["service"] => service::serve(),
            ["memory", way, url] => println!("{}", growth(Way::of(way), url)),
            _ => tables(),
        }
    }

    fn tables() {
        let server = Server::start(PART);
        println!("CPU-seconds per GB uploaded, in files of {:.1} MB", FILE as f64 / 1e6);
        heading("at once");
        for (at_once, each) in [(1, 43), (16, 3), (256, 1)] {
            let gigabytes = (at_once * each * FILE) as f64 / 1e9;
            let costs = measure(|way| cpu(|| way.upload(&server.url, at_once, each)) / gigabytes);
            row(&at_once.to_string(), costs, 3);
        }
        println!("\nCPU-µs for a small request over a connection that stays open");
        heading("at once");
        for (at_once, each) in [(1, 20_000), (16, 3_000)] {
            let requests = (at_once * each) as f64;
            let costs = measure(|way| cpu(|| way.ask(&server.url, at_once, each)) * 1e6 / requests);
            row(&at_once.to_string(), costs, 1);
        }
        println!(
            "\nMB of memory that 256 uploads at once add to a process, the file of {:.1} MB included",
            FILE as f64 / 1e6
        );
        for way in [Way::Ours, Way::Reqwest] {
            let part = format!("memory {} {}", way.name(), server.url);
            let program = std::env::current_exe().expect("a process knows its program");
            let ran = Command::new(program).env(PART, part).output().expect("the bench starts itself");
            let bytes: f64 = String::from_utf8_lossy(&ran.stdout).trim().parse().expect("a number of bytes");
            println!("{:>9}  {:>8.1}", way.name(), bytes / 1e6);
        }
        println!("\nHow much longer than they are tasks of 5.0 to 6.0 s appear, in % of that");
        println!("{:>9}  {:>8}  {:>8}", "at once", "mean", "most");
        for at_once in [1, 4, 16, 64] {
            let excess: Vec<f64> = (0..TIMED).flat_map(|_| timing::excess(&server.url, at_once)).collect();
            let mean = excess.iter().sum::<f64>() / excess.len() as f64;
            let most = excess.iter().copied().fold(0.0, f64::max);
            println!("{at_once:>9}  {:>8.2}  {:>8.2}", mean * 100.0, most * 100.0);
        }
    }

    fn heading(first: &str) {
        println!(
            "{first:>9}  {:>8}  {:>8}  {:>8}  {:>10}  {:>13}",
            "floor", "ours", "reqwest", "ours/floor", "reqwest/floor"
        );
    }

    fn row(first: &str, [floor, ours, reqwest]: [f64; 3], digits: usize) {
        println!(
            "{first:>9}  {floor:>8.digits$}  {ours:>8.digits$}  {reqwest:>8.digits$}  {:>10.2}  {:>13.2}",
            ours / floor,
            reqwest / floor
        );
    }

    /// The least cost of each way. They take turns, so that whatever else the machine does
    /// disturbs them alike; the first round only warms up.
    fn measure(cost: impl Fn(Way) -> f64) -> [f64; 3] {
        let ways = [Way::Floor, Way::Ours, Way::Reqwest];
        let mut costs = ways.map(|_| Vec::new());
        for round in 0..=ROUNDS {
            for (costs, way) in costs.iter_mut().zip(ways) {
                let found = cost(way);
                if round > 0 {
                    costs.push(found);
                }
            }
        }
        costs.map(|costs| costs.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// CPU-seconds of this process that `work` takes.
    fn cpu(work: impl FnOnce()) -> f64 {
        let clock = || {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        let before = clock();
        work();
        clock() - before
    }

    /// Bytes of memory that 256 uploads at once add to this process.
    fn growth(way: Way, url: &str) -> u64 {
        let status = |name: &str| -> u64 {
            let text = std::fs::read_to_string("/proc/self/status").expect("/proc is readable");
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            kilobytes.expect("the kernel writes this line") * 1024
        };
        let before = status("VmRSS");
        drop(audio());
        way.upload(url, 256, 1);
        status("VmHWM").saturating_sub(before)
    }
}
