#![expect(unsafe_code, reason = "PIDFD_GET_INFO is an ioctl, and rustix cannot vouch for its types")]
//! `PIDFD_GET_INFO`: the kernel's information about the process behind a pidfd.

use std::os::fd::BorrowedFd;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `struct pidfd_info` of `<linux/pidfd.h>`, in its first version (64 bytes).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ruid: u32,
    rgid: u32,
    euid: u32,
    egid: u32,
    suid: u32,
    sgid: u32,
    fsuid: u32,
    fsgid: u32,
    exit_code: i32,
}

const _: () = assert!(size_of::<PidfdInfo>() == 64);

const PIDFD_GET_INFO: Opcode = opcode::read_write::<PidfdInfo>(0xFF, 11);

/// `PIDFD_INFO_EXIT`: set in the request, and in the answer if `exit_code` is valid.
const INFO_EXIT: u64 = 1 << 3;

/// The status, as of wait(2), of the reaped process behind `pidfd`.
///
/// `None` while it has not been reaped, and on kernels before 6.15.
pub(super) fn exit_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let mut info = PidfdInfo { mask: INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the opcode encodes direction, number and size as <linux/pidfd.h>
    // defines them, and the kernel writes at most the encoded 64 bytes to
    // `info`, which is a live, exclusively borrowed, `repr(C)` struct of
    // integers: any bytes are valid for it. A file that is not a pidfd, or a
    // kernel that does not know the request, answers with an error.
    let answer = unsafe { ioctl(pidfd, Updater::<PIDFD_GET_INFO, PidfdInfo>::new(&mut info)) };
    (answer.is_ok() && info.mask & INFO_EXIT != 0).then_some(info.exit_code)
}
