//! What a tree retained at several moments, by one figure for all of them. Pure.

use crate::record::{Footprint, MemoryFigures, Retained};

/// Memory at each of several moments, in MB.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RetainedSeries {
    /// Private memory.
    pub(super) private_mb: Vec<f64>,
    /// Mapped shared memory besides it; empty where it is not known at each of them.
    pub(super) shared_mb: Vec<f64>,
    /// The figure that `private_mb` is.
    pub(super) figure: Retained,
}

/// The private memory of all readings by the best figure that each of them has.
///
/// `None` where no reading is, or one has no private memory: then RSS has to do.
pub(super) fn private_series<'a>(
    readings: impl Iterator<Item = Option<&'a Footprint>> + Clone,
) -> Option<RetainedSeries> {
    let readings = readings.map(|reading| reading.map(MemoryFigures::from).unwrap_or_default());
    let figure = Retained::common(readings.clone()).filter(|figure| *figure != Retained::Rss)?;
    let shared: Option<Vec<f64>> = readings.clone().map(|reading| figure.shared(reading)).collect();
    Some(RetainedSeries {
        private_mb: readings.filter_map(|reading| figure.of(reading)).collect(),
        shared_mb: shared.unwrap_or_default(),
        figure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_comes_with_private_memory_and_without_pages_of_files() {
        let of = |pss_anon_mb, private_mb| Footprint {
            rss_mb: Some(120.0),
            pss_mb: Some(110.0),
            shmem_mb: Some(7.0),
            private_mb,
            pss_anon_mb,
            ..Footprint::default()
        };
        let series = |readings: &[Footprint]| private_series(readings.iter().map(Some));
        let found = series(&[of(Some(90.0), Some(100.0)), of(Some(91.0), Some(100.0))]).unwrap();
        assert_eq!((found.private_mb, found.shared_mb), (vec![90.0, 91.0], vec![7.0, 7.0]));
        let found = series(&[of(Some(90.0), Some(100.0)), of(None, Some(101.0))]).unwrap();
        assert_eq!((found.private_mb, found.shared_mb), (vec![100.0, 101.0], vec![7.0, 7.0]));
        assert_eq!(series(&[of(Some(90.0), None), of(None, Some(100.0))]), None);
        assert_eq!(private_series([Some(&of(Some(90.0), None)), None].into_iter()), None);
        assert_eq!(series(&[]), None);
    }
}
