//! The units in which memory is told.

/// Bytes in one "MB" of process memory: 1,048,576 (a MiB).
///
/// psutil scripts divide by 1024 twice and call the result MB. Data files of
/// the older script and of this program must be comparable, so every `_mb` of
/// process memory here means the same.
pub const MB: f64 = 1_048_576.0;

/// `bytes` in [`MB`].
pub fn to_mb(bytes: u64) -> f64 {
    bytes as f64 / MB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_is_a_mebibyte() {
        assert_eq!(to_mb(1_048_576), 1.0);
        assert_eq!(to_mb(655_674_573).round(), 625.0);
    }
}
