//! Every failure keeps its cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use highwater::record::FailureKind;
use highwater::service::{Cause, Stage, TaskError, TimeLimit};
use tokio::net::{TcpSocket, TcpStream};

use super::mini::{Mini, Reply, head, ok, swallow, write};
use super::{asr, http, perform_asr, perform_http};
use crate::support::service;

/// More than the buffers of a connection hold, so that an upload cannot end by itself.
const BIG: usize = 24_000_000;

/// A limit that is soon reached when the service stalls.
const SOON: f64 = 0.2;

fn transport(error: TaskError) -> (Stage, Cause, String) {
    match error {
        TaskError::Transport { stage, cause, message, .. } => (stage, cause, message),
        other => panic!("expected a failure of the connection, got {other:?}"),
    }
}

fn limit(error: TaskError) -> TimeLimit {
    match error {
        TaskError::TimedOut { limit, limit_s, .. } => {
            assert_eq!(limit_s, SOON);
            limit
        }
        other => panic!("expected a timeout, got {other:?}"),
    }
}

#[tokio::test]
async fn refused() {
    let (stage, cause, message) = transport(perform_http(&http(&service::nobody()), 8).await.unwrap_err());
    assert_eq!((stage, cause), (Stage::Connect, Cause::Refused));
    assert!(message.contains("127.0.0.1:"), "{message}");
    let (stage, cause, _) =
        transport(perform_http(&http("http://no-such-host.invalid"), 8).await.unwrap_err());
    assert_eq!((stage, cause), (Stage::Connect, Cause::Name));
}

#[tokio::test]
async fn reset_while_the_upload_is_under_way() {
    let service = Mini::raw(|stream| async move {
        head(&stream).await.unwrap();
        swallow(&stream, 100_000).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let (stage, cause, message) = transport(perform_http(&http(&service.url), BIG).await.unwrap_err());
    assert_eq!((stage, cause), (Stage::Upload, Cause::Reset), "{message}");
    assert!(message.contains("of 24.0 MB of the upload sent"), "{message}");
}

#[tokio::test]
async fn closed_or_reset_after_the_upload() {
    let closing = Mini::raw(|stream| async move {
        let (_, early) = head(&stream).await.unwrap();
        drop(swallow(&stream, 100 - early.min(100)).await);
        // Read the rest of the body, so that closing does not reset the connection.
        drop(tokio::time::timeout(Duration::from_millis(50), swallow(&stream, usize::MAX)).await);
    })
    .await;
    let (stage, cause, message) = transport(perform_http(&http(&closing.url), 100).await.unwrap_err());
    assert_eq!((stage, cause), (Stage::Processing, Cause::Closed), "{message}");
}

/// An answer that comes, and a connection that ends, before the upload was read.
#[tokio::test]
async fn a_refusal_before_the_upload_was_read_shows_its_status() {
    for then_reset in [true, false] {
        let service = Mini::raw(move |stream: TcpStream| async move {
            head(&stream).await.unwrap();
            let body = "only 10 MB, please";
            let length = body.len();
            write(&stream, &format!("HTTP/1.1 413 Too Large\r\nContent-Length: {length}\r\n\r\n{body}"))
                .await
                .unwrap();
            if !then_reset {
                // It neither reads on nor closes.
                std::future::pending::<()>().await;
            }
        })
        .await;
        for _ in 0..10 {
            let expected =
                TaskError::Rejected { status: 413, body: "only 10 MB, please".to_string(), task_id: None };
            assert_eq!(perform_http(&http(&service.url), BIG).await.unwrap_err(), expected);
            assert_eq!(perform_asr(&asr(&service.url), BIG).await.unwrap_err(), expected);
        }
    }
}

#[tokio::test]
async fn a_connection_that_does_not_open_in_time() {
    // The queue of a listener that never accepts is full after a few connections; the kernel
    // then ignores further ones.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queue.push(stream.unwrap());
        assert!(queue.len() < 64, "the queue is never full");
    }
    let mut plan = http(&service::url(address));
    plan.connect_timeout_s = SOON;
    assert_eq!(limit(perform_http(&plan, 8).await.unwrap_err()), TimeLimit::Connect);
    plan.timeout_s = SOON;
    plan.connect_timeout_s = 10.0;
    assert_eq!(limit(perform_http(&plan, 8).await.unwrap_err()), TimeLimit::Task(Some(Stage::Connect)));
}

#[tokio::test]
async fn an_upload_that_is_not_taken_in_time() {
    let service = Mini::raw(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut plan = http(&service.url);
    plan.upload_timeout_s = SOON;
    assert_eq!(limit(perform_http(&plan, BIG).await.unwrap_err()), TimeLimit::Upload);
    let mut plan = asr(&service.url);
    plan.upload_timeout_s = SOON;
    // A submission that is never confirmed, however small, is still an upload.
    assert_eq!(limit(perform_asr(&plan, 8).await.unwrap_err()), TimeLimit::Upload);
    plan.timeout_s = SOON;
    plan.upload_timeout_s = 10.0;
    let error = perform_asr(&plan, BIG).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Timeout);
    assert_eq!(error.to_string(), "no result within 0.2 s: the upload was not finished");
}

#[tokio::test]
async fn a_result_that_does_not_come_in_time() {
    let service = Mini::start(|asked| async move {
        match asked.after("/api/v1/asr/result/") {
            Some(_) => ok(r#"{"status": "processing"}"#),
            None if asked.path.ends_with("submit") => ok(r#"{"task_id": "t1"}"#),
            None => std::future::pending().await,
        }
    })
    .await;
    let mut plan = http(&service.url);
    plan.processing_timeout_s = SOON;
    assert_eq!(limit(perform_http(&plan, 3_000_000).await.unwrap_err()), TimeLimit::Processing);
    let mut plan = asr(&service.url);
    plan.timeout_s = SOON;
    let error = perform_asr(&plan, 8).await.unwrap_err();
    let message = "no result within 0.2 s; it was being processed";
    assert_eq!((error.task_id(), error.to_string().as_str()), (Some("t1"), message));
    assert_eq!(limit(error), TimeLimit::Task(Some(Stage::Processing)));
}

#[tokio::test]
async fn what_is_no_http_is_malformed() {
    let service = Mini::raw(|stream| async move {
        write(&stream, "SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        drop(swallow(&stream, usize::MAX).await);
    })
    .await;
    let error = perform_http(&http(&service.url), 8).await.unwrap_err();
    assert!(matches!(&error, TaskError::Malformed { .. }), "{error:?}");
    assert!(error.to_string().contains("not HTTP"), "{error}");
}

#[tokio::test]
async fn a_failed_look_keeps_the_task_and_the_status() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let service = Mini::start(move |asked| {
        let counted = Arc::clone(&counted);
        async move {
            if asked.path.ends_with("submit") {
                return ok(r#"{"task_id": "a b/1"}"#);
            }
            assert_eq!(asked.after("/api/v1/asr/result/"), Some("a%20b%2F1"), "an id is one segment");
            counted.fetch_add(1, Ordering::SeqCst);
            Reply { status: 500, body: "é".repeat(5000), close: false }
        }
    })
    .await;
    let error = perform_asr(&asr(&service.url), 8).await.unwrap_err();
    assert_eq!((error.task_id(), error.http_status()), (Some("a b/1"), Some(500)));
    assert_eq!(error.stage(), Some(Stage::Poll));
    assert_eq!(looks.load(Ordering::SeqCst), 3, "two failed looks are forgiven");
    let TaskError::Rejected { body, .. } = error else { panic!() };
    assert_eq!(body, "é".repeat(1024), "2 KB, and no broken character");
}
