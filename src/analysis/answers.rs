//! Answers that are suddenly faster or smaller than at lower levels: a refusal can have a status of success.

use super::limit::Level;
use super::note::Note;

/// A median below this share of the smallest one at the lower levels is worth a note: load makes tasks slower, not
/// faster, and leaves their answers as they are.
const SUDDEN: f64 = 0.5;

/// Tasks at the lower levels that the comparison needs at least: the first ones warm the service up.
const TELLING_TASKS: usize = 3;

/// The first level whose answers are unlike those of all levels below it.
pub(super) fn answers_note(levels: &[Level]) -> Option<Note> {
    let judged: Vec<&Level> = levels
        .iter()
        .filter(|level| level.complete && level.invalid.is_none() && level.succeeded > 0)
        .collect();
    judged.iter().find_map(|level| {
        let below = || judged.iter().filter(|other| other.concurrency < level.concurrency);
        if below().map(|other| other.succeeded).sum::<usize>() < TELLING_TASKS {
            return None;
        }
        let sudden = |of: fn(&Level) -> Option<f64>| {
            let least = below().filter_map(|other| of(other)).min_by(f64::total_cmp)?;
            of(level).filter(|here| *here < SUDDEN * least).map(|here| (here, least))
        };
        let faster = sudden(|level| level.seconds.map(|seconds| seconds.p50));
        let smaller = sudden(|level| level.answer_bytes.map(|bytes| bytes.p50));
        let unlike = faster.is_some() || smaller.is_some();
        unlike.then_some(Note::Answers { at: level.concurrency, faster, smaller })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::analysis::levels;
    use crate::plan::RampPlan;
    use crate::record::{Event, LevelEnd, Phase};

    /// What is noted of levels from 1 on, each with (seconds, bytes) of its tasks.
    fn noted(answers: &[(f64, u64)]) -> Option<String> {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        for (index, (seconds, bytes)) in answers.iter().enumerate() {
            let concurrency = index as u32 + 1;
            events.push(Event::LevelStarted { concurrency, attempt: None, why: None });
            for number in 0..concurrency {
                let mut record = task("short", concurrency, 0.001);
                record.test_id = format!("short_c{concurrency}_t{number}_1");
                record.phase = Some(Phase::Concurrency);
                record.processing_time = Some(*seconds);
                record.answer_bytes = Some(*bytes);
                events.push(Event::TaskStarted { test_id: record.test_id.clone() });
                records.push(record);
            }
            events.push(Event::LevelEnded(Box::new(LevelEnd {
                concurrency,
                sent: Some(concurrency),
                ..LevelEnd::default()
            })));
        }
        answers_note(&levels(&run(records, events), &RampPlan::default())).map(|note| note.to_string())
    }

    #[test]
    fn answers_that_are_suddenly_fast_or_small_are_noted() {
        let told = noted(&[(2.0, 900), (2.1, 910), (0.01, 12)]).unwrap();
        assert!(
            told.starts_with("the answers at c=3 are unlike those at the levels below it: they took 10.0 ms"),
            "{told}"
        );
        assert!(told.contains("12 bytes (median; 900 below)"), "{told}");
        assert!(noted(&[(2.0, 900), (2.1, 910), (2.2, 12)]).unwrap().contains("bytes"));
    }

    #[test]
    fn answers_that_are_as_below_or_slower_are_not() {
        assert_eq!(noted(&[(2.0, 900), (2.1, 800), (4.0, 1000), (9.0, 700)]), None);
        assert_eq!(noted(&[(2.0, 900), (0.1, 900)]), None, "one task below may have been the warm-up");
    }
}
