//! Parsers of the files below `/proc`: bytes in, values out, no I/O.
//!
//! `None` means that the text is not what proc_pid_stat(5) and its kin
//! promise, for example because it was cut off.

/// What the sampler needs of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    /// `comm`: the program's name, at most 15 bytes; it may hold anything.
    pub(crate) comm: &'a [u8],
    /// `state`: one letter.
    pub(crate) state: u8,
    /// `ppid`.
    pub(crate) parent: u32,
    /// `utime` + `stime`, in clock ticks.
    pub(crate) cpu_ticks: u64,
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

/// Splits off `comm`; the rest begins with `state`, field 3 of the manual page.
///
/// `comm` may hold spaces and parentheses, so it ends at the last `)`.
fn split_comm(stat: &[u8]) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let comm = stat.get(open + 1..close)?;
    let rest = stat.get(close + 2..)?;
    let fields = rest.split(|&byte| byte == b' ' || byte == b'\n').filter(|field| !field.is_empty());
    Some((comm, fields))
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
    // num_threads is field 20, starttime field 22.
    let threads = u32::try_from(number(fields.nth(4)?)?).ok()?;
    let start_ticks = number(fields.nth(1)?)?;
    // A text that ends inside `starttime` would give a wrong number, not none.
    fields.next()?;
    Some(Stat { comm, state, parent, cpu_ticks: user + system, threads, start_ticks })
}

/// `exit_code` (field 52) of `/proc/PID/stat`: a status as of wait(2).
pub(crate) fn exit_status(bytes: &[u8]) -> Option<i32> {
    let (_, mut fields) = split_comm(bytes)?;
    i32::try_from(number(fields.nth(52 - 3)?)?).ok()
}

/// `resident` of `/proc/PID/statm`, in pages.
pub(crate) fn resident_pages(statm: &[u8]) -> Option<u64> {
    let mut fields = statm.split(|&byte| byte == b' ');
    let resident = number(fields.nth(1)?)?;
    fields.next()?;
    Some(resident)
}

/// The arguments in `/proc/PID/cmdline`.
///
/// A program that rewrites its own title leaves a tail of zero bytes behind;
/// these are not arguments.
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

/// The pid that was given out last, from `/proc/loadavg`.
pub(crate) fn last_pid(loadavg: &[u8]) -> Option<u64> {
    number(loadavg.trim_ascii().rsplit(|&byte| byte == b' ').next()?)
}

/// `MemTotal` and `MemAvailable` of `/proc/meminfo`, in bytes.
pub(crate) fn memory(meminfo: &[u8]) -> Option<(u64, u64)> {
    let value = |key: &[u8]| {
        let line = meminfo.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key))?;
        number(line.strip_suffix(b" kB")?.trim_ascii())?.checked_mul(1024)
    };
    Some((value(b"MemTotal:")?, value(b"MemAvailable:")?))
}

/// The name that psutil shows: `comm`, or the program's base name where
/// `comm` is the first 15 bytes of it.
pub(crate) fn display_name(comm: &[u8], argv: &[String]) -> String {
    let comm = String::from_utf8_lossy(comm);
    let program = argv.first().and_then(|program| program.rsplit('/').next());
    match program {
        Some(program) if comm.len() >= 15 && program.starts_with(&*comm) => program.to_string(),
        _ => comm.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &[u8] = b"12345 (python) S 1 12345 12345 0 -1 4194560 90 0 0 0 150 25 0 0 20 0 7 0 98765 \
        700000000 160000 18446744073709551615 1 1 0 0 0 0 0 16781312 2 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn stat_is_read_by_field() {
        let stat = stat(PYTHON).expect("a whole line");
        assert_eq!(
            stat,
            Stat { comm: b"python", state: b'S', parent: 1, cpu_ticks: 175, threads: 7, start_ticks: 98765 }
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
    fn resident_memory_is_the_second_field() {
        assert_eq!(resident_pages(b"7000 1234 500 1 0 900 0\n"), Some(1234));
        assert_eq!(resident_pages(b"0 0 0 0 0 0 0\n"), Some(0));
        assert_eq!(resident_pages(b"7000 12"), None);
        assert_eq!(resident_pages(b""), None);
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
        assert_eq!(last_pid(b"0.03 0.32 0.53 1/85 10997\n"), Some(10997));
        let meminfo = b"MemTotal:        8000 kB\nMemFree:  1 kB\nMemAvailable:    500 kB\n";
        assert_eq!(memory(meminfo), Some((8_192_000, 512_000)));
        assert_eq!(memory(b"MemTotal: 8000 kB\n"), None);
    }

    #[test]
    fn a_cut_comm_becomes_the_whole_name() {
        let argv = ["/usr/bin/a-very-long-program-name".to_string()];
        assert_eq!(display_name(b"a-very-long-pro", &argv), "a-very-long-program-name");
        assert_eq!(display_name(b"python3", &argv), "python3");
    }
}
