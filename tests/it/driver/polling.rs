//! The cost of tasks to the service: connections and polls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use highwater::service::{AsrTarget, HttpTarget, Target};

use super::mini::{Mini, Reply, ok};
use super::{asr, http, input};

const SUBMIT: &str = "/api/v1/asr/submit";
const RESULT: &str = "/api/v1/asr/result/";

#[tokio::test]
async fn one_connection_a_task_or_shared_ones() {
    let looks = Arc::new(AtomicUsize::new(0));
    let service = Mini::start(move |asked| {
        let look = looks.fetch_add(1, Ordering::SeqCst);
        async move {
            match asked.path.as_str() {
                SUBMIT => ok(r#"{"task_id": "t1"}"#),
                // Every task is asked for more than once.
                _ if look % 4 == 3 => ok(r#"{"status": "done"}"#),
                _ => ok(r#"{"status": "processing"}"#),
            }
        }
    })
    .await;
    let count = async |keep_alive: bool| {
        let before = service.connections.load(Ordering::SeqCst);
        let mut plan = asr(&service.url);
        plan.keep_alive = keep_alive;
        let target = AsrTarget::of_plan(&plan).unwrap();
        for _ in 0..5 {
            target.perform(&input(vec![1; 1000])).await.unwrap();
        }
        service.connections.load(Ordering::SeqCst) - before
    };
    assert_eq!(count(false).await, 5, "the submission of a task and its looks share one");
    assert_eq!(count(true).await, 1);
}

#[tokio::test]
async fn a_shared_connection_that_the_service_closed_is_no_failure() {
    let service = Mini::start(|_| async { Reply { status: 200, body: String::new(), close: true } }).await;
    let mut plan = http(&service.url);
    plan.keep_alive = true;
    let target = HttpTarget::of_plan(&plan).unwrap();
    for _ in 0..20 {
        target.perform(&input(vec![1; 1000])).await.unwrap();
    }
    assert_eq!(service.connections.load(Ordering::SeqCst), 20);
}

/// When a service was asked for which task.
type Looks = Arc<Mutex<Vec<(Instant, String)>>>;

/// A service whose tasks take `truth`, and that may hold its answers back.
async fn timed(truth: Duration, holds: bool) -> (Mini, Looks) {
    let looks = Looks::default();
    let kept = Arc::clone(&looks);
    let submitted: Arc<Mutex<BTreeMap<String, Instant>>> = Arc::default();
    let service = Mini::start(move |asked| {
        let now = Instant::now();
        let mut tasks = submitted.lock().unwrap();
        let reply = match asked.after(RESULT) {
            None => {
                let id = format!("t{}", tasks.len());
                tasks.insert(id.clone(), now);
                (Duration::ZERO, format!(r#"{{"task_id": "{id}"}}"#))
            }
            Some(id) => {
                kept.lock().unwrap().push((now, id.to_string()));
                let left = truth.saturating_sub(now - tasks[id]);
                let held = if holds && asked.path.ends_with("?wait=30") { left } else { Duration::ZERO };
                let status = match left.saturating_sub(held) {
                    Duration::ZERO => "done",
                    left if left > truth / 2 => "queued",
                    _ => "processing",
                };
                (held, format!(r#"{{"status": "{status}"}}"#))
            }
        };
        async move {
            tokio::time::sleep(reply.0).await;
            ok(reply.1)
        }
    })
    .await;
    (service, looks)
}

#[tokio::test]
async fn all_tasks_together_ask_at_most_at_the_plans_rate() {
    const TASKS: usize = 30;
    let (service, looks) = timed(Duration::from_millis(300), false).await;
    let mut plan = asr(&service.url);
    plan.asr.max_polls_per_s = 100.0;
    let target = AsrTarget::of_plan(&plan).unwrap();
    let started = Instant::now();
    let audio = input(vec![1; 1000]);
    let ended = join_all((0..TASKS).map(|_| target.perform(&audio))).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    let looks = looks.lock().unwrap();
    // The service can see a look late, and never before its turn.
    for (index, (at, _)) in looks.iter().enumerate() {
        assert!(*at - started >= Duration::from_millis(10) * index as u32, "look {index} came too soon");
    }
    // The first turns go round: no task is asked for twice before each was asked for once.
    let first: std::collections::BTreeSet<&String> = looks.iter().take(TASKS).map(|(_, id)| id).collect();
    assert!(first.len() > TASKS / 2, "{first:?}");
}

#[tokio::test]
async fn the_time_in_the_queue_is_seen_from_the_status() {
    let (service, _) = timed(Duration::from_millis(600), false).await;
    let done = AsrTarget::of_plan(&asr(&service.url)).unwrap().perform(&input(vec![1])).await.unwrap();
    // It was queued for 300 ms: a look after that was the first to see it processed.
    assert!(done.queue_seconds.is_some_and(|seconds| seconds >= 0.15), "{done:?}");
}

#[tokio::test]
async fn a_service_that_holds_its_answer_back_is_asked_once_and_one_that_does_not_is_not_flooded() {
    for holds in [true, false] {
        let (service, looks) = timed(Duration::from_millis(400), holds).await;
        let mut plan = asr(&service.url);
        plan.asr.wait_query = "wait=30".to_string();
        AsrTarget::of_plan(&plan).unwrap().perform(&input(vec![1])).await.unwrap();
        let looks = looks.lock().unwrap().len();
        // Without the wait they come 5 ms apart at first, then up to 30 ms.
        assert!(if holds { looks == 1 } else { looks <= 40 }, "{looks} looks, holds: {holds}");
    }
}
