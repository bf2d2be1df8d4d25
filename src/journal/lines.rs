//! Reads JSON lines, some of which may be damaged. Pure.

use serde::de::DeserializeOwned;

use crate::record::Damage;

/// The records in `bytes`, and the lines without a valid record.
///
/// It takes bytes, since a crash can cut a line within a character.
pub fn parse_lines<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> (Vec<T>, Vec<Damage>) {
    let mut records = Vec::new();
    let mut damage = Vec::new();
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let last = lines.len() - 1;
    for (index, line) in lines.into_iter().enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            // The part after the last newline is unfinished, even if it looks valid.
            Err(error) => damage.push(Damage {
                file: file.to_string(),
                line: index + 1,
                torn: index == last,
                reason: error.to_string(),
            }),
        }
    }
    (records, damage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_skipped_and_everything_before_it_counts() {
        let (records, damage) = parse_lines::<Vec<u32>>("a.jsonl", b"[1]\n[2]\n[3, 4");
        assert_eq!(records, [vec![1], vec![2]]);
        assert_eq!(damage.len(), 1);
        assert!(damage[0].torn && damage[0].line == 3, "{damage:?}");
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
