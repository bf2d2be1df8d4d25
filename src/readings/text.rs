//! The text in the bytes of a file, whatever wrote them. Pure.

/// The text of `bytes`: UTF-8 or UTF-16 (PowerShell's redirection) by its mark, Windows-1252 where it is
/// no UTF-8; without the sequences that colour a terminal or clear it (`docker stats`), with `\n` at the ends of lines.
pub(super) fn text(bytes: &[u8]) -> String {
    let decoded = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    };
    lines(&without_sequences(&decoded))
}

/// Windows-1252 differs from Latin-1 in quotes and dashes only, none of which is in a figure.
fn utf8(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).map(str::to_string);
    text.unwrap_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn utf16(bytes: &[u8], of: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// `text` without control sequences (`ESC [ … letter`); one that clears the screen begins a line.
fn without_sequences(text: &str) -> String {
    if !text.contains("\u{1b}[") {
        return text.to_string();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = sequence.find(|character: char| ('@'..='~').contains(&character));
        let Some(end) = end else { return plain };
        if matches!(sequence.as_bytes()[end], b'H' | b'J') && !plain.is_empty() && !plain.ends_with('\n') {
            plain.push('\n');
        }
        rest = &sequence[end + 1..];
    }
    plain.push_str(rest);
    plain
}

/// `\r\n` and a lone `\r` end a line, too.
fn lines(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_whatever_wrote_it() {
        assert_eq!(text(b"\xef\xbb\xbfrss\r\n1\r\n"), "rss\n1\n");
        assert_eq!(text(b"\xff\xfer\0s\0s\0\n\0"), "rss\n");
        assert_eq!(text(b"\xfe\xff\0r\0s\0s\0\n"), "rss\n");
        assert_eq!(text(b"M\xe9moire;1\xa0234"), "M\u{e9}moire;1\u{a0}234");
        assert_eq!(text(b"\x1b[2J\x1b[HNAME\n\x1b[31msvc\x1b[0m 1"), "NAME\nsvc 1");
        assert_eq!(text(b"a\x1b[2J\x1b[Hb"), "a\nb");
        assert_eq!(text("Gr\u{f6}\u{df}e".as_bytes()), "Gr\u{f6}\u{df}e");
    }
}
