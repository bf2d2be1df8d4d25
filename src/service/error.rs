//! The errors of a task, with their causes.

use std::io;

use crate::record::FailureKind;

pub use crate::record::{Cause, Stage};

impl Cause {
    /// The cause behind an error of the operating system.
    pub fn of(error: &io::Error) -> Cause {
        use io::ErrorKind as Kind;
        // There is no error kind for a machine without free descriptors or ports.
        let local = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOBUFS];
        if error.raw_os_error().is_some_and(|code| local.iter().any(|errno| errno.raw_os_error() == code)) {
            return Cause::Local;
        }
        match error.kind() {
            Kind::ConnectionRefused => Cause::Refused,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Cause::Reset,
            Kind::UnexpectedEof => Cause::Closed,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::TimedOut => {
                Cause::Unreachable
            }
            Kind::AddrNotAvailable | Kind::OutOfMemory => Cause::Local,
            _ => Cause::Other,
        }
    }
}

/// The last status of a task that the service had not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStatus {
    /// It was waiting in the queue.
    Queued,
    /// It was being processed.
    Processing,
}

/// The limit that a task exceeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeLimit {
    /// `target.timeout_s`, of the whole task; with the stage of the task, if known.
    Task(Option<Stage>),
    /// `target.connect_timeout_s`.
    Connect,
    /// `target.upload_timeout_s`.
    Upload,
    /// `target.processing_timeout_s`.
    Processing,
}

/// The error of a task.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TaskError {
    /// The service refused the task or a poll for its result.
    #[error("rejected: HTTP {status}{}", after_colon(.body))]
    Rejected {
        /// The HTTP status of the answer.
        status: u16,
        /// The beginning of its body: the first 2 KB.
        body: String,
        /// The service's id for the task, if it had accepted the task before.
        task_id: Option<String>,
    },
    /// The service accepted the task and reported that it failed.
    #[error("failed by the service: {message}")]
    Failed {
        /// The service's id for the task.
        task_id: Option<String>,
        /// The service's message.
        message: String,
    },
    /// The connection to the service failed.
    #[error("{stage}: {message}")]
    Transport {
        /// The stage.
        stage: Stage,
        /// The cause.
        cause: Cause,
        /// The error in words.
        message: String,
        /// The service's id for the task, if it gave one before.
        task_id: Option<String>,
    },
    /// The service's answer violates its contract.
    #[error("malformed answer: {message}")]
    Malformed {
        /// The violation, in words.
        message: String,
        /// The service's id for the task, if it gave one before.
        task_id: Option<String>,
    },
    /// The task exceeded a time limit.
    #[error("{}{}", timed_out(*.limit_s, *.limit), last_seen(*.seen))]
    TimedOut {
        /// The limit in seconds.
        limit_s: f64,
        /// Which limit.
        limit: TimeLimit,
        /// The last status that the service gave, if it was polled.
        seen: Option<LastStatus>,
        /// The service's id for the task, if it gave one before.
        task_id: Option<String>,
    },
    /// The process that would have finished the task has ended.
    #[error("{message}")]
    WorkerLost {
        /// Which process, and how it ended.
        message: String,
    },
}

impl TaskError {
    /// A transport error without a task id.
    pub fn transport(stage: Stage, cause: Cause, message: impl Into<String>) -> TaskError {
        TaskError::Transport { stage, cause, message: message.into(), task_id: None }
    }

    /// The transport error for an error of the operating system at `stage`.
    pub fn io(stage: Stage, error: &io::Error) -> TaskError {
        TaskError::transport(stage, Cause::of(error), error.to_string())
    }

    /// A malformed answer, without a task id.
    pub fn malformed(message: impl Into<String>) -> TaskError {
        TaskError::Malformed { message: message.into(), task_id: None }
    }

    /// The same error with the task id `id`.
    #[must_use]
    pub fn of_task(mut self, id: &str) -> TaskError {
        match &mut self {
            TaskError::Rejected { task_id, .. }
            | TaskError::Failed { task_id, .. }
            | TaskError::Transport { task_id, .. }
            | TaskError::Malformed { task_id, .. }
            | TaskError::TimedOut { task_id, .. } => *task_id = Some(id.to_string()),
            TaskError::WorkerLost { .. } => {}
        }
        self
    }

    /// The same error with `change` applied to all text from the service.
    #[must_use]
    pub(crate) fn map_text(mut self, change: impl Fn(String) -> String) -> TaskError {
        let apply = |text: &mut String| *text = change(std::mem::take(text));
        match &mut self {
            TaskError::Rejected { body: text, task_id, .. }
            | TaskError::Failed { message: text, task_id }
            | TaskError::Transport { message: text, task_id, .. }
            | TaskError::Malformed { message: text, task_id } => {
                apply(text);
                task_id.iter_mut().for_each(apply);
            }
            TaskError::TimedOut { task_id, .. } => task_id.iter_mut().for_each(apply),
            TaskError::WorkerLost { message } => apply(message),
        }
        self
    }

    /// The service's id for the task, if it gave one.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            TaskError::Rejected { task_id, .. }
            | TaskError::Failed { task_id, .. }
            | TaskError::Transport { task_id, .. }
            | TaskError::Malformed { task_id, .. }
            | TaskError::TimedOut { task_id, .. } => task_id.as_deref(),
            TaskError::WorkerLost { .. } => None,
        }
    }

    /// What went wrong, for the field `error_kind`.
    pub fn kind(&self) -> FailureKind {
        match self {
            TaskError::Rejected { .. } => FailureKind::Rejected,
            TaskError::Failed { .. } => FailureKind::Failed,
            TaskError::Transport { .. } => FailureKind::Transport,
            TaskError::Malformed { .. } => FailureKind::Malformed,
            TaskError::TimedOut { .. } => FailureKind::Timeout,
            TaskError::WorkerLost { .. } => FailureKind::WorkerLost,
        }
    }

    /// The stage of the task, if the error shows it.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            // A task id means that the submission was accepted, so the error comes from a poll.
            TaskError::Rejected { task_id: Some(_), .. } => Some(Stage::Poll),
            TaskError::Transport { stage, .. } => Some(*stage),
            TaskError::TimedOut { limit, .. } => match limit {
                TimeLimit::Task(stage) => *stage,
                TimeLimit::Connect => Some(Stage::Connect),
                TimeLimit::Upload => Some(Stage::Upload),
                TimeLimit::Processing => Some(Stage::Processing),
            },
            _ => None,
        }
    }

    /// The cause of a transport error.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            TaskError::Transport { cause, .. } => Some(*cause),
            _ => None,
        }
    }

    /// The HTTP status of a rejection.
    pub fn http_status(&self) -> Option<u16> {
        match self {
            TaskError::Rejected { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// True for a failure that can pass by itself: the service is overloaded or unavailable. A task that it
    /// accepted and failed, answered wrongly or did not finish in time stays failed.
    pub fn may_pass(&self) -> bool {
        match self {
            TaskError::Rejected { status, task_id: None, .. } => matches!(status, 429 | 502 | 503 | 504),
            TaskError::Transport { cause, task_id: None, .. } => {
                matches!(cause, Cause::Refused | Cause::Reset | Cause::Closed | Cause::Unreachable)
            }
            _ => false,
        }
    }
}

fn after_colon(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

/// Distinguishes a hung task from a task behind it in the queue, which times out as well.
fn last_seen(seen: Option<LastStatus>) -> &'static str {
    match seen {
        Some(LastStatus::Queued) => "; it was never begun: the service still had it in its queue",
        Some(LastStatus::Processing) => "; it was being processed",
        None => "",
    }
}

fn timed_out(limit_s: f64, limit: TimeLimit) -> String {
    match limit {
        TimeLimit::Task(Some(Stage::Connect)) => format!("no result within {limit_s} s: still connecting"),
        TimeLimit::Task(Some(Stage::Upload)) => {
            format!("no result within {limit_s} s: the upload was not finished")
        }
        TimeLimit::Task(_) => format!("no result within {limit_s} s"),
        TimeLimit::Connect => format!("no connection within {limit_s} s"),
        TimeLimit::Upload => format!("the upload was not finished within {limit_s} s"),
        TimeLimit::Processing => format!("no result within {limit_s} s of the upload"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(status: u16, task_id: Option<&str>) -> TaskError {
        TaskError::Rejected { status, body: String::new(), task_id: task_id.map(str::to_string) }
    }

    #[test]
    fn only_what_can_pass_by_itself_is_worth_another_try() {
        for status in [429, 502, 503, 504] {
            assert!(rejected(status, None).may_pass(), "{status}");
            assert!(!rejected(status, Some("t1")).may_pass(), "the service has the task");
        }
        assert!(!rejected(400, None).may_pass() && !rejected(500, None).may_pass());
        assert!(TaskError::transport(Stage::Connect, Cause::Refused, "").may_pass());
        assert!(!TaskError::transport(Stage::Connect, Cause::Tls, "").may_pass());
        assert!(!TaskError::transport(Stage::Connect, Cause::Local, "").may_pass());
        assert!(!TaskError::malformed("").may_pass());
    }

    #[test]
    fn each_limit_has_words_of_its_own() {
        let says = |limit| TaskError::TimedOut { limit_s: 0.5, limit, seen: None, task_id: None }.to_string();
        assert_eq!(says(TimeLimit::Task(None)), "no result within 0.5 s");
        assert_eq!(says(TimeLimit::Connect), "no connection within 0.5 s");
        assert_eq!(says(TimeLimit::Upload), "the upload was not finished within 0.5 s");
        assert_eq!(says(TimeLimit::Processing), "no result within 0.5 s of the upload");
        let stalled = TimeLimit::Task(Some(Stage::Upload));
        assert_eq!(says(stalled), "no result within 0.5 s: the upload was not finished");
    }

    #[test]
    fn an_error_of_a_task_keeps_its_name() {
        let error = rejected(502, None).of_task("t7");
        assert_eq!((error.task_id(), error.stage()), (Some("t7"), Some(Stage::Poll)));
    }
}
