//! The cost of knowing the live processes of a role among thousands of others.
//!
//! `cargo bench --bench discovery` starts strangers, then compares in one run,
//! taking turns: a search as the sampler does it (list `/proc`, read what is
//! new), a list alone (the floor), reading everything again, and sysinfo's
//! refresh of all. Then it lets the whole sampler watch 100 processes at 1 Hz
//! beside 2000 strangers and tells what its thread used of the CPU, on a quiet
//! machine and on one where processes are born all the time.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the sampler's own reader exists on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs;
    use std::hint::black_box;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use highwater::plan::ProcessPlan;
    use highwater::sampler::source::{LinuxSource, SysinfoSource};
    use highwater::sampler::{ProcessSource, Sampler, SamplerOptions, default_source};

    const ROUNDS: usize = 21;
    const WATCHED: usize = 100;
    const WATCH_FOR: Duration = Duration::from_secs(30);

    pub(crate) fn main() {
        // Arguments that cargo passes to every bench are ignored.
        println!("one search, milliseconds, median of {ROUNDS} rounds");
        println!(
            "{:>9}  {:>9}  {:>6}  {:>12}  {:>11}  {:>11}  {:>12}",
            "strangers", "list only", "ours", "read all", "sysinfo all", "read all/ours", "sysinfo/ours"
        );
        let mut strangers = Vec::new();
        for count in [50, 2000] {
            while strangers.len() < count {
                strangers.push(Idle::start());
            }
            let [list, ours, all, sysinfo] = search();
            println!(
                "{count:>9}  {list:>9.2}  {ours:>6.2}  {all:>12.2}  {sysinfo:>11.2}  {:>12.1}  {:>12.1}",
                all / ours,
                sysinfo / ours
            );
        }
        println!();
        println!("the sampler's thread at 1 Hz, {WATCHED} watched beside 2000 strangers");
        let watched: Vec<Idle> = (0..WATCHED).map(|_| Idle::start()).collect();
        println!("{:>9}  {:>20}", "births", "CPU-seconds a minute");
        println!("{:>9}  {:>20.3}", "none", cpu_a_minute(&watched));
        let mut breeder = Idle(
            Command::new("sh")
                .args(["-c", "while :; do sleep 0.05; done"])
                .stdin(Stdio::null())
                .spawn()
                .expect("a shell"),
        );
        println!("{:>9}  {:>20.3}", "20 a s", cpu_a_minute(&watched));
        breeder.end();
    }

    /// The four ways take turns, so that whatever else the machine does
    /// disturbs them alike.
    fn search() -> [f64; 4] {
        let mut kept = LinuxSource::new().expect("/proc is readable");
        kept.list().expect("a list");
        let mut portable = SysinfoSource::new();
        let mut times = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            times[0].push(time(|| {
                black_box(fs::read_dir("/proc").expect("readable").count());
            }));
            // The slice that is read again grows with the time that has passed:
            // a second of it, as at 1 Hz.
            std::thread::sleep(Duration::from_secs(1));
            times[1].push(time(|| {
                black_box(kept.changes().expect("a list"));
            }));
            times[2].push(time(|| {
                black_box(LinuxSource::new().expect("readable").list().expect("a list"));
            }));
            times[3].push(time(|| {
                black_box(portable.list().expect("a list"));
            }));
        }
        times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        })
    }

    /// Milliseconds that `work` takes.
    fn time(work: impl FnOnce()) -> f64 {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    }

    /// The CPU time of the sampler's thread, after its start.
    fn cpu_a_minute(watched: &[Idle]) -> f64 {
        let pids = watched.iter().map(|idle| idle.0.id()).collect();
        let worker = ProcessPlan { pids, ..ProcessPlan::default() };
        // No process has this role, so that the search for it continues.
        let api = ProcessPlan {
            program: Some("no-such-program".to_string()),
            optional: true,
            ..ProcessPlan::default()
        };
        let roles = BTreeMap::from([("worker".to_string(), worker), ("api".to_string(), api)]);
        let sampler = Sampler::start(SamplerOptions::new(roles), default_source().expect("/proc"));
        let sampler = sampler.expect("the watched are alive");
        std::thread::sleep(Duration::from_secs(2));
        let (start, before) = (Instant::now(), thread_cpu_s());
        std::thread::sleep(WATCH_FOR);
        let used = (thread_cpu_s() - before) / start.elapsed().as_secs_f64() * 60.0;
        drop(sampler);
        used
    }

    /// CPU time of the thread that is called after the sampler, in seconds.
    fn thread_cpu_s() -> f64 {
        let tasks = fs::read_dir("/proc/self/task").expect("our own threads");
        let mut tasks = tasks.flatten().map(|task| task.path());
        let is_sampler = |path: &std::path::PathBuf| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("highwater-sampl"))
        };
        let path = tasks.find(is_sampler).expect("the sampler runs");
        let text = fs::read_to_string(path.join("schedstat")).expect("the kernel counts");
        let nanos: f64 = text.split(' ').next().and_then(|text| text.parse().ok()).expect("nanoseconds");
        nanos / 1e9
    }

    /// A process that does nothing; ended on drop.
    struct Idle(Child);

    impl Idle {
        fn start() -> Idle {
            let command = Command::new("sleep").arg("100000").stdin(Stdio::null()).spawn();
            Idle(command.expect("sleep can be started"))
        }

        fn end(&mut self) {
            // It may have ended by itself.
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    impl Drop for Idle {
        fn drop(&mut self) {
            self.end();
        }
    }
}
