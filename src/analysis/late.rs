//! Memory that came down late, as a note for all of a kind.

use super::note::{LateFree, Note};
use crate::record::{Event, RunData};

/// Memory that came down after it had been read, or while it was waited for. It is no leak, and it was not credited
/// to the next task. Up to `tolerance_mb` it is what an allocator reuses, and not worth a line.
pub(super) fn late_free_notes(run: &RunData, tolerance_mb: f64) -> Vec<Note> {
    let waited: Vec<(&str, f64)> =
        run.tasks.iter().filter_map(|task| Some((task.test_id.as_str(), task.late_free_mb?))).collect();
    let mut between = Vec::new();
    let mut during = Vec::new();
    for record in &run.events {
        match &record.event {
            Event::LateFree { of, mb, during: None } => between.push((of.as_str(), *mb)),
            Event::LateFree { mb, during: Some(task), .. } => during.push((task.as_str(), *mb)),
            _ => {}
        }
    }
    let kinds = [(waited, LateFree::Waited), (between, LateFree::Between), (during, LateFree::During)];
    let large = |frees: Vec<_>| frees.into_iter().filter(|(_, mb)| *mb > tolerance_mb).collect::<Vec<_>>();
    kinds.into_iter().filter_map(|(frees, when)| note(&large(frees), when)).collect()
}

fn note(frees: &[(&str, f64)], when: LateFree) -> Option<Note> {
    let &(first, _) = frees.first()?;
    let most_mb = frees.iter().map(|(_, mb)| *mb).fold(0.0, f64::max);
    Some(Note::LateFree { when, first: first.to_string(), count: frees.len(), most_mb })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};

    #[test]
    fn each_way_of_freeing_late_has_its_line() {
        let mut waited = task("short", 1, 0.2);
        waited.late_free_mb = Some(100.0);
        let late = |of: &str, mb, during: Option<&str>| Event::LateFree {
            of: of.to_string(),
            mb,
            during: during.map(ToString::to_string),
        };
        let events = vec![late("a", 50.0, None), late("b", 70.25, None), late("b", 20.0, Some("c"))];
        let run_of_four = run(vec![waited], events);
        let notes = late_free_notes(&run_of_four, 10.0);
        let told: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "late free: short_c1_1765322145 released 100.0 MB some time after its end; what was left then was \
                 judged",
                "late free: 2 tasks or levels (a first) released up to 70.2 MB each only after memory had been read; \
                 the next task is not credited with it",
                "c: 20.0 MB that an earlier task held was released meanwhile; its own delta is 20.0 MB too low",
            ]
        );
        let large = late_free_notes(&run_of_four, 60.0);
        assert_eq!(large.len(), 2, "what is within the tolerance has no line: {large:?}");
        assert!(late_free_notes(&run(vec![task("short", 1, 0.2)], Vec::new()), 0.0).is_empty());
    }
}
