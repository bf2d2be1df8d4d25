//! A stream that counts how much of a request the kernel has taken, and that goes on reading
//! after the service has stopped reading.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The progress of the current request.
#[derive(Debug, Default)]
pub(super) struct UploadProgress {
    sent: AtomicU64,
    /// The whole request was passed on for writing.
    taken: AtomicBool,
    /// The kernel has taken the whole request.
    gone: AtomicBool,
    /// A write has failed. Read at every step, so that `failure` need not be locked.
    failed: AtomicBool,
    failure: Mutex<Option<io::Error>>,
}

impl UploadProgress {
    /// Begins a new request.
    pub(super) fn begin(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.taken.store(false, Ordering::Relaxed);
        self.gone.store(false, Ordering::Relaxed);
    }

    /// Records that the whole request was passed on for writing.
    pub(super) fn all_taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    /// True once the kernel has taken the whole request.
    pub(super) fn all_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// The bytes of the request, including its head, that the kernel has taken.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// True once a write has failed.
    pub(super) fn write_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The error of the failed write, if one failed.
    pub(super) fn take_failed(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: io::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.failed.store(true, Ordering::Relaxed);
    }
}

/// A stream with a [`UploadProgress`] on it.
///
/// A service may refuse an upload before it has read all of it: it answers 413 and closes. The
/// next write then fails, although the answer can still be read. So the error of a write is kept
/// and the write stays pending for ever, while reading goes on to the answer or to the end.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    watch: Arc<UploadProgress>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Arc<UploadProgress>) -> Watched<S> {
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
