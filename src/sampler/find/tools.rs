//! Programs that carry the words of a service in their arguments without being the service.

use super::program::{Program, is_command_shell};
use crate::sampler::process::ProcessInfo;

const EDITORS: [&str; 15] = [
    "vi",
    "vim",
    "nvim",
    "view",
    "vimdiff",
    "nano",
    "pico",
    "emacs",
    "emacsclient",
    "micro",
    "hx",
    "joe",
    "code",
    "subl",
    "ed",
];
const PAGERS: [&str; 30] = [
    "less",
    "more",
    "most",
    "tail",
    "head",
    "cat",
    "bat",
    "grep",
    "egrep",
    "fgrep",
    "zgrep",
    "rg",
    "ag",
    "ack",
    "sed",
    "awk",
    "find",
    "xargs",
    "tee",
    "diff",
    "man",
    "watch",
    "ps",
    "pgrep",
    "pkill",
    "top",
    "htop",
    "journalctl",
    "lsof",
    "inotifywait",
];
const TEST_RUNNERS: [&str; 14] = [
    "pytest",
    "py.test",
    "pytest-watch",
    "ptw",
    "tox",
    "nox",
    "unittest",
    "nosetests",
    "jest",
    "vitest",
    "mocha",
    "cargo-nextest",
    "ctest",
    "behave",
];
const TRACERS: [&str; 13] = [
    "strace", "ltrace", "gdb", "lldb", "perf", "py-spy", "psrecord", "mprof", "memray", "bpftrace",
    "pidstat", "scalene", "debugpy",
];
/// Programs that start another program and stay its parent.
const LAUNCHERS: [&str; 52] = [
    "timeout",
    "nohup",
    "env",
    "sudo",
    "doas",
    "su",
    "runuser",
    "setpriv",
    "nice",
    "ionice",
    "chrt",
    "taskset",
    "numactl",
    "setsid",
    "stdbuf",
    "unbuffer",
    "script",
    "flock",
    "time",
    "tini",
    "tini-static",
    "dumb-init",
    "catatonit",
    "s6-supervise",
    "s6-svscan",
    "runsv",
    "runsvdir",
    "supervise",
    "supervisord",
    "circusd",
    "pm2",
    "foreman",
    "honcho",
    "overmind",
    "hivemind",
    "watchmedo",
    "watchexec",
    "entr",
    "nodemon",
    "systemd-run",
    "start-stop-daemon",
    "tmux",
    "screen",
    "make",
    "just",
    "docker",
    "podman",
    "kubectl",
    "ssh",
    "uv",
    "poetry",
    "pipenv",
];

/// Programs that hold the port of a service in a container and forward its connections.
const PROXIES: [&str; 4] = ["docker-proxy", "rootlessport", "slirp4netns", "pasta"];
/// The description of a proxy. Unlike the other programs it is never the service, even if it is found by its port.
pub(super) const PROXY: &str = "a proxy for a container, in which the service runs";

/// The description, to follow "it is", of a process that carries a service's words without being
/// the service. `None` if it may be the service.
pub(super) fn is_not_the_service(process: &ProcessInfo) -> Option<&'static str> {
    let program = Program::of(&process.argv);
    let is = |names: &[&str]| names.contains(&program.name) || names.contains(&program.package());
    if is_command_shell(&process.argv) {
        Some("a shell that launches a command")
    } else if is(&EDITORS) {
        Some("an editor")
    } else if is(&PAGERS) {
        Some("a program that looks at files or processes")
    } else if is(&TEST_RUNNERS) || program.name == "cargo" {
        Some("a test runner")
    } else if is(&TRACERS) {
        Some("a program that observes others")
    } else if is(&LAUNCHERS) {
        Some("a program that launches others")
    } else if is(&PROXIES) {
        Some(PROXY)
    } else if program.name == "highwater" && program.arguments.first().is_none_or(|command| !serves(command))
    {
        Some("highwater")
    } else {
        None
    }
}

/// True for the one command of highwater that is a service itself.
fn serves(command: &str) -> bool {
    command == "demo"
}

/// True if `above` is the launcher of `below`: a shell, a launcher, or a program whose
/// arguments name the program of `below`, as in `supervise.py rq worker asr-queue`. The master
/// of a worker pool is none: it runs the same program as its workers.
pub(super) fn launched(above: &ProcessInfo, below: &ProcessInfo) -> bool {
    let (program, other) = (Program::of(&above.argv), Program::of(&below.argv));
    if is_not_the_service(above).is_some() {
        return true;
    }
    let names_it = |argument: &String| {
        argument
            .split(' ')
            .any(|word| super::program::base_name(word) == other.name || word == other.package())
    };
    program.package() != other.package() && !other.name.is_empty() && program.arguments.iter().any(names_it)
}
