//! The live views of a run: the block in a terminal, the metrics, the dashboard.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use serial_test::parallel;

use crate::support::helper::Helper;
use crate::support::runs::{Place, Running, eventually};

/// The output of `command` in a terminal of 40 lines and 120 columns.
fn in_a_terminal(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &format!("stty rows 40 cols 120; {}", line.join(" ")), "/dev/null"]);
    terminal.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").stdin(Stdio::null());
    if let Some(directory) = command.get_current_dir() {
        terminal.current_dir(directory);
    }
    let output = terminal.output().expect("`script` is a part of every Debian");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A run in a terminal of its own, whose size can change.
struct Terminal {
    screen: File,
    child: std::process::Child,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts `command` in a terminal of `columns`.
    fn start(command: &Command, columns: u16) -> Terminal {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let side = || fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let mut started = Command::new("setsid");
        started.args(["--ctty"]).arg(command.get_program()).args(command.get_args());
        started.env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
        if let Some(directory) = command.get_current_dir() {
            started.current_dir(directory);
        }
        let terminal = Terminal { screen: screen.into(), child: started.spawn().unwrap(), shown: Vec::new() };
        terminal.resize(columns);
        terminal
    }

    fn resize(&self, columns: u16) {
        let size = rustix::termios::Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.screen, size).unwrap();
    }

    /// Reads until `part` has been shown since the last call; returns all that has.
    fn until(&mut self, part: &str) -> String {
        let mut some = [0; 4096];
        self.shown.clear();
        loop {
            let shown = String::from_utf8_lossy(&self.shown);
            if shown.contains(part) {
                return shown.into_owned();
            }
            // The last side that is closed ends reading with an error.
            let read = self.screen.read(&mut some).unwrap_or(0);
            assert!(read > 0, "`{part}` is missing in {shown:?}");
            self.shown.extend(&some[..read]);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of a request to `url`, which may have an address only.
pub(crate) fn get(url: &str, host: Option<&str>, more: &str) -> std::io::Result<(u16, String)> {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n", host.unwrap_or(address))?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    let (head, body) = said.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok((head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_string()))
}

/// The value of a sample, labels included in its name.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// A soak of the embedded service with `--metrics` and `--dashboard`, and their addresses.
pub(crate) fn served(place: &Place, flags: &str) -> (Running, Vec<String>) {
    let mut command = place.highwater();
    command.args("soak --demo --results results --short short.wav --long long.wav --for 120s".split(' '));
    let running = Running::start(command.args(flags.split(' ')));
    let wanted = flags.split(' ').filter(|flag| flag.starts_with("--")).count();
    let address = |line: String| Some(line.split_once(": http://")?.1.to_string());
    let lines = running.lines.iter().filter_map(address).take(wanted);
    let urls = lines.map(|url| format!("http://{url}")).collect();
    (running, urls)
}

/// Ends a run as Ctrl+C does, and waits for it.
pub(crate) fn interrupt(running: Running) -> Option<i32> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    running.ended().0
}

#[test]
#[parallel(machine)]
fn a_watch_has_a_live_block_in_a_terminal_and_lines_elsewhere() {
    let place = Place::new(1, 1);
    let helper = Helper::spawn();
    let mut command = place.highwater();
    let pid = helper.pid.to_string();
    command.args(["watch", "--pid", &pid, "--for", "1500ms", "--interval", "100ms", "--no-csv"]);
    let shown = in_a_terminal(&command);
    for part in ["watching, every 0.1 s", &format!("memory of pid {pid} "), "CPU pid", "\x1b["] {
        assert!(shown.contains(part), "`{part}` is missing in {shown:?}");
    }
    assert!(shown.contains("watched for 1."), "the summary stays: {shown:?}");
    command.arg("--plain");
    let plain = in_a_terminal(&command);
    assert!(!plain.contains("\x1b[") && !plain.contains("watching, every"), "{plain:?}");
    assert!(plain.lines().filter(|line| line.contains(&pid)).count() > 5, "a line each time: {plain:?}");
}

#[test]
#[parallel(machine)]
fn a_block_fits_a_terminal_that_shrinks_and_goes_on_after_it_was_suspended() {
    use rustix::process::{Pid, Signal, kill_process};

    let place = Place::new(1, 1);
    let helper = Helper::spawn();
    let mut command = place.highwater();
    command.args([
        "watch",
        "--pid",
        &helper.pid.to_string(),
        "--for",
        "5s",
        "--interval",
        "100ms",
        "--no-csv",
    ]);
    let mut terminal = Terminal::start(&command, 120);
    terminal.until("memory of pid ");
    terminal.resize(30);
    // What was drawn before is still to be read.
    terminal.until("CPU pid ");
    terminal.until("CPU pid ");
    let narrow = terminal.until("CPU pid ");
    let line = narrow.split("memory of pid ").nth(1).and_then(|rest| rest.split_once('…'));
    let width = line.map(|(line, _)| "    memory of pid …".chars().count() + line.chars().count());
    assert!(width.is_some_and(|width| width <= 30), "{narrow:?}");
    // setsid has become the watch.
    let pid = Pid::from_raw(terminal.child.id().try_into().unwrap()).unwrap();
    // A process group without a shell ignores what Ctrl+Z sends.
    kill_process(pid, Signal::STOP).unwrap();
    eventually("the watch is suspended", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
        stat.contains(") T ").then_some(())
    });
    kill_process(pid, Signal::CONT).unwrap();
    terminal.until("memory of pid ");
    terminal.until("watched for ");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
#[parallel(machine)]
fn a_soak_shows_cpu_by_role_and_its_pace() {
    let place = Place::new(1, 1);
    let mut command = place.highwater();
    command.args("soak --demo --results results --short short.wav --long long.wav --for 4s".split(' '));
    let shown = in_a_terminal(&command);
    for part in ["soak, ", "memory of worker ", "CPU api ", ", worker ", " tasks/s"] {
        assert!(shown.contains(part), "`{part}` is missing in {shown:?}");
    }
}

#[test]
#[parallel(machine)]
fn what_a_soak_knows_is_served_until_it_ends() {
    let place = Place::new(1, 1);
    let (running, urls) = served(&place, "--metrics 0 --dashboard");
    let [metrics, page] = &urls[..] else { panic!("{urls:?}") };
    let text = eventually("a task in the metrics", || {
        let (status, text) = get(metrics, None, "").unwrap();
        assert_eq!(status, 200);
        let tasks = sample(&text, "highwater_tasks_total{status=\"success\"}")?;
        let fds = sample(&text, "highwater_open_fds{role=\"worker\"}")?;
        // CPU time is counted in steps of 10 ms.
        let cpu = sample(&text, "highwater_cpu_seconds_total{role=\"worker\"}")?;
        (tasks >= 3.0 && fds > 0.0 && cpu > 0.0).then_some(text)
    });
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(sample(&text, "highwater_phase{highwater_phase=\"soak\"}"), Some(1.0), "{text}");
    assert!(sample(&text, "highwater_resident_memory_bytes{role=\"worker\"}").unwrap() > 1e6, "{text}");
    let state = eventually("two looks in the state", || {
        let (status, state) = get(&format!("{page}state"), None, "").unwrap();
        assert_eq!(status, 200, "{state}");
        let state: Value = serde_json::from_str(&state).unwrap();
        (state["roles"]["worker"]["trail"].as_array()?.len() > 1).then_some(state)
    });
    assert_eq!((&state["phase"], &state["ended"]), (&"soak".into(), &false.into()), "{state}");
    assert!(get(page, None, "").unwrap().1.contains("script.js"));
    for url in [metrics, page] {
        assert_eq!(get(url, Some("evil.example"), "").unwrap().0, 403, "{url}");
        assert_eq!(get(url, None, "Origin: http://evil.example\r\n").unwrap().0, 403, "{url}");
    }
    assert_eq!(interrupt(running), Some(130));
    for url in [metrics, page] {
        assert!(get(url, None, "").is_err(), "{url} is served after the end");
    }
}

#[test]
#[parallel(machine)]
fn highwater_reads_its_own_metrics_as_those_of_any_service() {
    let place = Place::new(1, 1);
    let (running, urls) = served(&place, "--metrics 0");
    eventually("memory in the metrics", || {
        get(&urls[0], None, "").unwrap().1.contains("highwater_resident_memory_bytes").then_some(())
    });
    let role = format!(
        "[processes.worker.metrics]\nurl = \"{}\"\nseries = \"highwater_resident_memory_bytes\"\n\
         labels = [\"role=worker\"]\n",
        urls[0]
    );
    fs::write(place.path("highwater.toml"), role).unwrap();
    let mut watch = place.highwater();
    let output = watch.args("watch worker --for 3s --json --no-csv".split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let samples = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rss: Vec<f64> = samples.filter_map(|line| line["rss_mb"].as_f64()).collect();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(!rss.is_empty() && rss.iter().all(|mb| *mb > 1.0), "{said}{shown}");
    assert_eq!(interrupt(running), Some(130));
}

#[test]
fn an_address_that_cannot_be_had_ends_a_run_before_it_starts() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new(1, 1);
    for address in [address.as_str(), "nonsense"] {
        let output = place.highwater().args(["run", "--demo", "--metrics", address]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && said.contains(address), "{said}");
    }
    assert!(!place.path("results").exists(), "nothing is left behind");
}
