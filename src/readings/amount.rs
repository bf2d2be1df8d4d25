//! Amounts of memory as tools write them: `36.2MiB / 23.5GiB`, `3.6g`, `1.234.567`, `38002491`. Pure.

use crate::units::MB;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryUnit {
    /// Bytes.
    Bytes,
    /// 1,024 bytes.
    Kilobytes,
    /// 1,048,576 bytes, as everywhere in highwater.
    Megabytes,
    /// 1,073,741,824 bytes.
    Gigabytes,
    /// 1,099,511,627,776 bytes.
    Terabytes,
    /// Pages of 4,096 bytes.
    Pages,
}

impl MemoryUnit {
    /// The factor to megabytes of 1,048,576 bytes.
    pub fn to_mb(self) -> f64 {
        match self {
            MemoryUnit::Bytes => 1.0 / MB,
            MemoryUnit::Kilobytes => 1024.0 / MB,
            MemoryUnit::Megabytes => 1.0,
            MemoryUnit::Gigabytes => 1024.0,
            MemoryUnit::Terabytes => MB,
            MemoryUnit::Pages => 4096.0 / MB,
        }
    }

    /// The unit in words, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            MemoryUnit::Bytes => "bytes",
            MemoryUnit::Kilobytes => "kilobytes",
            MemoryUnit::Megabytes => "megabytes",
            MemoryUnit::Gigabytes => "gigabytes",
            MemoryUnit::Terabytes => "terabytes",
            MemoryUnit::Pages => "pages of 4 kB",
        }
    }

    /// The unit that `word` stands for: `kB`, `KiB`, `Ki`, `k` and `ko` are the same.
    ///
    /// `MB` is 1,048,576 bytes here, as `top`, `ps` and psutil scripts mean it.
    pub fn named(word: &str) -> Option<MemoryUnit> {
        let word = word.trim_end_matches('.').to_lowercase();
        Some(match word.as_str() {
            "b" | "o" | "byte" | "bytes" | "octets" => MemoryUnit::Bytes,
            "k" | "kb" | "kib" | "ki" | "ko" | "kio" | "kbytes" | "kilobyte" | "kilobytes" => {
                MemoryUnit::Kilobytes
            }
            "m" | "mb" | "mib" | "mi" | "mo" | "mio" | "mbytes" | "megabyte" | "megabytes" => {
                MemoryUnit::Megabytes
            }
            "g" | "gb" | "gib" | "gi" | "go" | "gio" | "gbytes" | "gigabyte" | "gigabytes" => {
                MemoryUnit::Gigabytes
            }
            "t" | "tb" | "tib" | "ti" | "to" | "tio" => MemoryUnit::Terabytes,
            "pages" => MemoryUnit::Pages,
            _ => return None,
        })
    }
}

/// The character that separates whole numbers from fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Decimal {
    /// `1,234.5`
    #[default]
    Point,
    /// `1.234,5`
    Comma,
}

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// Nothing, or a sign for nothing (`-`, `null`, `NaN`, `[N/A]`).
    Empty,
    /// A figure, with its unit where the cell says it.
    Amount(f64, Option<MemoryUnit>),
    /// A share.
    Percent,
    /// Something else.
    Text,
}

/// What `cell` holds.
pub(super) fn read(cell: &str, decimal: Decimal) -> Cell {
    let cell = cell.trim().trim_matches('"').trim();
    if is_empty(cell) {
        return Cell::Empty;
    }
    let Some((figure, rest)) = figure(cell, decimal) else { return Cell::Text };
    // Usage and limit in one cell: the unit has to be there, or a date would be an amount.
    let (unit, limit) = rest.split_once('/').map_or((rest, None), |(unit, limit)| (unit, Some(limit)));
    // `top` on macOS marks what rises and falls.
    let unit = unit.trim().trim_end_matches(['+', '-']);
    match (unit, limit) {
        ("", None) => Cell::Amount(figure, None),
        ("%", _) => Cell::Percent,
        (unit, _) => MemoryUnit::named(unit).map_or(Cell::Text, |unit| Cell::Amount(figure, Some(unit))),
    }
}

/// True for a cell that says that there is no figure.
pub(super) fn is_empty(cell: &str) -> bool {
    let cell = cell.trim_matches(['[', ']', '<', '>', '(', ')']).to_ascii_lowercase();
    matches!(
        cell.as_str(),
        "" | "-"
            | "--"
            | "-- / --"
            | "null"
            | "na"
            | "n/a"
            | "nan"
            | "none"
            | "undefined"
            | "not supported"
            | "unknown"
    )
}

/// The number that `text` begins with, and what follows it.
pub(super) fn figure(text: &str, decimal: Decimal) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-', '\u{2212}']).unwrap_or(text);
    let negative = !text.starts_with('+') && unsigned.len() < text.len();
    let end = number_end(unsigned);
    let (digits, rest) = unsigned.split_at(end);
    let plain = plain(digits, decimal)?;
    // An exponent; `5e` without digits is none.
    let exponent = rest.strip_prefix(['e', 'E']).and_then(|rest| {
        let sign = usize::from(rest.starts_with(['+', '-']));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| rest.split_at(sign + digits))
    });
    let (power, rest) = exponent.unwrap_or(("0", rest));
    let value: f64 = format!("{plain}e{power}").parse().ok()?;
    Some((if negative { -value } else { value }, rest))
}

/// Where the digits and separators at the start of `text` end.
fn number_end(text: &str) -> usize {
    let mut end = 0;
    for (index, character) in text.char_indices() {
        let next = &text[index + character.len_utf8()..];
        let digits = next.bytes().take_while(u8::is_ascii_digit).count();
        let goes_on = match character {
            '0'..='9' => true,
            '.' | ',' => true,
            // Groups of three digits.
            '\'' | '\u{2019}' | '_' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' => digits == 3 && index > 0,
            _ => false,
        };
        if !goes_on {
            break;
        }
        end = index + character.len_utf8();
    }
    end
}

/// The digits with a point before the fraction and no other separator.
fn plain(digits: &str, decimal: Decimal) -> Option<String> {
    let digits: String = digits
        .chars()
        .filter(|character| character.is_ascii_digit() || matches!(character, '.' | ','))
        .collect();
    if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction_sign = match separators(&digits) {
        Separators::None => return Some(digits),
        Separators::Decimal(sign) => Some(sign),
        Separators::Groups(_) => None,
        Separators::Either(',') => (decimal == Decimal::Comma).then_some(','),
        Separators::Either(sign) => (decimal == Decimal::Point).then_some(sign),
        Separators::Neither => return None,
    };
    Some(
        digits
            .chars()
            .filter_map(|character| match character {
                '.' | ',' if Some(character) == fraction_sign => Some('.'),
                '.' | ',' => None,
                digit => Some(digit),
            })
            .collect(),
    )
}

/// What the points and commas of a number can be.
enum Separators {
    None,
    /// This one stands before a fraction.
    Decimal(char),
    /// This one stands between groups of three digits.
    Groups(char),
    /// `1,234`: this one may be either.
    Either(char),
    Neither,
}

fn separators(digits: &str) -> Separators {
    let count = |sign: char| digits.matches(sign).count();
    let grouped = |whole: &str, sign: char| {
        let mut groups = whole.split(sign);
        groups.next().is_some_and(|first| (1..=3).contains(&first.len()) && first != "0")
            && groups.all(|group| group.len() == 3)
    };
    let (points, commas) = (count('.'), count(','));
    match (points, commas) {
        (0, 0) => Separators::None,
        (1, 0) | (0, 1) => {
            let sign = if points == 1 { '.' } else { ',' };
            if grouped(digits, sign) { Separators::Either(sign) } else { Separators::Decimal(sign) }
        }
        (_, 0) if grouped(digits, '.') => Separators::Groups('.'),
        (0, _) if grouped(digits, ',') => Separators::Groups(','),
        (_, 0) | (0, _) => Separators::Neither,
        // The one that stands last is before the fraction, and stands once.
        _ => {
            let (decimal, group) =
                if digits.rfind('.') > digits.rfind(',') { ('.', ',') } else { (',', '.') };
            match digits.split_once(decimal) {
                Some((whole, fraction)) if grouped(whole, group) && !fraction.contains(decimal) => {
                    Separators::Decimal(decimal)
                }
                _ => Separators::Neither,
            }
        }
    }
}

/// Which sign stands before fractions in a table, by the numbers that leave no doubt. Where all of them do,
/// a comma is decimal only in a table whose columns are separated by semicolons (`semicolons`).
pub(super) fn decimal<'a>(cells: impl Iterator<Item = &'a str>, semicolons: bool) -> Decimal {
    let (mut points, mut commas) = (0, 0);
    for cell in cells {
        let cell = cell.trim();
        match separators(&cell[..number_end(cell)]) {
            Separators::Decimal('.') | Separators::Groups(',') => points += 1,
            Separators::Decimal(_) | Separators::Groups(_) => commas += 1,
            _ => {}
        }
    }
    if commas > points || (semicolons && points == 0) { Decimal::Comma } else { Decimal::Point }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_unit() {
        use MemoryUnit::{Bytes, Gigabytes, Kilobytes, Megabytes};
        for (cell, figure, unit) in [
            ("36.2MiB / 23.5GiB", 36.2, Some(Megabytes)),
            ("36.2MiB/23.5GiB", 36.2, Some(Megabytes)),
            ("3.6g", 3.6, Some(Gigabytes)),
            ("17 MB", 17.0, Some(Megabytes)),
            ("36Mi", 36.0, Some(Megabytes)),
            ("36084 kB", 36084.0, Some(Kilobytes)),
            ("36M+", 36.0, Some(Megabytes)),
            ("36,2 Mo", 36.2, Some(Megabytes)),
            ("512B", 512.0, Some(Bytes)),
            ("38002491", 38_002_491.0, None),
            ("3.8002491e7", 38_002_491.0, None),
            ("1,234,567", 1_234_567.0, None),
            ("1.234.567", 1_234_567.0, None),
            ("1'234'567", 1_234_567.0, None),
            ("1 234 567 kB", 1_234_567.0, Some(Kilobytes)),
            ("1\u{202f}234,5", 1234.5, None),
            ("1.234,5", 1234.5, None),
            ("-4", -4.0, None),
            ("2e300", 2e300, None),
        ] {
            assert_eq!(read(cell, Decimal::Point), Cell::Amount(figure, unit), "{cell}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for cell in ["11/27/26", "12:00:01", "python3", "4-5", "1.2.3", "36 threads", "1,23,4"] {
            assert_eq!(read(cell, Decimal::Point), Cell::Text, "{cell}");
        }
        for cell in ["1.4%", "1,4 %", "0.3% / 5"] {
            assert_eq!(read(cell, Decimal::Point), Cell::Percent, "{cell}");
        }
        for cell in ["", "-", "NaN", "null", "[N/A]", "-- / --"] {
            assert_eq!(read(cell, Decimal::Point), Cell::Empty, "{cell}");
        }
    }

    #[test]
    fn one_number_that_leaves_no_doubt_decides_for_the_others() {
        let of = |cells: &[&str], semicolons| decimal(cells.iter().copied(), semicolons);
        assert_eq!(of(&["15,272", "0,5"], true), Decimal::Comma);
        assert_eq!(of(&["15,272", "0.5"], false), Decimal::Point);
        assert_eq!(of(&["15,272", "1,015,272"], true), Decimal::Point);
        assert_eq!(of(&["15.272"], true), Decimal::Comma);
        assert_eq!(read("15,272", Decimal::Point), Cell::Amount(15272.0, None));
        assert_eq!(read("15,272", Decimal::Comma), Cell::Amount(15.272, None));
        assert_eq!(read("15.272", Decimal::Comma), Cell::Amount(15272.0, None));
    }
}
