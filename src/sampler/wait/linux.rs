//! Waits with epoll, on pidfds and an eventfd.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::oom::OomKills;
use super::pidfd_info;
use crate::record::ExitKind;
use crate::sampler::process::ProcessId;
use crate::sampler::source;

/// Waits; owned by the sampler's thread.
pub(crate) struct Waiter {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    pidfds: HashMap<ProcessId, (u64, OwnedFd)>,
    ids: HashMap<u64, ProcessId>,
    last_token: u64,
    most_pidfds: usize,
    oom_kills: OomKills,
}

/// Ends a [`Waiter::wait`] from another thread.
#[derive(Clone)]
pub(crate) struct Waker(Arc<OwnedFd>);

/// The token of the eventfd; pidfds count from 1.
const WAKE: u64 = 0;

/// How often, and at which interval, to ask for the exit status of a process that has ended.
/// The kernel gives it only after the process has been reaped, which its parent does
/// within microseconds or not at all.
const STATUS_TRIES: u32 = 25;
const STATUS_PAUSE: Duration = Duration::from_micros(200);

impl Waker {
    /// Makes the current or the next wait return.
    pub(crate) fn wake(&self) {
        // Writing 1 fails only if the counter is about to overflow, and it is
        // readable then, too.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Waiter {
    /// A waiter that watches nothing yet, and its waker.
    pub(crate) fn new() -> std::io::Result<(Waiter, Waker)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        let waker = Waker(Arc::clone(&wake));
        let most_pidfds = source::descriptors_to_keep() / source::FILES_PER_PROCESS;
        let waiter = Waiter {
            epoll,
            wake,
            pidfds: HashMap::new(),
            ids: HashMap::new(),
            last_token: WAKE,
            most_pidfds,
            oom_kills: OomKills::new(),
        };
        Ok((waiter, waker))
    }

    /// Reports the end of `id` from now on; false if that is not possible.
    pub(crate) fn watch(&mut self, id: ProcessId) -> bool {
        if self.pidfds.contains_key(&id) {
            return true;
        }
        self.oom_kills.watch(id);
        let Some(pidfd) = self.open(id) else { return false };
        self.last_token += 1;
        let token = self.last_token;
        let added =
            epoll::add(&self.epoll, &pidfd, epoll::EventData::new_u64(token), epoll::EventFlags::IN).is_ok();
        if added {
            self.ids.insert(token, id);
            self.pidfds.insert(id, (token, pidfd));
        }
        added
    }

    fn open(&self, id: ProcessId) -> Option<OwnedFd> {
        if self.pidfds.len() >= self.most_pidfds {
            return None;
        }
        let pid = Pid::from_raw(i32::try_from(id.pid).ok()?)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // The pid may have got a new owner before the pidfd was opened. If the start
        // time is still right now, it has not.
        source::is_same(id).then_some(pidfd)
    }

    /// Stops watching `id`.
    pub(crate) fn unwatch(&mut self, id: ProcessId) {
        self.oom_kills.unwatch(id);
        if let Some((token, pidfd)) = self.pidfds.remove(&id) {
            self.ids.remove(&token);
            // A child of ours that has not called exec yet may hold a copy of the
            // pidfd, so that closing ours would not remove it from the set.
            let _ = epoll::delete(&self.epoll, &pidfd);
        }
    }

    /// Waits until a watched process ends, the waker is called or `timeout` has
    /// passed. Returns the processes that have ended.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Vec<ProcessId> {
        // Waits with poll, which counts in nanoseconds on every kernel;
        // epoll_wait rounds up to milliseconds.
        let timespec = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let ready = poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&timespec));
        if ready == Ok(0) {
            return Vec::new();
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(64);
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        if epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&zero)).is_err() {
            // The wait was interrupted. The caller works with deadlines and waits again.
            return Vec::new();
        }
        let mut ended = Vec::new();
        for event in events {
            match event.data.u64() {
                WAKE => {
                    let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
                }
                token => ended.extend(self.ids.get(&token).copied()),
            }
        }
        ended
    }

    /// How the ended process `id` came to its end. Takes a few milliseconds at most.
    pub(crate) fn how(&mut self, id: ProcessId) -> ExitKind {
        match self.ended(id) {
            ExitKind::Signal(9) | ExitKind::Unknown if self.oom_kills.explains(id) => ExitKind::OutOfMemory,
            how => how,
        }
    }

    fn ended(&self, id: ProcessId) -> ExitKind {
        let deadline = Instant::now() + STATUS_PAUSE * STATUS_TRIES;
        loop {
            if let Some(status) = self.status(id) {
                return ExitKind::from_wait_status(status);
            }
            if !self.pidfds.contains_key(&id) || Instant::now() >= deadline {
                return ExitKind::Unknown;
            }
            std::thread::sleep(STATUS_PAUSE);
        }
    }

    fn status(&self, id: ProcessId) -> Option<i32> {
        if let Some((status, owner)) = source::zombie_status(id) {
            // To a caller without permission the kernel reports 0, which is also a valid
            // code. In a container even root may lack the permission.
            if status != 0 || rustix::process::geteuid().as_raw() == owner {
                return Some(status);
            }
        }
        let (_, pidfd) = self.pidfds.get(&id)?;
        pidfd_info::exit_status(pidfd.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;
    use crate::sampler::process::ProcessSource;

    fn identity(child: &Child) -> ProcessId {
        let mut source = source::LinuxSource::new().expect("/proc is readable");
        let all = source.list().expect("/proc is readable");
        all.into_iter().find(|process| process.id.pid == child.id()).expect("the child is alive").id
    }

    fn shell(script: &str) -> Child {
        Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a shell")
    }

    fn wait_for_end(waiter: &mut Waiter, id: ProcessId) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !waiter.wait(Duration::from_secs(1)).contains(&id) {
            assert!(Instant::now() < deadline, "the end of {id} was never reported");
        }
    }

    #[test]
    fn a_zombie_tells_its_code() {
        let mut child = shell("read line; exit 3");
        let id = identity(&child);
        let (mut waiter, _waker) = Waiter::new().expect("epoll");
        assert!(waiter.watch(id));
        drop(child.stdin.take());
        wait_for_end(&mut waiter, id);
        assert_eq!(waiter.how(id), ExitKind::Code(3));
        child.wait().expect("ours to reap");
    }

    #[test]
    fn a_reaped_process_tells_its_signal_where_the_kernel_does() {
        let mut child = shell("read line");
        let id = identity(&child);
        let (mut waiter, _waker) = Waiter::new().expect("epoll");
        assert!(waiter.watch(id));
        child.kill().expect("ours to kill");
        child.wait().expect("ours to reap");
        wait_for_end(&mut waiter, id);
        // Kernels before 6.15 do not keep the status of a reaped process.
        assert!(matches!(waiter.how(id), ExitKind::Signal(9) | ExitKind::Unknown));
        waiter.unwatch(id);
        assert_eq!(waiter.how(id), ExitKind::Unknown);
    }

    #[test]
    fn another_start_time_is_another_process() {
        let mut child = shell("read line");
        let id = identity(&child);
        let (mut waiter, _waker) = Waiter::new().expect("epoll");
        assert!(!waiter.watch(ProcessId { start_ticks: id.start_ticks + 1, ..id }));
        child.kill().expect("ours to kill");
        child.wait().expect("ours to reap");
    }

    #[test]
    fn a_wake_ends_the_wait() {
        let (mut waiter, waker) = Waiter::new().expect("epoll");
        waker.wake();
        let start = Instant::now();
        assert!(waiter.wait(Duration::from_secs(60)).is_empty());
        assert!(start.elapsed() < Duration::from_secs(30), "it waited for the deadline");
        // One wake ends one wait, and a deadline is waited for.
        let start = Instant::now();
        waiter.wait(Duration::from_millis(30));
        assert!(start.elapsed() >= Duration::from_millis(30));
    }
}
