//! Open files: how many highwater may have, and for how many tasks at once that is enough.

/// Descriptors that are kept free beyond those of the tasks: new processes of the service, logs, lookups of names.
const RESERVE: u64 = 32;

/// Raises the soft limit of open files to the hard one: each watched process takes four descriptors, and each task a
/// connection. Most systems set it to 1024 for the sake of programs that use select(2).
#[cfg(unix)]
pub(crate) fn allow_many() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// The soft limit, and for how many tasks at once it is enough; absent without a limit.
#[cfg(unix)]
pub(crate) fn room() -> Option<(u64, u32)> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    Some((limit, tasks(limit, open)))
}

#[cfg(not(unix))]
pub(crate) fn allow_many() {}

#[cfg(not(unix))]
pub(crate) fn room() -> Option<(u64, u32)> {
    None
}

/// Tasks at once, of one connection each, that fit beside what is open already.
fn tasks(limit: u64, open: u64) -> u32 {
    u32::try_from(limit.saturating_sub(open + RESERVE)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_needs_a_descriptor_that_nothing_else_has() {
        assert_eq!(tasks(128, 20), 76);
        assert_eq!(tasks(40, 20), 0);
        assert_eq!(tasks(u64::MAX, 0), u32::MAX);
    }
}
