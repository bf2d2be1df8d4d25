//! What a task gets out of an answer that is a stream of messages. Pure.

use serde_json::{Value, json};

use super::json::bounded;
use super::stream::Messages;
use super::{Completion, TaskError};

/// The part of the text that is kept, in bytes: more than any recording contains.
const MOST_TEXT: usize = 4 << 20;
/// The most characters of a message that an error shows.
const SHOWN: usize = 80;

/// What one message says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// A further piece of the text.
    More(String),
    /// The whole text; the answer ends with it.
    Whole(String),
    /// Nothing of the text.
    Nothing,
}

/// How the messages of a service are read.
pub(super) trait Script {
    /// What a message says.
    fn piece(&self, message: &Value) -> Piece;

    /// The message that ends the answer; empty if its body just ends.
    fn end(&self) -> &str;

    /// True if an answer with such a message in it is complete only with its end.
    fn must_end(&self, message: &Value) -> bool;

    /// What a message says of a failure.
    fn failure(&self, message: &Value) -> Option<String>;

    /// True if a message need not be JSON.
    fn takes_any(&self) -> bool {
        false
    }
}

/// An answer while it comes.
#[derive(Debug, Default)]
pub(super) struct Streamed {
    messages: Messages,
    text: String,
    last: Option<Value>,
    bytes: u64,
    first_text_s: Option<f64>,
    must_end: bool,
    ended: bool,
    failed: Option<TaskError>,
}

impl Streamed {
    /// Takes the next bytes, which came `since_s` seconds after the task began; true if nothing further is needed.
    pub(super) fn hear(&mut self, bytes: &[u8], since_s: f64, script: &impl Script) -> bool {
        self.bytes += bytes.len() as u64;
        for message in self.messages.take(bytes) {
            self.take(&message, since_s, script);
            if self.ended || self.failed.is_some() {
                return true;
            }
        }
        false
    }

    fn take(&mut self, message: &[u8], since_s: f64, script: &impl Script) {
        if !script.end().is_empty() && message.trim_ascii() == script.end().as_bytes() {
            self.ended = true;
            return;
        }
        let value = match bounded(message) {
            Ok(value) => value,
            Err(_) if script.takes_any() => Value::String(String::from_utf8_lossy(message).into_owned()),
            Err(error) => {
                let shown = crate::units::within(&String::from_utf8_lossy(message), SHOWN);
                let what = format!("a message of the stream is not JSON: {error}: `{shown}`");
                self.failed = Some(TaskError::malformed(what));
                return;
            }
        };
        if let Some(message) = script.failure(&value) {
            self.failed = Some(TaskError::Failed { task_id: None, message });
            return;
        }
        self.must_end |= script.must_end(&value);
        let piece = script.piece(&value);
        self.last = Some(value);
        match piece {
            Piece::Nothing => {}
            Piece::More(text) => self.add(&text, since_s),
            Piece::Whole(text) => {
                self.text.clear();
                self.add(&text, since_s);
                self.ended = true;
            }
        }
    }

    fn add(&mut self, text: &str, since_s: f64) {
        if !text.trim().is_empty() {
            self.first_text_s.get_or_insert(since_s);
        }
        let mut room = MOST_TEXT.saturating_sub(self.text.len()).min(text.len());
        while !text.is_char_boundary(room) {
            room -= 1;
        }
        self.text.push_str(&text[..room]);
    }

    /// The body has ended, `since_s` seconds after the task began: its text as `{"text": …}`, its last message, and what
    /// the task got.
    ///
    /// # Errors
    /// [`TaskError::Failed`] if a message said so; [`TaskError::Malformed`] if the answer is incomplete.
    pub(super) fn finish(
        mut self,
        since_s: f64,
        script: &impl Script,
    ) -> Result<(Value, Value, Completion), TaskError> {
        if !self.ended
            && self.failed.is_none()
            && let Some(message) = self.messages.end()
        {
            self.take(&message, since_s, script);
        }
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let Some(last) = self.last else {
            return Err(TaskError::malformed("the answer is no stream: it has no message"));
        };
        if self.must_end && !self.ended {
            return Err(TaskError::malformed("the stream ended before its last message"));
        }
        let completion = Completion {
            answer_bytes: Some(self.bytes),
            first_text_seconds: self.first_text_s,
            ..Completion::default()
        };
        Ok((json!({ "text": self.text }), last, completion))
    }
}

/// What a value says to people: a text itself, an object its `message`.
pub(super) fn told(value: &Value) -> String {
    let message = value.get("message").unwrap_or(value);
    message.as_str().map_or_else(|| message.to_string(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text at `/t`, and an end.
    struct Plain(&'static str);

    impl Script for Plain {
        fn piece(&self, message: &Value) -> Piece {
            message["t"].as_str().map_or(Piece::Nothing, |text| Piece::More(text.to_string()))
        }

        fn end(&self) -> &str {
            self.0
        }

        fn must_end(&self, _: &Value) -> bool {
            !self.0.is_empty()
        }

        fn failure(&self, message: &Value) -> Option<String> {
            message.get("error").map(told)
        }
    }

    /// The text of `body`, whose bytes come one a second, and when its first text came.
    fn read(body: &str, script: &Plain) -> Result<(String, Option<f64>), String> {
        let mut streamed = Streamed::default();
        let mut since_s = 0.0;
        for byte in body.as_bytes() {
            since_s += 1.0;
            if streamed.hear(&[*byte], since_s, script) {
                break;
            }
        }
        let (text, _, done) = streamed.finish(since_s, script).map_err(|error| error.to_string())?;
        Ok((text["text"].as_str().unwrap().to_string(), done.first_text_seconds))
    }

    #[test]
    fn pieces_are_put_together_and_the_first_that_says_something_has_its_time() {
        let body =
            "data: {}\n\ndata: {\"t\": \" \"}\n\ndata: {\"t\": \"the\"}\n\ndata: {\"t\": \" tide\"}\n\n";
        let third = body.find("\n\ndata: {\"t\": \" tide").unwrap() as f64 + 2.0;
        assert_eq!(read(body, &Plain("")), Ok((" the tide".to_string(), Some(third))));
        assert_eq!(read("{\"t\": \"a\"}\n{\"t\": \"b\"}", &Plain("")).unwrap().0, "ab", "lines of JSON");
        assert_eq!(read("data: {}\n\n", &Plain("")), Ok((String::new(), None)), "no text is no time");
    }

    #[test]
    fn an_answer_that_breaks_off_or_fails_is_no_success() {
        let cut = "data: {\"t\": \"the\"}\n\n";
        let incomplete = read(cut, &Plain("[DONE]")).unwrap_err();
        assert!(incomplete.contains("ended before its last message"), "{incomplete}");
        assert_eq!(read(&format!("{cut}data: [DONE]\n\n"), &Plain("[DONE]")).unwrap().0, "the");
        assert!(read("", &Plain("")).unwrap_err().contains("no message"));
        let failed = read("data: {\"error\": {\"message\": \"no memory\"}}\n\n", &Plain("")).unwrap_err();
        assert!(failed.contains("no memory"), "{failed}");
        let wrong = read("data: WAIT\n\n", &Plain("")).unwrap_err();
        assert!(wrong.contains("not JSON") && wrong.contains("`WAIT`"), "{wrong}");
    }

    #[test]
    fn an_endless_text_is_cut_off() {
        let mut streamed = Streamed::default();
        let message = format!("data: {{\"t\": \"{}\"}}\n\n", "ä".repeat(1 << 20));
        for _ in 0..4 {
            streamed.hear(message.as_bytes(), 1.0, &Plain(""));
        }
        let (text, _, done) = streamed.finish(1.0, &Plain("")).unwrap();
        assert!(text["text"].as_str().unwrap().len() <= MOST_TEXT);
        assert_eq!(done.answer_bytes, Some(4 * message.len() as u64));
    }
}
