//! Student's t distribution: the factor of an interval.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// With at least this many degrees of freedom, the normal distribution agrees to the digits that matter.
const NORMAL_FROM: f64 = 1e7;

/// The largest quantile: less than a degree of freedom says nothing, in a finite number.
const MOST: f64 = 1e9;

/// The `p`-quantile (0.5 to 1) of Student's t with `degrees` of freedom, which need not be whole.
///
/// By statrs, with iterations: for intervals that are computed once. Without degrees of freedom, as of readings
/// without any variance, and with very many, the normal distribution's.
pub(super) fn quantile(p: f64, degrees: f64) -> f64 {
    let few = Some(degrees).filter(|degrees| *degrees < NORMAL_FROM);
    let student = few.and_then(|degrees| StudentsT::new(0.0, 1.0, degrees).ok());
    student.map_or_else(|| normal_quantile(1.0 - p), |student| student.inverse_cdf(p).min(MOST))
}

/// What Student's t with `freedom` degrees of freedom exceeds with the probability `error`.
///
/// The expansion of Cornish and Fisher: Abramowitz & Stegun, "Handbook of
/// Mathematical Functions", 26.7.5; within 1 % for the errors used
/// here. Without iterations, for who asks after every task; see [`quantile`].
pub(super) fn exceeded(error: f64, freedom: usize) -> f64 {
    let z = normal_quantile(error);
    let n = freedom as f64;
    let z2 = z * z;
    let first = z * (z2 + 1.0) / 4.0;
    let second = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    let fourth = z * ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) / 92_160.0;
    z + first / n + second / n.powi(2) + third / n.powi(3) + fourth / n.powi(4)
}

/// What a standard normal variable exceeds with the probability `error`, up to 0.5.
///
/// Abramowitz & Stegun, 26.2.23; the error is below 0.0005.
fn normal_quantile(error: f64) -> f64 {
    let t = (-2.0 * error.clamp(1e-12, 0.5).ln()).sqrt();
    let above = (0.010_328 * t + 0.802_853) * t + 2.515_517;
    let below = ((0.001_308 * t + 0.189_269) * t + 1.432_788) * t + 1.0;
    t - above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the tables (for example NIST/SEMATECH e-Handbook, 1.3.6.7.2).
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, degrees, expected) in [
            (0.95, 1.0, 6.314),
            (0.99, 4.0, 3.747),
            (0.99, 7.0, 2.998),
            (0.975, 10.0, 2.228),
            (0.99, 30.0, 2.457),
            (0.9, 100.0, 1.290),
        ] {
            let found = quantile(p, degrees);
            assert!((found - expected).abs() < 6e-4, "t({p}, {degrees}) = {found}, not {expected}");
        }
    }

    #[test]
    fn the_fast_quantiles_are_close_to_the_tables() {
        for (error, freedom, expected) in [
            (0.01, 4, 3.747),
            (0.01, 7, 2.998),
            (0.01, 14, 2.624),
            (0.10, 4, 1.533),
            (0.10, 9, 1.383),
            (0.001, 7, 4.785),
        ] {
            let quantile = exceeded(error, freedom);
            assert!((quantile / expected - 1.0).abs() < 0.01, "{quantile} for {expected}");
        }
    }

    #[test]
    fn degrees_between_whole_numbers_lie_between_their_quantiles() {
        let t = quantile(0.99, 7.5);
        assert!(t < quantile(0.99, 7.0) && t > quantile(0.99, 8.0));
    }

    #[test]
    fn no_degrees_of_freedom_and_very_many_have_a_finite_factor() {
        for degrees in [f64::NAN, 0.0, -1.0, f64::INFINITY, 1e12] {
            let found = quantile(0.99, degrees);
            assert!((found - 2.326).abs() < 1e-3, "{degrees}: {found}");
        }
        assert!((quantile(0.99, NORMAL_FROM / 2.0) - 2.326).abs() < 1e-3);
        assert!(quantile(0.99, 0.05).is_finite() && quantile(0.99, 0.05) > quantile(0.99, 0.5));
    }
}
