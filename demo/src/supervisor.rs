//! The supervisor: starts the processes of the service, reports when they are
//! ready and what happens to them, and stops them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::announce::{Process, Ready, ServiceEvent, say, say_first};
use crate::api::Notice;
use crate::error::{Error, Result};
use crate::lifeline::{Assignment, on_end_of_stdin};
use crate::options::{DemoOptions, Role};

/// The time within which all processes must be ready, even on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How long a process whose lifeline is cut has to end before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// Time between a worker's death and its successor's start.
const RESPAWN_DELAY: Duration = Duration::from_millis(100);

/// The size from which glibc's allocator gives a block a mapping of its own. This is its
/// initial limit, too, but it raises the limit up to 32 MB as such blocks are freed. A task's
/// buffers would then stay in the heap, and the memory of a healthy worker would not return
/// to its former level.
const MMAP_THRESHOLD_BYTES: &str = "131072";

/// Runs the service until a signal, or the end of stdin with `--lifeline`.
pub(super) fn run(options: &DemoOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| fault("cannot start the supervisor").source(error))?;
    runtime.block_on(supervise(options))
}

async fn supervise(options: &DemoOptions) -> Result<()> {
    let stop = stop_requested(options.lifeline)?;
    tokio::pin!(stop);
    let mut fleet = Fleet::new(options)?;
    let started = tokio::select! {
        () = &mut stop => Ok(None),
        started = tokio::time::timeout(START_DEADLINE, fleet.start()) => match started {
            Ok(started) => started.map(Some),
            Err(_) => Err(fault("the embedded service was not ready in time")
                .hint("the machine may be overloaded; try again with fewer `--workers`")),
        },
    };
    let ended = match started {
        Ok(Some(ready)) => match say_first(&ready) {
            Ok(()) => tokio::select! {
                () = &mut stop => Ok(()),
                ended = fleet.watch() => ended,
            },
            Err(error) => {
                Err(fault("nobody can read where the service listens: stdout cannot be written to")
                    .source(error))
            }
        },
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    fleet.stop().await;
    ended
}

fn fault(message: impl Into<String>) -> Error {
    Error::new(message)
}

/// Resolves when the service is asked to stop.
fn stop_requested(lifeline: bool) -> Result<impl Future<Output = ()>> {
    let cannot = |error: std::io::Error| fault("cannot listen for signals").source(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let (cut, line) = oneshot::channel::<()>();
    let mut kept = None;
    if lifeline {
        on_end_of_stdin(move || drop(cut))?;
    } else {
        // Without a lifeline the sender must stay alive, since its end would look like a cut lifeline.
        kept = Some(cut);
    }
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = line => {}
        }
        drop(kept);
    })
}

/// The processes of the service.
struct Fleet {
    program: PathBuf,
    options: DemoOptions,
    token: String,
    broker: Option<SocketAddr>,
    /// One future per live process, which ends with the process.
    exits: JoinSet<(Process, std::io::Result<ExitStatus>)>,
    /// The write ends of the processes' stdins.
    lifelines: HashMap<u32, ChildStdin>,
    api: Option<Lines<BufReader<ChildStdout>>>,
}

impl Fleet {
    fn new(options: &DemoOptions) -> Result<Fleet> {
        let program = std::env::current_exe()
            .map_err(|error| fault("cannot find this program's own file").source(error))?;
        // It cannot be guessed, since the standard library seeds its hasher from the system.
        let token = format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1));
        let options = DemoOptions { role: None, lifeline: false, ..options.clone() };
        Ok(Fleet {
            program,
            options,
            token,
            broker: None,
            exits: JoinSet::new(),
            lifelines: HashMap::new(),
            api: None,
        })
    }

    /// Starts all processes, and returns when all are ready.
    async fn start(&mut self) -> Result<Ready> {
        let api = self.spawn(Role::Api).await?;
        let http = match self.notice().await? {
            Notice::Listening { http, broker } => {
                self.broker = Some(broker);
                http
            }
            notice => return Err(fault(format!("the api began with {notice:?}"))),
        };
        let mut processes = vec![api];
        for _ in 0..self.options.workers {
            processes.push(self.spawn(Role::Worker).await?);
        }
        let mut connected = 0;
        while connected < self.options.workers {
            if let Notice::Connected { .. } = self.notice().await? {
                connected += 1;
            }
        }
        healthy(http).await.map_err(|error| fault("the api does not answer").source(error))?;
        Ok(Ready { ready: true, url: format!("http://{http}"), processes })
    }

    /// Starts one process and gives it its assignment.
    async fn spawn(&mut self, role: Role) -> Result<Process> {
        let cannot =
            |error: std::io::Error| fault(format!("cannot start the {} process", role.name())).source(error);
        let mut child = Command::new(&self.program)
            .args(["demo", "--role", role.name()])
            .env("MALLOC_MMAP_THRESHOLD_", MMAP_THRESHOLD_BYTES)
            .stdin(Stdio::piped())
            .stdout(if role == Role::Api { Stdio::piped() } else { Stdio::null() })
            // Only the supervisor should react to Ctrl+C in the terminal.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        let pid = child.id().expect("a child that was not waited for has a pid");
        let process = Process { role, pid };
        let mut lifeline = child.stdin.take().expect("stdin is piped");
        if let Some(stdout) = child.stdout.take() {
            self.api = Some(BufReader::new(stdout).lines());
        }
        self.exits.spawn(async move { (process, child.wait().await) });
        let assignment =
            Assignment { options: self.options.clone(), token: self.token.clone(), broker: self.broker };
        let mut text = serde_json::to_string(&assignment).map_err(|error| cannot(error.into()))?;
        text.push('\n');
        // If the child has already ended, its exit is reported, which says more than a broken pipe.
        let _ = lifeline.write_all(text.as_bytes()).await;
        self.lifelines.insert(pid, lifeline);
        Ok(process)
    }

    /// The api's next line; while the service starts, any exit is an error.
    async fn notice(&mut self) -> Result<Notice> {
        let lines = self.api.as_mut().expect("the api is started first");
        // Lines from before an exit count, so they are read first. After the last
        // line the api is about to exit.
        let line = tokio::select! {
            biased;
            Ok(Some(line)) = lines.next_line() => line,
            Some(exit) = self.exits.join_next() => {
                let (process, status) =
                    exit.map_err(|error| fault("lost a process of the embedded service").source(error))?;
                let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                let (role, pid) = (process.role.name(), process.pid);
                return Err(fault(format!("the {role} process (pid {pid}) ended before it was ready: {how}"))
                    .hint("its own message, if any, is above"));
            }
            else => return Err(fault("the embedded service has no processes")),
        };
        serde_json::from_str(&line).map_err(|error| fault(format!("the api said `{line}`")).source(error))
    }

    /// Reports exits, and replaces workers if the options say so. Ends with the api.
    async fn watch(&mut self) -> Result<()> {
        loop {
            let lines = self.api.as_mut().expect("the api is started first");
            let exit = tokio::select! {
                // The api keeps reporting workers, and its pipe must not fill up.
                Ok(Some(_)) = lines.next_line() => continue,
                Some(exit) = self.exits.join_next() => exit,
                else => return Err(fault("the embedded service has no processes left")),
            };
            let Ok((Process { role, pid }, Ok(status))) = exit else { continue };
            self.lifelines.remove(&pid);
            say(&ServiceEvent::Exited { role, pid, signal: status.signal(), code: status.code() });
            if role == Role::Api {
                return Err(fault(format!("the api process (pid {pid}) ended: {status}")));
            }
            if self.options.respawn {
                tokio::time::sleep(RESPAWN_DELAY).await;
                let Process { role, pid } = self.spawn(role).await?;
                say(&ServiceEvent::Started { role, pid });
            }
        }
    }

    /// Ends all processes and waits for them.
    async fn stop(&mut self) {
        self.lifelines.clear();
        let all = async { while self.exits.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_DEADLINE, all).await.is_err() {
            // Dropping a child kills it.
            self.exits.shutdown().await;
        }
    }
}

/// Asks the health endpoint once.
async fn healthy(http: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(http).await?;
    let request = format!("GET /api/v1/health HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(std::io::Error::other(format!("it said `{}`", answer.lines().next().unwrap_or_default())))
}
