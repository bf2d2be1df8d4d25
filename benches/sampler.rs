//! What a reading costs: our source, a plain sysinfo refresh, and the floor
//! below which no reader of `/proc` can go, in one run.
//!
//! `cargo bench --bench sampler` prints microseconds per process and sample,
//! the median of many rounds in turn, and the ratios between them.

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
    use std::fs::File;
    use std::hint::black_box;
    use std::os::unix::fs::FileExt;
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use highwater::sampler::source::LinuxSource;
    use highwater::sampler::{ProcessId, ProcessSource};
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    const ROUNDS: usize = 301;

    pub(crate) fn main() {
        println!("µs per process and sample, median of {ROUNDS} rounds");
        println!(
            "{:>9}  {:>7}  {:>7}  {:>7}  {:>10}  {:>12}",
            "processes", "floor", "ours", "sysinfo", "ours/floor", "sysinfo/ours"
        );
        for count in [1, 10, 100] {
            let children = Children::spawn(count);
            let [floor, ours, sysinfo] = measure(&children.pids());
            println!(
                "{count:>9}  {floor:>7.2}  {ours:>7.2}  {sysinfo:>7.2}  {:>10.2}  {:>12.1}",
                ours / floor,
                sysinfo / ours
            );
        }
    }

    /// The three ways take turns, so that whatever else the machine does
    /// disturbs them alike.
    fn measure(pids: &[u32]) -> [f64; 3] {
        let mut floor = floor(pids);
        let mut ours = ours(pids);
        let mut sysinfo = sysinfo(pids);
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            times[0].push(time(&mut floor));
            times[1].push(time(&mut ours));
            times[2].push(time(&mut sysinfo));
        }
        times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2] / pids.len() as f64
        })
    }

    /// Microseconds that `work` takes.
    fn time(work: &mut impl FnMut()) -> f64 {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e6
    }

    /// pread(2) on `stat` and `statm`, which stay open; nothing is parsed.
    fn floor(pids: &[u32]) -> impl FnMut() {
        let open = |pid, file| File::open(format!("/proc/{pid}/{file}")).expect("the child is alive");
        let files: Vec<_> = pids.iter().flat_map(|&pid| [open(pid, "stat"), open(pid, "statm")]).collect();
        move || {
            let mut buffer = [0; 1024];
            for file in &files {
                black_box(file.read_at(&mut buffer, 0).expect("the child is alive"));
            }
        }
    }

    fn ours(pids: &[u32]) -> impl FnMut() {
        let mut source = LinuxSource::new().expect("/proc is readable");
        let all = source.scan().expect("/proc is readable");
        let ids: Vec<ProcessId> =
            all.into_iter().map(|process| process.id).filter(|id| pids.contains(&id.pid)).collect();
        for &id in &ids {
            source.track(id).expect("the child is alive");
        }
        move || {
            for &id in &ids {
                black_box(source.read(id).expect("the child is alive"));
            }
        }
    }

    fn sysinfo(pids: &[u32]) -> impl FnMut() {
        let mut system = System::new();
        let pids: Vec<Pid> = pids.iter().map(|&pid| Pid::from_u32(pid)).collect();
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        move || {
            black_box(system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, kind));
        }
    }

    /// Processes that do nothing; killed and reaped on drop.
    struct Children(Vec<Child>);

    impl Children {
        fn spawn(count: usize) -> Children {
            let mut children = Children(Vec::new());
            for _ in 0..count {
                let mut command = Command::new("sleep");
                let child = command.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
                children.0.push(child.expect("`sleep` starts"));
            }
            children
        }

        fn pids(&self) -> Vec<u32> {
            self.0.iter().map(Child::id).collect()
        }
    }

    impl Drop for Children {
        fn drop(&mut self) {
            for child in &mut self.0 {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
