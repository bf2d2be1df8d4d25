//! Reads JSON lines, some of which may be damaged. Pure.

use std::io::{self, BufRead, Read};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::outside;
use crate::record::Damage;

/// The records in `bytes`, and the lines without a valid record.
///
/// It takes bytes, since a crash can cut a line within a character.
pub fn parse_lines<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> (Vec<T>, Vec<Damage>) {
    let mut read = Records::new(file, bytes);
    // A slice can always be read.
    let records = std::iter::from_fn(|| read.next().ok().flatten()).collect();
    (records, read.damage())
}

/// Lines that are named one by one, of those that cannot be read.
const NAMED: usize = 1000;

/// The longest line that is read, in bytes: a record takes a few hundred. What is longer is no record.
const LONGEST: u64 = 16 << 20;

/// The records of a file, one line in memory at a time, and the lines without a valid record.
pub(crate) struct Records<R> {
    file: String,
    reader: R,
    line: Vec<u8>,
    number: usize,
    damage: Vec<Damage>,
}

impl<R: BufRead> Records<R> {
    /// Those of `reader`, which reads the file with this name.
    pub(crate) fn new(file: &str, reader: R) -> Records<R> {
        Records { file: file.to_string(), reader, line: Vec::new(), number: 0, damage: Vec::new() }
    }

    /// The next valid record; absent at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            self.line.clear();
            if self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let whole = self.line.last() == Some(&b'\n');
            let cut = !whole && self.line.len() as u64 == LONGEST;
            if cut {
                self.reader.skip_until(b'\n')?;
            }
            let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match parse_line(text) {
                Ok(record) => return Ok(Some(record)),
                Err(error) if self.damage.len() < NAMED => self.damage.push(Damage {
                    file: self.file.clone(),
                    line: self.number,
                    // The part after the last newline is unfinished, even if it looks valid.
                    torn: !whole && !cut,
                    reason: error.to_string(),
                }),
                Err(_) => {}
            }
        }
    }

    /// The lines so far that have no valid record.
    pub(crate) fn damage(self) -> Vec<Damage> {
        self.damage
    }
}

/// The record in a line of JSON. Its text comes from outside, and becomes single lines of visible characters here.
///
/// # Errors
/// Those of the parser.
pub(crate) fn parse_line<T: DeserializeOwned>(line: &[u8]) -> serde_json::Result<T> {
    if !outside::may_steer(line) {
        return serde_json::from_slice(line);
    }
    let mut value: Value = serde_json::from_slice(line)?;
    outside::make_lines(&mut value);
    serde_json::from_value(value)
}

/// Reads any bytes, for tests that change them.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_bytes(bytes: &[u8]) {
    drop(parse_lines::<crate::record::TaskRecord>("a", bytes));
    drop(parse_lines::<crate::record::EventRecord>("a", bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_lines_or_damage() {
        let task = br#"{"test_id": "short_c1_1765322145", "concurrency": 1, "status": "success", "rtf": 0.2, "phase": "leak", "error": "a\nb"}"#;
        let event = br#"{"time": "2026-01-01T00:00:00+00:00", "elapsed": 0.5, "event": "process_exited", "role": "worker", "pid": 7, "name": "x", "root": true, "how": {"signal": 9}}"#;
        let round = br#"{"time": "", "elapsed": 1, "event": "soak_round", "round": 1, "tasks": 2, "seconds": 3.5, "floor_mb": null, "peak_mb": 1}"#;
        crate::mutation_tests::survives(&[task, event, round], any_bytes);
    }

    #[test]
    fn a_torn_last_line_is_skipped_and_everything_before_it_counts() {
        let (records, damage) = parse_lines::<Vec<u32>>("a.jsonl", b"[1]\n[2]\n[3, 4");
        assert_eq!(records, [vec![1], vec![2]]);
        assert_eq!(damage.len(), 1);
        assert!(damage[0].torn && damage[0].line == 3, "{damage:?}");
    }

    #[test]
    fn text_in_a_record_is_one_visible_line() {
        let (records, damage) = parse_lines::<String>("a.jsonl", b"\"boom\\nPASS\\u001b[2J\\u202e\"\n");
        assert_eq!((records, damage), (vec!["boom PASS\\u{1b}[2J\\u{202e}".to_string()], vec![]));
    }

    #[test]
    fn a_line_cut_within_a_character_is_torn_not_fatal() {
        let whole = "\"\u{394}\"\n\"\u{394}\"";
        let cut = &whole.as_bytes()[..whole.len() - 2];
        let (records, damage) = parse_lines::<String>("a.jsonl", cut);
        assert_eq!(records.len(), 1);
        assert!(damage[0].torn);
    }

    #[test]
    fn a_bad_line_in_the_middle_is_told_from_a_torn_one() {
        let (records, damage) = parse_lines::<u32>("a.jsonl", b"1\nx\n3\n");
        assert_eq!(records, [1, 3]);
        assert!(!damage[0].torn && damage[0].line == 2, "{damage:?}");
    }

    #[test]
    fn a_complete_last_line_without_a_newline_counts() {
        let (records, damage) = parse_lines::<u32>("a.jsonl", b"1\n2");
        assert_eq!((records, damage), (vec![1, 2], vec![]));
    }
}
