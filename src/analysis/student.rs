//! Student's t distribution: the factor of an interval.

/// The `p`-quantile (0.5 to 1) of Student's t with `degrees` of freedom, which need not be whole.
///
/// Found by halving on the distribution function, which is 1 − I(ν/(ν+t²); ν/2, 1/2)/2 with the
/// regularised incomplete beta function (Abramowitz & Stegun, "Handbook of Mathematical Functions",
/// 26.7.1 and 26.5.27).
pub(super) fn quantile(p: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while distribution(high, degrees) < p && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if distribution(middle, degrees) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
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

/// The probability of a value of at most `t`, for `t` from 0 on.
fn distribution(t: f64, degrees: f64) -> f64 {
    1.0 - 0.5 * incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges fast on this side of the mean; on the other, by symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of the incomplete beta function (A&S 26.5.8), by the
/// method of Lentz (1976), which never divides by a vanishing denominator.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..300 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / nonzero(1.0 + term * d);
            c = nonzero(1.0 + term / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-14 {
            break;
        }
    }
    fraction
}

/// ln Γ(x) for x > 0: Stirling's series (A&S 6.1.41) after the recurrence has made x large.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 12.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
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
    fn the_gamma_function_at_known_places() {
        assert!(ln_gamma(1.0).abs() < 1e-10 && (ln_gamma(5.0) - 24f64.ln()).abs() < 1e-10);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-10);
    }
}
