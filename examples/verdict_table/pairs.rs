//! The errors of comparing two versions: programs that were recorded three
//! times, twice as they are and once with a leak; and every recording against every
//! other of the same runtime, as if they were two versions of one service.
//!
//! `cargo run --release --example verdict_table -- --compare`.

use highwater::analysis::{Change, compare};
use highwater::record::{RunFigures, TaskFigures};

use crate::recordings::{Recording, recordings_in};

const PAIRS: &str = include_str!("../../fixtures/leak-traces/pairs.csv");

const COUNTS: [usize; 4] = [20, 30, 60, 100];
const CHANGES: [Change; 5] =
    [Change::Fixed, Change::Better, Change::NoChange, Change::Worse, Change::NotEnoughData];

/// Which pairs belong to a row.
type Belongs = fn(&Recording, &Recording) -> bool;

/// Prints how often each verdict is given to pairs of which the truth is known.
pub(crate) fn pairs(all: &[Recording]) {
    println!(
        "| before, after | inputs | tasks | pairs | fixed | better | no change | worse | not enough data |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let twins = recordings_in(PAIRS);
    let same = |before: &Recording, after: &Recording| before.name[..3] == after.name[..3];
    let kinds: [(&str, Belongs); 3] = [
        ("one program twice", |before, after| !before.leak && !after.leak),
        ("the leak, and its fix", |before, after| before.leak && !after.leak),
        ("the same, reversed", |before, after| !before.leak && after.leak),
    ];
    for (title, belongs) in kinds {
        row(title, &twins, "the same", &|before, after| same(before, after) && belongs(before, after));
    }
    let kinds: [(&str, Belongs); 5] = [
        ("clean, clean of the same mode and scenario", |before, after| {
            !before.leak && !after.leak && before.mode == after.mode && before.scenario == after.scenario
        }),
        ("clean, any clean", |before, after| !before.leak && !after.leak),
        ("leak of 1 MB/task and more, any clean", |before, after| large(before) && !after.leak),
        ("any clean, leak of 1 MB/task and more", |before, after| !before.leak && large(after)),
        ("leak, another of at least its size", |before, after| {
            large(before) && after.leak && after.true_mb_per_task >= 0.95 * before.true_mb_per_task
        }),
    ];
    for (title, belongs) in kinds {
        row(title, all, "others", &belongs);
    }
}

fn row(title: &str, all: &[Recording], inputs: &str, belongs: &dyn Fn(&Recording, &Recording) -> bool) {
    for tasks in COUNTS {
        let verdicts = verdicts(all, belongs, inputs, tasks);
        let cells = CHANGES.map(|change| {
            let count = verdicts.iter().filter(|found| **found == change).count();
            format!("{:.1} %", 100.0 * count as f64 / verdicts.len() as f64)
        });
        println!("| {title} | {inputs} | {tasks} | {} | {} |", verdicts.len(), cells.join(" | "));
    }
}

fn large(recording: &Recording) -> bool {
    recording.leak && recording.true_mb_per_task >= 0.97
}

fn verdicts(
    all: &[Recording],
    belongs: &dyn Fn(&Recording, &Recording) -> bool,
    inputs: &str,
    tasks: usize,
) -> Vec<Change> {
    let long: Vec<&Recording> = all.iter().filter(|it| it.after_mb.len() >= tasks).collect();
    let mut verdicts = Vec::new();
    for before in &long {
        for after in &long {
            let other = before.name != after.name && before.worker == after.worker;
            if other && belongs(before, after) {
                let sides = [("a", before), ("b", after)]
                    .map(|(side, it)| figures(it, tasks, if inputs == "others" { side } else { "" }));
                verdicts.push(compare(&sides[..1], &sides[1..]).verdict);
            }
        }
    }
    verdicts
}

fn figures(recording: &Recording, tasks: usize, input: &str) -> RunFigures {
    let task = |mb: &f64| TaskFigures {
        input: input.to_string(),
        private_mb: Some(*mb),
        rss_mb: Some(*mb),
        ..TaskFigures::default()
    };
    RunFigures {
        file: recording.name.clone(),
        tasks: recording.after_mb[..tasks].iter().map(task).collect(),
        ..RunFigures::default()
    }
}
