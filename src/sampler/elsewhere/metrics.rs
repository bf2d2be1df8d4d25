//! An endpoint of metrics, asked whenever a reading is wanted.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

use super::figures::figures;
use super::{Origin, Sighting};
use crate::plan::{MetricsPlan, from_environment};
use crate::service::Endpoint;
use crate::{Error, ErrorKind, Result};

/// A page with CPU time changes with each answer that is made of it. One that stays the same for this long, over this
/// many answers, comes out of a cache.
const FROZEN_S: f64 = 20.0;
const FROZEN_ANSWERS: u32 = 20;

/// The metrics of a program.
pub(super) struct Metrics {
    endpoint: Endpoint,
    plan: MetricsPlan,
    url: String,
    runtime: Runtime,
    seen: Option<Seen>,
}

/// The last answer: what it was, since when, and how often it came.
struct Seen {
    hash: u64,
    since: Instant,
    times: u32,
}

impl Metrics {
    /// # Errors
    /// [`ErrorKind::Config`] if the URL is none.
    pub(super) fn of_plan(plan: &MetricsPlan) -> Result<Metrics> {
        let url = plan.url.clone().unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))?;
        Ok(Metrics {
            endpoint: Endpoint::of_url(&from_environment(&url))?,
            plan: plan.clone(),
            url,
            runtime,
            seen: None,
        })
    }

    /// True if the same page has come again and again, although it has figures that change by themselves.
    fn is_frozen(&mut self, page: &str) -> bool {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(page);
        match &mut self.seen {
            Some(seen) if seen.hash == hash => seen.times += 1,
            _ => self.seen = Some(Seen { hash, since: Instant::now(), times: 1 }),
        }
        let long =
            |seen: &Seen| seen.times >= FROZEN_ANSWERS && seen.since.elapsed().as_secs_f64() >= FROZEN_S;
        self.seen.as_ref().is_some_and(long) && page.contains("cpu_seconds_total")
    }
}

impl Origin for Metrics {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn read(&mut self) -> std::result::Result<Sighting, String> {
        let limit = self.patience();
        let asked = async { tokio::time::timeout(limit, self.endpoint.get_text()).await };
        let page = match self.runtime.block_on(asked) {
            Ok(Ok(page)) => page,
            Ok(Err(problem)) => return Err(format!("cannot be read: {problem}")),
            Err(_) => return Err(format!("gives no answer within {} s", limit.as_secs_f64())),
        };
        if self.is_frozen(&page) {
            return Err(format!(
                "has given the same answer for {FROZEN_S} s, which must come out of a cache"
            ));
        }
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        figures(&page, &self.plan, now_s).map(Sighting::from)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.plan.timeout_s)
    }

    fn oldest_s(&self) -> f64 {
        self.plan.max_age_s
    }
}
