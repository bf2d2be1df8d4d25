//! Answers without end: a limit is a limit, and memory stays bounded.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use highwater::service::{AsrTarget, HttpTarget, Target, TaskError};
use rstest::rstest;

use super::{asr, http, input};

/// Starts a service on a port of its own that accepts a submission and answers everything else with `head`, and then with
/// `piece` for ever. Its threads end with their connections.
fn endless(head: &'static [u8], piece: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let piece = piece.clone();
            std::thread::spawn(move || drop(speak(stream, head, &piece)));
        }
    });
    url
}

fn speak(mut stream: TcpStream, head: &[u8], piece: &[u8]) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..count]);
    }
    if request.starts_with(b"POST /api") {
        while !request.ends_with(b"--\r\n") {
            let count = stream.read(&mut buffer)?;
            request.extend_from_slice(&buffer[..count]);
        }
        let body = b"{\"task_id\": \"a\"}";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes())?;
        return stream.write_all(body);
    }
    stream.write_all(head)?;
    loop {
        stream.write_all(piece)?;
    }
}

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The highest memory of this process, in MB.
#[cfg(target_os = "linux")]
fn highest_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// That the task ends at all is the assertion on time: before, none of these did while there was something to read.
#[rstest]
#[case::a_line_without_end(STREAM, vec![b'x'; 65536])]
#[case::data_without_end(STREAM, b"data: x\n".repeat(8192))]
#[case::chunks_of_a_byte(CHUNKS, b"1\r\nx\r\n".repeat(8192))]
#[case::informational_answers(b"", b"HTTP/1.1 102 Processing\r\n\r\n".repeat(2048))]
#[tokio::test]
async fn an_answer_without_end_meets_the_limit(#[case] head: &'static [u8], #[case] piece: Vec<u8>) {
    let url = endless(head, piece);
    let mut plan = asr(&url);
    (plan.asr.stream, plan.timeout_s) = (true, 1.0);
    let ended = AsrTarget::of_plan(&plan).unwrap().perform(&input(vec![7; 10])).await;
    assert!(matches!(ended, Err(TaskError::TimedOut { .. } | TaskError::Transport { .. })), "{ended:?}");
    let mut plan = http(&url);
    plan.timeout_s = 1.0;
    let ended = HttpTarget::of_plan(&plan).unwrap().perform(&input(vec![7; 10])).await;
    assert!(
        matches!(
            ended,
            Err(TaskError::TimedOut { .. } | TaskError::Transport { .. } | TaskError::Malformed { .. })
        ),
        "{ended:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_without_end_is_not_kept() {
    use crate::support::alone::alone;
    // Memory belongs to a process.
    alone(concat!(module_path!(), "::a_stream_without_end_is_not_kept"), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = endless(STREAM, b"data: 0123456789012345678901234567890123456789\n".repeat(1400));
        let mut plan = asr(&url);
        (plan.asr.stream, plan.timeout_s) = (true, 2.0);
        let target = AsrTarget::of_plan(&plan).unwrap();
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = highest_mb();
        runtime.block_on(target.perform(&input(vec![7; 10]))).unwrap_err();
        let grown = highest_mb() - before;
        assert!(grown <= 20, "{grown} MB");
    });
}
