//! The units of highwater's figures.

/// The bytes in a megabyte of process memory, in every field and column: 1,048,576.
///
/// This is the megabyte of psutil scripts (`rss / 1024 / 1024`) and of `top`,
/// with which the data files must be comparable.
pub const MB: f64 = 1_048_576.0;

/// `bytes` in megabytes of [`MB`] bytes.
pub fn to_mb(bytes: u64) -> f64 {
    bytes as f64 / MB
}

/// The bytes in a megabyte of a file, as file managers count: 1,000,000.
///
/// Only `audio_size_mb` uses it: the short recording has 4.7 MB.
pub const FILE_MB: f64 = 1_000_000.0;

/// `value` rounded to `digits` decimals, for figures that people read.
///
/// A data file is read by eye as often as by program; 45.800000000000004 helps neither.
pub fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    let rounded = (value * scale).round() / scale;
    // Negative zero would print as "-0".
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// What a service says in one place (an error, the id of a task) is kept up to so many bytes.
pub(crate) const LONGEST_TEXT: usize = 2048;

/// `text` with at most [`LONGEST_TEXT`] bytes, cut at the end of a character.
pub(crate) fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        // Three bytes for the mark that something is missing.
        let end = (0..=LONGEST_TEXT - 3).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

/// `text` with at most `most` characters, and a mark where more follow.
#[cfg(any(feature = "cli", test))]
pub(crate) fn cut(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// `events` in their order if they are three or fewer; otherwise their number, the first and the last.
pub(crate) fn few(events: &[String], noun: &str) -> String {
    match events {
        [first, _, .., last] if events.len() > MOST_LISTED => {
            format!("{} {noun}, the first: {first}, the last: {last}", events.len())
        }
        _ => events.join(", "),
    }
}

/// `text` on one line and within `most` characters, with an ellipsis where it was cut.
pub(crate) fn within(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut cut: String = line.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Events that are listed one by one; more are counted.
const MOST_LISTED: usize = 3;

/// `value` with three significant digits, but all digits before the point: `1234`, `55.6`, `0.00123`.
pub(crate) fn significant(value: f64) -> String {
    let magnitude = if value == 0.0 || !value.is_finite() { 0.0 } else { value.abs().log10().floor() };
    // Digits below a billionth are never shown.
    let decimals = (2.0 - magnitude).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

/// A measured time with three significant digits, in milliseconds below a second.
pub(crate) fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{} ms", significant(seconds * 1000.0));
    }
    format!("{} s", significant(seconds))
}

/// A time span in words, in its largest unit: `12 min`.
pub(crate) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_never_leaves_a_negative_zero() {
        assert_eq!(round(-0.04, 1).to_string(), "0");
        assert_eq!(round(45.849, 1), 45.8);
        assert_eq!(round(-15.25, 1), -15.3);
    }

    #[test]
    fn three_digits_are_significant() {
        let shown = [0.0, 0.001_234, 0.0456, 0.5, 9.876, 55.5556, 555.556, 1_234.5].map(significant);
        assert_eq!(shown, ["0.00", "0.00123", "0.0456", "0.500", "9.88", "55.6", "556", "1234"]);
        assert_eq!([0.001_8, 0.25, 1.0, 147.3].map(time), ["1.80 ms", "250 ms", "1.00 s", "147 s"]);
    }

    #[test]
    fn more_than_three_events_are_counted() {
        let events: Vec<String> = (1..=21).map(|pid| format!("pid {pid} died")).collect();
        assert_eq!(few(&events[..3], "events"), "pid 1 died, pid 2 died, pid 3 died");
        assert_eq!(few(&events, "events"), "21 events, the first: pid 1 died, the last: pid 21 died");
        assert_eq!(within(" a\nb ", 5), "a b");
        assert_eq!(within("abcdef", 5), "abcd…");
    }

    #[test]
    fn text_is_cut_at_the_end_of_a_character() {
        assert_eq!(bounded("short".to_string()), "short");
        let long = bounded("é".repeat(5000));
        assert!(long.len() <= LONGEST_TEXT && long.ends_with("é…"), "{}", long.len());
        assert_eq!((cut("äöü", 3), cut("äöü", 2)), ("äöü".into(), "äö…".into()));
    }

    #[test]
    fn spans_are_shown_in_their_largest_unit() {
        let spans = [3.2, 119.0, 600.0, 7_200.0, 200_000.0].map(span);
        assert_eq!(spans, ["3 s", "119 s", "10 min", "2 h", "2 days"]);
    }

    #[test]
    fn a_megabyte_is_that_of_psutil_scripts() {
        assert_eq!(to_mb(655_674_368), 625.299_804_687_5);
    }
}
