//! Translates errors of sockets and of HTTP into the cause that a report shows.

use std::error::Error as StdError;
use std::io;

use crate::service::{Cause, Stage, TaskError};

/// The failure of an open connection.
pub(super) fn of_io(stage: Stage, error: &io::Error, progress: &str) -> TaskError {
    let cause = Cause::of(error);
    let what = match cause {
        Cause::Reset => format!("connection reset ({error})"),
        _ => error.to_string(),
    };
    TaskError::transport(stage, cause, format!("{what}{progress}"))
}

/// The failure behind hyper's error; `progress` describes how far the request had come.
pub(super) fn of_hyper(stage: Stage, error: &hyper::Error, progress: &str) -> TaskError {
    let mut innermost: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(source) = innermost {
        if let Some(error) = source.downcast_ref::<io::Error>() {
            return of_io(stage, error, progress);
        }
        innermost = source.source();
    }
    if error.is_parse() {
        return TaskError::malformed(format!("it is not HTTP: {error}"));
    }
    let (cause, what) = if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        (Cause::Closed, "connection closed before the answer was complete".to_string())
    } else {
        (Cause::Other, error.to_string())
    };
    TaskError::transport(stage, cause, format!("{what}{progress}"))
}
