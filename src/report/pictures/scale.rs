//! From figures to places: scales with round ticks, and series that keep their peaks when they are thinned.

use crate::units::round;

/// A linear scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// The figure at `from`.
    pub(super) low: f64,
    /// The figure at `to`.
    pub(super) high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale from `low` at the place `from` to `high` at the place `to`.
    pub(super) fn new(low: f64, high: f64, from: f64, to: f64) -> Scale {
        let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
        Scale { low, high: if high > low { high } else { low + 1.0 }, from, to }
    }

    /// One that begins at 0 and ends at a round figure at or above `highest`.
    pub(super) fn from_zero(highest: f64, from: f64, to: f64, ticks: usize) -> Scale {
        let highest = if highest.is_finite() && highest > 0.0 { highest * 1.02 } else { 1.0 };
        let step = step(highest, ticks);
        Scale::new(0.0, (highest / step).ceil() * step, from, to)
    }

    /// The place of `value`.
    pub(super) fn at(self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round figures between its ends, some `count` of them.
    pub(super) fn ticks(self, count: usize) -> Vec<f64> {
        let step = step(self.high - self.low, count);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|tick| round(tick as f64 * step, 9)).collect()
    }

    /// Round whole figures between its ends.
    pub(super) fn whole_ticks(self, count: usize) -> Vec<f64> {
        let step = step(self.high - self.low, count).max(1.0);
        let last = (self.high / step + 1e-9).floor() as i64;
        let ticks = (0..=last).map(|tick| tick as f64 * step);
        // The first task is number 1.
        ticks.map(|tick| tick.max(self.low)).filter(|tick| *tick >= self.low && tick.fract() == 0.0).collect()
    }
}

/// The round step (1, 2 or 5 times a power of ten) that divides `span` into some `count` parts.
fn step(span: f64, count: usize) -> f64 {
    let rough = (span / count.max(1) as f64).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

/// The points of a line that are worth drawing: of those that share a pixel the first, the lowest, the highest and the
/// last, so that no peak is lost. The points are in the order of their `x`.
pub(super) fn thin(points: &[(f64, f64)], x: Scale) -> Vec<(f64, f64)> {
    let pixel = |point: &(f64, f64)| x.at(point.0).floor() as i64;
    let finite: Vec<(f64, f64)> =
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    finite
        .chunk_by(|left, right| pixel(left) == pixel(right))
        .flat_map(|column| {
            let by_height =
                |left: &&(usize, &(f64, f64)), right: &&(usize, &(f64, f64))| left.1.1.total_cmp(&right.1.1);
            let numbered: Vec<(usize, &(f64, f64))> = column.iter().enumerate().collect();
            let lowest = numbered.iter().min_by(by_height).map_or(0, |found| found.0);
            let highest = numbered.iter().max_by(by_height).map_or(0, |found| found.0);
            let mut kept = vec![0, lowest, highest, column.len() - 1];
            kept.sort_unstable();
            kept.dedup();
            kept.into_iter().map(|place| column[place]).collect::<Vec<_>>()
        })
        .collect()
}

/// One point a pixel: the lowest or the highest of those that share it, as `of` says.
pub(super) fn envelope(points: &[(f64, f64)], x: Scale, of: fn(f64, f64) -> f64) -> Vec<(f64, f64)> {
    let pixel = |point: &(f64, f64)| x.at(point.0).floor() as i64;
    let finite: Vec<(f64, f64)> =
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let column =
        |column: &[(f64, f64)]| (column[0].0, column.iter().map(|point| point.1).fold(column[0].1, of));
    finite.chunk_by(|left, right| pixel(left) == pixel(right)).map(column).collect()
}

/// A place in a drawing, with one decimal at most.
pub(super) fn px(place: f64) -> String {
    round(if place.is_finite() { place } else { 0.0 }, 1).to_string()
}

/// The text of a tick: no more decimals than it has, and thousands apart.
pub(super) fn tick(value: f64) -> String {
    let text = round(value, 6).to_string();
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let digits = whole.trim_start_matches('-');
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if rest.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_scale() {
        assert_eq!(Scale::from_zero(187.0, 0.0, 100.0, 4).ticks(4), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(Scale::new(0.0, 0.07, 0.0, 1.0).ticks(4), [0.0, 0.02, 0.04, 0.06]);
        assert_eq!(Scale::new(1.0, 40.0, 0.0, 1.0).whole_ticks(4), [1.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Scale::new(1.0, 3.0, 0.0, 1.0).whole_ticks(8), [1.0, 1.0, 2.0, 3.0]);
        assert_eq!([0.0, 1200.0, -0.5, 1_234_567.25].map(tick), ["0", "1,200", "-0.5", "1,234,567.25"]);
    }

    #[test]
    fn a_scale_of_nothing_is_a_scale_all_the_same() {
        for scale in [
            Scale::new(5.0, 5.0, 0.0, 10.0),
            Scale::new(f64::NAN, 1.0, 0.0, 10.0),
            Scale::from_zero(0.0, 0.0, 1.0, 4),
        ] {
            assert!(scale.at(5.0).is_finite() && !scale.ticks(4).is_empty(), "{scale:?}");
        }
        assert_eq!(px(f64::INFINITY), "0");
    }

    #[test]
    fn a_thinned_line_keeps_its_peak_and_its_ends() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|x| (f64::from(x), f64::from(x % 7))).collect();
        points[31_415].1 = 4096.0;
        points[27_182].1 = -5.0;
        let x = Scale::new(0.0, 99_999.0, 0.0, 300.0);
        let thinned = thin(&points, x);
        assert!(thinned.len() <= 4 * 301, "{}", thinned.len());
        assert!(thinned.contains(&(31_415.0, 4096.0)) && thinned.contains(&(27_182.0, -5.0)));
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (points[0], points[99_999]));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn an_envelope_keeps_the_peak() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|x| (f64::from(x), 5.0)).collect();
        points[777].1 = 90.0;
        let upper = envelope(&points, Scale::new(0.0, 9_999.0, 0.0, 100.0), f64::max);
        assert!(upper.len() <= 101 && upper.iter().any(|point| point.1 == 90.0));
    }

    #[test]
    fn a_line_with_few_points_stays_as_it_is() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
        assert_eq!(thin(&points, Scale::new(0.0, 2.0, 0.0, 300.0)), [(0.0, 1.0), (2.0, 3.0)]);
    }
}
