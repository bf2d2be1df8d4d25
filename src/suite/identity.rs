//! Which test run a test process belongs to.

/// Names of a test run and of those who may share its measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Name of the run's directory: the same for all test binaries of one command.
    pub(super) run: String,
    /// Who may share: all processes of a nextest run; elsewhere this process only.
    pub(super) sharing: String,
}

impl Identity {
    /// nextest says which run a process belongs to. Under `cargo test` the run is
    /// the cargo process above; a test binary started by hand is a run of its own,
    /// since its parent (a shell) will start others that must not find old results.
    pub(super) fn of_this_process() -> Identity {
        if let Ok(id) = std::env::var("NEXTEST_RUN_ID") {
            return Identity { run: format!("nextest_{id}"), sharing: id };
        }
        let own = process_name(std::process::id());
        let run = parent_cargo().map_or_else(|| format!("run_{own}"), |cargo| format!("cargo_{cargo}"));
        Identity { run, sharing: own }
    }
}

/// A pid alone is used again; with its start it names one process.
fn process_name(pid: u32) -> String {
    match start_ticks(pid) {
        Some(ticks) => format!("{ticks}_{pid}"),
        // Without /proc: the time is as good, and the same for the whole process, as this is asked once.
        None => format!("{}_{pid}", jiff::Timestamp::now().as_second()),
    }
}

#[cfg(target_os = "linux")]
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, can hold anything; field 22 counts from behind it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(target_os = "linux")]
fn parent_cargo() -> Option<String> {
    let parent = std::os::unix::process::parent_id();
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    (name.trim() == "cargo").then(|| process_name(parent))
}

#[cfg(not(target_os = "linux"))]
fn start_ticks(_pid: u32) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn parent_cargo() -> Option<String> {
    None
}
