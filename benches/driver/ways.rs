//! The clients that are compared.

use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use highwater::plan::{AudioKind, Plan, TargetPlan};
use highwater::service::{HttpTarget, Input, Target};
use reqwest::multipart::{Form, Part};
use tokio::runtime::{Builder, Runtime};

/// The size of the long recording that highwater makes.
pub(crate) const FILE: usize = 23_488_044;

/// The file, made once.
pub(crate) fn audio() -> Bytes {
    static AUDIO: OnceLock<Bytes> = OnceLock::new();
    AUDIO.get_or_init(|| Bytes::from(vec![7; FILE])).clone()
}

/// The size of a file that takes no time to send.
pub(crate) const WEE: usize = 1000;

/// This much of the file, as a task sends it.
pub(crate) fn input(size: usize) -> Input {
    let (stem, name) = ("long".to_string(), "long.wav".to_string());
    Input { kind: AudioKind::Long, stem, name, bytes: audio().slice(..size), seconds: None, variation: 0 }
}

#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// A thread a connection, and writev(2).
    Floor,
    /// highwater's target.
    Ours,
    /// A general client that shares the bytes too.
    Reqwest,
}

impl Way {
    pub(crate) fn of(name: &str) -> Way {
        if name == "ours" { Way::Ours } else { Way::Reqwest }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Floor => "floor",
            Way::Ours => "ours",
            Way::Reqwest => "reqwest",
        }
    }

    /// Uploads the file, `at_once` at a time, `each` times one after the other, each time over a new connection.
    pub(crate) fn upload(self, url: &str, at_once: usize, each: usize) {
        match self {
            Way::Floor => threads(at_once, || (0..each).for_each(|_| raw_upload(url))),
            Way::Ours => {
                let mut plan = plan(url);
                plan.http.multipart_field = "file".to_string();
                ours(&plan, at_once, each);
            }
            Way::Reqwest => {
                let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build();
                let client = client.expect("a client can be made");
                run(at_once, each, async || {
                    let part = Part::stream_with_length(audio(), FILE as u64).file_name("long.wav");
                    let request = client.post(format!("{url}/")).multipart(Form::new().part("file", part));
                    let answer = request.send().await.expect("the service answers");
                    answer.bytes().await.expect("the service answers");
                });
            }
        }
    }

    /// Asks for a status, `at_once` at a time, `each` times one after the other over the same connection.
    pub(crate) fn ask(self, url: &str, at_once: usize, each: usize) {
        match self {
            Way::Floor => threads(at_once, || {
                let mut stream = connect(url);
                (0..each).for_each(|_| raw_ask(&mut stream));
            }),
            Way::Ours => {
                let mut plan = plan(url);
                plan.http.method = "GET".to_string();
                plan.keep_alive = true;
                ours(&plan, at_once, each);
            }
            Way::Reqwest => {
                let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
                run(at_once, each, async || {
                    let answer = client.get(format!("{url}/")).send().await.expect("the service answers");
                    answer.bytes().await.expect("the service answers");
                });
            }
        }
    }
}

fn threads(count: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(&work);
        }
    });
}

fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).expect("the service listens");
    stream.set_nodelay(true).expect("a socket has this option");
    stream
}

fn raw_upload(url: &str) {
    let mut stream = connect(url);
    let (front, back) = ("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n", "\r\n--b--\r\n");
    let length = front.len() + FILE + back.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n{front}"
    );
    let file = audio();
    let mut slices = [IoSlice::new(head.as_bytes()), IoSlice::new(&file), IoSlice::new(back.as_bytes())];
    let mut left = &mut slices[..];
    while !left.is_empty() {
        let written = stream.write_vectored(left).expect("the service takes the upload");
        IoSlice::advance_slices(&mut left, written);
    }
    assert!(stream.read(&mut [0; 1024]).expect("the service answers") > 0);
}

fn raw_ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("the service listens");
    assert!(stream.read(&mut [0; 1024]).expect("the service answers") > 0);
}

fn plan(url: &str) -> TargetPlan {
    Plan::http(url, "/").target
}

fn ours(plan: &TargetPlan, at_once: usize, each: usize) {
    let target = HttpTarget::of_plan(plan).expect("the plan is valid");
    let input = input(FILE);
    run(at_once, each, async || drop(target.perform(&input).await.expect("the task succeeds")));
}

fn run(at_once: usize, each: usize, once: impl AsyncFn()) {
    together(at_once, async || {
        for _ in 0..each {
            once().await;
        }
    });
}

/// As a level of the ramp does it: all futures in one task, on the runtime of `highwater run`, which has one thread.
pub(crate) fn together<T>(at_once: usize, task: impl AsyncFn() -> T) -> Vec<T> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime =
        RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().expect("a runtime starts"));
    let all: FuturesUnordered<_> = (0..at_once).map(|_| task()).collect();
    runtime.block_on(all.collect())
}
