//! The real stack of `fixtures/asr-stack`, started for one test and gone with it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// What to do if the stack is missing. A missing stack never makes a test pass.
const BUILD: &str = "build it with `python3 fixtures/asr-stack/stack.py build`";

/// A stack that runs. Its parts end when this is dropped, or when the test is killed: their lifeline is a pipe.
pub(crate) struct Stack {
    starter: Child,
    /// The line that it printed when it started.
    pub(crate) state: Value,
}

fn program() -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/asr-stack/stack.py"));
    command
}

impl Stack {
    /// With these options of `stack.py start`.
    pub(crate) fn start(options: &str) -> Stack {
        let mut starter = program()
            .args(["start", "--lifeline"])
            .args(options.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("python3 cannot be started: {error}; {BUILD}"));
        let mut stdout = BufReader::new(starter.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let state = serde_json::from_str(&first).unwrap_or_else(|_| {
            let mut said = String::new();
            starter.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the stack does not start: {first}{said}\n{BUILD}")
        });
        // Its messages to people are not read, and must not fill a pipe.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(drop));
        Stack { starter, state }
    }

    /// A text of its state.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.state[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.state))
    }

    /// A recording of this name, spoken by espeak-ng.
    pub(crate) fn recording(&self, name: &str) -> PathBuf {
        Path::new(self.text("audio")).join(name)
    }

    /// The processes that were there at the start, of a role and of what they are there ("" for all).
    pub(crate) fn pids(&self, role: &str, is: &str) -> BTreeSet<u64> {
        let parts = self.state["parts"].as_array().unwrap().iter();
        parts
            .filter(|part| part["role"] == role && (is.is_empty() || part["is"] == is))
            .map(|part| part["pid"].as_u64().unwrap())
            .collect()
    }

    /// The only process of this kind.
    pub(crate) fn pid(&self, role: &str, is: &str) -> u64 {
        let pids = self.pids(role, is);
        assert_eq!(pids.len(), 1, "{}", self.state);
        pids.into_iter().next().unwrap()
    }

    /// The records that the worker processes wrote of their tasks, in the order in which the tasks ended.
    pub(crate) fn truth(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.text("truth")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The tasks that the API has taken and no worker has finished.
    pub(crate) fn outstanding(&self) -> Vec<String> {
        let uploads = Path::new(self.text("run")).join("uploads");
        let names = std::fs::read_dir(uploads).unwrap().map(|entry| entry.unwrap().path());
        names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    }

    /// The API's present answer about a task.
    pub(crate) fn result(&self, task_id: &str) -> Value {
        let address = self.text("url").trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).unwrap();
        write!(connection, "GET /api/v1/asr/result/{task_id} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // The end of its stdin ends it, and its end is the end of all parts.
        drop(self.starter.stdin.take());
        let _ = self.starter.wait();
    }
}
