//! Collects in a running Java machine, through the attach mechanism of HotSpot: what `jcmd PID GC.run` does, without the
//! development kit that `jcmd` comes with.
//!
//! A machine that nobody has attached to opens its socket (`/tmp/.java_pidN`) when it gets SIGQUIT while the file
//! `.attach_pidN` is there. Without the file SIGQUIT prints a thread dump, and a process that does not catch it ends: so
//! it is sent only to one that maps `libjvm.so` and catches it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a machine may take to open its socket after the signal.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// How long a collection may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// The requests: version, command and three arguments, each ended by a zero byte.
const GC_RUN: &[u8] = b"1\0jcmd\0GC.run\0\0\0";
const GC_HEAP_INFO: &[u8] = b"1\0jcmd\0GC.heap_info\0\0\0";

/// The bit of SIGQUIT in a mask of signals.
const QUIT: u64 = 1 << 2;

/// True if the process runs HotSpot, which can be asked to collect.
pub(super) fn is_machine(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps_machine(&maps))
}

fn maps_machine(maps: &str) -> bool {
    // OpenJ9 has a library of that name, too, and answers SIGQUIT with a dump of its own.
    maps.contains("/libjvm.so") && !maps.contains("/libj9")
}

/// Collects in the process `pid` and waits for the end of the collection. Returns the heap in use afterwards, in MB,
/// which Java 9 and later report.
pub(super) async fn collect(pid: u32) -> Result<Option<f64>, String> {
    tokio::task::spawn_blocking(move || attach(pid))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|problem| format!("the Java machine {pid} did not collect: {problem}"))
}

fn attach(pid: u32) -> Result<Option<f64>, String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
    let facts = Facts::of(&status).ok_or("its status cannot be read")?;
    let folder = PathBuf::from(format!("/proc/{pid}/root/tmp"));
    let socket = folder.join(format!(".java_pid{}", facts.inner_pid));
    if !socket.exists() {
        if !facts.catches_quit {
            return Err("it cannot be attached to (it runs with -Xrs)".to_string());
        }
        let _mark = Mark::new(&folder, &facts)?;
        quit(pid)?;
        let started = Instant::now();
        while !socket.exists() {
            if started.elapsed() >= OPENS_WITHIN {
                return Err(format!("it did not open `{}` (attaching may be disabled)", socket.display()));
            }
            sleep(LOOK);
        }
    }
    let told = |error: io::Error| format!("`{}`: {error}", socket.display());
    judged(&ask(&socket, GC_RUN).map_err(told)?)?;
    let heap = ask(&socket, GC_HEAP_INFO).map_err(told)?;
    Ok(judged(&heap).ok().and_then(|()| used_mb(&heap)))
}

fn quit(pid: u32) -> Result<(), String> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| format!("{pid} is no process id"))?;
    kill_process(process, Signal::QUIT).map_err(|error| format!("cannot send SIGQUIT: {error}"))
}

fn ask(socket: &Path, question: &[u8]) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    stream.write_all(question)?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The first line of an answer is its status: 0 if the command was carried out.
fn judged(answer: &str) -> Result<(), String> {
    let mut lines = answer.lines();
    match lines.next() {
        Some("0") => Ok(()),
        Some(status) => Err(format!("status {status}: {}", lines.next().unwrap_or_default())),
        None => Err("it closed the connection (only its own user and root may attach)".to_string()),
    }
}

/// Heap in use, in MB: the sum over all generations, whatever the collector calls them, without Metaspace.
fn used_mb(answer: &str) -> Option<f64> {
    let heap = answer.lines().skip(1).take_while(|line| !line.trim_start().starts_with("Metaspace"));
    let used = heap.filter_map(|line| {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|word| *word == "used")?;
        // `total 21888K, used 512K`; Shenandoah has it the other way round.
        let after = words.get(at + 1).and_then(|word| size_mb(word));
        after.or_else(|| size_mb(words.get(at.checked_sub(1)?)?))
    });
    used.reduce(|sum, mb| sum + mb)
}

/// `21888K`, `12M` or `1G` in MB.
fn size_mb(word: &str) -> Option<f64> {
    let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let number: f64 = number.parse().ok()?;
    match unit {
        "K" => Some(number / 1024.0),
        "M" => Some(number),
        "G" => Some(number * 1024.0),
        _ => None,
    }
}

/// Fields of `/proc/PID/status`.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    /// The pid in the process's own namespace.
    inner_pid: u32,
    uid: u32,
    gid: u32,
    catches_quit: bool,
}

impl Facts {
    fn of(status: &str) -> Option<Facts> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // The second of four is the effective one.
        let effective = |name: &str| field(name)?.split_whitespace().nth(1)?.parse().ok();
        let inner = field("NSpid").or_else(|| field("Pid"))?.split_whitespace().last()?;
        let caught = u64::from_str_radix(field("SigCgt")?.trim(), 16).ok()?;
        Some(Facts {
            inner_pid: inner.parse().ok()?,
            uid: effective("Uid")?,
            gid: effective("Gid")?,
            catches_quit: caught & QUIT != 0,
        })
    }
}

/// The file that makes a machine open its socket on SIGQUIT. Dropping this removes it.
struct Mark(PathBuf);

impl Mark {
    fn new(folder: &Path, facts: &Facts) -> Result<Mark, String> {
        let path = folder.join(format!(".attach_pid{}", facts.inner_pid));
        let told = |error: io::Error| format!("cannot write `{}`: {error}", path.display());
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(told(error)),
        }
        let mark = Mark(path.clone());
        // The machine accepts only a file that its own user owns.
        if rustix::process::geteuid().as_raw() != facts.uid {
            chown(&path, Some(facts.uid), Some(facts.gid)).map_err(told)?;
        }
        Ok(mark)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tjava\nPid:\t4711\nNSpid:\t4711\t7\nUid:\t1000\t1001\t1000\t1000\n\
                          Gid:\t100\t101\t100\t100\nSigCgt:\t0000000181005ccf\n";

    #[test]
    fn the_status_tells_pid_user_and_whether_the_signal_is_caught() {
        let facts = Facts::of(STATUS).unwrap();
        assert_eq!(facts, Facts { inner_pid: 7, uid: 1001, gid: 101, catches_quit: true });
        let ignoring = Facts::of(&STATUS.replace("5ccf", "5ccb")).unwrap();
        assert!(!ignoring.catches_quit);
        assert_eq!(Facts::of("Name:\tjava\n"), None);
    }

    #[test]
    fn a_hotspot_machine_is_known_by_its_library() {
        assert!(maps_machine("7f00-7f01 r-xp 0 0:0 1 /usr/lib/jvm/lib/server/libjvm.so\n"));
        assert!(!maps_machine("7f00 r-xp /opt/j9/libjvm.so\n7f01 r-xp /opt/j9/libj9vm29.so\n"));
        assert!(!maps_machine("7f00-7f01 r-xp 0 0:0 1 /usr/bin/python3\n"));
        assert!(!is_machine(std::process::id()));
    }

    #[test]
    fn an_answer_is_judged_by_its_first_line() {
        assert_eq!(judged("0\nCommand executed successfully\n"), Ok(()));
        let refused = judged("100\njava.lang.IllegalArgumentException: Unknown diagnostic command\n");
        assert!(refused.unwrap_err().contains("status 100: java.lang.IllegalArgument"));
        assert!(judged("").is_err());
    }

    #[test]
    fn the_heap_in_use_is_read_whatever_the_collector() {
        let g1 = "0\n garbage-first heap   total 20480K, used 5120K [0x1, 0x2)\n  region size 1024K, 1 young (1024K), 0 survivors \
                  (0K)\n Metaspace       used 6144K, committed 6400K, reserved 1M\n  class space    used 700K\n";
        assert_eq!(used_mb(g1), Some(5.0));
        let serial = "0\n def new generation   total 9792K, used 1024K [0x1)\n  eden space 8704K,   2% used [0x1)\n tenured generation   \
                      total 21888K, used 2048K [0x1)\n   the space 21888K,   9% used [0x1)\n Metaspace       used 1K\n";
        assert_eq!(used_mb(serial), Some(3.0));
        assert_eq!(used_mb("0\n ZHeap           used 12M, capacity 512M, max capacity 512M\n"), Some(12.0));
        let shenandoah = "0\nShenandoah Heap\n 512M max, 512M soft max, 34M committed, 2048K used\n";
        assert_eq!(used_mb(shenandoah), Some(2.0));
        assert_eq!(used_mb("0\n"), None);
    }

    #[tokio::test]
    async fn a_process_that_would_die_of_the_signal_does_not_get_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let refused = collect(child.id()).await.unwrap_err();
        assert!(refused.contains("cannot be attached to"), "{refused}");
        assert!(child.try_wait().unwrap().is_none(), "it lives");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
