//! Records the anatomy of the worker and of the other roles before and after the leak check.

use super::memory::MemoryReader;
use super::recorder::Recorder;
use super::settle::Settled;
use crate::analysis::WORKER;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Event, Moment};
use crate::sampler::anatomy;

/// Records the anatomy of the processes of `role` while memory is quiet; returns the recorded event.
///
/// Reading `smaps` costs as much as reading the PSS, so it is read if the PSS was within its
/// budget (`sampler.pss_budget_s`). Descriptors and threads cost little.
pub(super) async fn look(
    memory: &MemoryReader,
    recorder: &Recorder,
    moment: Moment,
    settled: &Settled,
    role: &str,
) -> Result<Option<Event>> {
    if !cfg!(target_os = "linux") || settled.rss_mb.is_none() {
        return Ok(None);
    }
    let snapshot = memory.snapshot().await?;
    let pids: Vec<u32> = snapshot
        .roles
        .get(role)
        .into_iter()
        .flat_map(|role| &role.processes)
        .map(|process| process.id.pid)
        .collect();
    if pids.is_empty() && role != WORKER {
        return Ok(None);
    }
    let affordable = settled.footprint.is_some_and(|found| found.pss_mb.is_some());
    let anatomy =
        tokio::task::spawn_blocking(move || anatomy::anatomy(&pids, affordable)).await.map_err(|error| {
            Error::new(ErrorKind::Io, "the look at what memory consists of failed").source(error)
        })?;
    let role = (role != WORKER).then(|| role.to_string());
    let event = Event::Anatomy { moment, role, anatomy };
    recorder.event(event.clone()).await?;
    Ok(Some(event))
}
