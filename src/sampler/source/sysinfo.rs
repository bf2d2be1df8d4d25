//! The portable source: the sysinfo crate.
//!
//! It costs some seven times as much as our own reader. A failed reading is silent, so a
//! process counts as alive only if the refresh found it.

use std::io;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use crate::sampler::process::{
    CpuTime, MachineMemory, ProcessId, ProcessInfo, ProcessSource, ReadError, Reading, Wanted,
};

/// Reads processes through the sysinfo crate.
pub struct SysinfoSource {
    system: System,
}

impl SysinfoSource {
    /// A source that has read nothing yet.
    pub fn new() -> SysinfoSource {
        SysinfoSource { system: System::new() }
    }
}

impl Default for SysinfoSource {
    fn default() -> SysinfoSource {
        SysinfoSource::new()
    }
}

impl ProcessSource for SysinfoSource {
    fn list(&mut self) -> io::Result<Vec<ProcessInfo>> {
        let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
        if self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind) == 0 {
            return Err(io::Error::other("sysinfo found no process at all"));
        }
        let alive = self.system.processes().values().filter(|process| !has_ended(process.status()));
        Ok(alive.map(info).collect())
    }

    fn read(&mut self, id: ProcessId, _wanted: Wanted) -> Result<Reading, ReadError> {
        let pid = Pid::from_u32(id.pid);
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        let process = self.system.process(pid).ok_or(ReadError::Gone)?;
        if has_ended(process.status()) || process.start_time() != id.start_ticks {
            return Err(ReadError::Gone);
        }
        if process.memory() == 0 {
            return Err(ReadError::Exiting);
        }
        Ok(Reading {
            rss_bytes: process.memory(),
            private_bytes: None,
            cpu: Some(CpuTime { own_s: process.accumulated_cpu_time() as f64 / 1000.0, reaped_s: 0.0 }),
            threads: None,
            peak_bytes: None,
        })
    }

    fn machine(&mut self) -> io::Result<MachineMemory> {
        self.system.refresh_memory();
        Ok(MachineMemory {
            total_memory_bytes: self.system.total_memory(),
            available_memory_bytes: self.system.available_memory(),
        })
    }
}

fn has_ended(status: ProcessStatus) -> bool {
    matches!(status, ProcessStatus::Zombie | ProcessStatus::Dead)
}

fn info(process: &sysinfo::Process) -> ProcessInfo {
    ProcessInfo {
        // Seconds since 1970: coarser than ticks, but all that sysinfo gives.
        id: ProcessId { pid: process.pid().as_u32(), start_ticks: process.start_time() },
        parent: process.parent().map_or(0, Pid::as_u32),
        name: process.name().to_string_lossy().into_owned(),
        argv: process.cmd().iter().map(|part| part.to_string_lossy().into_owned()).collect(),
    }
}
