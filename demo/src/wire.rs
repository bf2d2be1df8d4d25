//! The protocol between the api and the workers, over loopback TCP.
//!
//! Every message is one line of JSON. A worker holds one connection over
//! which it gets [`Order`]s and sends [`Report`]s. Audio travels over a
//! connection of its own, opened by the process that does the task, so that a
//! worker which forks never holds it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The first line on every connection.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The secret of this service.
    pub(super) token: String,
    /// The purpose of the connection.
    pub(super) wish: Wish,
}

/// The purpose of a connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wish {
    /// To work: receives orders, sends reports.
    Work {
        /// The worker's process id.
        pid: u32,
    },
    /// To get the audio of a task: an [`AudioHead`], then the bytes.
    Audio {
        /// The task.
        task_id: String,
    },
    /// To get the most tasks that were outstanding at once since this task started: a [`Peak`].
    Peak {
        /// The task.
        task_id: String,
    },
}

/// From the api to a worker.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// The number of outstanding tasks has changed.
    Outstanding(u32),
    /// Do this task.
    Task(String),
    /// Collect the garbage.
    Collect,
}

/// From a worker to the api: how a task ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// The task.
    pub(super) task_id: String,
    /// How long it took, in seconds.
    pub(super) seconds: f64,
    /// Its outcome.
    pub(super) outcome: Outcome,
    /// True if the worker ends after this task.
    #[serde(default)]
    pub(super) leaving: bool,
}

/// The line before the bytes of a task's audio.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AudioHead {
    /// The number of bytes that follow; `None` if the audio is no longer available.
    pub(super) bytes: Option<u64>,
}

/// The answer to [`Wish::Peak`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Peak {
    /// The most tasks that were outstanding at once since the task started.
    pub(super) outstanding: u32,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It succeeded.
    Done {
        /// Length of the audio in seconds.
        duration: f64,
        /// The stretches of speech.
        segments: Vec<Segment>,
    },
    /// It failed.
    Failed {
        /// Length of the audio in seconds, if that is known.
        duration: Option<f64>,
        /// The reason.
        error: String,
    },
}

/// A stretch of speech, in seconds from the start of the audio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// Its beginning.
    pub(super) start: f64,
    /// Its end.
    pub(super) end: f64,
}

/// One message as a line.
pub(super) fn line(message: &impl Serialize) -> std::io::Result<String> {
    let mut text = serde_json::to_string(message)?;
    text.push('\n');
    Ok(text)
}

/// Reads one message; the end of the stream is an error.
pub(super) fn read<T: DeserializeOwned>(stream: &mut impl BufRead) -> std::io::Result<T> {
    let mut text = String::new();
    if stream.read_line(&mut text)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&text)?)
}

/// The connection of a worker, or of its forked child, to the api.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    pub(super) address: SocketAddr,
    pub(super) token: String,
}

impl Broker {
    /// Opens a connection for a purpose.
    pub(super) fn connect(&self, wish: Wish) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.write_all(line(&Hello { token: self.token.clone(), wish })?.as_bytes())?;
        Ok(stream)
    }

    /// Fetches the audio of a task, which works only once.
    pub(super) fn audio(&self, task_id: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = BufReader::new(self.connect(Wish::Audio { task_id: task_id.to_string() })?);
        let head: AudioHead = read(&mut stream)?;
        let bytes = head.bytes.ok_or_else(|| std::io::Error::other("the audio is no longer there"))?;
        let bytes = usize::try_from(bytes).map_err(std::io::Error::other)?;
        let mut audio = Vec::with_capacity(bytes);
        stream.take(bytes as u64).read_to_end(&mut audio)?;
        if audio.len() < bytes {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(audio)
    }

    /// The most tasks that were outstanding at once since this one started.
    pub(super) fn peak(&self, task_id: &str) -> std::io::Result<u32> {
        let mut stream = BufReader::new(self.connect(Wish::Peak { task_id: task_id.to_string() })?);
        Ok(read::<Peak>(&mut stream)?.outstanding)
    }
}
