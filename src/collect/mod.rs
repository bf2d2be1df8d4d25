//! Makes the service's runtime collect before its memory is read.
//!
//! A collected heap holds garbage until its runtime sees fit, so that its size says little of what is kept. Where
//! the runtime can be told to collect, a reading shows what is in use, and the verdict takes fewer tasks.

mod collected;
mod inspector;
mod java;
mod python;

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use self::collected::Collected;
use crate::error::Result;
use crate::plan::{CollectKind, Plan};
use crate::service::Endpoint;

/// A collection that takes longer is given up: the reading must not wait for ever.
const LIMIT: Duration = Duration::from_secs(20);

/// The path of Go's heap profile, which collects first.
const GO_HEAP: &str = "/debug/pprof/heap?gc=1";

/// How the service's runtime is made to collect.
#[derive(Debug)]
pub(crate) enum Collector {
    /// A request to an endpoint of the service's own.
    Post(Endpoint),
    /// A request to the profiler of a Go program.
    Get(Endpoint),
    /// A program, once for each process.
    Command(Vec<String>),
    /// The inspector of Node.js.
    Inspector(Option<String>),
    /// The remote execution of CPython.
    Python,
    /// The attach mechanism of Java.
    Java,
    /// The same, for those processes only that are Java machines: the default.
    JavaIfAny,
}

impl Collector {
    /// The collector that `settle.collect` selects; `None` if it is off.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] for a URL that is none.
    pub(crate) fn of_plan(plan: &Plan) -> Result<Option<Collector>> {
        let settle = &plan.settle;
        let Some(kind) = settle.collect else { return Ok(Some(Collector::JavaIfAny)) };
        let url = Some(settle.collect_url.trim_end_matches('/')).filter(|url| !url.is_empty());
        Ok(Some(match kind {
            CollectKind::Off => return Ok(None),
            CollectKind::Url => Collector::Post(Endpoint::of_url(url.unwrap_or_default())?),
            CollectKind::GoPprof => {
                let base = url.unwrap_or(plan.target.url.trim_end_matches('/'));
                Collector::Get(Endpoint::of_url(&format!("{base}{GO_HEAP}"))?)
            }
            CollectKind::Command => Collector::Command(settle.collect_command.clone()),
            CollectKind::Jcmd => Collector::Java,
            CollectKind::NodeInspector => Collector::Inspector(url.map(str::to_string)),
            CollectKind::Python => Collector::Python,
        }))
    }

    /// False if the collection is automatic, since `settle.collect` is not set.
    pub(crate) fn is_asked_for(&self) -> bool {
        !matches!(self, Collector::JavaIfAny)
    }

    /// Collects in the processes `pids`, or asks the service to. `None` if there is no process to ask.
    ///
    /// # Errors
    /// A sentence that says what did not work.
    pub(crate) async fn collect(&self, pids: &[u32]) -> std::result::Result<Option<Collected>, String> {
        let machines: Vec<u32>;
        let pids = if self.is_asked_for() {
            pids
        } else {
            machines = pids.iter().copied().filter(|pid| java::is_machine(*pid)).collect();
            if machines.is_empty() {
                return Ok(None);
            }
            &machines
        };
        let all = async {
            match self {
                Collector::Post(endpoint) => endpoint.post().await?,
                Collector::Get(endpoint) => endpoint.get().await?,
                Collector::Command(argv) => {
                    for pid in pids {
                        command(argv, *pid).await?;
                    }
                }
                Collector::Inspector(url) => {
                    for pid in pids {
                        inspector::collect(*pid, url.as_deref()).await?;
                    }
                }
                Collector::Java | Collector::JavaIfAny => {
                    let mut heap_mb = Some(0.0);
                    for pid in pids {
                        let used_mb = java::collect(*pid).await?;
                        heap_mb = heap_mb.zip(used_mb).map(|(sum, used)| sum + used);
                    }
                    return Ok(Collected { heap_mb });
                }
                Collector::Python => {
                    for pid in pids {
                        python::collect(*pid).await?;
                    }
                }
            }
            Ok(Collected::default())
        };
        match tokio::time::timeout(LIMIT, all).await {
            Ok(ended) => ended.map(Some),
            Err(_) => Err(format!("no collection within {} s", LIMIT.as_secs())),
        }
    }
}

/// Runs `argv` for one process and waits for its end.
async fn command(argv: &[String], pid: u32) -> std::result::Result<(), String> {
    let argv: Vec<String> = argv.iter().map(|word| word.replace("{pid}", &pid.to_string())).collect();
    let Some((program, arguments)) = argv.split_first() else {
        return Err("`settle.collect_command` names no program".to_string());
    };
    let run = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Given up with the collection.
        .kill_on_drop(true)
        .output();
    let output = run.await.map_err(|error| format!("cannot run `{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing").trim();
    Err(format!("`{}` failed ({}): {first}", argv.join(" "), output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_command_is_run_for_each_process_with_its_pid() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo {{pid}} >> {}", file.path().display());
        let collector = Collector::Command(argv(&["sh", "-c", &script]));
        collector.collect(&[11, 22]).await.unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "11\n22\n");
    }

    #[tokio::test]
    async fn a_command_that_fails_or_is_not_there_says_so() {
        let failed =
            command(&argv(&["sh", "-c", "echo no such process {pid} >&2; exit 3"]), 7).await.unwrap_err();
        assert!(failed.contains("no such process 7") && failed.contains('3'), "{failed}");
        let missing = command(&argv(&["highwater-has-no-such-program"]), 7).await.unwrap_err();
        assert!(missing.starts_with("cannot run `highwater-has-no-such-program`"), "{missing}");
    }
}
