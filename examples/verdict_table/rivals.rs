//! Other rules: a threshold on the rise, and two tests of a slope.

/// Nothing is said of fewer readings, and the first three are left out as warm-up.
const LEAST: usize = 8;
const WARM_UP: usize = 3;

/// A leak is a rise of 200 MB or more.
pub(crate) fn delta(after_mb: &[f64]) -> bool {
    let Some(rest) = rest(after_mb) else { return false };
    rest[rest.len() - 1] - rest[0] >= 200.0
}

/// A leak is a slope of least squares above zero with p < 1 %, one-sided.
pub(crate) fn least_squares(after_mb: &[f64]) -> bool {
    let Some(y) = rest(after_mb) else { return false };
    let n = y.len() as f64;
    let (mean_x, mean_y) = ((n - 1.0) / 2.0, y.iter().sum::<f64>() / n);
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, value) in y.iter().enumerate() {
        xx += (x as f64 - mean_x).powi(2);
        xy += (x as f64 - mean_x) * (value - mean_y);
    }
    let slope = xy / xx;
    let residuals: f64 =
        y.iter().enumerate().map(|(x, value)| (value - mean_y - slope * (x as f64 - mean_x)).powi(2)).sum();
    let error = (residuals / (n - 2.0) / xx).sqrt();
    // Two and a half standard errors are 1 % for the numbers of readings here.
    slope > 0.0 && slope > 2.5 * error
}

/// A leak is a trend by Mann and Kendall with p < 1 %, one-sided, whose slope by
/// Theil and Sen is 25 KB per task or more.
pub(crate) fn mann_kendall(after_mb: &[f64]) -> bool {
    let Some(y) = rest(after_mb) else { return false };
    let n = y.len() as f64;
    let (mut s, mut slopes) = (0.0, Vec::new());
    for (i, first) in y.iter().enumerate() {
        for (j, second) in y.iter().enumerate().skip(i + 1) {
            s += (second - first).partial_cmp(&0.0).map_or(0.0, |order| f64::from(order as i8));
            slopes.push((second - first) / (j - i) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    (s - 1.0) / deviation > 2.326 && slopes[slopes.len() / 2] >= 25.0 / 1024.0
}

fn rest(after_mb: &[f64]) -> Option<&[f64]> {
    if after_mb.len() < LEAST { None } else { after_mb.get(WARM_UP..) }
}
