//! A control group: what the kernel has counted for a container or a unit, whoever its processes are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Figures, Origin, Sighting};
use crate::plan::GroupPlan;

/// A group, by its directory.
pub(super) struct Group {
    path: PathBuf,
}

impl Group {
    pub(super) fn of_plan(plan: &GroupPlan) -> Group {
        Group { path: PathBuf::from(plan.path.clone().unwrap_or_default()) }
    }
}

impl Origin for Group {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn read(&mut self) -> Result<Sighting, String> {
        Ok(Vec::from_iter(occupied(&self.path)?).into())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn oldest_s(&self) -> f64 {
        f64::INFINITY
    }
}

/// The figures of the group at `path`, if a process is in it: an empty one has lost its last process, and not its memory.
///
/// # Errors
/// A sentence that says what the group does not count.
pub(super) fn occupied(path: &Path) -> Result<Option<Figures>, String> {
    Ok(figures(path)?.filter(|figures| !figures.key.ends_with('-')))
}

/// The figures of the group at `path`, of version 2 or 1; absent where the group is gone.
///
/// The working set leaves out the page cache that the kernel can take back at once, as the kubelet does; private memory
/// is what no file backs. A page cache that fills is never growth of either.
fn figures(path: &Path) -> Result<Option<Figures>, String> {
    if !path.is_dir() {
        return Ok(None);
    }
    let number = |file: &str| fs::read_to_string(path.join(file)).ok()?.trim().parse::<u64>().ok();
    let table = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
    let stat = table("memory.stat");
    let (current, inactive, anon, swap, peak, oom) = match number("memory.current") {
        Some(current) => (
            current,
            field(&stat, "inactive_file"),
            field(&stat, "anon"),
            number("memory.swap.current"),
            number("memory.peak"),
            field(&table("memory.events"), "oom_kill"),
        ),
        None => {
            let current = number("memory.usage_in_bytes").ok_or(
                "has neither `memory.current` nor `memory.usage_in_bytes`: its memory is not counted",
            )?;
            let swap = number("memory.memsw.usage_in_bytes").map(|both| both.saturating_sub(current));
            (
                current,
                field(&stat, "total_inactive_file"),
                field(&stat, "total_rss"),
                swap,
                number("memory.max_usage_in_bytes"),
                field(&table("memory.oom_control"), "oom_kill"),
            )
        }
    };
    let anon = anon.ok_or("has no `memory.stat`, without which page cache cannot be told from memory")?;
    let procs = table("cgroup.procs");
    let oldest = procs.lines().filter_map(|pid| pid.trim().parse::<u32>().ok()).min();
    let inode = inode(path);
    Ok(Some(Figures {
        name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        // The group of a unit that was started again is another directory, and its first process another.
        key: format!("{inode}-{}", oldest.map_or_else(String::new, |pid| pid.to_string())),
        place: None,
        started_s: None,
        age_s: 0.0,
        rss_bytes: current.saturating_sub(inactive.unwrap_or(0)),
        private_bytes: Some(anon),
        swap_bytes: swap.or(Some(0)),
        peak_bytes: peak,
        fds: None,
        threads: number("pids.current"),
        cpu_s: field(&table("cpu.stat"), "usage_usec").map(|micros| micros as f64 / 1e6),
        oom_kills: oom,
    }))
}

/// The value of a field in lines of `name value`.
fn field(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

#[cfg(unix)]
fn inode(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map_or(0, |found| found.ino())
}

#[cfg(not(unix))]
fn inode(_: &Path) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a group as a kernel has them.
    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(home.path().join(name), text).unwrap();
        }
        home
    }

    const TWO: [(&str, &str); 7] = [
        ("memory.current", "943718400\n"),
        ("memory.peak", "1258291200\n"),
        ("memory.swap.current", "1048576\n"),
        ("memory.stat", "anon 209715200\nfile 629145600\ninactive_file 524288000\nanon_thp 0\n"),
        ("memory.events", "low 0\nhigh 3\nmax 12\noom 1\noom_kill 1\n"),
        ("cgroup.procs", "4711\n4712\n"),
        ("cpu.stat", "usage_usec 2500000\nuser_usec 2000000\n"),
    ];

    #[test]
    fn the_working_set_and_what_no_file_backs_are_read_and_page_cache_is_neither() {
        let home = group(&TWO);
        let found = figures(home.path()).unwrap().unwrap();
        assert_eq!((found.rss_bytes, found.private_bytes), (400 << 20, Some(200 << 20)));
        assert_eq!((found.peak_bytes, found.swap_bytes), (Some(1200 << 20), Some(1 << 20)));
        assert_eq!((found.cpu_s, found.oom_kills, found.fds), (Some(2.5), Some(1), None));
        // The page cache fills: 500 MB more of it, all of which can be taken back.
        fs::write(home.path().join("memory.current"), "1468006400").unwrap();
        let filled = "anon 209715200\nfile 1153433600\ninactive_file 1048576000\n";
        fs::write(home.path().join("memory.stat"), filled).unwrap();
        let later = figures(home.path()).unwrap().unwrap();
        assert_eq!((later.rss_bytes, later.private_bytes), (found.rss_bytes, found.private_bytes));
    }

    #[test]
    fn version_1_has_other_names() {
        let home = group(&[
            ("memory.usage_in_bytes", "524288000"),
            ("memory.max_usage_in_bytes", "629145600"),
            ("memory.stat", "rss 1\ntotal_rss 104857600\ntotal_inactive_file 104857600\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"),
            ("cgroup.procs", "7\n"),
        ]);
        let found = figures(home.path()).unwrap().unwrap();
        assert_eq!((found.rss_bytes, found.private_bytes), (400 << 20, Some(100 << 20)));
        assert_eq!((found.peak_bytes, found.oom_kills), (Some(600 << 20), Some(0)));
    }

    #[test]
    fn what_is_not_counted_or_gone_is_no_reading() {
        let home = group(&[("cgroup.procs", "7\n")]);
        assert!(figures(home.path()).unwrap_err().contains("its memory is not counted"));
        let home = group(&[("memory.current", "5")]);
        assert!(figures(home.path()).unwrap_err().contains("page cache"));
        assert_eq!(figures(Path::new("/sys/fs/cgroup/highwater-has-none")), Ok(None));
        let home = group(&TWO);
        fs::write(home.path().join("cgroup.procs"), "").unwrap();
        let mut origin = Group { path: home.path().to_path_buf() };
        assert_eq!(origin.read(), Ok(Sighting::default()), "a group without a process");
    }
}
