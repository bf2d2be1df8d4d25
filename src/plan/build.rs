//! Plans made in code: a test that starts a service knows where it listens and who it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Plan, Preset, ProcessPlan};

impl Plan {
    /// A plan for a service that does one task per request: `POST path` at the
    /// base URL `url`.
    ///
    /// It has no body, no health endpoint and no process to watch yet; the
    /// methods below add them. Everything else is at its default, and a field
    /// away: `plan.leak.max_delta_mb = 20.0`.
    ///
    /// ```
    /// use highwater::plan::{Plan, validate};
    /// use serde_json::json;
    ///
    /// let plan = Plan::http("http://127.0.0.1:8080", "/summarise")
    ///     .json(json!({ "text": "The tide came in slowly." }))
    ///     .health("/health")
    ///     .worker_pid(std::process::id());
    /// assert!(validate(&plan).is_ok());
    /// ```
    pub fn http(url: impl Into<String>, path: impl Into<String>) -> Plan {
        let mut plan = Preset::Http.plan();
        plan.target.url = url.into();
        plan.target.http.path = path.into();
        plan
    }

    /// A plan for a service that takes an audio file and is asked for the
    /// result, at the base URL `url`: [`AsrPlan`](super::AsrPlan) has the details.
    ///
    /// It is the preset [`Preset::AsrRq`]: its endpoints, and its roles, unless [`Plan::worker_pid`] names a process.
    pub fn asr(url: impl Into<String>) -> Plan {
        let mut plan = Preset::AsrRq.plan();
        plan.target.url = url.into();
        plan
    }

    /// A plan for a speech server with the interface of OpenAI's transcriptions, at the base URL
    /// `url`: [`OpenAiPlan`](super::OpenAiPlan) has the details.
    ///
    /// It has no process to watch yet; [`Plan::worker_pid`] names one.
    pub fn openai(url: impl Into<String>) -> Plan {
        let mut plan = Preset::Openai.plan();
        plan.target.url = url.into();
        plan
    }

    /// Sends `body` with every request of an HTTP target.
    #[must_use]
    pub fn json(mut self, body: Value) -> Plan {
        self.target.http.json = Some(body);
        self
    }

    /// Asks `path` whether the service is well: 2xx means yes.
    #[must_use]
    pub fn health(mut self, path: impl Into<String>) -> Plan {
        self.target.health = path.into();
        self
    }

    /// Watches the process `pid`, with its descendants, as the worker, and no other process.
    ///
    /// This is the way for a service that the test itself starts: patterns
    /// never match a child of the process that searches.
    #[must_use]
    pub fn worker_pid(mut self, pid: u32) -> Plan {
        let worker = ProcessPlan { pid: Some(pid), ..ProcessPlan::default() };
        self.processes = BTreeMap::from([("worker".to_string(), worker)]);
        self
    }
}
