//! Processes whose figures do not come from this machine's `/proc`: their roles get them from an [`Origin`].
//!
//! [`Elsewhere`] is a [`ProcessSource`] over the one of this machine. To it, each subject of an origin is a process with a
//! pid that no process of this machine can have. So everything that works with processes (search, restarts, series,
//! CSV, verdict) works with these as well, and knows nothing of origins.

#[cfg(feature = "containers")]
mod container;
#[cfg(feature = "remote")]
mod exposition;
#[cfg(feature = "remote")]
mod figures;
mod group;
mod line;
#[cfg(feature = "remote")]
mod metrics;
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only `doctor` makes suggestions"))]
mod nearby;
#[cfg(feature = "remote")]
mod prometheus;
#[cfg(test)]
mod tests;

#[cfg(feature = "cli")]
pub(crate) use nearby::{nearby_containers, nearby_metrics};

/// A name with its labels.
#[cfg(all(test, feature = "cli", feature = "remote"))]
pub(crate) type Named = (String, Vec<(String, String)>);

/// Parses `text` as the scraper does; for the test of highwater's own metrics.
#[cfg(all(test, feature = "cli", feature = "remote"))]
pub(crate) fn read_exposition(text: &str) -> std::result::Result<Vec<Named>, String> {
    let labels = |sample: &exposition::Sample<'_>| {
        sample.labels.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    };
    let samples = exposition::parse(text)?;
    Ok(samples.iter().map(|sample| (sample.name.to_string(), labels(sample))).collect())
}

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use self::line::Line;
use super::process::{
    Clock, CpuTime, Details, MachineMemory, Newborns, ProcessFacts, ProcessId, ProcessInfo, ProcessSource,
    Proportional, Question, ReadError, Reading, Wanted,
};
use crate::Result;
use crate::plan::ProcessPlan;
use crate::record::ExitKind;

/// The figures of one process, or of a group of them that counts as one. What is not known is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    /// Its name, for people.
    pub(super) name: String,
    /// What tells it from the others of its origin.
    pub(super) key: String,
    /// Where the origin has them from, if it has several places.
    pub(super) place: Option<String>,
    /// When it started, in seconds since 1970. Another start is another process.
    pub(super) started_s: Option<f64>,
    /// How old the figures were when they arrived, in seconds.
    pub(super) age_s: f64,
    /// Resident memory in bytes, or what is judged in its place.
    pub(super) rss_bytes: u64,
    /// The part of it that no other process shares and no file backs.
    pub(super) private_bytes: Option<u64>,
    /// What is swapped out.
    pub(super) swap_bytes: Option<u64>,
    /// The highest resident memory so far.
    pub(super) peak_bytes: Option<u64>,
    /// Open file descriptors.
    pub(super) fds: Option<u64>,
    /// Threads.
    pub(super) threads: Option<u64>,
    /// CPU time so far, in seconds.
    pub(super) cpu_s: Option<f64>,
    /// How many processes the kernel has killed in it for want of memory.
    pub(super) oom_kills: Option<u64>,
}

/// What an origin knows at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sighting {
    /// The figures of each process, or of each group of them that counts as one.
    pub(super) figures: Vec<Figures>,
    /// The pids of processes of this machine: `/proc` has their figures.
    pub(super) here: Vec<u32>,
    /// How those of these keys have ended, where that is known.
    pub(super) ended: Vec<(String, ExitKind)>,
    /// Why there is no process, where that is known.
    pub(super) nothing: Option<String>,
}

impl From<Vec<Figures>> for Sighting {
    fn from(figures: Vec<Figures>) -> Sighting {
        Sighting { figures, ..Sighting::default() }
    }
}

/// A container that runs, whatever plays a role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nearby {
    pub(crate) name: String,
    /// The compose service that it belongs to.
    pub(crate) service: Option<String>,
    /// The ports of this machine that lead to it.
    pub(crate) ports: Vec<u16>,
}

/// Where the figures of a role come from, if not from `/proc`.
pub(super) trait Origin: Send {
    /// What it is, for people: an address, a container.
    fn name(&self) -> String;

    /// What there is now.
    ///
    /// # Errors
    /// A sentence that says why there are no figures.
    fn read(&mut self) -> std::result::Result<Sighting, String>;

    /// The longest that an answer may take. Reading goes on without one that takes longer.
    fn patience(&self) -> Duration;

    /// The oldest that a figure may be, in seconds; an older one is no reading.
    fn oldest_s(&self) -> f64;

    /// How often at most it is asked: more often it has nothing new.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }
}

/// The source of this machine, and the origins of the roles that have one.
pub(super) struct Elsewhere {
    local: Box<dyn ProcessSource>,
    lines: Vec<Line>,
}

impl Elsewhere {
    /// `local` alone where no role needs more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] for an origin that cannot be asked, or whose feature is missing.
    pub(super) fn over(
        local: Box<dyn ProcessSource>,
        roles: &BTreeMap<String, ProcessPlan>,
    ) -> Result<Box<dyn ProcessSource>> {
        let mut lines = Vec::new();
        for (role, plan) in roles {
            if let Some(origin) = origin(plan)? {
                lines.push(Line::start(role, origin)?);
            }
        }
        Ok(if lines.is_empty() { local } else { Box::new(Elsewhere { local, lines }) })
    }

    fn line(&mut self, id: ProcessId) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.has(id))
    }
}

/// Where the figures of this role come from; absent for `/proc`.
fn origin(plan: &ProcessPlan) -> Result<Option<Box<dyn Origin>>> {
    if plan.group.path.is_some() {
        return Ok(Some(Box::new(group::Group::of_plan(&plan.group))));
    }
    if plan.container.is_some() {
        #[cfg(feature = "containers")]
        return Ok(Some(Box::new(container::Containers::of_plan(plan)?)));
        #[cfg(not(feature = "containers"))]
        return Err(crate::Error::without_feature("the container of a role", "containers"));
    }
    if !plan.is_elsewhere() {
        return Ok(None);
    }
    #[cfg(feature = "remote")]
    {
        Ok(Some(match &plan.metrics.url {
            Some(_) => Box::new(metrics::Metrics::of_plan(&plan.metrics)?),
            None => Box::new(prometheus::Prometheus::of_plan(&plan.prometheus)?),
        }))
    }
    #[cfg(not(feature = "remote"))]
    Err(crate::Error::without_feature("the figures of a role from a URL", "remote"))
}

impl ProcessSource for Elsewhere {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        // A process that an origin names is in a list that is made afterwards.
        self.lines.iter_mut().for_each(Line::look);
        let mut all = self.local.list()?;
        all.extend(self.lines.iter().flat_map(Line::infos));
        Ok(all)
    }

    fn changes(&mut self) -> io::Result<Option<Vec<ProcessInfo>>> {
        let Some(mut changed) = self.local.changes()? else { return Ok(None) };
        for line in &mut self.lines {
            line.look();
            changed.extend(line.take_new());
        }
        Ok(Some(changed))
    }

    fn read(&mut self, id: ProcessId, wanted: Wanted) -> std::result::Result<Reading, ReadError> {
        if !id.is_elsewhere() {
            return self.local.read(id, wanted);
        }
        let line = self.line(id).ok_or(ReadError::Gone)?;
        let figures = line.figures(id, wanted.cpu)?;
        Ok(Reading {
            rss_bytes: figures.rss_bytes,
            private_bytes: figures.private_bytes,
            cpu: figures.cpu_s.map(|own_s| CpuTime { own_s, reaped_s: 0.0 }),
            threads: figures.threads.and_then(|threads| u32::try_from(threads).ok()),
            peak_bytes: figures.peak_bytes,
        })
    }

    fn how_ended(&mut self, id: ProcessId) -> Option<ExitKind> {
        if !id.is_elsewhere() {
            return self.local.how_ended(id);
        }
        self.lines.iter().find_map(|line| line.how_ended(id))
    }

    fn age_s(&mut self, id: ProcessId) -> f64 {
        self.line(id).map_or(0.0, |line| line.age_s(id))
    }

    fn machine(&mut self) -> io::Result<MachineMemory> {
        self.local.machine()
    }

    fn newborns(&mut self, is_parent: &dyn Fn(u32) -> bool) -> Newborns {
        self.local.newborns(is_parent)
    }

    fn children(&mut self, parents: &[ProcessId]) -> Vec<ProcessInfo> {
        self.local.children(parents)
    }

    fn facts(&mut self, processes: &[ProcessInfo], question: Question<'_>) -> ProcessFacts {
        let mut facts = self.local.facts(processes, question);
        let answers = self.lines.iter().map(|line| (line.role().to_string(), line.pids()));
        facts.elsewhere = answers.collect();
        facts
    }

    fn clock(&mut self) -> Option<Clock> {
        self.local.clock()
    }

    fn track(&mut self, id: ProcessId) -> std::result::Result<(), ReadError> {
        if !id.is_elsewhere() {
            return self.local.track(id);
        }
        self.line(id).map(|_| ()).ok_or(ReadError::Gone)
    }

    fn untrack(&mut self, id: ProcessId) {
        if !id.is_elsewhere() {
            self.local.untrack(id);
        }
    }

    fn details(&mut self, id: ProcessId) -> std::result::Result<Details, ReadError> {
        if !id.is_elsewhere() {
            return self.local.details(id);
        }
        // Those of the reading that has just been taken.
        let figures = self.line(id).and_then(|line| line.latest(id)).ok_or(ReadError::Gone)?;
        Ok(Details {
            swap_bytes: figures.swap_bytes,
            shmem_bytes: None,
            peak_bytes: figures.peak_bytes,
            fds: figures.fds,
            zombies: None,
        })
    }

    fn pss(&mut self, id: ProcessId) -> std::result::Result<Option<Proportional>, ReadError> {
        if id.is_elsewhere() { Ok(None) } else { self.local.pss(id) }
    }
}
