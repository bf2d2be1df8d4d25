//! Growth that goes with the length of the input. Pure.

use super::growth::Growth;
use super::leak_tasks::{LeakTasks, input};
use super::note::Note;

/// Rates per second of audio (or per MB) that lie this near to each other, as a ratio, are one rate.
const ALIKE: f64 = 1.5;

/// Inputs whose lengths differ by less than this ratio say nothing of length.
const DIFFERENT: f64 = 2.0;

/// The note, where longer inputs retain more in proportion to their length.
pub(super) fn length_note(leak: &LeakTasks<'_>, growth: &Growth) -> Option<Note> {
    if !growth.growing {
        return None;
    }
    let per = |of: &dyn Fn(&str) -> Option<f64>| {
        let rates = growth.by_input.iter().map(|rate| Some((of(&rate.input)?, rate.mb_per_task)));
        proportion(&rates.collect::<Option<Vec<(f64, f64)>>>()?)
    };
    let sent = |name: &str| leak.tasks.iter().find(|task| input(task) == name);
    let seconds = per(&|name| sent(name)?.audio_seconds);
    let per_second = seconds.map(|mb| Note::PerAudioSecond { mb });
    per_second.or_else(|| per(&|name| sent(name)?.audio_size_mb).map(|mb| Note::PerInputMb { mb }))
}

/// The rate of (length, MB retained), if it is the same for lengths that differ.
fn proportion(inputs: &[(f64, f64)]) -> Option<f64> {
    let spread = |values: &dyn Fn(&(f64, f64)) -> f64| {
        let all = || inputs.iter().map(values);
        all().fold(0.0, f64::max) / all().fold(f64::INFINITY, f64::min)
    };
    let usable = inputs.len() >= 2 && inputs.iter().all(|(length, mb)| *length > 0.0 && *mb > 0.0);
    let alike = usable && spread(&|one| one.0) >= DIFFERENT && spread(&|one| one.1 / one.0) <= ALIKE;
    let sum = |of: fn(&(f64, f64)) -> f64| inputs.iter().map(of).sum::<f64>();
    alike.then(|| sum(|one| one.1) / sum(|one| one.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_with_length_has_one_rate_for_all_lengths() {
        let rate = proportion(&[(30.0, 15.5), (734.0, 360.0)]);
        assert!(rate.is_some_and(|rate| (rate - 0.49).abs() < 0.01), "{rate:?}");
    }

    #[test]
    fn the_same_amount_for_any_length_does_not() {
        assert_eq!(proportion(&[(30.0, 15.0), (734.0, 16.0)]), None);
        assert_eq!(proportion(&[(30.0, 0.0), (734.0, 370.0)]), None, "short ones retain nothing");
        assert_eq!(proportion(&[(30.0, 15.0), (31.0, 15.5)]), None, "the lengths are the same");
        assert_eq!(proportion(&[(30.0, 15.0)]), None);
    }
}
