//! The whole sampler: discovery, adoption, series, summaries and CSV among it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use highwater::plan::ProcessPlan;
use highwater::sampler::{Sampler, SamplerOptions, default_source};

use crate::children::Children;

/// How long each is watched.
const SPAN: Duration = Duration::from_secs(30);

pub(crate) fn tell() {
    println!("\nThe whole sampler for {} s: CPU of its thread, memory of its process\n", SPAN.as_secs());
    println!(
        "The floor is a thread that wakes as often, reads `stat` and `statm` of the watched, which stay open, and\n\
         writes a line of 64 bytes for each; it finds nobody new and keeps nothing. Births are those of the whole\n\
         machine: each has to be looked at.\n"
    );
    println!(
        "| watched | strangers | rate | births a s | ticks (missed) | CPU s a minute | % of a core | of the floor | \
         grew by KiB |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    row(100, 2000, Duration::from_secs(1));
    row(16, 50, Duration::from_millis(10));
    println!(
        "\nIts memory is bounded: 2048 points of 32 bytes a process and 7200 a role, so 16 processes come to\n\
         {:.1} MB at most, whatever time passes.",
        (16.0 * 2048.0 + 7200.0) * 32.0 / 1_048_576.0
    );
}

fn row(watched: usize, strangers: usize, interval: Duration) {
    let _strangers = Children::spawn(strangers);
    let children = Children::spawn(watched);
    let directory = tempfile::tempdir().expect("a directory");
    let plan = ProcessPlan { pids: children.pids(), ..ProcessPlan::default() };
    let roles = BTreeMap::from([("worker".to_string(), plan)]);
    let csv = Some(directory.path().join("resources.csv"));
    let options = SamplerOptions { interval, csv, ..SamplerOptions::new(roles) };
    let sampler = Sampler::start(options, default_source().expect("/proc")).expect("they are alive");
    let thread = sampler_thread();
    let floor = Floor::start(&children.pids(), interval, &directory.path().join("floor"));
    // The first looks make the series and learn the processes, which are young for ten seconds.
    std::thread::sleep(Duration::from_secs(12));
    let births = last_pid();
    let (cpu, rss, started) = (cpu_of(&thread), own_rss(), Instant::now());
    let floor_cpu = floor.cpu();
    std::thread::sleep(SPAN);
    let elapsed = started.elapsed().as_secs_f64();
    let used = (cpu_of(&thread) - cpu) / elapsed;
    let floor_used = (floor.cpu() - floor_cpu) / elapsed;
    let births = last_pid().saturating_sub(births) as f64 / elapsed;
    let grew = own_rss() as i64 - rss as i64;
    let summary = sampler.stop().expect("no panic");
    println!(
        "| {watched} | {strangers} | {} Hz | {births:.0} | {} ({}) | {:.3} | {:.2} | {:.2} | {grew} |",
        1.0 / interval.as_secs_f64(),
        summary.ticks,
        summary.missed_ticks,
        used * 60.0,
        used * 100.0,
        used / floor_used
    );
}

/// The least work that any sampler must do.
struct Floor {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    directory: std::path::PathBuf,
}

impl Floor {
    fn start(pids: &[u32], interval: Duration, output: &Path) -> Floor {
        let open = |pid, file| File::open(format!("/proc/{pid}/{file}")).expect("the child is alive");
        let files: Vec<_> = pids.iter().flat_map(|&pid| [open(pid, "stat"), open(pid, "statm")]).collect();
        let mut output = File::create(output).expect("a file");
        let (line, count) = ([b'x'; 64], pids.len());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(fs::read_link("/proc/thread-self").expect("this thread")).expect("awaited");
            let (start, mut tick, mut buffer) = (Instant::now(), 0, [0; 1024]);
            while !stopped.load(Ordering::Relaxed) {
                for file in &files {
                    black_box(file.read_at(&mut buffer, 0).expect("the child is alive"));
                }
                output.write_all(&line.repeat(count)).expect("room on the disk");
                tick += 1;
                std::thread::sleep((interval * tick).saturating_sub(start.elapsed()));
            }
        });
        let directory = Path::new("/proc").join(told.recv().expect("sent"));
        Floor { stop, thread: Some(thread), directory }
    }

    fn cpu(&self) -> f64 {
        cpu_of(&self.directory)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("joined once");
        thread.join().expect("no panic");
    }
}

/// The pid that the kernel gave out last: processes and threads count.
fn last_pid() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").expect("ours to read");
    text.trim().rsplit(' ').next().and_then(|pid| pid.parse().ok()).expect("a pid")
}

/// The directory of the sampler's thread below `/proc/self/task`.
fn sampler_thread() -> std::path::PathBuf {
    let of_sampler = |path: &Path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.starts_with("highwater-sampl"))
    };
    loop {
        // A thread gets its name a moment after its start.
        let threads = fs::read_dir("/proc/self/task").expect("ours").flatten();
        if let Some(found) = threads.map(|thread| thread.path()).find(|path| of_sampler(path)) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// CPU seconds of a thread, to the nanosecond.
fn cpu_of(thread: &Path) -> f64 {
    let text = fs::read_to_string(thread.join("schedstat")).expect("the thread is alive");
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

/// RssAnon of this process in KiB.
fn own_rss() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("ours");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
