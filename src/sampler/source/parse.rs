//! Parsers of the files below `/proc`: bytes in, values out, no I/O.
//!
//! `None` means that the text is not in the form that proc_pid_stat(5) and its siblings
//! document, for example because it was cut off.

use crate::sampler::process::Proportional;

/// The fields of `/proc/PID/stat` that the sampler needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    /// `comm`: the program's name, at most 15 arbitrary bytes.
    pub(crate) comm: &'a [u8],
    /// `state`: one letter.
    pub(crate) state: u8,
    /// `ppid`.
    pub(crate) parent: u32,
    /// `utime` + `stime`, in clock ticks.
    pub(crate) cpu_ticks: u64,
    /// `cutime` + `cstime`: the same of children that it has waited for, and of theirs.
    pub(crate) reaped_ticks: u64,
    /// `num_threads`.
    pub(crate) threads: u32,
    /// `starttime`, in clock ticks since boot.
    pub(crate) start_ticks: u64,
}

impl Stat<'_> {
    /// True for a process that has ended and only waits to be reaped.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// The name of a process has at most 15 bytes and that of a kernel thread 63; a byte may be escaped as two.
const LONGEST_COMM: usize = 128;

/// Splits off `comm`; the rest begins with `state`, field 3 of the manual page.
///
/// `comm` may contain spaces and parentheses, so it ends at the last `)` within the
/// longest possible name.
fn split_comm(stat: &[u8]) -> Option<(&[u8], Fields<'_>)> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let from = open + 1;
    let head = &stat[from..stat.len().min(from + LONGEST_COMM)];
    let close = head.iter().rposition(|&byte| byte == b')')?;
    Some((&head[..close], Fields(stat.get(from + close + 2..)?)))
}

/// The fields of `stat`: separated by one space, the last one followed by a new line.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte <= b' ').unwrap_or(self.0.len());
        let (field, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        (!field.is_empty()).then_some(field)
    }
}

fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0u64, |sum, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { sum.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// Parses `/proc/PID/stat`.
pub(crate) fn stat(bytes: &[u8]) -> Option<Stat<'_>> {
    let (comm, mut fields) = split_comm(bytes)?;
    let state = *fields.next()?.first()?;
    let parent = u32::try_from(number(fields.next()?)?).ok()?;
    // From field 5 (pgrp) on, utime is field 14.
    let user = number(fields.nth(9)?)?;
    let system = number(fields.next()?)?;
    let reaped_ticks = number(fields.next()?)?.saturating_add(number(fields.next()?)?);
    // num_threads is field 20, starttime field 22.
    let threads = u32::try_from(number(fields.nth(2)?)?).ok()?;
    let start_ticks = number(fields.nth(1)?)?;
    // A text that ends inside `starttime` would otherwise give a wrong number.
    fields.next()?;
    Some(Stat {
        comm,
        state,
        parent,
        cpu_ticks: user.saturating_add(system),
        reaped_ticks,
        threads,
        start_ticks,
    })
}

/// `exit_code` (field 52) of `/proc/PID/stat`: a status as of wait(2).
pub(crate) fn exit_status(bytes: &[u8]) -> Option<i32> {
    let (_, mut fields) = split_comm(bytes)?;
    i32::try_from(number(fields.nth(52 - 3)?)?).ok()
}

/// `resident` and `shared` of `/proc/PID/statm`, in pages.
pub(crate) fn resident_and_shared(statm: &[u8]) -> Option<(u64, u64)> {
    let mut fields = statm.split(|&byte| byte == b' ');
    let resident = number(fields.nth(1)?)?;
    let shared = number(fields.next()?)?;
    fields.next()?;
    Some((resident, shared))
}

/// The value of `key` (with its colon) in a file of `Key:   value kB` lines, in bytes.
pub(crate) fn kilobytes(text: &[u8], key: &[u8]) -> Option<u64> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    number(line.strip_suffix(b" kB")?.trim_ascii())?.checked_mul(1024)
}

/// `Pss` and its anonymous part, from `/proc/PID/smaps_rollup`.
pub(crate) fn proportional(rollup: &[u8]) -> Option<Proportional> {
    let anon = kilobytes(rollup, b"Pss_Anon:").zip(kilobytes(rollup, b"SwapPss:"));
    Some(Proportional {
        pss_bytes: kilobytes(rollup, b"Pss:")?,
        anon_bytes: anon.map(|(anon, swapped)| anon.saturating_add(swapped)),
        shmem_bytes: kilobytes(rollup, b"Pss_Shmem:"),
    })
}

/// The arguments in `/proc/PID/cmdline`.
///
/// A program that rewrites its own title leaves trailing zero bytes, which are
/// not arguments.
pub(crate) fn arguments(cmdline: &[u8]) -> Vec<String> {
    let end = cmdline.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if end == 0 {
        return Vec::new();
    }
    cmdline[..end].split(|&byte| byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// The pids in `/proc/PID/task/TID/children`.
pub(crate) fn pids(children: &[u8]) -> impl Iterator<Item = u32> {
    children.split(|&byte| byte == b' ').filter_map(|pid| u32::try_from(number(pid)?).ok())
}

/// A pid, the name of a directory in `/proc`.
pub(crate) fn pid(name: &[u8]) -> Option<u32> {
    u32::try_from(number(name)?).ok()
}

/// The parent in `/proc/PID/status` if `pid` is a process. The status of a thread
/// has another thread group id.
pub(crate) fn parent_of_process(status: &[u8], pid: u32) -> Option<u32> {
    let value = |key: &[u8]| {
        let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key))?;
        number(line.trim_ascii())
    };
    if value(b"Tgid:")? != u64::from(pid) {
        return None;
    }
    u32::try_from(value(b"PPid:")?).ok()
}

/// The pid that the kernel allocated last, from `/proc/loadavg`.
pub(crate) fn last_pid(loadavg: &[u8]) -> Option<u64> {
    number(loadavg.trim_ascii().rsplit(|&byte| byte == b' ').next()?)
}

/// Port and inode of the listening sockets, from `/proc/net/tcp` or `tcp6`.
pub(crate) fn listening(table: &[u8]) -> impl Iterator<Item = (u16, u64)> {
    const LISTEN: &[u8] = b"0A";
    table.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
        // sl, local_address, rem_address, st, queues, timer, retrnsmt, uid, timeout, inode.
        let address = fields.nth(1)?;
        if fields.nth(1)? != LISTEN {
            return None;
        }
        let port = address.rsplit(|&byte| byte == b':').next()?;
        let port = u16::from_str_radix(std::str::from_utf8(port).ok()?, 16).ok()?;
        Some((port, number(fields.nth(5)?)?))
    })
}

/// The path of the control group in `/proc/PID/cgroup`: in the unified
/// hierarchy (`0::/…`), or if that is empty in systemd's own or in the memory
/// controller's.
pub(crate) fn control_group(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let of = |wanted: fn(&str, &str) -> bool| {
        text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            (wanted(id, controllers) && path != "/").then(|| path.to_string())
        })
    };
    of(|id, _| id == "0")
        .or_else(|| of(|_, controllers| controllers == "name=systemd"))
        .or_else(|| of(|_, controllers| controllers.split(',').any(|one| one == "memory")))
}

/// `MemTotal` and `MemAvailable` of `/proc/meminfo`, in bytes.
pub(crate) fn memory(meminfo: &[u8]) -> Option<(u64, u64)> {
    Some((kilobytes(meminfo, b"MemTotal:")?, kilobytes(meminfo, b"MemAvailable:")?))
}

/// A mounted cgroup hierarchy that accounts for memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CgroupMount {
    /// True for version 2.
    pub(crate) unified: bool,
    /// The cgroup at its root.
    pub(crate) root: String,
    /// The mount point.
    pub(crate) point: String,
}

/// The hierarchies in `/proc/self/mountinfo` that account for memory, version 1 first:
/// where both versions are mounted, version 1 has the controller.
pub(crate) fn cgroup_mounts(mountinfo: &str) -> Vec<CgroupMount> {
    let mount = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(3);
        let (root, point) = (front.next()?.to_string(), front.next()?.to_string());
        let mut back = back.split(' ');
        let kind = back.next()?;
        let options = back.nth(1).unwrap_or_default();
        let memory = kind == "cgroup" && options.split(',').any(|option| option == "memory");
        let unified = kind == "cgroup2";
        (memory || unified).then_some(CgroupMount { unified, root, point })
    };
    let mut mounts: Vec<CgroupMount> = mountinfo.lines().filter_map(mount).collect();
    mounts.sort_by_key(|mount| mount.unified);
    mounts
}

/// The cgroup that a process's memory is charged to, from its `/proc/PID/cgroup`:
/// that of the version 1 controller, or that of version 2.
pub(crate) fn cgroup_path(text: &str, unified: bool) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let wanted = if unified {
            controllers.is_empty()
        } else {
            controllers.split(',').any(|name| name == "memory")
        };
        wanted.then_some(path)
    })
}

/// `oom_kill` of `memory.events` (version 2) or `memory.oom_control` (version 1).
pub(crate) fn oom_kills(text: &[u8]) -> Option<u64> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"oom_kill "))?;
    number(line.trim_ascii())
}

/// The name that psutil shows: `comm`, or the program's base name if
/// `comm` is its first 15 bytes.
pub(crate) fn display_name(comm: &[u8], argv: &[String]) -> String {
    let comm = String::from_utf8_lossy(comm);
    let program = argv.first().and_then(|program| program.rsplit('/').next());
    // In a title that the program gave itself, the part after a colon is its present activity.
    let program = match (argv, program) {
        ([title], Some(program)) if title.contains(": ") => program.split(": ").next(),
        _ => program,
    };
    match program {
        Some(program) if comm.len() >= 15 && program.starts_with(&*comm) => program.to_string(),
        _ => comm.into_owned(),
    }
}

/// Reads any bytes, for tests that change them.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_bytes(bytes: &[u8]) {
    let _ = (stat(bytes).is_some(), exit_status(bytes), resident_and_shared(bytes), last_pid(bytes));
    drop((proportional(bytes).is_some(), arguments(bytes), control_group(bytes), memory(bytes)));
    let _ = (pids(bytes).count(), pid(bytes), listening(bytes).count(), oom_kills(bytes));
    let _ = (kilobytes(bytes, b"Rss"), parent_of_process(bytes, 7));
    let text = String::from_utf8_lossy(bytes);
    drop((cgroup_mounts(&text), cgroup_path(&text, true).map(str::len)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &[u8] = b"12345 (python) S 1 12345 12345 0 -1 4194560 90 0 0 0 150 25 30 4 20 0 7 0 98765 \
        700000000 160000 18446744073709551615 1 1 0 0 0 0 0 16781312 2 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn any_bytes_are_figures_or_nothing() {
        let corpus: [&[u8]; 4] = [
            PYTHON,
            b"Rss: 10 kB\nPss: 7 kB\nPss_Anon: 5 kB\nSwapPss: 0 kB\nMemTotal: 5 kB\nMemAvailable: 3 kB\noom_kill 3\n",
            b"  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 0 4711 1\n",
            b"12:memory:/docker/abc\n0::/system.slice/x.service\n25 1 0:23 / /sys/fs/cgroup rw - cgroup2 none rw\n",
        ];
        crate::mutation_tests::survives(&corpus, any_bytes);
    }

    #[test]
    fn stat_is_read_by_field() {
        let stat = stat(PYTHON).expect("a whole line");
        assert_eq!(
            stat,
            Stat {
                comm: b"python",
                state: b'S',
                parent: 1,
                cpu_ticks: 175,
                reaped_ticks: 34,
                threads: 7,
                start_ticks: 98765
            }
        );
        assert!(!stat.has_ended());
        assert_eq!(exit_status(PYTHON), Some(0));
    }

    #[test]
    fn comm_may_hold_spaces_and_parentheses() {
        let text = String::from_utf8_lossy(PYTHON).replace("(python)", "(a) R 1 (b c)");
        let stat = stat(text.as_bytes()).expect("a whole line");
        assert_eq!(stat.comm, b"a) R 1 (b c");
        assert_eq!((stat.state, stat.parent, stat.start_ticks), (b'S', 1, 98765));
    }

    #[test]
    fn a_cut_line_is_no_stat() {
        let whole = PYTHON.windows(6).position(|window| window == b"98765 ").expect("in the line") + 6;
        for length in 0..whole {
            assert_eq!(stat(&PYTHON[..length]), None, "{length} bytes");
        }
        assert_eq!(exit_status(&PYTHON[..whole]), None);
    }

    #[test]
    fn a_zombie_has_ended_and_tells_how() {
        let text = b"77 (sleep) Z 1 77 77 0 -1 4227084 90 0 0 0 0 0 0 0 20 0 1 0 98765 \
            0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 9\n";
        assert!(stat(text).expect("a whole line").has_ended());
        assert_eq!(exit_status(text), Some(9));
    }

    #[test]
    fn resident_and_shared_memory_are_the_second_and_third_field() {
        assert_eq!(resident_and_shared(b"7000 1234 500 1 0 900 0\n"), Some((1234, 500)));
        assert_eq!(resident_and_shared(b"0 0 0 0 0 0 0\n"), Some((0, 0)));
        assert_eq!(resident_and_shared(b"7000 1234 50"), None);
        assert_eq!(resident_and_shared(b""), None);
    }

    #[test]
    fn kilobytes_are_found_by_key() {
        let status =
            b"Name:\tVmSwap\nVmHWM:\t    1024 kB\nVmRSS:\t 12 kB\nVmSwap:\t       0 kB\nThreads:\t1\n";
        assert_eq!(kilobytes(status, b"VmHWM:"), Some(1 << 20));
        assert_eq!(kilobytes(status, b"VmSwap:"), Some(0));
        assert_eq!(kilobytes(status, b"Threads:"), None, "not a size");
        assert_eq!(kilobytes(status, b"VmPin:"), None);
    }

    #[test]
    fn arguments_keep_empty_ones_but_not_the_tail() {
        assert_eq!(arguments(b"rq\0\0worker\0"), ["rq", "", "worker"]);
        assert_eq!(arguments(b"rq:worker:a b\0\0\0\0"), ["rq:worker:a b"]);
        assert!(arguments(b"").is_empty());
    }

    #[test]
    fn other_files() {
        assert_eq!(pids(b"12 345 ").collect::<Vec<_>>(), [12, 345]);
        let status = b"Name:\tpython3\nState:\tS (sleeping)\nTgid:\t77\nNgid:\t0\nPid:\t77\nPPid:\t7\n";
        assert_eq!(parent_of_process(status, 77), Some(7));
        assert_eq!(parent_of_process(status, 78), None, "a thread of 77");
        assert_eq!((pid(b"123"), pid(b"self"), pid(b"")), (Some(123), None, None));
        assert_eq!(last_pid(b"0.03 0.32 0.53 1/85 10997\n"), Some(10997));
        let meminfo = b"MemTotal:        8000 kB\nMemFree:  1 kB\nMemAvailable:    500 kB\n";
        assert_eq!(memory(meminfo), Some((8_192_000, 512_000)));
        assert_eq!(memory(b"MemTotal: 8000 kB\n"), None);
    }

    #[test]
    fn the_proportional_size_and_its_anonymous_part() {
        let text = "1-2 ---p 00000000 00:00 0  [rollup]\nRss:  9 kB\nPss:  700 kB\nPss_Dirty: 3 kB\nPss_Anon: 500 kB\n\
            Pss_File: 200 kB\nPss_Shmem: 7 kB\nSwap: 80 kB\nSwapPss: 40 kB\n";
        let found = proportional(text.as_bytes()).expect("in form");
        assert_eq!((found.pss_bytes, found.anon_bytes), (700 << 10, Some(540 << 10)));
        assert_eq!(found.shmem_bytes, Some(7 << 10));
        let old = proportional(b"Pss:  700 kB\nSwapPss: 0 kB\n").expect("in form");
        assert_eq!(old.anon_bytes, None, "before Linux 5.9");
        assert_eq!(proportional(b"Rss: 1 kB\n"), None);
    }

    #[test]
    fn listening_sockets_and_control_groups() {
        let table = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100\n   \
            1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100\n   \
            2: 00000000000000000000000001000000:0016 0000:0000 0A 0:0 00:0 0     0        0 99 1 0\n";
        assert_eq!(listening(table).collect::<Vec<_>>(), [(8080, 4711), (22, 99)]);
        let unified = b"0::/system.slice/asr-worker.service\n";
        assert_eq!(control_group(unified).as_deref(), Some("/system.slice/asr-worker.service"));
        let old = b"5:memory:/docker/ab\n1:name=systemd:/user.slice\n0::/\n";
        assert_eq!(control_group(old).as_deref(), Some("/user.slice"));
        assert_eq!(control_group(b"0::/\n"), None);
    }

    #[test]
    fn the_cgroup_of_a_process_is_found_in_both_versions() {
        let one = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n35 31 0:32 /box /sys/fs/cgroup/memory rw,relatime \
            shared:9 - cgroup cgroup rw,memory\n41 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let mounts = cgroup_mounts(one);
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].root.as_str(), mounts[0].point.as_str()), ("/box", "/sys/fs/cgroup/memory"));
        assert!(!mounts[0].unified && mounts[1].unified);
        let own = "9:name=systemd:/\n4:cpu,memory:/box/a:b\n0::/user.slice\n";
        assert_eq!(cgroup_path(own, false), Some("/box/a:b"));
        assert_eq!(cgroup_path(own, true), Some("/user.slice"));
        assert_eq!(cgroup_path("3:cpuset:/\n", false), None);
    }

    #[test]
    fn oom_kills_are_counted_in_both_versions() {
        assert_eq!(oom_kills(b"low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(oom_kills(b"oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!(oom_kills(b"oom_kill_disable 0\nunder_oom 0\n"), None, "before Linux 4.13");
    }

    #[test]
    fn a_cut_comm_becomes_the_whole_name() {
        let argv = ["/usr/bin/a-very-long-program-name".to_string()];
        assert_eq!(display_name(b"a-very-long-pro", &argv), "a-very-long-program-name");
        assert_eq!(display_name(b"python3", &argv), "python3");
        let title = ["rq:worker:ab12cd34: Listening on asr-queue".to_string()];
        assert_eq!(display_name(b"rq:worker:ab12c", &title), "rq:worker:ab12cd34");
    }
}
