//! The cost of tasks to highwater: memory. None of ten thousand is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use highwater::service::{AsrTarget, HttpTarget, Target};

use crate::support::alone::alone;

use super::mini::{Mini, Reply, ok};
use super::{asr, http, input};

/// A figure of `/proc/self/status` in bytes.
#[cfg(target_os = "linux")]
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn a_level_of_256_uploads_costs_the_file_once() {
    // Memory belongs to a process.
    alone(concat!(module_path!(), "::a_level_of_256_uploads_costs_the_file_once"), || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(level_of_256());
    });
}

/// The file once, 8 MB, and 64 KB for each task. A client that keeps a copy for each task
/// needs two hundred times as much.
#[cfg(target_os = "linux")]
async fn level_of_256() {
    const FILE: usize = 8_000_000;
    const TASKS: usize = 256;
    let inside = Arc::new(AtomicUsize::new(0));
    let all = Arc::new(tokio::sync::Barrier::new(TASKS));
    let service = Mini::start({
        let inside = Arc::clone(&inside);
        move |asked| {
            let (inside, all) = (Arc::clone(&inside), Arc::clone(&all));
            async move {
                if asked.path == "/warm" {
                    return ok("");
                }
                inside.fetch_add(1, Ordering::SeqCst);
                // No task is done before all have uploaded.
                all.wait().await;
                ok("")
            }
        }
    })
    .await;
    // Whatever the first request allocates once (buffers of the service and the runtime) does not belong to the level.
    let mut warm = http(&service.url);
    warm.http.path = "/warm".to_string();
    HttpTarget::of_plan(&warm).unwrap().perform(&input(vec![1; 1000])).await.unwrap();

    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    let audio = input(vec![7; FILE]);
    let target = HttpTarget::of_plan(&http(&service.url)).unwrap();
    let ended = join_all((0..TASKS).map(|_| target.perform(&audio))).await;
    let growth = status("VmHWM").saturating_sub(before);
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(inside.load(Ordering::SeqCst), TASKS);
    assert!(growth >= FILE as u64, "the file alone is more than {growth} bytes: nothing was measured");
    let budget = (FILE + (8 << 20) + TASKS * (64 << 10)) as u64;
    println!("{:.1} MB of {:.1} MB allowed", growth as f64 / 1e6, budget as f64 / 1e6);
    assert!(growth <= budget, "{growth} bytes, {budget} allowed");
}

/// All are outstanding before the first ends; each gets its own result, at the first look after it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_outstanding_and_none_lost_or_late() {
    const TASKS: usize = 10_000;
    let submitted = Arc::new(AtomicUsize::new(0));
    let told: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let service = Mini::start({
        let (submitted, told) = (Arc::clone(&submitted), Arc::clone(&told));
        move |asked| {
            let body = match asked.after("/api/v1/asr/result/") {
                None => format!(r#"{{"task_id": {}}}"#, submitted.fetch_add(1, Ordering::SeqCst) + 1),
                Some(_) if submitted.load(Ordering::SeqCst) < TASKS => r#"{"status": "queued"}"#.to_string(),
                Some(id) => {
                    *told.lock().unwrap().entry(id.to_string()).or_default() += 1;
                    format!(r#"{{"status": "done", "duration": {id}}}"#)
                }
            };
            // Closed, because both ends of all connections are in this process, and its descriptors are limited.
            async move { Reply { status: 200, body, close: true } }
        }
    })
    .await;
    let mut plan = asr(&service.url);
    plan.asr.max_polls_per_s = 5_000.0;
    // Both ends of ten thousand connections share the CPU with other tests: the kernel repeats a SYN that found the queue full.
    plan.connect_timeout_s = 120.0;
    let target = AsrTarget::of_plan(&plan).unwrap();
    let audio = input(vec![7; 2000]);
    let ended = join_all((0..TASKS).map(|_| target.perform(&audio))).await;
    let mut names = std::collections::BTreeSet::new();
    for end in ended {
        let done = end.unwrap();
        let name = done.task_id.unwrap();
        assert_eq!(done.audio_seconds, Some(name.parse().unwrap()), "the result of another task");
        names.insert(name);
    }
    assert_eq!((names.len(), submitted.load(Ordering::SeqCst)), (TASKS, TASKS));
    let told = told.lock().unwrap();
    assert!(told.len() == TASKS && told.values().all(|times| *times == 1), "told once is enough");
}
