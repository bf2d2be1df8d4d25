//! A service of a few lines: it counts its connections, costs next to no memory, and does exactly
//! what a test tells it to, also what no HTTP library would do.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::service;

thread_local! {
    /// Uploads are read into this and forgotten, whoever sends them.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 << 10]);
}

/// A request that the server received.
#[derive(Clone)]
pub(crate) struct Asked {
    /// `GET /path?query HTTP/1.1` and the headers.
    pub(crate) head: String,
    /// The path with its query.
    pub(crate) path: String,
}

impl Asked {
    /// The part of the path after `before`, up to a query.
    pub(crate) fn after(&self, before: &str) -> Option<&str> {
        Some(self.path.strip_prefix(before)?.split('?').next().unwrap_or_default())
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A status and a body; `close` ends the connection after it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) close: bool,
}

pub(crate) fn ok(body: impl Into<String>) -> Reply {
    Reply { status: 200, body: body.into(), close: false }
}

pub(crate) struct Mini {
    pub(crate) url: String,
    pub(crate) connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for Mini {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Mini {
    /// Answers every request with what `answer` makes of it.
    pub(crate) async fn start<F: Future<Output = Reply> + Send + 'static>(
        answer: impl Fn(Asked) -> F + Send + Sync + 'static,
    ) -> Mini {
        let answer = Arc::new(answer);
        Mini::raw(move |stream| {
            let answer = Arc::clone(&answer);
            async move { drop(serve(stream, &*answer).await) }
        })
        .await
    }

    /// Gives every connection to `handle`.
    pub(crate) async fn raw<F: Future<Output = ()> + Send + 'static>(
        handle: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) -> Mini {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = service::url(listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(stream));
            }
        });
        Mini { url, connections, serving }
    }
}

/// Reads a request's head; the bytes that came after it are the body's first.
pub(crate) async fn head(stream: &TcpStream) -> std::io::Result<(String, usize)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.len() - end - 4;
            bytes.truncate(end);
            return Ok((String::from_utf8(bytes).unwrap(), rest));
        }
        stream.readable().await?;
        bytes.reserve(1024);
        match stream.try_read_buf(&mut bytes) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

/// Reads `count` bytes and forgets them.
pub(crate) async fn swallow(stream: &TcpStream, mut count: usize) -> std::io::Result<()> {
    while count > 0 {
        stream.readable().await?;
        match SCRATCH.with_borrow_mut(|scratch| {
            let most = count.min(scratch.len());
            stream.try_read(&mut scratch[..most])
        }) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => count -= read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) async fn write(stream: &TcpStream, text: &str) -> std::io::Result<()> {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        stream.writable().await?;
        match stream.try_write(left) {
            Ok(written) => left = &left[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

type Answer<F> = dyn Fn(Asked) -> F + Send + Sync;

async fn serve<F: Future<Output = Reply>>(stream: TcpStream, answer: &Answer<F>) -> std::io::Result<()> {
    loop {
        let (head, early) = head(&stream).await?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_string();
        let asked = Asked { head, path };
        let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
        swallow(&stream, length - early).await?;
        let reply: Pin<Box<F>> = Box::pin(answer(asked));
        let Reply { status, body, close } = reply.await;
        let end = if close { "Connection: close\r\n" } else { "" };
        let length = body.len();
        write(&stream, &format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{end}\r\n{body}"))
            .await?;
        if close {
            return Ok(());
        }
    }
}
