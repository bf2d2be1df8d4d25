//! One HTTP/1.1 connection, driven by the task that uses it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::{Sleep, sleep_until};

use super::body::Slices;
use super::failure;
use super::limits::{Deadline, Part, RequestLimits};
use super::watched::{UploadProgress, Watched};
use super::wire::Wire;
use crate::service::{Stage, TaskError};

/// How long to wait for an answer after a write has failed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Pieces of an answer that are read before other tasks get their turn.
const FRAMES_AT_A_TIME: u32 = 512;

type Driver = Pin<Box<http1::Connection<TokioIo<Watched<Box<dyn Wire>>>, Slices>>>;

/// Receives the body of an answer piece by piece; returns true to stop reading.
pub(super) type Hear<'a> = &'a mut (dyn FnMut(&[u8]) -> bool + Send);

/// The service's answer, with its body.
#[derive(Debug)]
pub(in crate::service) struct Answer {
    pub(in crate::service) status: u16,
    pub(in crate::service) body: Bytes,
    /// True if the body was longer than the part that is kept.
    pub(in crate::service) cut: bool,
}

/// An open connection. No background task drives it: it makes progress only while
/// an exchange is awaited, and closes when it is dropped.
pub(super) struct Connection {
    sender: http1::SendRequest<Slices>,
    /// Absent once the connection has ended.
    driver: Option<Driver>,
    ended: Option<hyper::Error>,
    watch: Arc<UploadProgress>,
    timer: Timer,
    pub(super) last_used: Instant,
}

impl Connection {
    pub(super) async fn new(wire: Box<dyn Wire>) -> Result<Connection, TaskError> {
        let watch = Arc::new(UploadProgress::default());
        let stream = TokioIo::new(Watched::new(wire, Arc::clone(&watch)));
        let (sender, driver) = http1::Builder::new()
            .writev(true)
            .handshake(stream)
            .await
            .map_err(|error| failure::of_hyper(Stage::Connect, &error, ""))?;
        let driver = Some(Box::pin(driver));
        let last_used = Instant::now();
        Ok(Connection { sender, driver, ended: None, watch, timer: Timer::new(last_used), last_used })
    }

    pub(super) fn watch(&self) -> Arc<UploadProgress> {
        Arc::clone(&self.watch)
    }

    /// The number of bytes sent of the last request.
    pub(super) fn sent(&self) -> u64 {
        self.watch.sent()
    }

    /// Polls the connection once.
    fn step(&mut self, cx: &mut Context<'_>) {
        let Some(driver) = &mut self.driver else { return };
        if let Poll::Ready(end) = driver.as_mut().poll(cx) {
            self.driver = None;
            self.ended = end.err();
        }
    }

    /// Waits until the next request can be sent; false if the connection has ended.
    pub(super) async fn ready(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            self.step(cx);
            match self.sender.poll_ready(cx) {
                Poll::Ready(result) => Poll::Ready(result.is_ok() && self.driver.is_some()),
                Poll::Pending if self.driver.is_none() => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// True if the connection can carry another request.
    pub(super) fn reusable(&self) -> bool {
        self.driver.is_some() && self.watch.all_gone() && !self.watch.write_failed()
    }

    /// Sends `request` and reads the answer; keeps `keep` bytes of its body.
    ///
    /// If `hear` is given, it receives the body of a successful answer piece by piece. After it
    /// returns true, the rest is not read, and the connection cannot carry another request.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Slices>,
        window: &RequestLimits,
        keep: usize,
        hear: Option<Hear<'_>>,
    ) -> Result<Answer, TaskError> {
        let length = request.body().length();
        let mut uploaded = false;
        let result = self.answer(request, window, keep, hear, &mut uploaded).await;
        self.last_used = Instant::now();
        result.map_err(|end| self.explain(end, window, uploaded, length))
    }

    async fn answer(
        &mut self,
        request: Request<Slices>,
        window: &RequestLimits,
        keep: usize,
        mut hear: Option<Hear<'_>>,
        uploaded: &mut bool,
    ) -> Result<Answer, Broken> {
        let mut deadline = window.before_upload();
        let mut until = deadline.at;
        let mut listening = true;
        let mut response = pin!(self.sender.send_request(request));
        let head = std::future::poll_fn(|cx| {
            self.step(cx);
            if let Poll::Ready(head) = response.as_mut().poll(cx) {
                return Poll::Ready(head.map_err(Broken::Http));
            }
            if !*uploaded && self.watch.all_gone() {
                *uploaded = true;
                deadline = window.after_upload(Instant::now());
                until = deadline.at;
            }
            if listening && self.watch.write_failed() {
                listening = false;
                until = (Instant::now() + LAST_WORDS).min(deadline.at);
            }
            self.timer.poll(until, cx).map(|()| Err(Broken::Time(deadline)))
        });
        let head: Response<Incoming> = head.await?;
        let status = head.status().as_u16();
        let mut body = head.into_body();
        let mut kept = BytesMut::new();
        let mut cut = false;
        let mut heard_enough = false;
        std::future::poll_fn(|cx| {
            self.step(cx);
            for frames in 0_u32.. {
                // Pieces may come without end and faster than they are read: others must get their turn, and a limit
                // is a limit. The timer alone does not tell then, since tokio holds it back from a task that reads on.
                if frames == FRAMES_AT_A_TIME {
                    if Instant::now() < until {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    break;
                }
                match Pin::new(&mut body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        let data = frame.into_data().unwrap_or_default();
                        if let Some(hear) = hear.as_mut().filter(|_| !refuses(status)) {
                            heard_enough = hear(&data);
                            if heard_enough {
                                return Poll::Ready(Ok(()));
                            }
                            self.step(cx);
                            continue;
                        }
                        let room = keep - kept.len();
                        cut |= data.len() > room;
                        kept.extend_from_slice(&data[..data.len().min(room)]);
                        // hyper reads more only when it is polled.
                        self.step(cx);
                    }
                    // A refusal counts even if its body breaks off: services close the
                    // connection abruptly on an upload that they do not want.
                    Poll::Ready(Some(Err(error))) if !refuses(status) => {
                        return Poll::Ready(Err(Broken::Http(error)));
                    }
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Ok(())),
                    Poll::Pending => break,
                }
            }
            self.timer
                .poll(until, cx)
                .map(|()| if refuses(status) { Ok(()) } else { Err(Broken::Time(deadline)) })
        })
        .await?;
        if heard_enough {
            self.driver = None;
        }
        Ok(Answer { status, body: kept.freeze(), cut })
    }

    fn explain(&self, broken: Broken, window: &RequestLimits, uploaded: bool, length: u64) -> TaskError {
        let stage = match window.part {
            Part::Submit => Stage::Upload,
            Part::Whole if uploaded => Stage::Processing,
            Part::Whole => Stage::Upload,
            Part::Look { .. } => Stage::Poll,
        };
        let progress = if stage == Stage::Upload && length > 0 {
            let mb = |bytes: u64| bytes as f64 / crate::units::FILE_MB;
            let sent = self.watch.sent().min(length);
            format!(", {:.1} of {:.1} MB of the upload sent", mb(sent), mb(length))
        } else {
            String::new()
        };
        // A failed write comes first; the error of the reading side is its consequence.
        if let Some(error) = self.watch.take_failed() {
            return failure::of_io(stage, &error, &progress);
        }
        match broken {
            Broken::Time(deadline) => deadline.error(),
            Broken::Http(error) => match &self.ended {
                // The channel to an ended connection reports only that it is closed.
                Some(ended) if error.is_canceled() || error.is_closed() => {
                    failure::of_hyper(stage, ended, &progress)
                }
                _ => failure::of_hyper(stage, &error, &progress),
            },
        }
    }
}

/// The timer of a connection, for all its requests.
///
/// Few requests reach their limit, and setting a timer costs more than reading the clock. So
/// the timer is set again only if it must fire sooner, or when it has fired too soon.
struct Timer(Pin<Box<Sleep>>);

impl Timer {
    fn new(at: Instant) -> Timer {
        Timer(Box::pin(sleep_until(at.into())))
    }

    /// Ready once `at` has come.
    fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = at.into();
        if self.0.deadline() > at {
            self.0.as_mut().reset(at);
        }
        if tokio::time::Instant::now() >= at {
            return Poll::Ready(());
        }
        while self.0.as_mut().poll(cx).is_ready() {
            if self.0.deadline() >= at {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(at);
        }
        Poll::Pending
    }
}

fn refuses(status: u16) -> bool {
    status >= 400
}

/// Why an answer is missing.
enum Broken {
    Time(Deadline),
    Http(hyper::Error),
}

#[cfg(test)]
mod tests {
    use std::io;

    use hyper::Method;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;
    use crate::plan::TargetPlan;
    use crate::service::Cause;
    use crate::service::client::limits::Limits;

    /// A service that has closed the connection: writing fails, and only then is there something to read.
    struct Closed {
        said: &'static [u8],
        failed: bool,
        reader: Option<std::task::Waker>,
    }

    impl AsyncRead for Closed {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.failed {
                self.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            buffer.put_slice(std::mem::take(&mut self.said));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Closed {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.failed = true;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn upload_to(said: &'static [u8]) -> Result<Answer, TaskError> {
        let wire = Closed { said, failed: false, reader: None };
        let mut connection = Connection::new(Box::new(wire)).await?;
        assert!(connection.ready().await);
        let file = Bytes::from_static(&[7; 5_000_000]);
        let mut request = Request::new(Slices::new([file, Bytes::new(), Bytes::new()], connection.watch()));
        *request.method_mut() = Method::POST;
        let window = RequestLimits::new(Limits::of_plan(&TargetPlan::default()), Instant::now(), Part::Whole);
        connection.exchange(request, &window, 1000, None).await
    }

    #[tokio::test]
    async fn a_write_that_fails_does_not_hide_the_answer_behind_it() {
        let answer = upload_to(b"HTTP/1.1 413 x\r\nContent-Length: 7\r\n\r\ntoo big").await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (413, &b"too big"[..]));
        let error = upload_to(b"").await.unwrap_err();
        assert_eq!((error.stage(), error.cause()), (Some(Stage::Upload), Some(Cause::Reset)));
        assert!(error.to_string().contains("0.0 of 5.0 MB of the upload sent"), "{error}");
    }
}
