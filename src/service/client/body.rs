//! The body of a request: slices that all tasks share.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::watched::UploadProgress;

/// Slices that are sent one after the other without a copy. Their length is known, so
/// the request has a `Content-Length`.
#[derive(Debug)]
pub(super) struct Slices {
    parts: [Bytes; 3],
    next: usize,
    left: u64,
    watch: Arc<UploadProgress>,
}

impl Slices {
    /// The body of these parts, for the connection that `watch` belongs to.
    pub(super) fn new(parts: [Bytes; 3], watch: Arc<UploadProgress>) -> Slices {
        let left = parts.iter().map(|part| part.len() as u64).sum();
        if left == 0 {
            watch.all_taken();
        }
        Slices { parts, next: 0, left, watch }
    }

    pub(super) fn length(&self) -> u64 {
        self.left
    }
}

impl Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while let Some(part) = self.parts.get(self.next).cloned() {
            self.next += 1;
            if !part.is_empty() {
                self.left -= part.len() as u64;
                if self.left == 0 {
                    self.watch.all_taken();
                }
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
