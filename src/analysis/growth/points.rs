//! Readings at their places, and the floors of each half of a doubling.

/// Memory after so many tasks (or seconds).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis) struct Point {
    /// Tasks (or seconds) since the first.
    pub(in crate::analysis) at: f64,
    /// Memory, in MB.
    pub(in crate::analysis) mb: f64,
}

/// Halves of doublings that are looked at: three doublings.
pub(in crate::analysis) const HALVES: usize = 6;

/// The readings of the last three doublings of the number of tasks, by their floors.
///
/// With N tasks in all, half `k` is what was read after more than N·2^-(k+1)/2 and up to N·2^-k/2 tasks. Its floor is
/// the lowest reading with its own place, so that a straight line stays straight, and what a task, a buffer or a
/// collector holds for a while is not in it.
#[derive(Debug, Clone)]
pub(in crate::analysis) struct Halves {
    /// The newest first; none where nothing was read in one.
    pub(in crate::analysis) floors: [Option<Point>; HALVES],
    /// What was read in the last two doublings, in its order.
    pub(in crate::analysis) recent: Vec<Point>,
    /// The last reading.
    pub(in crate::analysis) last: Point,
}

impl Halves {
    /// Those of `points`, which are in order; none where there is no reading after a first task.
    pub(in crate::analysis) fn of(points: &[Point]) -> Option<Halves> {
        let last = *points.last().filter(|last| last.at > 0.0)?;
        let edge = |half: usize| last.at * (-(half as f64) / 2.0).exp2();
        let inside = |half: usize| {
            points.iter().copied().filter(move |point| point.at > edge(half + 1) && point.at <= edge(half))
        };
        let mut floors = [None; HALVES];
        for (half, floor) in floors.iter_mut().enumerate() {
            *floor = inside(half).reduce(|low, next| if next.mb < low.mb { next } else { low });
        }
        let recent = points.iter().copied().filter(|point| point.at > edge(5)).collect();
        Some(Halves { floors, recent, last })
    }

    /// Growth from the floor of one half to that of a later one, in MB per task.
    pub(in crate::analysis) fn rate(&self, from: usize, to: usize) -> Option<f64> {
        let (from, to) = (self.floors[from]?, self.floors[to]?);
        (to.at > from.at).then(|| (to.mb - from.mb) / (to.at - from.at))
    }

    /// How far the floor of one half lies below that of a later one, in MB.
    pub(in crate::analysis) fn rise(&self, from: usize, to: usize) -> Option<f64> {
        Some(self.floors[to]?.mb - self.floors[from]?.mb)
    }
}

/// A straight line through readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis) struct Line {
    /// Growth, in MB per task.
    pub(in crate::analysis) slope: f64,
    /// Its standard error.
    pub(in crate::analysis) error: f64,
    /// Standard deviation of the readings about the line, in MB.
    pub(in crate::analysis) noise_mb: f64,
    /// Degrees of freedom of both.
    pub(in crate::analysis) freedom: usize,
}

/// The line of least squares; none for fewer than three places.
pub(in crate::analysis) fn line(points: &[Point]) -> Option<Line> {
    let count = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean = |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (at, mb) = (mean(|point| point.at), mean(|point| point.mb));
    let spread: f64 = points.iter().map(|point| (point.at - at).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|point| (point.at - at) * (point.mb - mb)).sum::<f64>() / spread;
    let freedom = points.len() - 2;
    let rest: f64 = points.iter().map(|point| (point.mb - mb - slope * (point.at - at)).powi(2)).sum();
    let noise_mb = (rest / freedom as f64).sqrt();
    Some(Line { slope, error: noise_mb / spread.sqrt(), noise_mb, freedom })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(tasks: u32, mb: impl Fn(f64) -> f64) -> Vec<Point> {
        (1..=tasks).map(|task| Point { at: f64::from(task), mb: mb(f64::from(task)) }).collect()
    }

    #[test]
    fn a_straight_line_stays_straight() {
        let halves = Halves::of(&points(1000, |task| 50.0 + 0.02 * task)).unwrap();
        for (from, to) in [(5, 4), (4, 2), (3, 2), (2, 0), (1, 0)] {
            assert!((halves.rate(from, to).unwrap() - 0.02).abs() < 1e-12, "{from} to {to}");
        }
    }

    #[test]
    fn what_is_held_for_a_while_is_not_in_the_floors() {
        let teeth = Halves::of(&points(1000, |task| 50.0 + 4.0 * (task % 50.0))).unwrap();
        assert_eq!(teeth.rise(4, 0), Some(0.0));
    }

    #[test]
    fn halves_without_a_reading_have_no_floor() {
        let halves = Halves::of(&[Point { at: 10.0, mb: 1.0 }, Point { at: 1000.0, mb: 2.0 }]).unwrap();
        assert_eq!(halves.floors[1..], [None; 5]);
        assert_eq!(halves.rate(2, 0), None);
        assert!(Halves::of(&[]).is_none());
    }

    #[test]
    fn a_line_has_its_slope_and_what_lies_about_it() {
        let found = line(&points(50, |task| 3.0 + 0.5 * task)).unwrap();
        assert!((found.slope - 0.5).abs() < 1e-12 && found.noise_mb < 1e-9);
        // A textbook example: x 1 to 4, y 2, 4, 5, 4: slope 0.7, residual sum 1.8 over 2 degrees of freedom… by hand.
        let by_hand = [(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0)];
        let found = line(&by_hand.map(|(at, mb)| Point { at, mb })).unwrap();
        assert!((found.slope - 0.7).abs() < 1e-12);
        assert!((found.noise_mb - (2.3_f64 / 2.0).sqrt()).abs() < 1e-12, "{found:?}");
        assert_eq!(line(&[Point { at: 1.0, mb: 1.0 }; 5]), None);
    }
}
