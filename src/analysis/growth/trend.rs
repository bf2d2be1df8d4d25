//! Does growth go on, or is it dying away?
//!
//! These look at the steps of what memory *keeps* ([`super::floors::kept`]),
//! which are never negative, so that steps are to growth what events are to a
//! process of arrivals.

/// Laplace's test of a trend: below zero if growth slows down, in standard
/// deviations of what a steady one would show by chance.
///
/// Cox & Lewis, "The Statistical Analysis of Series of Events" (1966), section
/// 3.3: under a constant rate the mean position of the events is normal about the
/// middle of the series, with the variance 1/(12 N). Here every step has its size
/// as its weight, and N is the number of steps that count, (Σh)²/Σh².
pub(super) fn laplace(steps: &[f64]) -> f64 {
    let sum: f64 = steps.iter().sum();
    let squares: f64 = steps.iter().map(|step| step * step).sum();
    if sum <= 0.0 {
        return 0.0;
    }
    let count = steps.len() as f64;
    let position: f64 =
        steps.iter().enumerate().map(|(index, step)| step * (index as f64 + 0.5) / count).sum();
    (position / sum - 0.5) * (12.0 * sum * sum / squares).sqrt()
}

/// The size of the step by which most of the growth came: 2.5 MB for a cache
/// that grows by entries of this size, 10 MB for a leak of that on one task in five.
pub(super) fn step_size(steps: &[f64]) -> f64 {
    let sum: f64 = steps.iter().sum();
    if sum > 0.0 { steps.iter().map(|step| step * step).sum::<f64>() / sum } else { 0.0 }
}

/// Lengths of the tail that are tried.
const TAILS: [usize; 7] = [3, 4, 6, 8, 12, 16, 20];

/// True if growth has ended lately: the last few steps together are less than
/// two thirds (where they are few: a third) of what as many steps before them
/// grew by on average, and less by more than chance explains.
///
/// Chance is 1 % on one side for each length of the tail, with the steps'
/// own standard deviation: steady growth is held to its pace strictly, that of
/// one task in five is allowed its pauses.
pub(super) fn ended(steps: &[f64]) -> bool {
    TAILS.iter().take_while(|&&tail| steps.len() + 1 >= 3 * tail).any(|&tail| {
        let (before, last) = steps.split_at(steps.len() - tail);
        let (pace, deviation) = mean_and_deviation(before);
        let (recent, _) = mean_and_deviation(last);
        let share = if tail < 8 { 0.35 } else { 0.65 };
        recent < share * pace && recent < pace - 2.33 * deviation / (tail as f64).sqrt()
    })
}

/// The least growth of any `length` steps in a row, as a share of the average
/// of as many: 1 for a line, 0 where growth paused for so long.
pub(super) fn slowest(kept: &[f64], length: usize) -> f64 {
    if kept.len() < 2 * length {
        return 0.0;
    }
    let whole = kept[kept.len() - 1] - kept[0];
    let average = whole / (kept.len() - 1) as f64 * length as f64;
    if average <= 0.0 {
        return 0.0;
    }
    let least = kept.windows(length + 1).map(|part| part[length] - part[0]).fold(f64::INFINITY, f64::min);
    least / average
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_has_no_trend_and_a_dying_one_has() {
        assert!(laplace(&[1.0; 40]).abs() < 1e-9);
        let dying: Vec<f64> = (0..40).map(|task| (-f64::from(task) / 15.0).exp()).collect();
        assert!(laplace(&dying) < -2.0, "{}", laplace(&dying));
        assert_eq!(laplace(&[]), 0.0);
    }

    #[test]
    fn a_full_cache_has_ended_and_a_leak_on_one_task_in_five_pauses() {
        let mut steps = vec![1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.2, 0.8, 1.1, 0.9];
        assert!(!ended(&steps));
        steps.extend([0.0; 4]);
        assert!(ended(&steps));
        let fifth: Vec<f64> = (0..44).map(|task| if task % 5 == 0 { 10.0 } else { 0.0 }).collect();
        assert!(!ended(&fifth));
    }

    #[test]
    fn the_slowest_stretch_is_compared_with_the_average_one() {
        assert!((slowest(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2) - 1.0).abs() < 1e-9);
        assert_eq!(slowest(&[0.0, 1.0, 1.0, 1.0, 4.0, 5.0], 2), 0.0);
        assert_eq!(slowest(&[0.0, 1.0], 2), 0.0);
    }

    #[test]
    fn most_growth_comes_in_steps_of_this_size() {
        assert!((step_size(&[0.0, 10.0, 0.0, 10.0]) - 10.0).abs() < 1e-9);
        assert_eq!(step_size(&[0.0]), 0.0);
    }
}
