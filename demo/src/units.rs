//! The values of the switches: sizes, caches, durations, factors.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A number of bytes, written `40MB`, `1.5GiB` or `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size of that many bytes.
    pub fn from_bytes(bytes: u64) -> ByteSize {
        ByteSize(bytes)
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, scale) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)] {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// The error for an invalid size.
const SIZE_HINT: &str = "write a number and a unit, such as 500KB, 40MB, 1.5GB or 64MiB";

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<ByteSize, String> {
        let size: bytesize::ByteSize = text.trim().parse().map_err(|why| format!("{why}; {SIZE_HINT}"))?;
        // A terabyte is more than any test machine should give.
        if size.as_u64() > 1_000_000_000_000 {
            return Err("more than a terabyte; give a size that fits this machine".to_string());
        }
        Ok(ByteSize(size.as_u64()))
    }
}

/// A bounded cache: the number and the size of its entries, written `8x24MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSize {
    /// The maximum number of entries.
    pub entries: usize,
    /// The size of each.
    pub entry: ByteSize,
}

impl FromStr for CacheSize {
    type Err = String;

    fn from_str(text: &str) -> Result<CacheSize, String> {
        let hint = "write entries x size, such as 8x24MB";
        let (entries, entry) = text.split_once(['x', 'X']).ok_or_else(|| format!("no cache; {hint}"))?;
        let entries: usize =
            entries.trim().parse().map_err(|_| format!("`{entries}` is no number of entries; {hint}"))?;
        if entries == 0 {
            return Err(format!("a cache needs at least one entry; {hint}"));
        }
        Ok(CacheSize { entries, entry: entry.parse()? })
    }
}

/// Reads a duration: `5s`, `250ms`, `2m`, or a plain number of seconds.
///
/// # Errors
/// A message that shows how to write a duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = "write a number and a unit, such as 250ms, 5s, 2m or 8h";
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| format!("out of range; {hint}"));
    }
    let signed: SignedDuration = text.parse().map_err(|why| format!("{why}; {hint}"))?;
    signed.try_into().map_err(|_| format!("out of range; {hint}"))
}

/// Reads a factor of 1 or more.
///
/// # Errors
/// A message that explains a factor.
pub fn parse_factor(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(factor) if (1.0..=1e6).contains(&factor) => Ok(factor),
        _ => Err("not a factor; write a number of 1 or more, such as 2 or 7.5".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("40MB", 40_000_000)]
    #[case("40mb", 40_000_000)]
    #[case("1.5GB", 1_500_000_000)]
    #[case("64 MiB", 67_108_864)]
    #[case("3kib", 3072)]
    #[case("10K", 10_000)]
    #[case("4096", 4096)]
    fn sizes_are_read(#[case] text: &str, #[case] bytes: u64) {
        assert_eq!(text.parse::<ByteSize>().unwrap().bytes(), bytes);
    }

    #[rstest]
    #[case("", "40MB")]
    #[case("MB", "40MB")]
    #[case("4XB", "XB")]
    #[case("1..2MB", "40MB")]
    #[case("-4MB", "40MB")]
    #[case("5000GB", "terabyte")]
    fn the_error_for_a_wrong_size_says_what_is_right(#[case] text: &str, #[case] why: &str) {
        let error = text.parse::<ByteSize>().unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_cache_is_entries_times_size() {
        let cache: CacheSize = "8x24MB".parse().unwrap();
        assert_eq!((cache.entries, cache.entry.bytes()), (8, 24_000_000));
        assert!("24MB".parse::<CacheSize>().unwrap_err().contains("8x24MB"));
        assert!("0x24MB".parse::<CacheSize>().is_err());
    }

    #[test]
    fn durations_and_factors() {
        assert_eq!(parse_duration("5s").unwrap(), Duration::from_secs(5));
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("1.5").unwrap(), Duration::from_millis(1500));
        assert_eq!(parse_duration("1.5s").unwrap(), Duration::from_millis(1500));
        assert_eq!(parse_duration("1h 30m").unwrap(), Duration::from_secs(5400));
        assert!(parse_duration("-5s").is_err() && parse_duration("NaN").is_err());
        assert_eq!(parse_duration("2m").unwrap(), Duration::from_secs(120));
        assert_eq!(parse_duration("8h").unwrap(), Duration::from_secs(8 * 3600));
        assert!(parse_duration("5 parsecs").unwrap_err().contains("250ms"));
        assert_eq!(parse_factor("7.5").unwrap(), 7.5);
        assert!(parse_factor("0.5").is_err());
        assert!(parse_factor("NaN").is_err());
    }

    #[test]
    fn a_size_is_shown_as_it_is_written() {
        assert_eq!(ByteSize::from_bytes(100_000_000).to_string(), "100MB");
        assert_eq!(ByteSize::from_bytes(4096).to_string(), "4096");
    }
}
