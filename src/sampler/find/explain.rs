//! Explains why a role has no process, and what to do about it.

use super::evidence::SearchEvidence;
use super::{Candidate, RoleFound};
use crate::plan::ProcessPlan;
use crate::units::{span, to_mb};
use crate::{Error, ErrorKind};

/// The conditions of a role, in words: `an RQ worker of the queue `asr-queue``.
pub(super) fn sought(plan: &ProcessPlan) -> String {
    let mut parts: Vec<String> = plan.explicit_pids().iter().map(|pid| format!("pid {pid}")).collect();
    let mut say = |what: &str, text: Option<&String>| {
        parts.extend(text.map(|text| format!("{what} `{text}`")));
    };
    let registered = plan.rq.url.is_some();
    say(
        if registered { "in RQ's registry a worker of the queue" } else { "an RQ worker of the queue" },
        plan.rq.queue.as_ref(),
    );
    say("the program", plan.program.as_ref());
    say("the name", plan.name.as_ref());
    say("the executable", plan.exe.as_ref());
    say("the pid in", plan.pidfile.as_ref());
    say("the unit", plan.unit.as_ref());
    say("the control group", plan.cgroup.as_ref());
    say("the container", plan.container.as_ref());
    say("the metrics at", plan.metrics.url.as_ref());
    say("the figures of the group", plan.group.path.as_ref());
    say("the Prometheus at", plan.prometheus.url.as_ref());
    if let Some(port) = plan.port {
        parts.push(format!("a socket that listens on port {port}"));
    }
    if !plan.argv.is_empty() {
        parts.push(format!("the arguments {}", quoted(&plan.argv)));
    }
    if !plan.patterns.is_empty() {
        parts.push(format!("a command line with {}", quoted(&plan.patterns)));
    }
    parts.join(" and ")
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" and ")
}

/// Why the evidence names no process.
pub(super) fn trouble(role: &str, plan: &ProcessPlan, evidence: &SearchEvidence) -> Option<String> {
    let elsewhere = evidence.facts.elsewhere.get(role).and_then(|pids| pids.as_ref().err().cloned());
    let pidfile = plan.pidfile.as_ref().and_then(|path| match evidence.pidfiles.get(path)? {
        Ok(pid) => Some(format!("`{path}` names the process {pid}, which is not what the role asks for")),
        Err(reason) => Some(reason.clone()),
    });
    let port = plan.port.and_then(|port| evidence.facts.listeners.get(&port)?.as_ref().err().cloned());
    let registry = plan.rq.url.as_ref().zip(plan.rq.queue.as_ref()).and_then(|(url, queue)| {
        match evidence.registries.get(&(url.clone(), queue.clone()))? {
            Ok(workers) if workers.is_empty() => {
                Some(format!("RQ's registry has no live worker for the queue `{queue}`"))
            }
            Ok(workers) => {
                let each = |worker: &super::RqWorker| {
                    format!("`{}` (pid {} on `{}`)", worker.name, worker.pid, worker.hostname)
                };
                let all: Vec<_> = workers.iter().map(each).collect();
                Some(format!("RQ's registry knows {}, and none is a process of this machine", all.join(", ")))
            }
            Err(reason) => Some(reason.clone()),
        }
    });
    elsewhere.or(pidfile).or(port).or(registry)
}

pub(super) fn not_found(role: &str, found: &RoleFound) -> Error {
    let plan = &found.plan;
    if let Some(pid) = plan.pid {
        // `highwater watch --pid` names the role after the pid.
        if role == format!("pid {pid}") {
            let message = format!("there is no live process {pid}");
            return Error::new(ErrorKind::ProcessNotFound, message)
                .hint("`pgrep -af WORDS` shows the pid of a process; `highwater watch WORDS` needs none");
        }
        return Error::new(
            ErrorKind::ProcessNotFound,
            format!("there is no live process {pid} for the role `{role}`"),
        )
        .hint(format!("correct `processes.{role}.pid`, or leave it out and say how to find the process"));
    }
    if plan.is_elsewhere() {
        let trouble = found.trouble.as_deref().unwrap_or("there is no such process");
        return Error::new(
            ErrorKind::ProcessNotFound,
            format!("no figures for the role `{role}`: {trouble}"),
        )
        .hint(match (&plan.metrics.url, &plan.container) {
            (Some(url), _) => format!("`curl {url}` shows what highwater gets"),
            (None, Some(_)) => format!(
                "`docker ps -a` or `podman ps -a` shows the containers; `processes.{role}.container_socket` says whose"
            ),
            (None, None) => format!("check `processes.{role}`: its figures come from there"),
        });
    }
    let only_patterns = sought(&ProcessPlan { patterns: plan.patterns.clone(), ..ProcessPlan::default() });
    let message = match &found.trouble {
        Some(trouble) => format!("no process for the role `{role}`: {trouble}"),
        None if !plan.patterns.is_empty() && sought(plan) == only_patterns => {
            format!("no process for the role `{role}`: no command line contains {}", quoted(&plan.patterns))
        }
        None => format!("no process for the role `{role}`: none is {}", sought(plan)),
    };
    let mut hint = match how_to_start(plan) {
        Some(command) => format!("start it, for example with `{command}`"),
        None => "start the service first".to_string(),
    };
    hint.push_str(&format!(", or choose a process: {}", ways_to_choose(role)));
    if !found.near_misses.is_empty() {
        hint.push_str("\nnearly matched:");
    }
    for miss in &found.near_misses {
        let process = &miss.process;
        hint.push_str(&format!("\n  pid {}  {}", process.id.pid, shortened(&process.command_line(), 100)));
        hint.push_str(&format!("\n    {}", miss.reason));
    }
    Error::new(ErrorKind::ProcessNotFound, message).hint(hint)
}

pub(super) fn too_many(role: &str, found: &RoleFound) -> Error {
    let message = format!(
        "{} processes match the role `{role}`, which takes one: each is {}",
        found.surplus.len(),
        sought(&found.plan)
    );
    let mut hint = format!("choose one: {}", ways_to_choose(role));
    if found.plan.rq.queue.is_some() && found.plan.rq.url.is_none() {
        hint.push_str(&format!(
            "\nor ask RQ's registry: `--set processes.{role}.rq.url=redis://HOST:PORT/DB`, the Redis of the service"
        ));
    }
    hint.push_str(&format!("\nif all of them belong to the service: `processes.{role}.count = \"any\"`"));
    for candidate in &found.surplus {
        hint.push_str(&format!("\n  {}", line(candidate)));
    }
    Error::new(ErrorKind::ProcessNotFound, message).hint(hint)
}

fn ways_to_choose(role: &str) -> String {
    match role {
        "worker" => "`--worker-pid PID`, `--worker-pidfile FILE`, `--worker-port PORT`, \
            or `[processes.worker]` in highwater.toml"
            .to_string(),
        role => {
            format!("`processes.{role}.pid`, `.pidfile`, `.port` or `.program` in highwater.toml, or `--set`")
        }
    }
}

/// `pid 4711  up 2 h, 83 MB  rq worker asr-queue`.
fn line(candidate: &Candidate) -> String {
    let age = candidate.age_s.map_or(String::new(), |age| format!("up {}, ", span(age)));
    let rss = candidate.rss_bytes.map_or("RSS unknown".to_string(), |rss| format!("{:.0} MB", to_mb(rss)));
    let process = &candidate.process;
    // Two candidates may differ only at the end of their command lines.
    format!("pid {}  {age}{rss}  {}", process.id.pid, shortened(&process.command_line(), 300))
}

/// A command that starts the service, if it can be guessed.
fn how_to_start(plan: &ProcessPlan) -> Option<String> {
    if let Some(queue) = &plan.rq.queue {
        let url = "redis://localhost:6379/0";
        return Some(format!("rq worker {queue} --url {url}"));
    }
    let words: Vec<&String> = plan.patterns.iter().chain(&plan.argv).chain(&plan.program).collect();
    let has = |wanted: &str| words.iter().any(|word| word.contains(wanted));
    if has("rq worker") {
        Some("rq worker asr-queue --url redis://localhost:6379/0".to_string())
    } else if has("uvicorn") {
        Some("uvicorn app:app --port 8000".to_string())
    } else {
        plan.unit.as_ref().map(|unit| format!("systemctl start {unit}"))
    }
}

fn shortened(line: &str, most: usize) -> String {
    if line.chars().count() <= most {
        return line.to_string();
    }
    line.chars().take(most).chain("…".chars()).collect()
}
