//! Reads requests for services that a test plays by itself.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// The first line of a request, which is read to the end of its body.
pub(crate) fn request_line(stream: &TcpStream) -> std::io::Result<String> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    lines.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    lines.take(length).read_to_end(&mut Vec::new())?;
    Ok(first)
}
