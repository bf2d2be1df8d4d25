//! The kernel's counters for highwater itself and for the machine. The difference of two readings
//! shows what went on in between.

#[cfg(target_os = "linux")]
use super::source::parse::{resident_and_shared, stat};
#[cfg(target_os = "linux")]
use crate::units::to_mb;

/// Counters since the start of the machine or of highwater; absent where the kernel does not report them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) cpu_s: Option<f64>,
    /// How long the thread that reads this was runnable and waited for a CPU, in seconds.
    pub(crate) cpu_wait_s: Option<f64>,
    pub(crate) rss_mb: Option<f64>,
    pub(crate) cpu_pressure_s: Option<f64>,
    pub(crate) memory_pressure_s: Option<f64>,
    pub(crate) swapped_mb: Option<f64>,
}

impl Counters {
    #[cfg(target_os = "linux")]
    pub(crate) fn read() -> Counters {
        let bytes = |path: &str| std::fs::read(path).ok();
        let text = |path: &str| std::fs::read_to_string(path).ok();
        let page_bytes = rustix::param::page_size() as u64;
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        Counters {
            cpu_s: bytes("/proc/self/stat").and_then(|text| Some(stat(&text)?.cpu_ticks as f64 / ticks)),
            cpu_wait_s: text("/proc/thread-self/schedstat").and_then(|text| cpu_wait_s(&text)),
            rss_mb: bytes("/proc/self/statm")
                .and_then(|text| resident_and_shared(&text))
                .map(|(pages, _)| to_mb(pages * page_bytes)),
            cpu_pressure_s: text("/proc/pressure/cpu").and_then(|text| pressure_s(&text, "some")),
            memory_pressure_s: text("/proc/pressure/memory").and_then(|text| pressure_s(&text, "full")),
            swapped_mb: text("/proc/vmstat")
                .and_then(|text| swapped_pages(&text))
                .map(|pages| to_mb(pages * page_bytes)),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn read() -> Counters {
        Counters::default()
    }
}

/// The second field of a schedstat: the time on a run queue without running, in ns.
#[cfg(target_os = "linux")]
fn cpu_wait_s(text: &str) -> Option<f64> {
    Some(text.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1e9)
}

/// The total of a line of /proc/pressure: `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345`, in µs.
#[cfg(target_os = "linux")]
fn pressure_s(text: &str, line: &str) -> Option<f64> {
    let line = text.lines().find(|found| found.starts_with(line))?;
    Some(line.rsplit_once("total=")?.1.trim().parse::<f64>().ok()? / 1e6)
}

#[cfg(target_os = "linux")]
fn swapped_pages(vmstat: &str) -> Option<u64> {
    let count = |name: &str| -> Option<u64> {
        vmstat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    Some(count("pswpin ")? + count("pswpout ")?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let pressure = "some avg10=1.00 avg60=0.50 avg300=0.10 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n";
        assert_eq!((pressure_s(pressure, "some"), pressure_s(pressure, "full")), (Some(2.5), Some(0.001)));
        assert_eq!(swapped_pages("pgpgin 9\npswpin 3\npswpout 4\n"), Some(7));
        assert_eq!(swapped_pages("pgpgin 9\n"), None);
        assert_eq!(cpu_wait_s("805104 2500000000 1\n"), Some(2.5));
    }

    #[test]
    fn highwater_itself_is_read() {
        let counters = Counters::read();
        assert!(counters.rss_mb.is_some_and(|rss| rss > 1.0) && counters.cpu_s.is_some(), "{counters:?}");
    }
}
