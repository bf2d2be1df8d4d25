//! Collects in a running Node.js, through its inspector.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, client};

use crate::service::Endpoint;

/// Where Node.js opens its inspector unless it is told otherwise.
const DEFAULT: &str = "http://127.0.0.1:9229";

/// How long a process may take to open its inspector after the signal.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// How long a collection may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// Collects in the process `pid`; `url` is that of its inspector, where it is not the usual one.
pub(super) async fn collect(pid: u32, url: Option<&str>) -> Result<(), String> {
    let url = url.unwrap_or(DEFAULT).trim_end_matches('/');
    let list = Endpoint::of_url(&format!("{url}/json/list")).map_err(|error| error.to_string())?;
    let targets = match list.get_text().await {
        Ok(text) => text,
        Err(_) => {
            open(pid)?;
            opened(&list, pid).await?
        }
    };
    let session = session(&targets, pid)?;
    tokio::task::spawn_blocking(move || ask(&session))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|error| format!("the inspector of process {pid} did not collect: {error}"))
}

/// Node.js opens its inspector at SIGUSR1.
fn open(pid: u32) -> Result<(), String> {
    let process = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let process = process.ok_or_else(|| format!("{pid} is no process id"))?;
    rustix::process::kill_process(process, rustix::process::Signal::USR1)
        .map_err(|error| format!("cannot send SIGUSR1 to process {pid}: {error}"))
}

async fn opened(list: &Endpoint, pid: u32) -> Result<String, String> {
    let started = Instant::now();
    loop {
        match list.get_text().await {
            Ok(text) => return Ok(text),
            Err(error) if started.elapsed() >= OPENS_WITHIN => {
                return Err(format!("process {pid} did not open its inspector after SIGUSR1: {error}"));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// The address of the session with `pid`, from the list of what can be inspected.
///
/// Node.js puts its pid into the title (`node[4711]`). Where the title names another process, the port belongs to that one,
/// and a collection there would say nothing.
fn session(targets: &str, pid: u32) -> Result<String, String> {
    let targets: Vec<Value> = serde_json::from_str(targets)
        .map_err(|error| format!("the inspector's list is not JSON: {error}"))?;
    let title = |target: &Value| target["title"].as_str().unwrap_or_default().to_string();
    let own = format!("[{pid}]");
    let found = targets.iter().find(|target| title(target).contains(&own));
    let found = found.or_else(|| targets.iter().find(|target| !title(target).contains("node[")));
    found.and_then(|target| target["webSocketDebuggerUrl"].as_str()).map(str::to_string).ok_or_else(|| {
        let titles: Vec<String> = targets.iter().map(title).collect();
        format!(
            "the inspector's port belongs to another process ({}); name that of process {pid} with \
             `settle.collect_url`",
            titles.join(", ")
        )
    })
}

/// Asks for a collection and waits for the answer.
fn ask(session: &str) -> Result<(), String> {
    let address = session.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let address: SocketAddr = address.parse().map_err(|_| format!("`{session}` is no address"))?;
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(|error| error.to_string())?;
    let (mut socket, _) = client(session, stream).map_err(|error| error.to_string())?;
    let request = json!({ "id": 1, "method": "HeapProfiler.collectGarbage" }).to_string();
    socket.send(Message::text(request)).map_err(|error| error.to_string())?;
    loop {
        let Message::Text(text) = socket.read().map_err(|error| error.to_string())? else { continue };
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if answer["id"] == 1 {
            let _ = socket.close(None);
            return match answer["error"]["message"].as_str() {
                Some(problem) => Err(problem.to_string()),
                None => Ok(()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_another_process_is_refused() {
        let list = |title: &str| {
            json!([{ "title": title, "webSocketDebuggerUrl": "ws://127.0.0.1:9229/x" }]).to_string()
        };
        assert_eq!(session(&list("node[12]"), 12).unwrap(), "ws://127.0.0.1:9229/x");
        assert_eq!(session(&list("worker.mjs[12]"), 12).unwrap(), "ws://127.0.0.1:9229/x");
        let other = session(&list("node[121]"), 12).unwrap_err();
        assert!(other.contains("node[121]") && other.contains("settle.collect_url"), "{other}");
    }
}
