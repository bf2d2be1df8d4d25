//! A helper process that follows orders: this test binary, run again.
//!
//! It reads one order a line, and ends when its standard input does, so that
//! it cannot outlive the test, however that ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use highwater::plan::ProcessPlan;

const MARK: &str = "helper:";
const VARIABLE: &str = "HIGHWATER_SAMPLER_TEST_HELPER";

/// How the test runner knows [`helper_process`].
const ENTRY: &str = "support::helper::helper_process";

/// Not a test: where the helper begins. It does nothing in a test run.
#[test]
fn helper_process() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let mut memory: Vec<Vec<u8>> = Vec::new();
    let mut files: Vec<std::fs::File> = Vec::new();
    let mut children: Vec<Helper> = Vec::new();
    let mut listeners = Vec::new();
    answer(format_args!("ready {}", std::process::id()));
    for order in std::io::stdin().lines().map_while(Result::ok) {
        let (order, argument) = order.split_once(' ').unwrap_or((&order, "0"));
        let number: u64 = argument.parse().expect("orders take a number");
        match order {
            "allocate" => {
                memory.push(vec![1; usize::try_from(number).expect("a size") << 20]);
                std::hint::black_box(&memory);
                answer(format_args!("done"));
            }
            "release" => {
                memory.clear();
                answer(format_args!("done"));
            }
            "spike" => {
                let spike = vec![1u8; usize::try_from(number).expect("a size") << 20];
                drop(std::hint::black_box(spike));
                answer(format_args!("done"));
            }
            "open" => {
                let null = || std::fs::File::open("/dev/null").expect("it is there");
                files.extend((0..number).map(|_| null()));
                answer(format_args!("done"));
            }
            "threads" => {
                for _ in 0..number {
                    std::thread::spawn(|| {
                        loop {
                            std::thread::park();
                        }
                    });
                }
                answer(format_args!("done"));
            }
            "zombies" => {
                (0..number).for_each(|_| zombie());
                answer(format_args!("done"));
            }
            "burn" => answer(format_args!("{}", burn(number * 1_000_000))),
            "spawn" => {
                children.push(Helper::spawn());
                answer(format_args!("{}", children[children.len() - 1].pid));
            }
            "listen" => {
                let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
                answer(format_args!("{}", listener.local_addr().expect("bound").port()));
                listeners.push(listener);
            }
            "exit" => std::process::exit(i32::try_from(number).expect("a code")),
            unknown => panic!("no such order: {unknown}"),
        }
    }
    drop(children);
    std::process::exit(0);
}

#[expect(clippy::zombie_processes, reason = "a zombie is what is wanted")]
fn zombie() {
    let mut child = Command::new("/bin/true").stdout(Stdio::piped()).spawn().expect("`true` starts");
    // It says nothing before it ends.
    child.stdout.take().expect("a pipe").read_to_end(&mut Vec::new()).expect("its end");
}

fn answer(text: std::fmt::Arguments<'_>) {
    println!("\n{MARK}{text}");
    std::io::stdout().flush().expect("the test reads this");
}

/// Burns CPU in this thread until it has used `nanos`; returns how much it used.
fn burn(nanos: u64) -> u64 {
    let used = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("CPU time of the thread");
        text.split(' ').next().and_then(|used| used.parse::<u64>().ok()).expect("nanoseconds")
    };
    let start = used();
    while used() - start < nanos {
        let mut sum = 0u64;
        for n in 0..200_000 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
        }
    }
    used() - start
}

/// A running helper; killed and reaped on drop.
pub(crate) struct Helper {
    pub(crate) pid: u32,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<Box<dyn Read + Send>>,
}

impl Helper {
    /// A child of this process.
    pub(crate) fn spawn() -> Helper {
        let exe = std::env::current_exe().expect("our own program");
        let mut command = Command::new(exe);
        command.args(["--exact", ENTRY, "--nocapture"]);
        Helper::start(command)
    }

    /// Not a child of this process, and with `word` in its command line.
    pub(crate) fn spawn_stranger(word: &str) -> Helper {
        Helper::spawn_under(&[], word)
    }

    /// As [`Helper::spawn_stranger`], started by a `launcher` such as `timeout 600`.
    pub(crate) fn spawn_under(launcher: &[&str], word: &str) -> Helper {
        let exe = std::env::current_exe().expect("our own program");
        let mut command = Command::new("/bin/sh");
        // The shell ends at once, so that its child goes to init. The standard
        // input goes a detour: that of a background job is empty otherwise.
        command.args(["-c", r#"exec 3<&0; "$0" "$@" <&3 3<&- & exit 0"#]);
        command.args(launcher).arg(exe).args(["--exact", ENTRY, "--nocapture", word]);
        let mut helper = Helper::start(command);
        helper.child.wait().expect("the shell is ours");
        helper
    }

    fn start(mut command: Command) -> Helper {
        let mut child = command
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the helper starts");
        let orders = child.stdin.take();
        let answers: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("a pipe"));
        let mut helper = Helper { pid: 0, child, orders, answers: BufReader::new(answers) };
        let ready = helper.read_answer();
        helper.pid = ready.strip_prefix("ready ").and_then(|pid| pid.parse().ok()).expect("the pid");
        helper
    }

    /// Gives an order and waits until it is done.
    pub(crate) fn tell(&mut self, order: &str) -> String {
        self.order(order);
        self.read_answer()
    }

    /// Gives an order that has no answer.
    pub(crate) fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("open until drop");
        writeln!(orders, "{order}").expect("the helper reads its orders");
    }

    /// Sends SIGKILL, and leaves the zombie (if it is a child).
    pub(crate) fn kill(&self) {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is alive");
    }

    fn read_answer(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.answers.read_line(&mut line).expect("the helper answers");
            assert!(length > 0, "the helper has ended instead of answering");
            if let Some(answer) = line.trim_end().strip_prefix(MARK) {
                return answer.to_string();
            }
        }
    }

    /// The role `worker`, played by this helper.
    pub(crate) fn role(&self) -> BTreeMap<String, ProcessPlan> {
        let plan = ProcessPlan { pid: Some(self.pid), ..ProcessPlan::default() };
        BTreeMap::from([("worker".to_string(), plan)])
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The end of its input ends also a helper that is not our child.
        drop(self.orders.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds; fails after a deadline that only a broken
/// program, and not a busy machine, can miss.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed().as_secs() < 60, "in vain: waited until {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
