//! Gathers the evidence that the roles ask for.

use std::collections::{BTreeMap, HashMap};
use std::time::UNIX_EPOCH;

use super::evidence::SearchEvidence;
use super::registry::Lookup;
use crate::plan::{ProcessPlan, from_environment};
use crate::programs::pids;
use crate::sampler::process::{ProcessInfo, ProcessSource, Question};

/// Gathers repeatedly, and remembers what is slow to look up.
#[derive(Default)]
pub(crate) struct Gatherer {
    lookups: HashMap<(String, String), Lookup>,
}

/// Whether to wait for slow look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Wait for the answer.
    Wait,
    /// Do not wait: use the last answer.
    None,
}

/// The tolerance for clocks and their rounding, in seconds.
const SLACK_S: f64 = 2.0;

impl Gatherer {
    /// The evidence that `roles` need in addition to `processes`.
    pub(crate) fn gather(
        &mut self,
        roles: &BTreeMap<String, ProcessPlan>,
        processes: &[ProcessInfo],
        source: &mut dyn ProcessSource,
        patience: Patience,
    ) -> SearchEvidence {
        let any = |asks: fn(&ProcessPlan) -> bool| roles.values().any(asks);
        let ports: Vec<u16> = roles.values().filter_map(|plan| plan.port).collect();
        let question = Question {
            exe: any(|plan| plan.exe.is_some()),
            cgroup: any(|plan| plan.unit.is_some() || plan.cgroup.is_some()),
            ports: &ports,
        };
        let facts = source.facts(processes, question);
        let mut evidence = SearchEvidence {
            facts,
            clock: source.clock(),
            hostname: hostname(),
            started: pids(),
            ..SearchEvidence::default()
        };
        for path in roles.values().filter_map(|plan| plan.pidfile.as_ref()) {
            let pid = read_pidfile(path, processes, &evidence);
            evidence.pidfiles.insert(path.clone(), pid);
        }
        for plan in roles.values() {
            let (Some(url), Some(queue)) = (&plan.rq.url, &plan.rq.queue) else { continue };
            let key = (url.clone(), queue.clone());
            let lookup = self
                .lookups
                .entry(key.clone())
                .or_insert_with(|| Lookup::start(&from_environment(url), queue));
            let workers = if patience == Patience::Wait { lookup.wait() } else { lookup.poll() };
            evidence.registries.insert(key, workers);
        }
        evidence
    }
}

/// The name of this machine, as Python's `socket.gethostname()` gives it.
fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The live process that a pidfile names, or why there is none. A process younger than
/// the file is another one, which has got the pid since.
fn read_pidfile(path: &str, processes: &[ProcessInfo], evidence: &SearchEvidence) -> Result<u32, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the pidfile `{path}`: {error}"))?;
    let first = text.split_whitespace().next().unwrap_or_default();
    let pid: u32 = first.parse().map_err(|_| format!("the pidfile `{path}` contains no pid"))?;
    let Some(process) = processes.iter().find(|process| process.id.pid == pid) else {
        return Err(format!("the pidfile `{path}` names the process {pid}, which is not alive"));
    };
    let written = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    if let (Some(written), Some(clock)) = (written, evidence.clock)
        && clock.started_at_s(process.id) > written.as_secs_f64() + SLACK_S
    {
        return Err(format!(
            "the pidfile `{path}` is older than the process {pid}, which is another than it means"
        ));
    }
    Ok(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::process::{Clock, ProcessId};

    #[test]
    fn a_pidfile_names_a_live_process_that_is_not_younger() {
        let home = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = home.path().join(name);
            std::fs::write(&path, text).expect("it can be written");
            path.to_string_lossy().into_owned()
        };
        let process = |pid| ProcessInfo {
            id: ProcessId { pid, start_ticks: 0 },
            parent: 1,
            name: "x".to_string(),
            argv: vec!["x".to_string()],
        };
        let booted = |booted_at_s| SearchEvidence {
            clock: Some(Clock { booted_at_s, ticks_per_second: 100.0, now_ticks: 0.0 }),
            ..SearchEvidence::default()
        };
        let read =
            |path: &str, evidence: &SearchEvidence| read_pidfile(path, &[process(7), process(8)], evidence);
        assert_eq!(read(&file("good", "7\n"), &booted(0.0)), Ok(7));
        let fails = |path: &str, evidence: &SearchEvidence| read(path, evidence).expect_err(path);
        assert!(fails(&file("dead", "9"), &booted(0.0)).ends_with("names the process 9, which is not alive"));
        assert!(fails(&file("stale", "7"), &booted(1e11)).contains("is older than the process 7"));
        assert!(fails(&file("empty", ""), &booted(0.0)).ends_with("contains no pid"));
        assert!(fails("/nowhere/worker.pid", &booted(0.0)).starts_with("cannot read the pidfile"));
    }
}
