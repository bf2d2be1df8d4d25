//! The few statistics that the tables show.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

use crate::record::Times;

/// Smallest, median, 95th percentile and largest of some figures, in their unit.
#[derive(Debug, Clone, Copy, PartialEq, schemars::JsonSchema, serde::Serialize)]
pub struct Summary {
    /// The smallest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile; the largest where there are fewer than 20.
    pub p95: f64,
    /// The 99th percentile; the largest where there are fewer than 100.
    pub p99: f64,
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
        p99: percentile(&sorted, 99.0)?,
        max: sorted[sorted.len() - 1],
        mean: values.iter().sum::<f64>() / values.len() as f64,
    })
}

/// The summary of `times`, in seconds, or nothing if there are none.
pub(crate) fn summary_of_times(times: &Times) -> Option<Summary> {
    if let Some(sorted) = times.exact() {
        return summary(&sorted);
    }
    let (min, max) = times.ends()?;
    let figure = |p: f64| times.percentile(p);
    Some(Summary {
        min,
        p50: figure(50.0)?,
        p95: figure(95.0)?,
        p99: figure(99.0)?,
        max,
        mean: times.mean()?,
    })
}

/// The `p`-th percentile (0 to 100) of `times`; absent if there are none.
pub(super) fn percentile_of(times: &Times, p: f64) -> Option<f64> {
    times.exact().map_or_else(|| times.percentile(p), |sorted| percentile(&sorted, p))
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

/// The probability, were both alike, that at least as many of the first group's
/// tasks would have failed as did; groups are (failed, all).
///
/// Fisher's exact test, one-sided (R. A. Fisher, "On the Interpretation of χ²
/// from Contingency Tables", 1922): the tail of the hypergeometric distribution.
pub(crate) fn fisher_more(first: (u32, u32), second: (u32, u32)) -> f64 {
    let (failed, all) = (first.0 + second.0, first.1 + second.1);
    // As many as were seen, or more: more than one less.
    let Some(fewer) = first.0.checked_sub(1) else { return 1.0 };
    let drawn = Hypergeometric::new(all.into(), failed.into(), first.1.into());
    drawn.map_or(1.0, |drawn| drawn.sf(fewer.into()).min(1.0))
}

/// The 95 % interval of a share of which `good` of `all` were seen: (low, high).
///
/// E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
/// Inference", 1927. Unlike the textbook interval it is right for few and for
/// shares near 0 and 1; z is the 97.5th percentile of the normal distribution.
pub fn wilson(good: u32, all: u32) -> (f64, f64) {
    const Z: f64 = 1.959_963_985;
    if all == 0 {
        return (0.0, 1.0);
    }
    let n = f64::from(all);
    let share = f64::from(good) / n;
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
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

    #[test]
    fn fisher_agrees_with_the_textbook() {
        // The lady tasting tea: 3 of 4 right by chance has p = 17/70; 4 of 4 has 1/70.
        assert!((fisher_more((3, 4), (1, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((fisher_more((4, 4), (0, 4)) - 1.0 / 70.0).abs() < 1e-12);
        assert_eq!(fisher_more((0, 4), (0, 4)), 1.0);
        assert!((fisher_more((5, 5), (3, 3)) - 1.0).abs() < 1e-12, "all failed in both");
    }

    #[test]
    fn wilson_agrees_with_published_figures() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        for (good, all, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
        {
            let (from, to) = wilson(good, all);
            assert!((from - low).abs() < 1e-4 && (to - high).abs() < 1e-4, "{good} of {all}: {from} {to}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
