//! Times as tools write them, as seconds on an axis. Pure.
//!
//! Only differences count: a time of day without a date and a date without a zone will do.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// How a column of times is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Seconds, milli-, micro- or nanoseconds since 1970 or since a start.
    Number,
    /// ISO 8601, with or without a zone.
    Iso,
    /// A date and a time in this form of `strftime`.
    Dated(&'static str),
    /// A time of day in this form of `strftime`.
    OfDay(&'static str),
    /// `[[days-]hours:]minutes:seconds`, as `ps -o etime` writes it.
    Elapsed,
    /// `12.5s`, `1h 5m`, `PT5M`.
    Span,
}

/// In the order in which they are tried; the first that reads all of a column and never goes back is its format.
const FORMATS: [Format; 24] = [
    Format::Number,
    Format::Iso,
    Format::Dated("%Y-%m-%d %H:%M:%S%.f %z"),
    Format::Dated("%Y-%m-%d %H:%M:%S%.f%z"),
    Format::Dated("%Y-%m-%d %H:%M"),
    Format::Dated("%Y-%m-%d %I:%M:%S%.f %p"),
    Format::Dated("%m/%d/%Y %H:%M:%S%.f"),
    Format::Dated("%m/%d/%Y %I:%M:%S %p"),
    Format::Dated("%d/%m/%Y %H:%M:%S%.f"),
    Format::Dated("%d/%m/%Y %I:%M:%S %p"),
    Format::Dated("%m/%d/%y %H:%M:%S%.f"),
    Format::Dated("%d.%m.%Y %H:%M:%S%.f"),
    Format::Dated("%d.%m.%Y %H:%M"),
    Format::Dated("%d/%b/%Y:%H:%M:%S %z"),
    Format::Dated("%a %b %e %H:%M:%S %Y"),
    Format::Dated("%a %d %b %Y %I:%M:%S %p"),
    Format::Dated("%a %d %b %Y %H:%M:%S"),
    Format::Dated("%a %d %b %Y %H:%M:%S %z"),
    Format::Dated("%Y%m%d_%H%M%S"),
    Format::OfDay("%H:%M:%S%.f"),
    Format::OfDay("%I:%M:%S%.f %p"),
    Format::OfDay("%H:%M"),
    Format::Elapsed,
    Format::Span,
];

/// The seconds that the cells of a column called `name` stand for, if they are times that never go back.
pub(super) fn seconds<'a>(name: &str, cells: impl Iterator<Item = &'a str>) -> Option<Vec<f64>> {
    let cells: Vec<String> = cells.map(tidy).collect();
    let elapsed = name.to_lowercase().contains("elapsed") || name.to_lowercase().contains("etime");
    let first = elapsed.then_some(Format::Elapsed);
    first.into_iter().chain(FORMATS).find_map(|format| {
        let read = cells.iter().map(|cell| of(cell, format)).collect::<Option<Vec<f64>>>()?;
        let seconds = match format {
            Format::OfDay(_) => unwrapped(read),
            Format::Number => scaled(name, read),
            _ => read,
        };
        seconds.windows(2).all(|pair| pair[0] <= pair[1]).then_some(seconds)
    })
}

/// True for a text that can be nothing but a moment: a bare number is none.
pub(super) fn is_moment(text: &str) -> bool {
    // Cheap, and true of nearly all that is none.
    let day = |text: &str| text.as_bytes().get(4) == Some(&b'-') && text.len() == 10;
    let digit = text.bytes().any(|byte| byte.is_ascii_digit()) && text.len() < 50;
    if !digit || !begins(text) || !(text.contains([':', '_']) || day(text.trim())) {
        return false;
    }
    let text = tidy(text);
    // A span (`5m`) may be an amount, and `12:34` minutes.
    let formats =
        FORMATS.iter().filter(|format| !matches!(format, Format::Number | Format::Span | Format::Elapsed));
    formats.into_iter().any(|format| of(&text, *format).is_some())
}

/// True for a text that begins as a moment does: with a digit, or the name of a day or a month.
fn begins(text: &str) -> bool {
    const NAMES: [&str; 19] = [
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
        "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = text.trim_start().trim_start_matches(['"', '[', '\'']);
    text.starts_with(|first: char| first.is_ascii_digit()) || NAMES.iter().any(|name| text.starts_with(name))
}

/// True for a number that counts since 1970, in any of the usual units.
pub(super) fn is_epoch(text: &str) -> bool {
    let digits = text.split('.').next().unwrap_or_default();
    let length = [10, 13, 16, 19].contains(&digits.len());
    length && digits.starts_with(['1', '2']) && text.parse::<f64>().is_ok()
}

/// The moment that `line` begins with, and what follows it.
pub(super) fn leading(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    if !begins(line) {
        return None;
    }
    let ends: Vec<usize> = line
        .char_indices()
        .filter(|(_, character)| character.is_whitespace())
        .map(|(index, _)| index)
        .chain([line.len()])
        .collect();
    // The longest first, since a date without its time is one too; `date` writes seven words in some languages.
    let mut words: Vec<usize> = Vec::new();
    for end in ends {
        if words.last().is_none_or(|last| !line[*last..end].trim().is_empty()) {
            words.push(end);
        }
        if words.len() == 7 {
            break;
        }
    }
    words.into_iter().rev().find_map(|end| {
        let (moment, rest) = line.split_at(end);
        let alone = moment.trim_matches(['[', ']', ':', ',']);
        (is_moment(alone) || is_epoch(alone)).then_some((alone, rest.trim_start()))
    })
}

/// A time without what stands around it, and with one kind of spaces, slashes and AM.
fn tidy(text: &str) -> String {
    let text = text.trim().trim_matches(['"', '[', ']', '\'']).trim_end_matches([':', ',']);
    let spaced: Vec<&str> = text.split_whitespace().collect();
    let mut tidy = spaced.join(" ");
    if tidy.contains("UTC") || tidy.contains("GMT") {
        // Differences need no zone.
        tidy = tidy.replace(" UTC", "").replace(" GMT", "");
    }
    for (from, to) in [("a.m.", "AM"), ("p.m.", "PM"), (" am", " AM"), (" pm", " PM")] {
        if tidy.ends_with(from) {
            tidy.truncate(tidy.len() - from.len());
            tidy.push_str(to);
        }
    }
    let year_first = tidy
        .as_bytes()
        .get(..5)
        .is_some_and(|start| start[..4].iter().all(u8::is_ascii_digit) && start[4] == b'/');
    if year_first { tidy.replace('/', "-") } else { tidy }
}

/// The seconds of one tidy cell; of a number, as it stands.
fn of(cell: &str, format: Format) -> Option<f64> {
    match format {
        Format::Number => cell.replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite()),
        Format::Iso => iso(cell),
        Format::Dated(form) => dated(cell, form),
        Format::OfDay(form) => {
            let time = BrokenDownTime::parse(form, cell.replace(',', ".")).ok()?.to_time().ok()?;
            Some(of_day(time))
        }
        Format::Elapsed => elapsed(cell),
        Format::Span => Some(cell.parse::<SignedDuration>().ok()?.as_secs_f64()),
    }
}

fn iso(cell: &str) -> Option<f64> {
    // `2026-11-27T18:00:00,123`; a zone without a colon; a date alone is a day.
    let cell = cell.replace(',', ".");
    if let Ok(timestamp) = cell.parse::<Timestamp>() {
        return Some(timestamp.as_nanosecond() as f64 / 1e9);
    }
    let year = cell.as_bytes().get(..4)?.iter().all(u8::is_ascii_digit);
    let dated = year && cell.as_bytes().get(4) == Some(&b'-');
    if !dated {
        return None;
    }
    let time = cell
        .parse::<DateTime>()
        .ok()
        .or_else(|| Some(cell.parse::<Date>().ok()?.to_datetime(Time::midnight())))?;
    civil(time)
}

fn dated(cell: &str, form: &str) -> Option<f64> {
    let cell = cell.replace(", ", " ").replace(',', ".");
    let parsed = BrokenDownTime::parse(form, &cell).ok()?;
    if form.ends_with("%z") {
        return Some(parsed.to_timestamp().ok()?.as_nanosecond() as f64 / 1e9);
    }
    civil(parsed.to_datetime().ok()?)
}

fn civil(time: DateTime) -> Option<f64> {
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_nanosecond() as f64 / 1e9)
}

fn of_day(time: Time) -> f64 {
    let seconds =
        f64::from(time.hour()) * 3600.0 + f64::from(time.minute()) * 60.0 + f64::from(time.second());
    seconds + f64::from(time.subsec_nanosecond()) / 1e9
}

fn elapsed(cell: &str) -> Option<f64> {
    let (days, clock) = match cell.split_once('-') {
        Some((days, clock)) => (days.parse::<f64>().ok()?, clock),
        None => (0.0, cell),
    };
    let parts = clock.split(':').map(|part| part.parse::<f64>().ok()).collect::<Option<Vec<f64>>>()?;
    let within =
        (2..=3).contains(&parts.len()) && parts.iter().skip(1).all(|part| (0.0..60.0).contains(part));
    within.then(|| days * DAY_S + parts.iter().fold(0.0, |sum, part| sum * 60.0 + part))
}

/// Times of day over several days: one that is half a day earlier than the one before is of the next day.
fn unwrapped(times: Vec<f64>) -> Vec<f64> {
    let mut days = 0.0;
    let mut last = f64::NEG_INFINITY;
    times
        .into_iter()
        .map(|time| {
            if last - time > DAY_S / 2.0 {
                days += 1.0;
            }
            last = time;
            days * DAY_S + time
        })
        .collect()
}

/// Numbers as seconds: by the unit in the column's `name`, or since 1970 by their size.
fn scaled(name: &str, numbers: Vec<f64>) -> Vec<f64> {
    let largest = numbers.iter().copied().fold(0.0, f64::max);
    let words = super::columns::words(name);
    let factor = match words.last().map(String::as_str) {
        _ if largest >= 1e17 => 1e-9,
        _ if largest >= 1e14 => 1e-6,
        _ if largest >= 1e11 => 1e-3,
        // Seconds since 1970, or of a start.
        _ if largest >= 1e9 => 1.0,
        Some("ns" | "nanoseconds") => 1e-9,
        Some("us" | "micros" | "microseconds") => 1e-6,
        Some("ms" | "millis" | "milliseconds" | "msec") => 1e-3,
        Some("min" | "mins" | "minute" | "minutes") => 60.0,
        Some("h" | "hour" | "hours") => 3600.0,
        Some("d" | "day" | "days") => DAY_S,
        _ => 1.0,
    };
    numbers.into_iter().map(|number| number * factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(name: &str, cells: &[&str]) -> Option<Vec<f64>> {
        let seconds = seconds(name, cells.iter().copied())?;
        Some(seconds.iter().map(|second| ((second - seconds[0]) * 1000.0).round() / 1000.0).collect())
    }

    #[test]
    fn every_usual_time_is_read() {
        for cells in [
            ["1795803548", "1795803553"],
            ["1795803548000", "1795803553000"],
            ["1795803548000000", "1795803553000000"],
            ["1795803548000000000", "1795803553000000000"],
            ["2026-11-27T18:00:00", "2026-11-27T18:00:05"],
            ["2026-11-27T18:00:00Z", "2026-11-27T18:00:05Z"],
            ["2026-11-27T18:00:00.500+01:00", "2026-11-27T18:00:05.500+01:00"],
            ["2026-11-27 18:00:00,500", "2026-11-27 18:00:05,500"],
            ["2026-11-27 18:00:00 +0100", "2026-11-27 18:00:05 +0100"],
            ["2026-11-27 18:00:00 UTC", "2026-11-27 18:00:05 UTC"],
            ["2026/11/27 18:00:00.000", "2026/11/27 18:00:05.000"],
            ["11/27/2026 18:00:00", "11/27/2026 18:00:05"],
            ["11/27/2026, 6:00:00 PM", "11/27/2026, 6:00:05 PM"],
            ["27/11/2026 18:00:00", "27/11/2026 18:00:05"],
            ["27.11.2026 18:00:00", "27.11.2026 18:00:05"],
            ["[27/Nov/2026:18:00:00 +0000]", "[27/Nov/2026:18:00:05 +0000]"],
            ["Fri Nov 27 18:00:00 UTC 2026", "Fri Nov 27 18:00:05 UTC 2026"],
            ["Fri 27 Nov 2026 06:00:00 PM UTC", "Fri 27 Nov 2026 06:00:05 PM UTC"],
            ["Fri, 27 Nov 2026 18:00:00 +0000", "Fri, 27 Nov 2026 18:00:05 +0000"],
            ["20261127_180000", "20261127_180005"],
            ["18:00:00", "18:00:05"],
            ["12:59:58 PM", "01:00:03 PM"],
            ["06:00:00\u{202f}p.m.", "06:00:05\u{202f}p.m."],
            ["18:00:00.25", "18:00:05.25"],
            ["0.000", "5.000"],
            ["23:59:58", "00:00:03"],
            ["59:58", "01:00:03"],
            ["1-23:59:58", "2-00:00:03"],
            ["0s", "5s"],
        ] {
            assert_eq!(steps("time", &cells), Some(vec![0.0, 5.0]), "{cells:?}");
        }
    }

    #[test]
    fn the_name_says_the_unit_of_an_elapsed_time() {
        assert_eq!(steps("elapsed_ms", &["0", "5000"]), Some(vec![0.0, 5.0]));
        assert_eq!(steps("Time (min)", &["0", "2"]), Some(vec![0.0, 120.0]));
        assert_eq!(steps("ELAPSED", &["00:05", "01:05"]), Some(vec![0.0, 60.0]));
        assert_eq!(steps("time", &["00:05", "01:05"]), Some(vec![0.0, 3600.0]));
    }

    #[test]
    fn what_goes_back_or_is_no_time_is_no_axis() {
        assert_eq!(steps("time", &["5", "3"]), None);
        assert_eq!(steps("time", &["0:00.05", "python"]), None);
    }

    #[test]
    fn a_line_begins_with_a_moment() {
        assert_eq!(leading("18:19:07      UID"), Some(("18:19:07", "UID")));
        assert_eq!(leading("06:19:07 PM   UID"), Some(("06:19:07 PM", "UID")));
        assert_eq!(leading("2026-11-27T18:00:00 37111"), Some(("2026-11-27T18:00:00", "37111")));
        assert_eq!(leading("[2026-11-27 18:00:00] x"), Some(("2026-11-27 18:00:00", "x")));
        assert_eq!(leading("1795803548 37111"), Some(("1795803548", "37111")));
        assert_eq!(leading("Fri Nov 27 20:55:19 UTC 2026"), Some(("Fri Nov 27 20:55:19 UTC 2026", "")));
        assert_eq!(leading("37111 python3"), None);
        assert_eq!(leading("svc-0   1m   36Mi"), None);
    }
}
