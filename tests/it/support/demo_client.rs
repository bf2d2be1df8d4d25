//! A small HTTP client for the embedded service, and audio for it.
//!
//! By hand, because the tests need what no client offers: a submission that
//! is held open after its headers, so that it is outstanding for as long as
//! the test likes.

use std::f64::consts::TAU;
use std::io::{Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Speaks to one service, a connection per request.
pub(crate) struct Client {
    address: SocketAddr,
}

impl Client {
    pub(crate) fn new(url: &str) -> Client {
        Client { address: url.strip_prefix("http://").unwrap().parse().unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        self.exchange(&[head.as_bytes()])
    }

    /// Uploads audio as the form's field `field`.
    pub(crate) fn post_audio(&self, field: &str, audio: &[u8]) -> (u16, Value) {
        let (before, after) = form(field);
        let head = self.submit_head(before.len() + audio.len() + after.len());
        self.exchange(&[head.as_bytes(), before.as_bytes(), audio, after.as_bytes()])
    }

    /// Submits a task and returns its id.
    pub(crate) fn submit(&self, audio: &[u8]) -> String {
        let (status, answer) = self.post_audio("audio", audio);
        assert_eq!(status, 200, "{answer}");
        answer["task_id"].as_str().unwrap().to_string()
    }

    pub(crate) fn result(&self, task_id: &str) -> Value {
        let (status, answer) = self.get(&format!("/api/v1/asr/result/{task_id}"));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Waits until the task is done or has failed.
    pub(crate) fn ended(&self, task_id: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let result = self.result(task_id);
            if result["status"] == "done" || result["status"] == "failed" {
                return result;
            }
            assert!(Instant::now() < deadline, "the task never ended: {result}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn submit_head(&self, length: usize) -> String {
        format!(
            "POST /api/v1/asr/submit HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: {length}\r\n\r\n",
            self.address
        )
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn exchange(&self, parts: &[&[u8]]) -> (u16, Value) {
        let mut stream = self.connect();
        for part in parts {
            stream.write_all(part).unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

fn form(field: &str) -> (String, String) {
    let before = format!(
        "--cut\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a.wav\"\r\n\
         Content-Type: audio/wav\r\n\r\n"
    );
    (before, "\r\n--cut--\r\n".to_string())
}

/// A submission whose body has not come yet: outstanding until dropped.
pub(crate) struct Held {
    _stream: TcpStream,
}

impl Held {
    /// Opens it and makes sure that the service has seen its headers.
    pub(crate) fn open(client: &Client) -> Held {
        let mut stream = client.connect();
        // `Expect` makes the service answer as soon as it asks for the body,
        // which it does after it has counted the task.
        let head = client.submit_head(1_000_000).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100");
        Held { _stream: stream }
    }
}

/// A 16 kHz mono 16-bit WAV: tone, silence, tone, a third of the time each.
pub(crate) fn wav(seconds: f64) -> Vec<u8> {
    wav_at(seconds, 16_000)
}

/// The same at another sample rate.
pub(crate) fn wav_at(seconds: f64, rate_hz: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    let count = (seconds * f64::from(rate_hz)) as usize;
    for i in 0..count {
        let loud = if i * 3 / count == 1 { 0.0 } else { 8000.0 };
        let sample = loud * (TAU * 300.0 * i as f64 / f64::from(rate_hz)).sin();
        writer.write_sample(sample as i16).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}
