//! Allows as many connections as the system permits.

use std::sync::Once;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that this process may have open, from the soft limit (often
/// 1024, enough for a few hundred tasks) to the hard one. If that is not permitted, the limit stays, and a task
/// without a free descriptor fails with [`crate::service::Cause::Local`].
pub(super) fn allow_many() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        }
    });
}
