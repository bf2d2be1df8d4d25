//! A file as `multipart/form-data` (RFC 7578): a head and a tail around the shared bytes.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;

use super::Input;

/// An encoded form.
#[derive(Debug)]
pub(super) struct Form {
    /// The value of the header `Content-Type`.
    pub(super) content_type: String,
    /// Head, file and tail; the file is shared, not copied.
    pub(super) parts: [Bytes; 3],
}

/// The form with `fields` (name, value) and the file of `input` under the name `file_field`.
pub(super) fn form<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    file_field: &str,
    input: &Input,
) -> Form {
    let boundary = boundary();
    let mut head = String::new();
    // Writing to a String never fails.
    for (name, value) in fields {
        let _ = write!(
            head,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{value}\r\n",
            quoted(name)
        );
    }
    let _ = write!(
        head,
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        quoted(file_field),
        quoted(&input.name),
        mime(&input.name)
    );
    Form {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        parts: [Bytes::from(head), input.bytes.clone(), Bytes::from(format!("\r\n--{boundary}--\r\n"))],
    }
}

/// A line that occurs in no recording: it has 128 random bits, from the standard library's hash keys.
fn boundary() -> String {
    let draw = || RandomState::new().build_hasher().finish();
    format!("highwater-{:016x}{:016x}", draw(), draw())
}

/// A name, escaped as browsers do (WHATWG HTML, "multipart form data").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("flac") => "audio/flac",
        Some("ogg" | "opus") => "audio/ogg",
        Some("m4a" | "mp4") => "audio/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::AudioKind;

    #[test]
    fn the_file_is_shared_and_stands_between_head_and_tail() {
        let bytes = Bytes::from_static(b"RIFF....");
        let name = "a \"b\"\r\n.wav".to_string();
        let input = Input {
            kind: AudioKind::Short,
            stem: String::new(),
            name,
            bytes: bytes.clone(),
            seconds: None,
            variation: 0,
        };
        let form = form([("model", "tiny")], "file", &input);
        assert_eq!(form.parts[1].as_ptr(), bytes.as_ptr(), "not a copy");
        let boundary = form.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let head = std::str::from_utf8(&form.parts[0]).unwrap();
        assert_eq!(
            head,
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ntiny\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
                 filename=\"a %22b%22%0D%0A.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
            )
        );
        assert_eq!(form.parts[2], format!("\r\n--{boundary}--\r\n"));
        assert_ne!(self::form([], "file", &input).content_type, form.content_type);
    }
}
