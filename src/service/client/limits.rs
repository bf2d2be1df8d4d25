//! The deadlines of the parts of a task.

use std::time::{Duration, Instant};

use crate::plan::TargetPlan;
use crate::service::{Stage, TaskError, TimeLimit};

/// The plan's limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    connect_s: f64,
    upload_s: f64,
    processing_s: f64,
    task_s: f64,
}

/// A deadline, and the limit that set it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    limit_s: f64,
    limit: TimeLimit,
}

impl Deadline {
    fn new(since: Instant, limit_s: f64, limit: TimeLimit) -> Deadline {
        // A plan allows at most a week, so eight days mean never.
        let span = Duration::try_from_secs_f64(limit_s).unwrap_or(Duration::from_secs(8 * 86_400));
        Deadline { at: since + span, limit_s, limit }
    }

    fn or(self, other: Deadline) -> Deadline {
        if other.at < self.at { other } else { self }
    }

    /// The error of a task that missed the deadline.
    pub(super) fn error(self) -> TaskError {
        TaskError::TimedOut { limit_s: self.limit_s, limit: self.limit, seen: None, task_id: None }
    }
}

impl Limits {
    pub(super) fn of_plan(plan: &TargetPlan) -> Limits {
        Limits {
            connect_s: plan.connect_timeout_s,
            upload_s: plan.upload_timeout_s,
            processing_s: plan.processing_timeout_s,
            task_s: plan.timeout_s,
        }
    }

    /// The deadline for opening a connection now, for a task that began at `task`.
    pub(super) fn connect(&self, task: Instant) -> Deadline {
        Deadline::new(Instant::now(), self.connect_s, TimeLimit::Connect).or(self.task(task, Stage::Connect))
    }

    fn upload(&self, task: Instant, since: Instant) -> Deadline {
        Deadline::new(since, self.upload_s, TimeLimit::Upload).or(self.task(task, Stage::Upload))
    }

    fn processing(&self, task: Instant, since: Instant) -> Deadline {
        Deadline::new(since, self.processing_s, TimeLimit::Processing).or(self.task(task, Stage::Processing))
    }

    fn task(&self, task: Instant, stage: Stage) -> Deadline {
        Deadline::new(task, self.task_s, TimeLimit::Task(Some(stage)))
    }
}

/// The part of a task that a request performs.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum Part {
    /// The upload, which the service confirms; the result is polled for later.
    Submit,
    /// The whole task: the answer is the result.
    Whole,
    /// A poll for the result of a submitted task.
    Look {
        /// When the submission was confirmed.
        submitted: Instant,
    },
}

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLimits {
    pub(super) part: Part,
    limits: Limits,
    task: Instant,
    begun: Instant,
}

impl RequestLimits {
    /// The request that begins now, for a task that began at `task`.
    pub(super) fn new(limits: Limits, task: Instant, part: Part) -> RequestLimits {
        RequestLimits { part, limits, task, begun: Instant::now() }
    }

    /// The deadline for sending the request.
    pub(super) fn before_upload(&self) -> Deadline {
        match self.part {
            Part::Submit | Part::Whole => self.limits.upload(self.task, self.begun),
            Part::Look { submitted } => self.limits.processing(self.task, submitted),
        }
    }

    /// The deadline for the answer to a request that was sent at `sent`.
    pub(super) fn after_upload(&self, sent: Instant) -> Deadline {
        match self.part {
            Part::Whole => self.limits.processing(self.task, sent),
            Part::Submit | Part::Look { .. } => self.before_upload(),
        }
    }
}
