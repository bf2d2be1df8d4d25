//! Growth by input, where inputs retain different amounts. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::units::round;

/// What each task with one input retains.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct InputRate {
    /// The input: `short`, `long`, or the name of a file.
    pub input: String,
    /// Mean step of memory over its repeats, in MB per task.
    pub mb_per_task: f64,
    /// Its repeats.
    pub tasks: usize,
}

/// Fewer repeats of an input say nothing of the input alone.
const LEAST_REPEATS: usize = 3;

/// Inputs that retain amounts nearer to each other than this (MB per task)…
const ALIKE_MB: f64 = 1.0;
/// …or than this share of the largest are not told apart.
const ALIKE_SHARE: f64 = 0.5;

/// An input that gives back more than this share of the largest rate only returns what the other one holds for a
/// while: the amounts then belong to the pair.
const GIVES_BACK: f64 = 0.02;

/// The rate of each input, largest first; empty where the inputs do not differ.
///
/// `readings` has the input and the memory after each task, in their order. The first task of an input is warm-up.
/// Inputs differ where every step of the one is larger than every step of the other, and by an amount that matters.
pub(super) fn input_rates<'a>(readings: impl Iterator<Item = (&'a str, f64)>) -> Vec<InputRate> {
    let mut inputs: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut last_mb = None;
    for (input, mb) in readings {
        let step = last_mb.replace(mb).map(|last| mb - last);
        match inputs.iter_mut().find(|(known, _)| *known == input) {
            Some((_, steps)) => steps.extend(step),
            None => inputs.push((input, Vec::new())),
        }
    }
    let mean = |steps: &[f64]| steps.iter().sum::<f64>() / steps.len() as f64;
    inputs.sort_by(|a, b| mean(&b.1).total_cmp(&mean(&a.1)));
    let (Some((_, most)), Some((_, least))) = (inputs.first(), inputs.last()) else { return Vec::new() };
    if inputs.len() < 2 || inputs.iter().any(|(_, steps)| steps.len() < LEAST_REPEATS) {
        return Vec::new();
    }
    let (high, low) = (mean(most), mean(least));
    let apart = most.iter().copied().fold(f64::INFINITY, f64::min)
        > least.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !apart || high - low < ALIKE_MB.max(ALIKE_SHARE * high) || low < -GIVES_BACK * high {
        return Vec::new();
    }
    let rate = |(input, steps): &(&str, Vec<f64>)| InputRate {
        input: (*input).to_string(),
        mb_per_task: round(mean(steps), 2),
        tasks: steps.len(),
    };
    inputs.iter().map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short and long in turn, which keep these amounts.
    fn rates(short: f64, long: f64, rounds: usize) -> Vec<(String, f64)> {
        let mut mb = 100.0;
        let readings = (0..2 * rounds).map(|index| {
            mb += if index % 2 == 0 { short } else { long } + 0.1 * (index % 3) as f64;
            (if index % 2 == 0 { "short" } else { "long" }, mb)
        });
        input_rates(readings.collect::<Vec<_>>().into_iter())
            .into_iter()
            .map(|rate| (rate.input, rate.mb_per_task.round()))
            .collect()
    }

    #[test]
    fn inputs_that_retain_different_amounts_are_told_apart() {
        assert_eq!(rates(0.0, 370.0, 6), [("long".to_string(), 370.0), ("short".to_string(), 0.0)]);
        assert_eq!(rates(2.0, 20.0, 6).len(), 2);
    }

    #[test]
    fn alike_inputs_few_repeats_and_mere_alternation_are_not() {
        assert_eq!(rates(5.0, 5.0, 6), []);
        assert_eq!(rates(0.0, 370.0, 3), [], "two repeats of each");
        assert_eq!(rates(-22.0, 22.0, 6), []);
        assert_eq!(rates(-22.0, 30.0, 6), []);
        assert_eq!(rates(0.0, 0.6, 6), []);
    }
}
