//! The service under test, behind one trait.
//!
//! [`AsrTarget`], [`OpenAiTarget`], [`HttpTarget`] and `CommandTarget` cover what `highwater.toml` can
//! describe; a test of your own can implement [`Target`] for anything else.

mod asr;
mod auth;
mod client;
#[cfg(feature = "command")]
mod command;
#[cfg(any(feature = "collect", feature = "remote"))]
mod endpoint;
mod error;
mod health;
mod http;
mod inputs;
mod json;
mod looks;
mod multipart;
mod openai;
mod poll;
mod queue;
mod spread;
mod stream;
mod streamed;
mod success;
mod template;
pub(crate) mod trial;
mod unwell;
mod variations;
#[cfg(feature = "websocket")]
mod websocket;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

pub use asr::AsrTarget;
#[cfg(feature = "command")]
pub use command::CommandTarget;
#[cfg(any(feature = "collect", feature = "remote"))]
pub(crate) use endpoint::Endpoint;
pub use error::{Cause, LastStatus, Stage, TaskError, TimeLimit};
pub use http::HttpTarget;
pub use inputs::Inputs;
pub use openai::OpenAiTarget;
pub use poll::poll_delay;
#[cfg(fuzzing)]
pub(crate) use stream::any_bytes as any_stream;
pub use unwell::Unwell;
pub use variations::{Bodies, Variations};
#[cfg(feature = "websocket")]
pub use websocket::WebSocketTarget;

use crate::error::Result;
use crate::plan::{AudioKind, Plan, TargetKind, TargetPlan};

/// The input of a task. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Input {
    /// Short or long; the two are judged separately.
    pub kind: AudioKind,
    /// Name without extension; the beginning of a `test_id`.
    pub stem: String,
    /// Name of the file, or of the request.
    pub name: String,
    /// The content, read once and shared by all tasks.
    pub bytes: Bytes,
    /// Length of the audio in seconds; absent for other inputs.
    pub seconds: Option<f64>,
    /// 0 for the input that is sent again and again, n for the nth that was never sent before.
    pub variation: u64,
}

/// The result of a task that succeeded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The service's id for the task, if it gave one.
    pub task_id: Option<String>,
    /// The audio's length in seconds, as measured by the service.
    pub audio_seconds: Option<f64>,
    /// How long the task waited in the service's queue, in seconds, if known.
    pub queue_seconds: Option<f64>,
    /// The size of the answer in bytes, if known.
    pub answer_bytes: Option<u64>,
    /// Seconds from the last sample of streamed audio to the final result.
    pub final_seconds: Option<f64>,
    /// Seconds from the beginning of the task to the first text of an answer that is a stream.
    pub first_text_seconds: Option<f64>,
}

/// A service under test.
///
/// Implement it with plain `async fn`s:
///
/// ```
/// use highwater::service::{Completion, Input, Target, TaskError};
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
    /// The service in a few words, for the first line: `the ASR service at http://localhost:8000`.
    fn describe(&self) -> String;

    /// Sends one task and waits for its result. Called concurrently; dropped when the task's time is up.
    fn perform(&self, input: &Input) -> impl Future<Output = Result<Completion, TaskError>> + Send;

    /// Asks whether the service is well; the error says what is wrong.
    fn health(&self) -> impl Future<Output = Result<(), Unwell>> + Send {
        async { Ok(()) }
    }

    /// True if [`Target::perform`] itself enforces the time limit (`target.timeout_s`) and reports the
    /// stage of the task. highwater then waits a second longer before it ends the task itself.
    fn keeps_time(&self) -> bool {
        false
    }
}

/// [`Target`] as a trait object.
pub(crate) trait AnyTarget: Send + Sync {
    fn describe(&self) -> String;
    fn perform<'a>(&'a self, input: &'a Input) -> BoxFuture<'a, Result<Completion, TaskError>>;
    fn health(&self) -> BoxFuture<'_, Result<(), Unwell>>;
    fn keeps_time(&self) -> bool;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<T: Target> AnyTarget for T {
    fn describe(&self) -> String {
        Target::describe(self)
    }

    fn perform<'a>(&'a self, input: &'a Input) -> BoxFuture<'a, Result<Completion, TaskError>> {
        Box::pin(Target::perform(self, input))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), Unwell>> {
        Box::pin(Target::health(self))
    }

    fn keeps_time(&self) -> bool {
        Target::keeps_time(self)
    }
}

/// The target that a plan describes.
pub(crate) fn of_plan(plan: &Plan) -> Result<Arc<dyn AnyTarget>> {
    Ok(match plan.target.kind {
        TargetKind::Asr => Arc::new(AsrTarget::of_plan(&plan.target)?),
        TargetKind::Openai => Arc::new(OpenAiTarget::of_plan(&plan.target)?),
        TargetKind::Http => Arc::new(HttpTarget::of_plan(&plan.target)?),
        #[cfg(feature = "websocket")]
        TargetKind::Websocket => Arc::new(WebSocketTarget::of_plan(&plan.target)?),
        #[cfg(not(feature = "websocket"))]
        TargetKind::Websocket => {
            return Err(crate::Error::without_feature("`target.kind = \"websocket\"`", "websocket"));
        }
        #[cfg(feature = "command")]
        TargetKind::Command => Arc::new(CommandTarget::of_plan(&plan.target)?),
        #[cfg(not(feature = "command"))]
        TargetKind::Command => {
            return Err(crate::Error::without_feature("`target.kind = \"command\"`", "command"));
        }
    })
}

/// Opens a connection to the service of `plan` and closes it again; the inner error says what is wrong.
///
/// # Errors
/// [`crate::ErrorKind::Config`] if the plan describes no valid service.
pub(crate) async fn connects(plan: &TargetPlan) -> Result<std::result::Result<(), Unwell>> {
    Ok(client::Client::of_plan(plan)?.connects().await)
}

/// A description of the secret's header, without the secret; `None` if the plan names none.
///
/// # Errors
/// [`crate::ErrorKind::Config`] if the variable that the plan names is not set.
#[cfg(feature = "cli")]
pub(crate) fn secret(plan: &Plan) -> Result<Option<String>> {
    Ok(auth::Auth::of_plan(&plan.target)?.describe(&plan.target))
}

fn base(url: &str) -> String {
    url.trim_end_matches('/').to_string()
}

/// The JSON of an answer, called `what` in messages.
fn json(answer: &client::Answer, what: &str) -> Result<serde_json::Value, TaskError> {
    if answer.cut {
        return Err(TaskError::malformed(format!("{what} is larger than {} MB", answer.body.len() >> 20)));
    }
    json::bounded(&answer.body).map_err(|error| TaskError::malformed(format!("{what} is not JSON: {error}")))
}
