//! One reading: the floor, ours, sysinfo.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;

use highwater::sampler::source::LinuxSource;
use highwater::sampler::{ProcessId, ProcessSource, Wanted};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::children::{Children, thread_cpu};

pub(crate) fn tell() {
    println!("A reading: CPU µs per process, median of many rounds in turn\n");
    println!(
        "| strangers | processes | floor | ours | sysinfo | ours/floor | sysinfo/ours | sysinfo/floor |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut strangers = Children::spawn(50);
    for count_of_strangers in [50, 2000] {
        if count_of_strangers > 50 {
            strangers = Children::spawn(count_of_strangers);
        }
        for count in [1, 10, 100, 1000] {
            let children = Children::spawn(count);
            let [floor, ours, sysinfo] = measure(&children.pids());
            println!(
                "| {} | {count} | {floor:.2} | {ours:.2} | {sysinfo:.2} | {:.2} | {:.1} | {:.1} |",
                strangers.pids().len(),
                ours / floor,
                sysinfo / ours,
                sysinfo / floor
            );
        }
    }
}

/// The three ways take turns, so that whatever else the machine does disturbs them alike.
fn measure(pids: &[u32]) -> [f64; 3] {
    let rounds = if pids.len() >= 1000 { 41 } else { 301 };
    let mut floor = floor(pids);
    let mut ours = ours(pids);
    let mut sysinfo = sysinfo(pids);
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rounds {
        times[0].push(time(&mut floor));
        times[1].push(time(&mut ours));
        times[2].push(time(&mut sysinfo));
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[rounds / 2] / pids.len() as f64
    })
}

/// Microseconds of CPU time that `work` takes.
fn time(work: &mut impl FnMut()) -> f64 {
    let start = thread_cpu();
    work();
    (thread_cpu() - start).as_secs_f64() * 1e6
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
    let all = source.list().expect("/proc is readable");
    let ids: Vec<ProcessId> =
        all.into_iter().map(|process| process.id).filter(|id| pids.contains(&id.pid)).collect();
    for &id in &ids {
        source.track(id).expect("the child is alive");
    }
    move || {
        for &id in &ids {
            black_box(source.read(id, Wanted::CPU).expect("the child is alive"));
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
