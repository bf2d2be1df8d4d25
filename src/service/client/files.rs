//! Room for as many connections as the system allows.

use std::sync::Once;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that this process may have open, from the soft limit (often
/// 1024, a few hundred tasks) to the hard one. Without permission all stays as it is, and a task that
/// finds no free descriptor fails with [`crate::service::Cause::Local`].
pub(super) fn allow_many() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        }
    });
}
