//! How throughput scales with concurrency: the universal scalability law.
//!
//! N. J. Gunther, "Guerrilla Capacity Planning", 2007, chapter 4: with N tasks at
//! once a system does X(N) = λN / (1 + σ(N − 1) + κN(N − 1)) tasks per second.
//! λ is what one alone does; σ, contention, is the share of work that must queue;
//! κ, coherency, is the cost of keeping each pair of tasks consistent, and the
//! reason why throughput falls beyond a peak, at N = √((1 − σ) / κ).
//!
//! N / X is linear in (1/λ, σ/λ, κ/λ), none of which can be negative: so the fit
//! is a non-negative least squares problem (Lawson & Hanson, "Solving Least
//! Squares Problems", 1974), here so small that every active set is tried. The
//! residuals are relative, since the error of a throughput grows with it.

use schemars::JsonSchema;
use serde::Serialize;

/// Below this the law has more freedom than there is evidence.
const FEWEST_LEVELS: usize = 4;

/// A fit that misses what was measured by more than this says nothing, as a share.
const WORST_RESIDUAL: f64 = 0.1;

/// Fits to resampled residuals, for the interval of the peak.
const RESAMPLES: usize = 500;

/// A fit of the law to the throughput by level: a prediction, never a measurement.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Scalability {
    /// Different levels that it was fitted to.
    pub levels: usize,
    /// λ: tasks per second of one task alone.
    pub lambda: f64,
    /// σ: the share of the work that queues, 0 to 1 and above.
    pub contention: f64,
    /// κ: the cost of consistency between each pair of tasks.
    pub coherency: f64,
    /// Where throughput is predicted to be highest; absent if it never falls.
    pub peak: Option<Peak>,
    /// The root mean square of the relative residuals, with the degrees of freedom taken off.
    pub residual: f64,
}

/// The predicted peak of throughput.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize)]
pub struct Peak {
    /// At so many tasks at once.
    pub at: f64,
    /// Tasks per second there.
    pub throughput: f64,
    /// The lower end of the 95 % interval of `at`.
    pub low: f64,
    /// Its upper end; absent if it includes "never falls".
    pub high: Option<f64>,
}

/// Why no prediction is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoFit {
    /// Too few levels have a throughput.
    FewLevels {
        /// So many have.
        levels: usize,
        /// At least so many are needed.
        least: usize,
    },
    /// No curve of the law goes through the points.
    NoSolution,
    /// The law misses the points by too much.
    Misses {
        /// By so much, in percent.
        percent: f64,
        /// At most so much is allowed, in percent.
        most_percent: f64,
    },
}

/// Fits the law to (concurrency, tasks per second); several figures of a level are averaged.
///
/// The interval of the peak is a bootstrap of the residuals (B. Efron & R.
/// Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 9), with fixed
/// draws, so that the same files always give the same interval.
///
/// # Errors
/// Why none is to be shown: too few levels, or residuals that are too large.
pub fn scalability(points: &[(u32, f64)]) -> Result<Scalability, NoFit> {
    let points = averaged(points);
    if points.len() < FEWEST_LEVELS {
        return Err(NoFit::FewLevels { levels: points.len(), least: FEWEST_LEVELS });
    }
    let fit = fit(&points).ok_or(NoFit::NoSolution)?;
    let ratios: Vec<f64> = points.iter().map(|(n, x)| x / fit.throughput(*n)).collect();
    let squares: f64 = ratios.iter().map(|ratio| (ratio - 1.0).powi(2)).sum();
    let freedom = (points.len() - fit.free()).max(1);
    let residual = (squares / freedom as f64).sqrt();
    if residual > WORST_RESIDUAL {
        return Err(NoFit::Misses { percent: 100.0 * residual, most_percent: 100.0 * WORST_RESIDUAL });
    }
    Ok(Scalability {
        levels: points.len(),
        lambda: 1.0 / fit.a,
        contention: fit.b / fit.a,
        coherency: fit.c / fit.a,
        peak: fit.peak().map(|at| peak(&points, &fit, &ratios, at)),
        residual,
    })
}

impl Scalability {
    /// Predicted tasks per second at `concurrency`.
    pub fn throughput(&self, concurrency: f64) -> f64 {
        let n = concurrency;
        self.lambda * n / (1.0 + self.contention * (n - 1.0) + self.coherency * n * (n - 1.0))
    }
}

/// N / X = a + b (N − 1) + c N (N − 1).
#[derive(Debug, Clone, Copy)]
struct Fit {
    a: f64,
    b: f64,
    c: f64,
}

impl Fit {
    fn throughput(&self, n: f64) -> f64 {
        n / (self.a + self.b * (n - 1.0) + self.c * n * (n - 1.0))
    }

    fn free(&self) -> usize {
        1 + usize::from(self.b > 0.0) + usize::from(self.c > 0.0)
    }

    fn peak(&self) -> Option<f64> {
        // A coherency that would matter only at a million tasks is none.
        let negligible = self.c <= 1e-12 * self.a;
        (!negligible).then(|| ((self.a - self.b).max(0.0) / self.c).sqrt().max(1.0))
    }
}

fn averaged(points: &[(u32, f64)]) -> Vec<(f64, f64)> {
    let mut levels: std::collections::BTreeMap<u32, (f64, u32)> = std::collections::BTreeMap::new();
    for (level, throughput) in points.iter().filter(|(level, x)| *level > 0 && x.is_finite() && *x > 0.0) {
        let sum = levels.entry(*level).or_default();
        sum.0 += throughput;
        sum.1 += 1;
    }
    levels.into_iter().map(|(level, (sum, count))| (f64::from(level), sum / f64::from(count))).collect()
}

/// The best of the fits with each of b and c free or 0.
fn fit(points: &[(f64, f64)]) -> Option<Fit> {
    let mut best: Option<(f64, Fit)> = None;
    for (use_b, use_c) in [(false, false), (true, false), (false, true), (true, true)] {
        let Some(fit) = least_squares(points, use_b, use_c) else { continue };
        if fit.a <= 0.0 || fit.b < 0.0 || fit.c < 0.0 {
            continue;
        }
        let cost: f64 = points.iter().map(|(n, x)| (x / fit.throughput(*n) - 1.0).powi(2)).sum();
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, fit));
        }
    }
    best.map(|(_, fit)| fit)
}

/// The normal equations of the columns 1, N − 1, N (N − 1), each row weighted by X / N.
fn least_squares(points: &[(f64, f64)], use_b: bool, use_c: bool) -> Option<Fit> {
    let mut matrix = [[0.0_f64; 4]; 3];
    for (n, x) in points {
        let weight = x / n;
        let row = [
            weight,
            if use_b { weight * (n - 1.0) } else { 0.0 },
            if use_c { weight * n * (n - 1.0) } else { 0.0 },
        ];
        for i in 0..3 {
            for j in 0..3 {
                matrix[i][j] += row[i] * row[j];
            }
            // The right side is weight · N / X = 1.
            matrix[i][3] += row[i];
        }
    }
    for (index, used) in [true, use_b, use_c].into_iter().enumerate() {
        if !used {
            matrix[index][index] = 1.0;
        }
    }
    let [a, b, c] = solve(matrix)?;
    Some(Fit { a, b, c })
}

/// Gauss, with the largest pivot of each column.
fn solve(mut matrix: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot =
            (column..3).max_by(|i, j| matrix[*i][column].abs().total_cmp(&matrix[*j][column].abs()))?;
        matrix.swap(column, pivot);
        let head = matrix[column];
        if head[column].abs() < f64::MIN_POSITIVE {
            return None;
        }
        for row in matrix.iter_mut().skip(column + 1) {
            let factor = row[column] / head[column];
            for (value, above) in row.iter_mut().zip(head) {
                *value -= factor * above;
            }
        }
    }
    let mut solution = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (matrix[row][3] - known) / matrix[row][row];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}

fn peak(points: &[(f64, f64)], fit: &Fit, ratios: &[f64], at: f64) -> Peak {
    let mut draws = Draws(0x5EED);
    let mut peaks: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let resampled: Vec<(f64, f64)> = points
                .iter()
                .map(|(n, _)| (*n, fit.throughput(*n) * ratios[draws.below(ratios.len())]))
                .collect();
            Some(self::fit(&resampled)?.peak().unwrap_or(f64::INFINITY))
        })
        .collect();
    peaks.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let index = (share * peaks.len() as f64) as usize;
        peaks.get(index.min(peaks.len().saturating_sub(1))).copied().unwrap_or(at)
    };
    Peak {
        at,
        throughput: fit.throughput(at),
        low: quantile(0.025).min(at),
        high: Some(quantile(0.975).max(at)).filter(|high| high.is_finite()),
    }
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % count.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The law with these parameters, at these levels, each off by a factor.
    fn curve(
        lambda: f64,
        sigma: f64,
        kappa: f64,
        levels: &[u32],
        off: impl Fn(usize) -> f64,
    ) -> Vec<(u32, f64)> {
        let at = |n: f64| lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0));
        levels.iter().enumerate().map(|(index, n)| (*n, at(f64::from(*n)) * off(index))).collect()
    }

    fn near(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() <= within, "{value} is not {expected} ± {within}");
    }

    const LEVELS: [u32; 8] = [1, 2, 3, 4, 6, 8, 12, 16];

    #[test]
    fn known_parameters_come_back() {
        let fit = scalability(&curve(20.0, 0.05, 0.002, &LEVELS, |_| 1.0)).unwrap();
        near(fit.lambda, 20.0, 1e-6);
        near(fit.contention, 0.05, 1e-8);
        near(fit.coherency, 0.002, 1e-8);
        let peak = fit.peak.unwrap();
        near(peak.at, (0.95_f64 / 0.002).sqrt(), 1e-3);
        near(peak.throughput, fit.throughput(peak.at), 1e-6);
        near(fit.residual, 0.0, 1e-9);
    }

    #[test]
    fn noise_widens_the_interval_and_the_truth_stays_within() {
        let noisy = curve(20.0, 0.05, 0.002, &LEVELS, |index| if index % 2 == 0 { 1.02 } else { 0.98 });
        let fit = scalability(&noisy).unwrap();
        let peak = fit.peak.unwrap();
        let truth = (0.95_f64 / 0.002).sqrt();
        assert!(peak.low <= truth && peak.high.is_none_or(|high| high >= truth), "{peak:?}");
        assert!(peak.low < peak.at, "{peak:?}");
        assert_eq!(scalability(&noisy), Ok(fit), "the same figures give the same interval");
    }

    #[test]
    fn linear_and_saturating_services_have_no_peak() {
        let linear = scalability(&curve(5.0, 0.0, 0.0, &LEVELS, |_| 1.0)).unwrap();
        near(linear.contention, 0.0, 1e-9);
        assert_eq!(linear.peak, None);
        // One worker: throughput is flat from the start.
        let flat = scalability(&curve(5.0, 1.0, 0.0, &LEVELS, |_| 1.0)).unwrap();
        near(flat.contention, 1.0, 1e-6);
        assert_eq!(flat.peak, None);
    }

    #[test]
    fn better_than_linear_is_not_called_a_negative_contention() {
        let rising: Vec<(u32, f64)> = [(1, 1.0), (2, 2.05), (3, 3.1), (4, 4.2)].to_vec();
        let fit = scalability(&rising).unwrap();
        assert!(fit.contention >= 0.0 && fit.coherency >= 0.0, "{fit:?}");
    }

    #[test]
    fn too_few_levels_and_too_bad_a_fit_are_not_shown() {
        let few = scalability(&curve(5.0, 0.1, 0.0, &[1, 2, 3, 3, 3], |_| 1.0)).unwrap_err();
        assert_eq!(few.to_string(), "3 levels with a throughput, at least 4 are needed");
        let wild = scalability(&[(1, 1.0), (2, 9.0), (3, 2.0), (4, 11.0), (5, 1.0)]).unwrap_err();
        assert!(matches!(wild, NoFit::Misses { .. }), "{wild}");
    }
}
