//! Splits a stream into messages: server-sent events (WHATWG HTML, "event stream
//! interpretation"), or lines of JSON. Pure.

/// The longest message, far longer than any status; a longer one is cut off, and is no valid JSON then.
const LONGEST: usize = 4 << 20;

/// Finds the messages in a body that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Messages {
    line: Vec<u8>,
    /// The data of the current event.
    data: Vec<u8>,
    has_data: bool,
}

impl Messages {
    /// Takes the next bytes and returns the messages that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => found.extend(self.end_of_line()),
                byte if self.line.len() < LONGEST => self.line.push(byte),
                _ => {}
            }
        }
        found
    }

    /// Ends the body; returns the last message if it was not terminated.
    pub(super) fn end(&mut self) -> Option<Vec<u8>> {
        self.end_of_line().or_else(|| self.event())
    }

    fn end_of_line(&mut self) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.is_empty() {
            return self.event();
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.strip_prefix(b" ").unwrap_or(data);
            let room = LONGEST.saturating_sub(self.data.len() + 1);
            if self.has_data && room > 0 {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(&data[..data.len().min(room)]);
            self.has_data = true;
            return None;
        }
        // Other fields and comments of an event are irrelevant to a task. A line of JSON begins with a brace.
        line.trim_ascii_start().starts_with(b"{").then_some(line)
    }

    fn event(&mut self) -> Option<Vec<u8>> {
        let complete = std::mem::take(&mut self.has_data);
        let data = std::mem::take(&mut self.data);
        complete.then_some(data)
    }
}

/// Reads any bytes, for tests that change them.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_bytes(bytes: &[u8]) {
    let mut stream = Messages::default();
    let mut found: Vec<Vec<u8>> = bytes.chunks(7).flat_map(|piece| stream.take(piece)).collect();
    found.extend(stream.end());
    found.iter().for_each(|message| drop(super::json::bounded(message)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages in `body`, which must not depend on the pieces in which it arrives.
    fn messages(body: &str) -> Vec<String> {
        let in_pieces_of = |size: usize| {
            let mut stream = Messages::default();
            let mut found: Vec<Vec<u8>> =
                body.as_bytes().chunks(size).flat_map(|piece| stream.take(piece)).collect();
            found.extend(stream.end());
            found.into_iter().map(|message| String::from_utf8(message).unwrap()).collect::<Vec<_>>()
        };
        let whole = in_pieces_of(body.len());
        for size in [1, 2, 3, 7] {
            assert_eq!(in_pieces_of(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn any_bytes_are_messages_or_nothing() {
        let corpus: [&[u8]; 2] =
            [b"event: x\ndata: {\"a\": 1}\n\ndata: b\ndata: c\n\n", b"{\"a\": 1}\r\n{\"b\": 2}"];
        crate::mutation_tests::survives(&corpus, any_bytes);
    }

    #[test]
    fn what_never_ends_is_cut_off() {
        let mut stream = Messages::default();
        let endless = vec![b'x'; 1 << 20];
        for _ in 0..10 {
            assert!(stream.take(&endless).is_empty());
            assert!(stream.take(b"\ndata: ").is_empty());
        }
        for _ in 0..10 {
            stream.take(&endless);
            stream.take(b"\ndata: ");
        }
        assert!(stream.line.len() + stream.data.len() <= 2 * LONGEST);
        assert!(stream.line.capacity() + stream.data.capacity() <= 5 * LONGEST);
    }

    #[test]
    fn events_and_lines() {
        let events = ": hello\nevent: status\nid: 1\ndata: {\"a\": 1}\n\ndata:{\"a\":\r\ndata: 2}\r\n\r\n\n";
        assert_eq!(messages(events), ["{\"a\": 1}", "{\"a\":\n2}"]);
        assert_eq!(
            messages("{\"a\": 1}\n\n{\"a\": 2}\r\n{\"a\": 3}"),
            ["{\"a\": 1}", "{\"a\": 2}", "{\"a\": 3}"]
        );
        assert_eq!(messages("{\"status\": \"done\"}"), ["{\"status\": \"done\"}"], "no stream at all");
        assert_eq!(messages("data: {\"cut\": off"), ["{\"cut\": off"]);
        assert!(messages("event: ping\n\n").is_empty());
    }
}
