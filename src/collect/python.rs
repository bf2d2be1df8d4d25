//! Collects in a running CPython: remote execution, from 3.14 on (PEP 768).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// What the process runs: it collects, gives free pages back to the system, and leaves a mark.
const SCRIPT: &str = "\
import gc
gc.collect()
try:
    import ctypes
    ctypes.CDLL(None).malloc_trim(0)
except Exception:
    pass
open(MARK, 'w').close()
";

/// Asks an interpreter to have another of its kind run a file.
const ASK: &str = "\
import sys
if not hasattr(sys, 'remote_exec'):
    sys.exit('Python %d.%d cannot be asked to run code (3.14 can); give it an endpoint that collects, and name it \
with settle.collect_url' % sys.version_info[:2])
sys.remote_exec(int(sys.argv[1]), sys.argv[2])
";

/// Time between two looks for the mark.
const LOOK: Duration = Duration::from_millis(5);

/// Collects in the process `pid` and waits until it has.
///
/// The interpreter that asks is the one that the process runs, since the two must agree in their version.
pub(super) async fn collect(pid: u32) -> Result<(), String> {
    let folder =
        tempfile::tempdir().map_err(|error| format!("cannot make a folder for the script: {error}"))?;
    let (script, mark) = (folder.path().join("collect.py"), folder.path().join("done"));
    let text = format!("MARK = {:?}\n{SCRIPT}", mark.display().to_string());
    std::fs::write(&script, text).map_err(|error| format!("cannot write `{}`: {error}", script.display()))?;
    ask(&interpreter(pid)?, pid, &script).await?;
    // The code runs at the next safe point of the main thread; the caller bounds the wait.
    while !mark.exists() {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn interpreter(pid: u32) -> Result<PathBuf, String> {
    std::fs::read_link(format!("/proc/{pid}/exe"))
        .map_err(|error| format!("cannot see which program process {pid} runs: {error}"))
}

async fn ask(interpreter: &Path, pid: u32, script: &Path) -> Result<(), String> {
    let run = Command::new(interpreter)
        .args(["-I", "-c", ASK])
        .arg(pid.to_string())
        .arg(script)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = run.await.map_err(|error| format!("cannot run `{}`: {error}", interpreter.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
    Err(format!("`{}` did not reach process {pid}: {last}", interpreter.display()))
}
