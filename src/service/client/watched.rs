//! A connection that knows how much of a request has left, and that still listens to a
//! service that no longer does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of the request that is on its way.
#[derive(Debug, Default)]
pub(super) struct Watch {
    sent: AtomicU64,
    /// Everything was handed over for writing.
    taken: AtomicBool,
    /// Everything was taken by the kernel.
    gone: AtomicBool,
    /// A write has failed; `failure` is behind a lock, and this is asked at every step.
    failed: AtomicBool,
    failure: Mutex<Option<io::Error>>,
}

impl Watch {
    /// Begins a new request.
    pub(super) fn begin(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.taken.store(false, Ordering::Relaxed);
        self.gone.store(false, Ordering::Relaxed);
    }

    /// The whole request was handed over for writing.
    pub(super) fn all_taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    /// True when the whole request is with the kernel.
    pub(super) fn all_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Bytes of the request, with its head, that the kernel took.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// True once a write has failed.
    pub(super) fn write_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The write that failed, if one did.
    pub(super) fn take_failed(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: io::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.failed.store(true, Ordering::Relaxed);
    }
}

/// A stream, with a [`Watch`] on it.
///
/// A service may refuse an upload before it has read it all: it answers 413 and closes. The
/// next write then fails, while the answer is there to be read. So a write that fails is kept
/// and stays pending for ever; the reading goes on and finds the answer, or the end.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Watched<S> {
        Watched { stream, watch }
    }

    fn written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(count)) => {
                self.watch.sent.fetch_add(count as u64, Ordering::Relaxed);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => {
                self.watch.fail(error);
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.watch.write_failed() {
            return Poll::Pending;
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.watch.write_failed() {
            return Poll::Pending;
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.write_failed() {
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                if self.watch.taken.load(Ordering::Relaxed) {
                    self.watch.gone.store(true, Ordering::Relaxed);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.watch.fail(error);
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
