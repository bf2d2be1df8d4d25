//! The service of the bench: a process of its own, that reads uploads and forgets them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::timing;

/// The process; it ends with this handle.
pub(crate) struct Server {
    pub(crate) url: String,
    child: Child,
}

impl Server {
    /// Starts this program once more, in the part of the service.
    pub(crate) fn start(part: &str) -> Server {
        let program = std::env::current_exe().expect("a process knows its program");
        let mut command = Command::new(program);
        command.env(part, "service").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the bench starts itself");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the service says where it listens");
        Server { url: line.trim().to_string(), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the parent is gone.
pub(crate) fn serve() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the system has a free port");
    println!("http://{}", listener.local_addr().expect("a bound listener has an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::Builder::new()
                .stack_size(64 << 10)
                .spawn(move || drop(connection(stream)))
                .expect("a thread starts");
        }
    });
    // The parent's end of the pipe closes however it ends.
    let _ = std::io::stdin().read(&mut [0]);
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{\"status\": \"processing\", \"error\": null} ";

/// How many timed tasks there were.
static SUBMITTED: AtomicU32 = AtomicU32::new(0);

fn connection(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        let mut filled = 0;
        let end = loop {
            let read = stream.read(&mut buffer[filled..])?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            if let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut left = length.unwrap_or(0) - (filled - end);
        while left > 0 {
            let most = left.min(buffer.len());
            match stream.read(&mut buffer[..most])? {
                0 => return Ok(()),
                read => left -= read,
            }
        }
        match head.split(' ').nth(1) {
            Some("/") | None => stream.write_all(ANSWER)?,
            Some(path) => {
                let body = match path.strip_prefix("/api/v1/asr/result/") {
                    Some(task_id) => timing::status(task_id).to_string(),
                    None => timing::submitted(SUBMITTED.fetch_add(1, Ordering::Relaxed)),
                };
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            }
        }
    }
}
