//! One tracked process: which figures to read at which look, and its CPU use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::peaks::High;
use super::{Look, Timepoint};
use crate::sampler::event::{EventKind, ProcessEvent};
use crate::sampler::process::{CpuTime, ProcessInfo, ProcessSource, ReadError, Reading, Wanted};
use crate::sampler::snapshot::ProcessReading;

/// A process of a role.
pub(super) struct Tracked {
    pub(super) role: String,
    pub(super) info: ProcessInfo,
    pub(super) is_root: bool,
    pub(super) high: High,
    /// The name in `info`, for readings to share.
    name: Arc<str>,
    /// When its CPU time was last read at a tick, and that CPU time.
    mark: Option<(Instant, f64)>,
    /// CPU time and threads when they were last read.
    cpu: Option<CpuTime>,
    threads: Option<u32>,
    /// The CPU use at the last tick.
    cpu_percent: f64,
    /// CPU time of it and of its children that have ended, when tracking began.
    used_before_s: Option<f64>,
}

/// CPU time comes in steps of 10 ms: over fewer than ten steps, a percentage would say
/// more about the steps than about the process. At shorter intervals a tick reads memory
/// alone, which costs a third of reading all.
const SHORTEST_CPU_SPAN: Duration = Duration::from_millis(95);
/// Over less than this, even a requested percentage would be meaningless.
const SHORTEST_ASKED_SPAN_S: f64 = 0.009;

impl Tracked {
    /// Nothing has been read yet. All CPU time of a process that `is_new` was used since the sampler started.
    pub(super) fn new(role: &str, info: ProcessInfo, is_root: bool, is_new: bool) -> Tracked {
        Tracked {
            role: role.to_string(),
            name: info.name.as_str().into(),
            info,
            is_root,
            high: High::default(),
            mark: None,
            cpu: None,
            threads: None,
            cpu_percent: 0.0,
            used_before_s: is_new.then_some(0.0),
        }
    }

    /// The plan of `role` found it: from now on it is a root of that role.
    pub(super) fn becomes(&mut self, role: &str, info: ProcessInfo) {
        self.role = role.to_string();
        self.is_root = true;
        self.name = info.name.as_str().into();
        self.info = info;
    }

    /// True if this look should read all figures, and not memory alone.
    pub(super) fn wants_all(&self, at: Instant, look: Look) -> bool {
        match (look, self.mark) {
            (_, None) | (Look::Asked, _) => true,
            (Look::Tick, Some((then, _))) => at.saturating_duration_since(then) >= SHORTEST_CPU_SPAN,
            (Look::Between, _) => false,
        }
    }

    /// Reads its memory and what else is `wanted`.
    pub(super) fn read(
        &mut self,
        source: &mut dyn ProcessSource,
        wanted: Wanted,
    ) -> Result<Reading, ReadError> {
        let reading = source.read(self.info.id, wanted)?;
        if wanted.cpu {
            (self.cpu, self.threads) = (reading.cpu, reading.threads);
            let used_s = self.total_s();
            self.used_before_s.get_or_insert(used_s);
        }
        Ok(reading)
    }

    /// CPU time of its own when that was last read, in seconds.
    pub(super) fn cpu_seconds(&self) -> f64 {
        self.cpu.unwrap_or_default().own_s
    }

    /// CPU time of it and of its children that have ended, since its start.
    fn total_s(&self) -> f64 {
        self.cpu.map_or(0.0, |cpu| cpu.own_s + cpu.reaped_s)
    }

    /// CPU time of it and of its children that have ended, since tracking began.
    pub(super) fn used_s(&self) -> f64 {
        self.used_before_s.map_or(0.0, |before| self.total_s() - before)
    }

    /// CPU time from before tracking began: whoever reaps it is charged with this, too.
    pub(super) fn used_before_s(&self) -> f64 {
        self.used_before_s.unwrap_or_default()
    }

    /// CPU use since the last tick that read all, in percent of one core.
    pub(super) fn cpu_percent(&mut self, at: Instant, fresh: bool, look: Look) -> f64 {
        if !fresh {
            return self.cpu_percent;
        }
        let percent = match self.mark {
            None => 0.0,
            Some((then, cpu_seconds)) => {
                let elapsed = (at - then).as_secs_f64();
                if elapsed < SHORTEST_ASKED_SPAN_S {
                    return 0.0;
                }
                (self.cpu_seconds() - cpu_seconds).max(0.0) / elapsed * 100.0
            }
        };
        if look == Look::Tick || self.mark.is_none() {
            self.mark = Some((at, self.cpu_seconds()));
            self.cpu_percent = percent;
        }
        percent
    }

    pub(super) fn reading(&self, reading: &Reading, cpu_percent: f64) -> ProcessReading {
        ProcessReading {
            id: self.info.id,
            name: Arc::clone(&self.name),
            is_root: self.is_root,
            rss_bytes: reading.rss_bytes,
            private_bytes: reading.private_bytes,
            cpu_seconds: self.cpu_seconds(),
            knows_cpu: self.cpu.is_some(),
            cpu_percent,
            threads: self.threads,
        }
    }

    pub(super) fn event(&self, moment: Timepoint, kind: EventKind) -> ProcessEvent {
        ProcessEvent {
            at: moment.timestamp,
            role: self.role.clone(),
            id: self.info.id,
            name: self.info.name.clone(),
            is_root: self.is_root,
            kind,
        }
    }
}
