//! Memory that came down late, in a line each.

use crate::record::{Event, RunData};

/// What is told of memory that came down after it had been read, or while it was
/// waited for. It is no leak, and it was not credited to the next task.
pub(super) fn late_free_notes(run: &RunData) -> Vec<String> {
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
    let told = [
        (
            waited,
            "late free: {} kept memory for a while after its end and then freed it: {}; what is left was judged",
        ),
        (
            between,
            "late free: {} freed memory only after it had been read: {}; the next task is not credited with it",
        ),
        (
            during,
            "late free: memory of a task before it came down during {}: {}; its delta is too low by as much",
        ),
    ];
    told.into_iter().filter_map(|(frees, form)| note(&frees, form)).collect()
}

/// One line for all of a kind: `form` with who, and how much.
fn note(frees: &[(&str, f64)], form: &str) -> Option<String> {
    let &(first, mb) = frees.first()?;
    let most = frees.iter().map(|(_, mb)| *mb).fold(0.0, f64::max);
    let (who, much) = match frees.len() {
        1 => (first.to_string(), format!("{mb:.1} MB")),
        count => (format!("{count} ({first} the first)"), format!("up to {most:.1} MB each")),
    };
    Some(form.replacen("{}", &who, 1).replacen("{}", &much, 1))
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
        let notes = late_free_notes(&run(vec![waited], events));
        assert_eq!(
            notes,
            [
                "late free: short_c1_1765322145 kept memory for a while after its end and then freed it: 100.0 MB; \
                 what is left was judged",
                "late free: 2 (a the first) freed memory only after it had been read: up to 70.2 MB each; the next \
                 task is not credited with it",
                "late free: memory of a task before it came down during c: 20.0 MB; its delta is too low by as much",
            ]
        );
        assert!(late_free_notes(&run(vec![task("short", 1, 0.2)], Vec::new())).is_empty());
    }
}
