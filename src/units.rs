//! The units that highwater speaks in.

/// Bytes in what every field and column about the memory of processes calls a
/// megabyte: 1,048,576.
///
/// This is the megabyte of psutil scripts (`rss / 1024 / 1024`) and of `top`,
/// which the data files have to be comparable with.
pub const MB: f64 = 1_048_576.0;

/// `bytes` in megabytes of [`MB`] bytes.
pub fn to_mb(bytes: u64) -> f64 {
    bytes as f64 / MB
}

/// Bytes in a megabyte of a file, as shops and file managers count: 1,000,000.
///
/// Only `audio_size_mb` is counted so: the short recording has 4.7 of them.
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
    fn a_megabyte_is_that_of_psutil_scripts() {
        assert_eq!(to_mb(655_674_368), 625.299_804_687_5);
    }
}
