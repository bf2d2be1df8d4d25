//! The service that is driven, behind one trait.
//!
//! [`AsrTarget`] and [`HttpTarget`] cover what `highwater.toml` can describe;
//! a test of your own can implement [`Target`] for anything else.

mod asr;
mod http;
mod poll;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

pub use asr::AsrTarget;
pub use http::HttpTarget;
pub use poll::poll_delay;

use crate::error::Result;
use crate::plan::{AudioKind, Plan, TargetKind};

/// What a task sends. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Input {
    /// Short or long; the two are judged apart.
    pub kind: AudioKind,
    /// Name without extension; the front of a `test_id`.
    pub stem: String,
    /// Name of the file, or of the request.
    pub name: String,
    /// The content, read once and shared by all tasks.
    pub bytes: Bytes,
    /// Length of the audio in seconds; absent for what is not audio.
    pub seconds: Option<f64>,
}

/// What a service gave back for a task that succeeded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The service's name for the task, if it gave one.
    pub task_id: Option<String>,
    /// The audio's length in seconds as the service measured it.
    pub audio_seconds: Option<f64>,
}

/// Why a task did not succeed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TaskError {
    /// The service refused the task.
    #[error("rejected: HTTP {status}{}", tail(.body))]
    Rejected {
        /// The HTTP status of the answer.
        status: u16,
        /// The beginning of its body.
        body: String,
    },
    /// The service took the task and reported that it failed.
    #[error("failed by the service: {message}")]
    Failed {
        /// The service's name for the task.
        task_id: Option<String>,
        /// The service's message.
        message: String,
    },
    /// The service could not be spoken to.
    #[error("{stage}: {message}")]
    Transport {
        /// What was being done: `submit`, `poll`.
        stage: &'static str,
        /// What went wrong.
        message: String,
    },
    /// The service answered something that its contract does not allow.
    #[error("malformed answer: {message}")]
    Malformed {
        /// What was wrong with it.
        message: String,
    },
    /// The service did not finish in time. (highwater itself sets the limit around [`Target::perform`].)
    #[error("no result within {limit_s:.0} s")]
    TimedOut {
        /// The limit in seconds.
        limit_s: f64,
    },
    /// The process that would have finished the task is gone.
    #[error("{message}")]
    WorkerLost {
        /// Which process, and how it ended.
        message: String,
    },
}

impl TaskError {
    /// The error as a word, for the field `error_kind`.
    pub fn word(&self) -> &'static str {
        match self {
            TaskError::Rejected { .. } => "rejected",
            TaskError::Failed { .. } => "failed",
            TaskError::Transport { .. } => "transport",
            TaskError::Malformed { .. } => "malformed",
            TaskError::TimedOut { .. } => "timeout",
            TaskError::WorkerLost { .. } => "worker_lost",
        }
    }
}

fn tail(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

/// A service under test.
///
/// Implement it with plain `async fn`s:
///
/// ```
/// use highwater::target::{Completion, Input, Target, TaskError};
///
/// struct Echo;
///
/// impl Target for Echo {
///     fn describe(&self) -> String {
///         "an echo".to_string()
///     }
///     async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
///         Ok(Completion { audio_seconds: input.seconds, ..Completion::default() })
///     }
/// }
/// ```
pub trait Target: Send + Sync + 'static {
    /// What is tested, in a few words, for the first line: `the ASR service at http://localhost:8000`.
    fn describe(&self) -> String;

    /// Sends one task and waits for its result. Called concurrently; dropped when the task's time is up.
    fn perform(&self, input: &Input) -> impl Future<Output = Result<Completion, TaskError>> + Send;

    /// Asks whether the service is well; the error says what is wrong.
    fn health(&self) -> impl Future<Output = Result<(), String>> + Send {
        async { Ok(()) }
    }
}

/// [`Target`] as an object, for those who hold one without knowing which.
pub(crate) trait AnyTarget: Send + Sync {
    fn describe(&self) -> String;
    fn perform<'a>(&'a self, input: &'a Input) -> BoxFuture<'a, Result<Completion, TaskError>>;
    fn health(&self) -> BoxFuture<'_, Result<(), String>>;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<T: Target> AnyTarget for T {
    fn describe(&self) -> String {
        Target::describe(self)
    }

    fn perform<'a>(&'a self, input: &'a Input) -> BoxFuture<'a, Result<Completion, TaskError>> {
        Box::pin(Target::perform(self, input))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(Target::health(self))
    }
}

/// The target that a plan describes.
pub(crate) fn of_plan(plan: &Plan) -> Result<Arc<dyn AnyTarget>> {
    Ok(match plan.target.kind {
        TargetKind::Asr => Arc::new(AsrTarget::of_plan(&plan.target)?),
        TargetKind::Http => Arc::new(HttpTarget::of_plan(&plan.target)?),
    })
}
