//! The streaming interface: a WebSocket takes the samples of one recording, and answers its final result.
//!
//! The client sends `{"type": "start", "sample_rate": 16000}`, the samples (16 bit, mono) in binary messages, and
//! `{"type": "end"}`. The service answers each second of audio with `{"received_s": …}`, and the end with
//! `{"final": true, "duration": …, "segments": …}` or `{"error": …}`.

use std::io::Cursor;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};

use super::hub::{Accepted, Arrival, Hub};
use super::ledger::Status;
use crate::wire::Outcome;

/// How often the result is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// The most audio of one connection, in bytes.
const MOST: usize = 256 * 1000 * 1000;

/// Serves one connection, which counts as a task from its beginning.
pub(super) async fn serve(mut socket: WebSocket, arrival: Arrival, hub: &Hub) {
    let (mut rate, mut samples, mut told_s) = (16_000, Vec::new(), 0);
    loop {
        // A client that leaves gives its task up.
        let Some(Ok(message)) = socket.recv().await else { return };
        match message {
            Message::Binary(more) if samples.len() + more.len() > MOST => {
                return refuse(socket, "too much audio").await;
            }
            Message::Binary(more) => samples.extend_from_slice(&more),
            Message::Text(text) => {
                let Ok(order) = serde_json::from_str::<Value>(&text) else {
                    return refuse(socket, "a message is not JSON").await;
                };
                match order["type"].as_str() {
                    Some("start") => rate = order["sample_rate"].as_u64().map_or(rate, |rate| rate as u32),
                    Some("end") => break,
                    _ => return refuse(socket, "a message is neither `start` nor `end`").await,
                }
            }
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => {}
        }
        let received_s = samples.len() as u64 / 2 / u64::from(rate.max(1));
        if received_s > told_s {
            told_s = received_s;
            if say(&mut socket, json!({ "received_s": received_s })).await.is_err() {
                return;
            }
        }
    }
    let Some(audio) = wav(&samples, rate) else { return refuse(socket, "no audio").await };
    drop(samples);
    let Accepted { task_id, .. } = arrival.submit(audio.into());
    let outcome = loop {
        let status = hub.with(|ledger| ledger.status(&task_id).cloned());
        match status {
            Some(Status::Ended(outcome)) => break outcome,
            Some(Status::Queued | Status::Processing) => tokio::time::sleep(LOOK).await,
            None => return refuse(socket, "the task is not known any more").await,
        }
    };
    match outcome {
        Outcome::Done { duration, segments } => {
            let last = json!({ "final": true, "duration": duration, "segments": segments });
            // A client that has left does not want it.
            let _ = say(&mut socket, last).await;
            let _ = socket.send(Message::Close(None)).await;
        }
        Outcome::Failed { error, .. } => refuse(socket, &error).await,
    }
}

async fn say(socket: &mut WebSocket, message: Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(message.to_string().into())).await
}

async fn refuse(mut socket: WebSocket, error: &str) {
    let _ = say(&mut socket, json!({ "error": error })).await;
    let _ = socket.send(Message::Close(None)).await;
}

/// The samples as a WAV file, which is what a worker takes; none without a sample.
fn wav(samples: &[u8], rate: u32) -> Option<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    if samples.len() < 2 || rate == 0 {
        return None;
    }
    let mut file = Vec::with_capacity(samples.len() + 44);
    let mut writer = hound::WavWriter::new(Cursor::new(&mut file), spec).ok()?;
    for sample in samples.chunks_exact(2) {
        writer.write_sample(i16::from_le_bytes([sample[0], sample[1]])).ok()?;
    }
    writer.finalize().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_a_file_of_the_same_length() {
        let file = wav(&[1, 0, 2, 0, 255, 255], 8000).unwrap();
        let mut reader = hound::WavReader::new(file.as_slice()).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.duration()), (8000, 3));
        assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, -1]);
        assert!(wav(&[], 8000).is_none() && wav(&[1, 0], 0).is_none());
    }
}
