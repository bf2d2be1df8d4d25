//! A service that tells by itself how its tasks go on: server-sent events, or lines of JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use highwater::service::{AsrTarget, Completion, Target, TaskError};

use super::mini::{Mini, head, swallow, write};
use super::{asr, input};

/// A service whose results are streams of these parts, with a pause between them; counts how often it was asked.
async fn streaming(kind: &'static str, parts: Vec<&'static str>, ends: bool) -> (Mini, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let service = Mini::raw(move |stream| {
        let (counted, parts) = (Arc::clone(&counted), parts.clone());
        async move {
            loop {
                let Ok((head, early)) = head(&stream).await else { return };
                if head.starts_with("POST") {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    swallow(&stream, length.parse::<usize>().unwrap() - early).await.unwrap();
                    let body = r#"{"task_id": "t1"}"#;
                    let length = body.len();
                    write(&stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"))
                        .await
                        .unwrap();
                    continue;
                }
                assert!(head.contains("accept: text/event-stream"), "{head}");
                let nth = counted.fetch_add(1, Ordering::SeqCst);
                let start =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
                write(&stream, &start).await.unwrap();
                // When asked for again, a stream continues where it ended.
                let mine: Vec<&str> = if ends { parts[nth..=nth].to_vec() } else { parts.clone() };
                for part in mine {
                    // The client has read enough and closed the connection.
                    if write(&stream, &format!("{:x}\r\n{part}\r\n", part.len())).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(150)).await;
                }
                if !ends {
                    // A stream stays open after the last status.
                    std::future::pending::<()>().await;
                }
                write(&stream, "0\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    (service, asked)
}

async fn perform(service: &Mini) -> Result<Completion, TaskError> {
    let mut plan = asr(&service.url);
    plan.asr.stream = true;
    plan.processing_timeout_s = 20.0;
    AsrTarget::of_plan(&plan).unwrap().perform(&input(vec![1; 1000])).await
}

#[tokio::test]
async fn a_task_asks_once_and_is_told_of_its_end() {
    let events = vec![
        "event: status\ndata: {\"status\": \"queued\"}\n\n: still here\n",
        "\ndata: {\"status\": \"processing\"}\n\nda",
        "ta: {\"status\": \"done\", \"duration\": 7.5}\n\n",
    ];
    let lines = vec![
        "{\"status\": \"queued\"}\n",
        "{\"status\": \"processing\"}\n{\"status\": \"done\", ",
        "\"duration\": 7.5}\n",
    ];
    for (kind, parts) in [("text/event-stream", events), ("application/x-ndjson", lines)] {
        let (service, asked) = streaming(kind, parts, false).await;
        let done = perform(&service).await.unwrap();
        assert_eq!((done.task_id.as_deref(), done.audio_seconds), (Some("t1"), Some(7.5)));
        assert!(
            done.queue_seconds.is_some_and(|seconds| seconds >= 0.05),
            "queued, then processing: {done:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_the_task_is_asked_for_again() {
    let parts = vec!["{\"status\": \"queued\"}\n", "{\"status\": \"failed\", \"error\": \"no\"}"];
    let (service, asked) = streaming("application/x-ndjson", parts, true).await;
    let error = perform(&service).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.task_id()), ("failed by the service: no", Some("t1")));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let (service, _) = streaming("application/x-ndjson", vec!["{oops}\n"], false).await;
    assert!(matches!(perform(&service).await, Err(TaskError::Malformed { .. })));
}
