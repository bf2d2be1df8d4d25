//! The engine itself: Docker's interface, which Podman speaks, too.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerState, ContainerStatsResponse, ContainerSummaryStateEnum};
use bollard::query_parameters::{ListContainersOptionsBuilder, StatsOptionsBuilder};
use futures_util::StreamExt;

use super::choose::Listed;
use crate::record::ExitKind;
use crate::sampler::elsewhere::Figures;

/// The time limit of a request, in seconds. The whole look has a shorter one.
const LIMIT_S: u64 = 10;

/// An engine that answers.
pub(super) struct Engine {
    docker: Docker,
    socket: PathBuf,
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) running: bool,
    /// The pid of its first process, as the engine sees it; 0 if it has none.
    pub(super) pid: u32,
    pub(super) started_s: Option<f64>,
    /// How it ended, if it has run and does not any more.
    pub(super) ended: Option<ExitKind>,
    /// The control group above its own; empty unless one was asked for.
    pub(super) cgroup_parent: String,
}

impl Engine {
    /// # Errors
    /// A sentence: the socket is not there, may not be opened, or is nobody's.
    pub(super) async fn open(socket: &Path) -> Result<Engine, String> {
        if let Err(error) = UnixStream::connect(socket) {
            return Err(unusable(socket, error.kind(), &error.to_string()));
        }
        let path = socket.to_string_lossy();
        let opened = Docker::connect_with_unix(&path, LIMIT_S, bollard::API_DEFAULT_VERSION);
        let engine = |docker: Docker| Engine { docker, socket: socket.to_path_buf() };
        let failed = |error| failed(socket, &error);
        // An engine refuses a client that speaks a version which it does not know.
        let docker = opened.map_err(failed)?.negotiate_version().await.map_err(failed)?;
        Ok(engine(docker))
    }

    /// All containers, also those that do not run.
    ///
    /// # Errors
    /// A sentence that says why there is no answer.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, String> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let containers =
            self.docker.list_containers(Some(options)).await.map_err(|error| self.failed(&error))?;
        let listed = |one: bollard::models::ContainerSummary| {
            let name = one.names.and_then(|names| names.into_iter().next()).unwrap_or_default();
            Listed {
                id: one.id.unwrap_or_default(),
                name: name.trim_start_matches('/').to_string(),
                labels: one.labels.unwrap_or_default().into_iter().collect(),
                is_running: one.state == Some(ContainerSummaryStateEnum::RUNNING),
                ports: one.ports.unwrap_or_default().iter().filter_map(|port| port.public_port).collect(),
            }
        };
        Ok(containers.into_iter().map(listed).collect())
    }

    /// The state of a container; absent if there is no such container any more.
    ///
    /// # Errors
    /// A sentence that says why there is no answer.
    pub(super) async fn state(&self, id: &str) -> Result<Option<State>, String> {
        let found = match self.docker.inspect_container(id, None).await {
            Ok(found) => found,
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
            Err(error) => return Err(self.failed(&error)),
        };
        let parent = found.host_config.and_then(|config| config.cgroup_parent).unwrap_or_default();
        Ok(found.state.map(|found| state(found, parent)))
    }

    /// What the engine has counted for a container; absent if it has ended.
    ///
    /// # Errors
    /// A sentence that says why there is no answer, or what it lacks.
    pub(super) async fn figures(&self, id: &str) -> Result<Option<Figures>, String> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let mut answers = Box::pin(self.docker.stats(id, Some(options)));
        match answers.next().await {
            Some(Ok(stats)) => figures(stats),
            // It has ended since it was found to run.
            Some(Err(Error::DockerResponseServerError { status_code: 404 | 409, .. })) | None => Ok(None),
            Some(Err(error)) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &Error) -> String {
        failed(&self.socket, error)
    }
}

fn failed(socket: &Path, error: &Error) -> String {
    let socket = socket.display();
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            format!("the engine at `{socket}` answers with status {status_code}: {message}")
        }
        other => {
            // The outermost message says only that a request failed.
            let causes = std::iter::successors(Some(other as &dyn std::error::Error), |error| error.source());
            let innermost = causes.last().map_or_else(String::new, ToString::to_string);
            format!("the engine at `{socket}` gives no answer: {innermost}")
        }
    }
}

/// Why nothing can be asked through `socket`, and what to do about it.
fn unusable(socket: &Path, kind: ErrorKind, message: &str) -> String {
    let path = socket.display();
    match kind {
        ErrorKind::NotFound => format!("there is no socket `{path}`: does the engine run?"),
        ErrorKind::PermissionDenied => format!(
            "`{path}` may not be opened: only root and members of its group may; `sudo usermod -aG docker $USER` makes you \
             one of Docker's"
        ),
        ErrorKind::ConnectionRefused => format!("no engine listens at `{path}`: start it"),
        _ => format!("`{path}` cannot be opened: {message}"),
    }
}

fn state(found: ContainerState, cgroup_parent: String) -> State {
    let moment = |text: Option<String>| {
        // A container that has not been started did so in the year 1.
        let moment: jiff::Timestamp = text?.parse().ok()?;
        Some(moment.as_millisecond() as f64 / 1e3).filter(|seconds| *seconds > 0.0)
    };
    let running = found.running.unwrap_or(false);
    let started_s = moment(found.started_at);
    let how = match (found.oom_killed, found.exit_code.and_then(|code| i32::try_from(code).ok())) {
        (Some(true), _) => ExitKind::OutOfMemory,
        // Engines report the end by a signal as shells do.
        (_, Some(code @ 129..=192)) => ExitKind::Signal(code - 128),
        (_, Some(code)) => ExitKind::Code(code),
        (_, None) => ExitKind::Unknown,
    };
    State {
        running,
        pid: found.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
        started_s,
        ended: (!running && started_s.is_some()).then_some(how),
        cgroup_parent,
    }
}

/// The figures in an engine's answer, with the page cache left out as for a control group; absent for a container that
/// has no process any more, of which engines count nothing.
fn figures(stats: ContainerStatsResponse) -> Result<Option<Figures>, String> {
    let memory = stats.memory_stats.unwrap_or_default();
    let Some(usage) = memory.usage.filter(|usage| *usage > 0) else { return Ok(None) };
    let counted: HashMap<String, u64> = memory.stats.unwrap_or_default();
    // Version 2 of control groups, then version 1.
    let either = |names: [&str; 2]| names.iter().find_map(|name| counted.get(*name)).copied();
    let (Some(inactive), Some(anon)) =
        (either(["inactive_file", "total_inactive_file"]), either(["anon", "total_rss"]))
    else {
        let lacks = "its engine does not say how much of its memory is page cache; run highwater where it can see the \
                     container's processes or its control group";
        return Err(lacks.to_string());
    };
    let cpu = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
    Ok(Some(Figures {
        rss_bytes: usage.saturating_sub(inactive),
        private_bytes: Some(anon),
        peak_bytes: memory.max_usage,
        threads: stats.pids_stats.and_then(|pids| pids.current),
        cpu_s: cpu.map(|nanoseconds| nanoseconds as f64 / 1e9),
        ..Figures::default()
    }))
}
