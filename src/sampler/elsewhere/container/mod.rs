//! Containers, asked of Docker or Podman.
//!
//! The engine says which processes they are. Where these can be seen from here, `/proc` has their figures, and the search
//! works with them as with all others. Where they cannot, because they are in another PID namespace or in a virtual
//! machine, the container counts as one process, with the figures of its control group or those that the engine gives.

mod choose;
mod engine;
mod place;
mod sockets;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use self::choose::{Chosen, choose};
use self::engine::{Engine, State};
use self::place::{Place, Trees};
use super::{Figures, Nearby, Origin, Sighting};
use crate::plan::{ProcessPlan, from_environment};
use crate::record::ExitKind;
use crate::{Error, ErrorKind, Result};

/// How often the engine is asked for containers that have come since, while those that are known go on.
const AGAIN: Duration = Duration::from_secs(5);
/// The most time that an engine may take to answer; Podman starts a program for some answers.
const PATIENCE: Duration = Duration::from_secs(3);

/// The containers that play a role.
pub(super) struct Containers {
    /// What the plan says of them.
    text: String,
    /// Where an engine may be asked; once one has such a container, only that one is.
    sockets: std::result::Result<Vec<PathBuf>, String>,
    engine: Option<Engine>,
    trees: Trees,
    runtime: Runtime,
    running: Vec<Running>,
    asked: Option<Instant>,
}

/// A container that runs.
struct Running {
    container: Chosen,
    started_s: Option<f64>,
    place: Place,
    /// The key that its figures had.
    key: Option<String>,
}

/// The containers that run, with any engine that answers: for suggestions. Nothing is said of engines that do not.
pub(super) fn nearby() -> Vec<Nearby> {
    let sockets = sockets::sockets(None, &|name| std::env::var(name).ok()).unwrap_or_default();
    let Ok(runtime) = runtime() else { return Vec::new() };
    let mut found = Vec::new();
    for socket in sockets {
        let listed = async { Engine::open(&socket).await?.list().await };
        let limit = async { tokio::time::timeout(PATIENCE, listed).await };
        found.extend(runtime.block_on(limit).ok().and_then(std::result::Result::ok).unwrap_or_default());
    }
    let running = found.into_iter().filter(|one| one.is_running);
    running
        .map(|one| Nearby { service: one.service().map(str::to_string), name: one.name, ports: one.ports })
        .collect()
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))
}

impl Containers {
    /// # Errors
    /// [`ErrorKind::Io`] if there can be no runtime.
    pub(super) fn of_plan(plan: &ProcessPlan) -> Result<Containers> {
        let socket = plan.container_socket.as_deref().map(from_environment);
        let sockets = sockets::sockets(socket.as_deref(), &|name| std::env::var(name).ok());
        Containers::new(plan.container.clone().unwrap_or_default(), sockets, Trees::of_this_machine())
    }

    fn new(
        text: String,
        sockets: std::result::Result<Vec<PathBuf>, String>,
        trees: Trees,
    ) -> Result<Containers> {
        Ok(Containers {
            text,
            sockets,
            engine: None,
            trees,
            runtime: runtime()?,
            running: Vec::new(),
            asked: None,
        })
    }
}

impl Origin for Containers {
    fn name(&self) -> String {
        format!("container `{}`", self.text)
    }

    fn read(&mut self) -> std::result::Result<Sighting, String> {
        let Containers { text, sockets, engine, trees, runtime, running, asked } = self;
        let whole = async {
            let is_recent = asked.is_some_and(|asked| asked.elapsed() < AGAIN) && !running.is_empty();
            if is_recent
                && let Some(engine) = engine
                && let Some(figures) = figures_of(running, engine, trees).await?
            {
                return Ok(figures);
            }
            *asked = Some(Instant::now());
            ask(text, sockets.as_deref().map_err(String::clone)?, engine, trees, running).await
        };
        let limit = async { tokio::time::timeout(PATIENCE, whole).await };
        runtime
            .block_on(limit)
            .unwrap_or_else(|_| Err(format!("gets no answer within {} s", PATIENCE.as_secs_f64())))
            .map_err(|trouble| format!("cannot be looked up: {trouble}"))
    }

    fn patience(&self) -> Duration {
        // Its own limit says more, and comes first.
        PATIENCE + Duration::from_secs(1)
    }

    fn oldest_s(&self) -> f64 {
        f64::INFINITY
    }
}

/// The figures of containers that are known to run; absent if one of them does not run any more.
async fn figures_of(
    running: &mut [Running],
    engine: &Engine,
    trees: &Trees,
) -> std::result::Result<Option<Sighting>, String> {
    let mut sighting = Sighting::default();
    for one in running {
        let id = &one.container.id;
        let figures = match &one.place {
            Place::Here(pid) if trees.has(*pid, id) => {
                sighting.here.push(*pid);
                continue;
            }
            Place::Here(_) => None,
            Place::Group(path) => super::group::occupied(path)?,
            Place::Engine => {
                let state = engine.state(id).await?;
                let same = state.is_some_and(|state| state.running && state.started_s == one.started_s);
                if same { engine.figures(id).await? } else { None }
            }
        };
        let Some(figures) = figures else { return Ok(None) };
        let figures = Figures {
            name: one.container.name.clone(),
            place: Some(one.place.to_string()),
            key: format!("{id} {}", figures.key),
            started_s: one.started_s,
            ..figures
        };
        one.key = Some(figures.key.clone());
        sighting.figures.push(figures);
    }
    Ok(Some(sighting))
}

/// Asks the engines which containers there are, and where each of them can be read.
async fn ask(
    text: &str,
    sockets: &[PathBuf],
    engine: &mut Option<Engine>,
    trees: &Trees,
    running: &mut Vec<Running>,
) -> std::result::Result<Sighting, String> {
    let chosen = match engine {
        Some(engine) => choose(&engine.list().await?, text)?,
        None => {
            let (found, chosen) = look_for(text, sockets).await?;
            *engine = found;
            chosen
        }
    };
    let (Some(engine), Ok(chosen)) = (&*engine, &chosen) else {
        running.clear();
        return Ok(Sighting { nothing: chosen.err(), ..Sighting::default() });
    };
    let before = std::mem::take(running);
    let mut stopped = Vec::new();
    for container in chosen {
        // It may have been removed since it was listed.
        let Some(state) = engine.state(&container.id).await? else { continue };
        match place(container, &state, engine, trees).await? {
            Some(place) => running.push(Running {
                container: container.clone(),
                started_s: state.started_s,
                place,
                key: None,
            }),
            None => stopped.push((container, state)),
        }
    }
    let how = |(container, state): &(&Chosen, State)| {
        let known = before.iter().find(|one| one.container.id == container.id)?;
        Some((known.key.clone()?, state.ended?))
    };
    let ended = stopped.iter().filter_map(how).collect();
    let nothing = stopped.first().map(|(container, state)| is_not_running(container, state));
    // One that has ended meanwhile is found to have stopped at the next look.
    let sighting = figures_of(running, engine, trees).await?.unwrap_or_default();
    Ok(Sighting { ended, nothing, ..sighting })
}

/// The first engine that has such a container, or why none has.
async fn look_for(
    text: &str,
    sockets: &[PathBuf],
) -> std::result::Result<(Option<Engine>, std::result::Result<Vec<Chosen>, String>), String> {
    let (mut failures, mut absences) = (Vec::new(), Vec::new());
    for socket in sockets {
        let listed = async {
            let engine = Engine::open(socket).await?;
            let containers = engine.list().await?;
            Ok::<_, String>((engine, containers))
        };
        match listed.await {
            Err(failure) => failures.push(failure),
            Ok((engine, containers)) => match choose(&containers, text)? {
                Ok(chosen) => return Ok((Some(engine), Ok(chosen))),
                Err(absence) => absences.push(absence),
            },
        }
    }
    if absences.is_empty() {
        return Err(failures.join("; "));
    }
    absences.extend(failures);
    Ok((None, Err(absences.join("; "))))
}

/// Where a container can be read; absent if it does not run.
async fn place(
    container: &Chosen,
    state: &State,
    engine: &Engine,
    trees: &Trees,
) -> std::result::Result<Option<Place>, String> {
    if !state.running || state.pid == 0 {
        return Ok(None);
    }
    if trees.has(state.pid, &container.id) {
        return Ok(Some(Place::Here(state.pid)));
    }
    if let Some(group) = trees.group_of(&container.id, &state.cgroup_parent) {
        return Ok(Some(Place::Group(group)));
    }
    Ok(engine.figures(&container.id).await?.map(|_| Place::Engine))
}

fn is_not_running(container: &Chosen, state: &State) -> String {
    let how = match state.ended {
        Some(ExitKind::OutOfMemory) => "it was killed for want of memory".to_string(),
        Some(ExitKind::Code(code)) => format!("it exited with code {code}"),
        Some(ExitKind::Signal(signal)) => format!("it was killed, signal {signal}"),
        Some(ExitKind::Unknown) | None => "it has not been started".to_string(),
    };
    format!("does not run (`{}`: {how})", container.name)
}
