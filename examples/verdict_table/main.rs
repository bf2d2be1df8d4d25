//! Prints what the verdict achieves on the recordings of `fixtures/leak-traces`,
//! beside three rules that others use.
//!
//! `cargo run --release --example verdict_table`; with `-- --names` also every
//! recording that is judged wrongly, with `-- --cross-validate` what the rule
//! achieves on programs of runtimes that its bounds were not chosen on,
//! with `-- --compare` what `highwater compare` makes of pairs of recordings.

mod pairs;
mod recordings;
mod rivals;
mod validation;

use highwater::analysis::{Answer, Readings, growth};
use recordings::{Recording, recordings};

const COUNTS: [usize; 7] = [12, 20, 30, 40, 60, 80, 100];

/// A rule: true where it says that memory leaks.
type Rule = fn(&Readings<'_>) -> bool;

const RULES: [(&str, Rule); 4] = [
    ("highwater", |readings| growth(readings).answer == Answer::Leak),
    ("rise ≥ 200 MB", |readings| rivals::delta(readings.after_mb)),
    ("least squares", |readings| rivals::least_squares(readings.after_mb)),
    ("Mann-Kendall", |readings| rivals::mann_kendall(readings.after_mb)),
];

fn main() {
    let all = recordings();
    if std::env::args().any(|argument| argument == "--cross-validate") {
        validation::cross_validate(&all);
        return;
    }
    if std::env::args().any(|argument| argument == "--compare") {
        pairs::pairs(&all);
        return;
    }
    let names = std::env::args().any(|argument| argument == "--names");
    for part in ["tuned", "held-out", "own", "blind"] {
        let part_of: Vec<&Recording> = all.iter().filter(|recording| recording.part == part).collect();
        let leaks = part_of.iter().filter(|recording| recording.leak).count();
        println!("\n## {part}: {} clean recordings, {leaks} that leak", part_of.len() - leaks);
        rates(&part_of);
        answers(&part_of);
        intervals(&part_of);
        if names {
            wrong(&part_of);
        }
    }
}

/// Leaks that are found and clean programs that are accused, by rule and number of tasks.
fn rates(part: &[&Recording]) {
    type Group = (&'static str, fn(&Recording) -> bool);
    let groups: [Group; 4] = [
        ("LEAK on clean programs", |recording| !recording.leak),
        ("LEAK on ≥ 10 MB/task", |recording| recording.leak && recording.true_mb_per_task >= 9.7),
        ("LEAK on 1 to 10 MB/task", |recording| {
            recording.leak && (0.97..9.7).contains(&recording.true_mb_per_task)
        }),
        ("LEAK on 0.1 to 1 MB/task, no GC", |recording| {
            recording.leak && (0.097..0.97).contains(&recording.true_mb_per_task) && recording.uncollected()
        }),
    ];
    println!("\n| | rule | {} |", COUNTS.map(|count| format!("{count} tasks")).join(" | "));
    println!("|---|---|{}", "---|".repeat(COUNTS.len()));
    for (title, belongs) in groups {
        for (name, rule) in RULES {
            let cells = COUNTS.map(|count| {
                let judged: Vec<bool> = part
                    .iter()
                    .filter(|recording| belongs(recording))
                    .filter_map(|recording| recording.first(count))
                    .map(|readings| rule(&readings))
                    .collect();
                share(judged.iter().filter(|leak| **leak).count(), judged.len())
            });
            println!("| {title} | {name} | {} |", cells.join(" | "));
        }
    }
}

/// The three answers of highwater.
fn answers(part: &[&Recording]) {
    println!("\n| highwater says | {} |", COUNTS.map(|count| format!("{count} tasks")).join(" | "));
    println!("|---|{}", "---|".repeat(COUNTS.len()));
    for (title, leak, answer) in [
        ("CLEAN on clean programs", false, Answer::Clean),
        ("INCONCLUSIVE on clean programs", false, Answer::Inconclusive),
        ("CLEAN on leaks above 1 MB/task", true, Answer::Clean),
        ("INCONCLUSIVE on leaks above 1 MB/task", true, Answer::Inconclusive),
    ] {
        let cells = COUNTS.map(|count| {
            let judged: Vec<Answer> = part
                .iter()
                .filter(|recording| recording.leak == leak && (!leak || recording.true_mb_per_task >= 0.97))
                .filter_map(|recording| recording.first(count))
                .map(|readings| growth(&readings).answer)
                .collect();
            share(judged.iter().filter(|found| **found == answer).count(), judged.len())
        });
        println!("| {title} | {} |", cells.join(" | "));
    }
    let (mut accused, mut judged, mut worst) = (0, 0, (0.0, 0));
    for count in 8..=200 {
        let found: Vec<bool> = part
            .iter()
            .filter(|recording| !recording.leak)
            .filter_map(|recording| recording.first(count))
            .map(|readings| growth(&readings).answer == Answer::Leak)
            .collect();
        let wrong = found.iter().filter(|leak| **leak).count();
        accused += wrong;
        judged += found.len();
        // Of a handful of recordings one is a large share.
        if found.len() > 10 && wrong as f64 / found.len() as f64 > worst.0 {
            worst = (wrong as f64 / found.len() as f64, count);
        }
    }
    println!(
        "\nClean programs called LEAK over every number of tasks from 8 on: {:.2} %; at worst {:.1} %, at {} tasks.",
        100.0 * accused as f64 / judged as f64,
        100.0 * worst.0,
        worst.1
    );
}

/// How often the interval holds the true rate.
fn intervals(part: &[&Recording]) {
    let held = |leak: bool, only_leak: bool| {
        let (mut held, mut all) = (0, 0);
        for recording in part.iter().filter(|recording| recording.leak == leak && recording.exact()) {
            for count in (10..=200).step_by(10).filter(|count| *count >= recording.plateau_task + 8) {
                let Some(readings) = recording.first(count) else { continue };
                let judged = growth(&readings);
                let (Some(low), Some(high)) = (judged.low, judged.high) else { continue };
                if only_leak && judged.answer != Answer::Leak {
                    continue;
                }
                let truth = if leak { recording.true_mb_per_task } else { 0.0 };
                all += 1;
                held += usize::from(low <= truth && truth <= high);
            }
        }
        format!("{} of {all}", share(held, all))
    };
    println!(
        "98 % intervals that hold the true rate: {} on leaks, {} where the verdict is LEAK, {} on clean programs.",
        held(true, false),
        held(true, true),
        held(false, false)
    );
}

/// Every recording that is judged wrongly, with the first and the last count of tasks.
fn wrong(part: &[&Recording]) {
    for recording in part {
        let bad =
            if recording.leak && recording.true_mb_per_task >= 0.97 { Answer::Clean } else { Answer::Leak };
        if recording.leak && bad == Answer::Leak {
            continue;
        }
        let counts: Vec<usize> = (8..=recording.after_mb.len())
            .filter(|count| recording.first(*count).is_some_and(|readings| growth(&readings).answer == bad))
            .collect();
        if let (Some(first), Some(last)) = (counts.first(), counts.last()) {
            println!(
                "{} ({} {}) is called {} at {} counts of tasks from {first} to {last}",
                recording.name,
                recording.worker,
                recording.mode,
                bad.word(),
                counts.len()
            );
        }
    }
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "–".to_string() } else { format!("{:.0} %", 100.0 * part as f64 / whole as f64) }
}
