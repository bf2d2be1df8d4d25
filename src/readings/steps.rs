//! Readings that stand at times, or after so many tasks, as readings at equal steps. Pure.
//!
//! The rule counts readings. The same line, read once a second or once a minute, must not
//! differ for it: so readings are taken together in a bounded number of equal steps, of
//! each of which the floor counts.

/// No more steps are made than this…
const MOST: usize = 128;

/// Floors of equal steps along an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// The lowest reading in each step, in MB; of a step without one, what lies between its neighbours.
    pub floors_mb: Vec<f64>,
    /// The width of a step, in seconds or tasks.
    pub width: f64,
}

impl Steps {
    /// The floors of `readings` at `positions`, which never go back.
    pub(super) fn of(positions: &[f64], readings: &[f64]) -> Steps {
        let span = match (positions.first(), positions.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        };
        if span <= 0.0 {
            return Steps { floors_mb: readings.to_vec(), width: 1.0 };
        }
        let mut gaps: Vec<f64> =
            positions.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0).collect();
        gaps.sort_by(f64::total_cmp);
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(span);
        // As many whole intervals as keep the number of steps bounded.
        let intervals = (span / usual / MOST as f64).ceil().max(1.0);
        let width = usual * intervals;
        let count = ((span / width).round() as usize + 1).min(MOST + 1);
        let mut floors = vec![None::<f64>; count];
        for (position, reading) in positions.iter().zip(readings) {
            // Readings come a little early or late: half an interval belongs to the step.
            let step = (((position - positions[0]) / width + 0.5 / intervals) as usize).min(count - 1);
            let floor = floors[step].get_or_insert(*reading);
            *floor = floor.min(*reading);
        }
        Steps { floors_mb: filled(&floors), width }
    }
}

/// Gaps are on the line between their neighbours.
fn filled(floors: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<(usize, f64)> =
        floors.iter().enumerate().filter_map(|(step, floor)| Some((step, (*floor)?))).collect();
    let mut filled = Vec::with_capacity(floors.len());
    for pair in known.windows(2) {
        let [(from, low), (to, high)] = [pair[0], pair[1]];
        filled.extend((from..to).map(|step| low + (high - low) * (step - from) as f64 / (to - from) as f64));
    }
    filled.extend(known.last().map(|(_, floor)| *floor));
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(every: f64, seconds: f64) -> Steps {
        let positions: Vec<f64> =
            (0..).map(|row| f64::from(row) * every).take_while(|at| *at <= seconds).collect();
        let readings: Vec<f64> = positions.iter().map(|at| 400.0 + at / 60.0).collect();
        Steps::of(&positions, &readings)
    }

    #[test]
    fn the_same_line_is_the_same_whatever_its_interval() {
        for every in [1.0, 5.0, 15.0, 60.0] {
            let steps = line(every, 7200.0);
            assert!((100..=129).contains(&steps.floors_mb.len()), "{every}: {}", steps.floors_mb.len());
            let rise = steps.floors_mb[steps.floors_mb.len() - 1] - steps.floors_mb[0];
            let rate = rise / (steps.floors_mb.len() - 1) as f64 / steps.width * 3600.0;
            assert!((rate - 60.0).abs() < 1.0, "{every}: {rate}");
        }
    }

    #[test]
    fn gaps_lie_between_their_neighbours_and_floors_count() {
        let steps = Steps::of(&[0.0, 1.0, 2.0, 5.0], &[10.0, 11.0, 12.0, 18.0]);
        assert_eq!((steps.floors_mb, steps.width), (vec![10.0, 11.0, 12.0, 14.0, 16.0, 18.0], 1.0));
        // Two looks within one interval.
        let steps = Steps::of(&[0.0, 0.01, 1.0, 2.0, 3.0], &[10.0, 9.0, 11.0, 12.0, 13.0]);
        assert_eq!(steps.floors_mb.len(), 4);
        assert_eq!(steps.floors_mb[0], 9.0);
    }

    #[test]
    fn one_moment_is_no_axis() {
        assert_eq!(Steps::of(&[5.0, 5.0], &[1.0, 2.0]).floors_mb, [1.0, 2.0]);
        assert!(Steps::of(&[], &[]).floors_mb.is_empty());
    }
}
