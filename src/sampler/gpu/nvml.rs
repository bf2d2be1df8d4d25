//! NVIDIA's driver, through its library (NVML), which is loaded where there is one.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device as Handle, Nvml};

use super::{Device, Driver, OnGpu};
use crate::record::GpuProblem;

/// The name that a driver installs. The one without a number belongs to packages for developers.
const LIBRARY: &str = if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" };

/// The library, and how many devices there were at the start.
pub(super) struct Nvidia {
    nvml: Nvml,
    count: u32,
    /// For each device, the driver's time of the last utilisation sample that was read.
    used_until: BTreeMap<u32, u64>,
}

impl Nvidia {
    /// `None` if there is no library, driver or device, which is the usual case.
    pub(super) fn open() -> Option<Nvidia> {
        let loaded = Nvml::builder().lib_path(OsStr::new(LIBRARY)).init();
        let counted = loaded.and_then(|nvml| nvml.device_count().map(|count| (nvml, count)));
        match counted {
            Ok((nvml, count)) if count > 0 => Some(Nvidia { nvml, count, used_until: BTreeMap::new() }),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, "no GPU is read");
                None
            }
        }
    }

    fn device(&mut self, index: u32, busy: bool) -> Device {
        let handle = match self.nvml.device_by_index(index) {
            Ok(handle) => handle,
            Err(error) => return unreadable(index, problem(error, false)),
        };
        let memory = handle.memory_info().ok();
        let mut processes = listed(&handle);
        if let (true, Ok(processes)) = (busy, &mut processes) {
            let until = self.used_until.entry(index).or_insert(0);
            add_use(&handle, until, processes);
        }
        Device {
            index,
            name: handle.name().unwrap_or_default(),
            used_bytes: memory.as_ref().map(|memory| memory.used),
            total_bytes: memory.as_ref().map(|memory| memory.total),
            busy_percent: if busy { handle.utilization_rates().ok().map(|rates| rates.gpu) } else { None },
            processes,
        }
    }
}

impl Driver for Nvidia {
    fn devices(&mut self, busy: bool) -> Vec<Device> {
        (0..self.count).map(|index| self.device(index, busy)).collect()
    }
}

fn unreadable(index: u32, problem: GpuProblem) -> Device {
    Device {
        index,
        name: String::new(),
        used_bytes: None,
        total_bytes: None,
        busy_percent: None,
        processes: Err(problem),
    }
}

/// The processes on a device. One that computes and draws is in two lists with the same figure; a client of MPS may be in a
/// list of its own.
fn listed(handle: &Handle<'_>) -> Result<Vec<OnGpu>, GpuProblem> {
    let split = || handle.mig_mode().is_ok_and(|mode| mode.current != 0);
    let mut all = handle.running_compute_processes().map_err(|error| problem(error, split()))?;
    // Not every driver supports these.
    all.extend(handle.running_graphics_processes().unwrap_or_default());
    all.extend(handle.mps_running_compute_processes().unwrap_or_default());
    Ok(by_process(all))
}

/// One row per process: the sum over the instances of a split device, with a process that is in several lists counted
/// once.
fn by_process(all: Vec<ProcessInfo>) -> Vec<OnGpu> {
    let mut held: BTreeMap<(u32, Option<u32>, Option<u32>), Option<u64>> = BTreeMap::new();
    for found in all {
        let bytes = match found.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        };
        let place =
            held.entry((found.pid, found.gpu_instance_id, found.compute_instance_id)).or_insert(bytes);
        *place = (*place).max(bytes);
    }
    let mut rows: Vec<OnGpu> = Vec::new();
    for ((pid, _, _), bytes) in held {
        match rows.last_mut().filter(|row| row.pid == pid) {
            Some(row) => row.memory_bytes = row.memory_bytes.zip(bytes).map(|(one, other)| one + other),
            None => rows.push(OnGpu { pid, memory_bytes: bytes, busy_percent: None }),
        }
    }
    rows
}

/// Adds how much each process used the device since it was last asked; a device without such figures has none.
fn add_use(handle: &Handle<'_>, until: &mut u64, processes: &mut [OnGpu]) {
    let Ok(samples) = handle.process_utilization_stats(*until) else { return };
    for sample in samples {
        *until = (*until).max(sample.timestamp);
        if let Some(row) = processes.iter_mut().find(|row| row.pid == sample.pid) {
            row.busy_percent = Some(sample.sm_util);
        }
    }
}

fn problem(error: NvmlError, split: bool) -> GpuProblem {
    match error {
        NvmlError::NoPermission | NvmlError::NotSupported if split => GpuProblem::Split,
        NvmlError::NoPermission => GpuProblem::NotPermitted,
        NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
            GpuProblem::NotSupported
        }
        NvmlError::GpuLost | NvmlError::ResetRequired => GpuProblem::Lost,
        other => GpuProblem::Other(crate::outside::one_line(&other.to_string()).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lists_of_one_process_are_one_figure_and_two_instances_are_a_sum() {
        let found = |pid, used, instance: Option<u32>| ProcessInfo {
            pid,
            used_gpu_memory: used,
            gpu_instance_id: instance,
            compute_instance_id: instance,
        };
        let used = UsedGpuMemory::Used;
        let rows = by_process(vec![
            found(7, used(100), None),
            found(8, used(5), Some(1)),
            found(7, used(100), None),
            found(8, used(6), Some(2)),
            found(9, UsedGpuMemory::Unavailable, None),
        ]);
        let held: Vec<_> = rows.iter().map(|row| (row.pid, row.memory_bytes)).collect();
        assert_eq!(held, [(7, Some(100)), (8, Some(11)), (9, None)]);
    }
}
