//! What memory never gave back.

/// The lowest reading of each block of `width` readings, the last of which ends
/// with the series; readings at its front that fill no block are left out.
///
/// A minimum forgets what a task held for a while: a late free, a buffer not yet
/// trimmed, the saw-tooth of a collected heap. What a leak keeps is in every
/// reading, and so in the lowest. Blocks of several tasks also make neighbours
/// less dependent on each other, which is what the interval of their mean
/// assumes (the method of batch means: Law, "Simulation Modeling and Analysis",
/// 5th edition, section 9.5.3).
pub(super) fn block_floors(readings: &[f64], width: usize) -> Vec<f64> {
    let width = width.max(1);
    readings[readings.len() % width..]
        .chunks_exact(width)
        .map(|block| block.iter().copied().fold(f64::INFINITY, f64::min))
        .collect()
}

/// What of each reading was still held at the end: the lowest of it and all
/// that came after. It never falls.
pub(super) fn kept(readings: &[f64]) -> Vec<f64> {
    let mut kept = readings.to_vec();
    for index in (1..kept.len()).rev() {
        kept[index - 1] = kept[index - 1].min(kept[index]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_as_high_as_its_lowest_reading() {
        assert_eq!(block_floors(&[9.0, 3.0, 1.0, 4.0, 5.0], 2), [1.0, 4.0]);
        assert_eq!(block_floors(&[2.0, 1.0], 1), [2.0, 1.0]);
        assert!(block_floors(&[], 3).is_empty());
    }

    #[test]
    fn what_was_given_back_later_was_not_kept() {
        assert_eq!(kept(&[1.0, 5.0, 2.0, 3.0]), [1.0, 2.0, 2.0, 3.0]);
        assert!(kept(&[]).is_empty());
    }
}
