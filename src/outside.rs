//! Text from outside: what a service, a file, a process or the machine says of itself.
//!
//! It must not steer a terminal, add lines to what highwater says, or become markup. What enters (a record that is shown
//! or read) becomes one line of visible characters by [`one_line`]; what leaves goes through [`printable`],
//! [`printable_json`] or [`inert`], whatever was done before. Pure.

use std::borrow::Cow;

use serde_json::Value;

/// True for characters that control a terminal or reorder the text around them: ISO 6429's controls, and the Unicode
/// controls of direction, of lines and of invisible marks.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` with characters that steer a terminal escaped, except line ends and tabs.
#[cfg(feature = "cli")]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |character| steers(character) && !matches!(character, '\n' | '\t'),
        |out, character| {
            out.extend(character.escape_default());
        },
    )
}

/// `text` as one line: line ends and tabs become blanks, other characters that steer a terminal are escaped.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, steers, |out, character| match character {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => out.push(' '),
        other => out.extend(other.escape_default()),
    })
}

/// JSON that no terminal obeys: what steers one is written as JSON escapes, which read back as the same text.
#[cfg(feature = "cli")]
pub(crate) fn printable_json(json: &Value) -> String {
    let text = json.to_string();
    escaped(&text, steers, |out, character| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
    .into_owned()
}

/// Markdown in which nothing is HTML, an image or a link: highwater writes none of these.
pub(crate) fn inert(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut characters = markdown.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('<', Some(next)) if next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?') => {
                out.push_str("&lt;");
            }
            (']', Some('(' | '[' | ':')) => out.push_str("\\]"),
            _ => out.push(character),
        }
    }
    out
}

/// True if a line of JSON may have text that [`one_line`] changes. Most lines have none, and are read as they are.
pub(crate) fn may_steer(json: &[u8]) -> bool {
    json.iter().any(|&byte| byte == b'\\' || byte == 0x7f || byte >= 0x80)
}

/// All text in `value` as single lines.
pub(crate) fn make_lines(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(line) = one_line(text) {
                *text = line;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_lines),
        Value::Object(entries) => entries.iter_mut().for_each(|(_, value)| make_lines(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn escaped(
    text: &str,
    wanted: impl Fn(char) -> bool,
    mut write: impl FnMut(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(&wanted) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if wanted(character) {
            write(&mut out, character);
        } else {
            out.push(character);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\tb\nä – …"), "a\tb\nä – …");
        assert_eq!(printable("\u{1b}[31mred\r\u{9b}"), "\\u{1b}[31mred\\r\\u{9b}");
        assert_eq!(printable("\u{202e}reversed\u{2066}"), "\\u{202e}reversed\\u{2066}");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("boom\nPASS\r\n\u{2028}x\u{1b}[2J"), "boom PASS   x\\u{1b}[2J");
        assert!(matches!(one_line("as it is"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_json_and_reads_back_as_the_same_text() {
        let value = serde_json::json!({"error": "\u{9b}31m \u{202e} \u{1b} \u{e0001} \n \u{7f} ä"});
        let text = printable_json(&value);
        assert!(!text.contains(steers), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn markdown_has_no_html_and_no_links_from_outside() {
        let hostile = "<script>x</script> <!-- a [b](http://c) ![d](e) [f]: g";
        assert_eq!(inert(hostile), "&lt;script>x&lt;/script> &lt;!-- a [b\\](http://c) ![d\\](e) [f\\]: g");
        assert_eq!(inert("RTF 0.3 < 1, `a[0]`, <= 5"), "RTF 0.3 < 1, `a[0]`, <= 5");
    }

    #[test]
    fn only_lines_that_may_need_it_are_cleaned() {
        assert!(!may_steer(br#"{"test_id": "short_c1_1", "error": null}"#));
        assert!(may_steer(br#"{"error": "a\nb"}"#) && may_steer("{\"error\": \"\u{9b}\"}".as_bytes()));
        let mut value = serde_json::json!({"error": ["a\nb"], "n": 1});
        make_lines(&mut value);
        assert_eq!(value, serde_json::json!({"error": ["a b"], "n": 1}));
    }
}
