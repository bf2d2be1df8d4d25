//! The CSV of the GPUs: at each tick a row per device, and one per watched process on it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::civil::DateTime;

use super::{Device, Names};
use crate::sampler::csv::{moment, tenths, text};
use crate::units::to_mb;

const HEADER: &str =
    "timestamp,elapsed_seconds,gpu,gpu_name,pid,process_name,role,memory_mb,memory_total_mb,busy_percent\n";

/// The file.
pub(super) struct Rows {
    file: File,
    interval: Duration,
}

impl Rows {
    /// Makes the file; nothing where that fails: its figures are also in the lines of the tasks.
    pub(super) fn create(path: &Path, interval: Duration) -> Option<Rows> {
        let create = || {
            let mut file = File::options().append(true).create_new(true).open(path)?;
            file.write_all(HEADER.as_bytes())?;
            Ok::<File, std::io::Error>(file)
        };
        match create() {
            Ok(file) => Some(Rows { file, interval }),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "GPU figures are not written");
                None
            }
        }
    }

    /// Writes the rows of one tick in one write.
    pub(super) fn write(&mut self, at: DateTime, elapsed_s: f64, devices: &[Device], names: &Names) {
        let bytes = rows(&moment(at, elapsed_s, self.interval), devices, names);
        if let Err(error) = self.file.write_all(&bytes) {
            tracing::warn!(%error, "rows of GPUs are missing");
        }
    }
}

/// A figure that is not known is an empty field.
fn rows(moment: &str, devices: &[Device], names: &Names) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mb = |bytes: &mut Vec<u8>, value: Option<u64>| {
        bytes.push(b',');
        if let Some(value) = value {
            tenths(bytes, to_mb(value));
        }
    };
    let end = |bytes: &mut Vec<u8>, busy: Option<u32>| {
        bytes.extend(busy.map_or_else(|| ",\n".to_string(), |busy| format!(",{busy}\n")).bytes());
    };
    for device in devices {
        let start = |bytes: &mut Vec<u8>| {
            bytes.extend(format!("{moment},{},", device.index).bytes());
            text(bytes, &device.name);
        };
        start(&mut bytes);
        bytes.extend(b",,,");
        mb(&mut bytes, device.used_bytes);
        mb(&mut bytes, device.total_bytes);
        end(&mut bytes, device.busy_percent);
        for process in device.processes.iter().flatten() {
            let Some((name, role)) = names.get(&process.pid) else { continue };
            start(&mut bytes);
            bytes.extend(format!(",{},", process.pid).bytes());
            text(&mut bytes, name);
            bytes.push(b',');
            text(&mut bytes, role);
            mb(&mut bytes, process.memory_bytes);
            mb(&mut bytes, device.total_bytes);
            end(&mut bytes, process.busy_percent);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::OnGpu;
    use super::*;

    #[test]
    fn a_row_per_device_and_watched_process_with_gaps_for_what_is_not_known() {
        let on_gpu = |pid, memory_bytes| OnGpu { pid, memory_bytes, busy_percent: Some(40) };
        let devices = [Device {
            index: 1,
            name: "Fake, big".to_string(),
            used_bytes: Some(3 << 30),
            total_bytes: Some(8 << 30),
            busy_percent: None,
            processes: Ok(vec![on_gpu(7, Some(1 << 29)), on_gpu(8, None), on_gpu(9, Some(5))]),
        }];
        let named = |name: &str| (name.into(), "worker".to_string());
        let names = Names::from([(7, named("python")), (8, named("rq"))]);
        let text = String::from_utf8(rows("t,0.0", &devices, &names)).unwrap();
        assert_eq!(
            text,
            "t,0.0,1,\"Fake, big\",,,,3072.0,8192.0,\nt,0.0,1,\"Fake, big\",7,python,worker,512.0,8192.0,40\n\
             t,0.0,1,\"Fake, big\",8,rq,worker,,8192.0,40\n"
        );
        assert_eq!(HEADER.matches(',').count(), text.lines().nth(2).unwrap().matches(',').count() - 1);
    }
}
