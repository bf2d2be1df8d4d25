//! The few statistics that the tables show.

/// Smallest, median, 95th percentile and largest of some figures, in their unit.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Summary {
    /// The smallest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile; the largest where there are fewer than 20.
    pub p95: f64,
    /// The largest.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
}

/// The summary of `values`, or nothing if there are none.
pub fn summary(values: &[f64]) -> Option<Summary> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(Summary {
        min: sorted[0],
        p50: percentile(&sorted, 50.0)?,
        p95: percentile(&sorted, 95.0)?,
        max: sorted[sorted.len() - 1],
        mean: values.iter().sum::<f64>() / values.len() as f64,
    })
}

/// The `p`-th percentile (0 to 100) of figures in rising order, by nearest rank:
/// the smallest figure that at least `p` % of them do not exceed.
///
/// Nearest rank (definition 1 of Hyndman & Fan, "Sample Quantiles in Statistical
/// Packages", 1996) always gives a figure that was measured, and errs to the high
/// side for few of them, which is the honest side for an upper bound.
pub fn percentile(sorted: &[f64], p: f64) -> Option<f64> {
    let rank = (p / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_figures_that_were_measured() {
        let sorted: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 50.0), Some(10.0));
        assert_eq!(percentile(&sorted, 95.0), Some(19.0));
        assert_eq!(percentile(&sorted, 100.0), Some(20.0));
        assert_eq!(percentile(&sorted, 0.0), Some(1.0));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn the_p95_of_few_is_their_largest() {
        assert_eq!(summary(&[3.0, 1.0, 2.0]).unwrap().p95, 3.0);
        assert_eq!(summary(&[]), None);
    }
}
