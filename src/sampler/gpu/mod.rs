//! Memory on GPUs, by process and by device, as the driver tells it.
//!
//! The driver is asked in a thread of its own, since it may take seconds to start and may hang while a device recovers.
//! Without a library or a device, nothing is recorded.

#[cfg(feature = "gpu")]
mod nvml;
mod rows;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use jiff::civil::DateTime;

use self::rows::Rows;
use super::snapshot::{Boundary, RoleReading};
use crate::record::{GpuProblem, GpuUnread};
use crate::units::{round, to_mb};

/// The longest wait for an answer: a driver without clients takes seconds to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Access to a driver.
trait Driver {
    /// Reads the devices; with `busy` also their utilisation.
    fn devices(&mut self, busy: bool) -> Vec<Device>;
}

/// One device. A figure that the driver does not report is absent.
#[derive(Debug, Clone, PartialEq)]
struct Device {
    index: u32,
    name: String,
    used_bytes: Option<u64>,
    total_bytes: Option<u64>,
    busy_percent: Option<u32>,
    processes: Result<Vec<OnGpu>, GpuProblem>,
}

/// A process on a device.
#[derive(Debug, Clone, PartialEq)]
struct OnGpu {
    pid: u32,
    memory_bytes: Option<u64>,
    busy_percent: Option<u32>,
}

/// A process of a role, by its pid: the name and the role.
type Names = BTreeMap<u32, (Arc<str>, String)>;

enum Ask {
    /// Write the rows of a tick.
    Rows { at: DateTime, elapsed_s: f64, names: Names },
    /// Read now.
    Read(Sender<Vec<Device>>),
}

/// The handle to the thread that asks the driver.
pub(crate) struct Gpu {
    ask: Sender<Ask>,
    /// The rows of a tick have not been written yet.
    writing: Arc<AtomicBool>,
    /// An answer that did not come in time.
    late: Option<Receiver<Vec<Device>>>,
    /// The roles that have been on a GPU.
    seen: HashSet<String>,
}

/// An answer to [`Gpu::read`].
pub(crate) enum Looked {
    /// There is no driver, or it has no device.
    Nothing,
    /// The driver gives no answer.
    Silent,
    /// The devices.
    Devices(Devices),
}

/// The devices at one moment.
pub(crate) struct Devices(Vec<Device>);

impl Gpu {
    /// Starts the thread, which makes `csv` once there is a device.
    pub(crate) fn start(csv: Option<PathBuf>, interval: Duration) -> Option<Gpu> {
        Gpu::over(open, csv, interval)
    }

    fn over(
        open: impl FnOnce() -> Option<Box<dyn Driver>> + Send + 'static,
        csv: Option<PathBuf>,
        interval: Duration,
    ) -> Option<Gpu> {
        let (ask, questions) = mpsc::channel();
        let writing = Arc::new(AtomicBool::new(false));
        let written = Arc::clone(&writing);
        let run = move || {
            let Some(mut driver) = open() else { return };
            let mut rows = csv.and_then(|path| Rows::create(&path, interval));
            for question in questions {
                match question {
                    Ask::Rows { at, elapsed_s, names } => {
                        if let Some(rows) = &mut rows {
                            rows.write(at, elapsed_s, &driver.devices(true), &names);
                        }
                        written.store(false, Ordering::Release);
                    }
                    // Whoever asked may have given up.
                    Ask::Read(reply) => drop(reply.send(driver.devices(false))),
                }
            }
        };
        std::thread::Builder::new().name("highwater-gpu".to_string()).spawn(run).ok()?;
        Some(Gpu { ask, writing, late: None, seen: HashSet::new() })
    }

    /// Queues the rows of a tick, unless those of an earlier one are still being written.
    pub(crate) fn sample(&self, at: DateTime, elapsed_s: f64, roles: &BTreeMap<String, RoleReading>) {
        if self.writing.swap(true, Ordering::Acquire) {
            return;
        }
        let named = roles.iter().flat_map(|(role, reading)| {
            let processes = reading.processes.iter().filter(|process| !process.id.is_elsewhere());
            processes.map(move |process| (process.id.pid, (Arc::clone(&process.name), role.clone())))
        });
        // The thread has ended where there is no driver.
        let _ = self.ask.send(Ask::Rows { at, elapsed_s, names: named.collect() });
    }

    /// The devices now.
    pub(crate) fn read(&mut self) -> Looked {
        if let Some(late) = &self.late {
            match late.try_recv() {
                Err(TryRecvError::Empty) => return Looked::Silent,
                // It is too old to use, but the driver answers again.
                Ok(_) => self.late = None,
                Err(TryRecvError::Disconnected) => return Looked::Nothing,
            }
        }
        let (reply, answer) = mpsc::channel();
        if self.ask.send(Ask::Read(reply)).is_err() {
            return Looked::Nothing;
        }
        match answer.recv_timeout(PATIENCE) {
            Ok(devices) => Looked::Devices(Devices(devices)),
            Err(RecvTimeoutError::Disconnected) => Looked::Nothing,
            Err(RecvTimeoutError::Timeout) => {
                self.late = Some(answer);
                Looked::Silent
            }
        }
    }

    /// Adds the GPU memory of its processes to the footprint of `role`, or why that is unknown.
    pub(crate) fn add(&mut self, looked: &Looked, role: &str, boundary: &mut Boundary) {
        let seen = self.seen.contains(role);
        let pids = boundary.processes.iter().map(|(process, _)| process.id).filter(|id| !id.is_elsewhere());
        let pids: Vec<u32> = pids.map(|id| id.pid).collect();
        let held = match looked {
            Looked::Nothing => return,
            Looked::Silent => Err(GpuUnread { device: None, problem: GpuProblem::NoAnswer }),
            Looked::Devices(_) if pids.is_empty() => return,
            Looked::Devices(Devices(devices)) => held(devices, &pids, seen),
        };
        match held {
            Ok(Some(bytes)) => {
                boundary.footprint.gpu_mb = Some(round(to_mb(bytes), 2));
                self.seen.insert(role.to_string());
            }
            Ok(None) => {}
            Err(unread) => boundary.gpu_unread = Some(unread),
        }
    }
}

/// GPU memory of the processes with these pids, over all devices. If none of them is on a device, it is 0 for a role
/// that was `seen` on one before, and absent otherwise.
fn held(devices: &[Device], pids: &[u32], seen: bool) -> Result<Option<u64>, GpuUnread> {
    let mut sum = seen.then_some(0);
    for device in devices {
        let unread = |problem| GpuUnread { device: Some(device.index), problem };
        let processes = device.processes.as_ref().map_err(|problem| unread(problem.clone()))?;
        for process in processes.iter().filter(|process| pids.contains(&process.pid)) {
            let bytes = process.memory_bytes.ok_or_else(|| unread(GpuProblem::WithoutMemory))?;
            sum = Some(sum.unwrap_or(0) + bytes);
        }
    }
    Ok(sum)
}

/// The driver of this machine, if there is one with a device.
#[cfg(feature = "gpu")]
fn open() -> Option<Box<dyn Driver>> {
    Some(Box::new(nvml::Nvidia::open()?))
}

#[cfg(not(feature = "gpu"))]
fn open() -> Option<Box<dyn Driver>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: u32, processes: Result<Vec<(u32, Option<u64>)>, GpuProblem>) -> Device {
        let on_gpu = |(pid, memory_bytes)| OnGpu { pid, memory_bytes, busy_percent: None };
        Device {
            index,
            name: "Fake".to_string(),
            used_bytes: None,
            total_bytes: None,
            busy_percent: None,
            processes: processes.map(|all| all.into_iter().map(on_gpu).collect()),
        }
    }

    #[test]
    fn a_tree_holds_what_its_processes_hold_on_all_devices() {
        let devices = [device(0, Ok(vec![(7, Some(100)), (9, Some(5))])), device(1, Ok(vec![(8, Some(20))]))];
        assert_eq!(held(&devices, &[7, 8], false), Ok(Some(120)));
        assert_eq!(held(&devices, &[6], false), Ok(None), "it uses no GPU");
        assert_eq!(held(&devices, &[6], true), Ok(Some(0)), "it has let go of it");
    }

    #[test]
    fn what_is_not_known_is_absent_and_says_why() {
        let refused = [device(0, Ok(vec![(7, Some(100))])), device(1, Err(GpuProblem::NotPermitted))];
        let unread = held(&refused, &[7], true).unwrap_err();
        assert_eq!(unread, GpuUnread { device: Some(1), problem: GpuProblem::NotPermitted });
        let bare = [device(0, Ok(vec![(7, None)]))];
        assert_eq!(held(&bare, &[7], true).unwrap_err().problem, GpuProblem::WithoutMemory);
        assert_eq!(held(&bare, &[8], false), Ok(None), "the figure of a stranger is not missed");
    }

    /// Answers once the test allows it.
    struct Held(Receiver<()>);

    impl Driver for Held {
        fn devices(&mut self, _busy: bool) -> Vec<Device> {
            let _ = self.0.recv();
            vec![device(0, Ok(vec![]))]
        }
    }

    #[test]
    fn a_machine_without_a_driver_is_noticed_and_a_late_answer_is_no_reading() {
        let mut none = Gpu::over(|| None, None, Duration::from_secs(1)).unwrap();
        assert!(matches!(none.read(), Looked::Nothing));
        let (allow, allowed) = mpsc::channel();
        let open = move || -> Option<Box<dyn Driver>> { Some(Box::new(Held(allowed))) };
        let mut gpu = Gpu::over(open, None, Duration::from_secs(1)).unwrap();
        // As if the answer to this question had been waited for in vain.
        let (reply, answer) = mpsc::channel();
        gpu.ask.send(Ask::Read(reply)).unwrap();
        gpu.late = Some(answer);
        assert!(matches!(gpu.read(), Looked::Silent));
        allow.send(()).unwrap();
        allow.send(()).unwrap();
        while matches!(gpu.read(), Looked::Silent) {
            std::thread::yield_now();
        }
        allow.send(()).unwrap();
        assert!(matches!(gpu.read(), Looked::Devices(_)));
    }
}
