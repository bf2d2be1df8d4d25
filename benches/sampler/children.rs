//! Processes to be watched, and strangers beside them.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Processes that do nothing; killed and reaped on drop.
pub(crate) struct Children(Vec<Child>);

impl Children {
    pub(crate) fn spawn(count: usize) -> Children {
        let mut children = Children(Vec::with_capacity(count));
        for _ in 0..count {
            let mut command = Command::new("sleep");
            let child = command.arg("3600").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
            children.0.push(child.expect("`sleep` starts"));
        }
        children
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.0.iter().map(Child::id).collect()
    }

    /// Sends SIGKILL to the child, and does not wait for it.
    pub(crate) fn kill(&mut self, index: usize) {
        self.0[index].kill().expect("it is ours");
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

/// A thousand processes take four descriptors each.
pub(crate) fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the hard limit is allowed");
}

/// CPU time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
