//! The verdict on recordings of real processes, and `highwater judge`.

#[path = "../../examples/verdict_table/recordings.rs"]
mod recordings;

use std::path::Path;
use std::process::{Command, Output};

use highwater::analysis::{Answer, Change, FIRST_LOOK, Growth, LOOKS, Readings, compare, growth, next_look};
use highwater::record::{RunFigures, TaskFigures};
use recordings::{Recording, recordings, recordings_in};
use serde_json::Value;

/// The recordings that the rule was measured on, all of them real processes.
fn given() -> Vec<Recording> {
    recordings().into_iter().filter(|it| matches!(it.part.as_str(), "tuned" | "held-out")).collect()
}

/// Those that its bounds were never fitted to.
fn blind() -> Vec<Recording> {
    recordings().into_iter().filter(|it| it.part == "blind").collect()
}

fn at(recording: &Recording, tasks: usize) -> Option<Growth> {
    recording.first(tasks).map(|readings| growth(&readings))
}

/// Clean programs that are called LEAK, over all counts of tasks, and those judged.
fn accused(recordings: &[Recording]) -> (usize, usize) {
    let clean: Vec<&Recording> = recordings.iter().filter(|recording| !recording.leak).collect();
    let (mut accused, mut judged) = (0, 0);
    for tasks in 8..=200 {
        let answers: Vec<Answer> = clean.iter().filter_map(|it| at(it, tasks)).map(|it| it.answer).collect();
        let wrong = answers.iter().filter(|answer| **answer == Answer::Leak).count();
        assert!(
            wrong <= 1,
            "{wrong} of {} clean programs are called LEAK after {tasks} tasks",
            answers.len()
        );
        accused += wrong;
        judged += answers.len();
    }
    (accused, judged)
}

#[test]
fn clean_programs_are_not_accused_however_many_tasks_there_were() {
    for recordings in [given(), blind()] {
        let (accused, judged) = accused(&recordings);
        assert!(accused * 2_000 <= judged, "{accused} of {judged} verdicts on clean programs are LEAK");
    }
}

#[test]
fn clean_programs_are_called_clean_in_time() {
    for (recordings, least) in [(given(), 0.6), (blind(), 0.7)] {
        let answers: Vec<Answer> = recordings
            .iter()
            .filter(|recording| !recording.leak)
            .filter_map(|it| at(it, 100))
            .map(|it| it.answer)
            .collect();
        let clean = answers.iter().filter(|answer| **answer == Answer::Clean).count();
        assert!(clean as f64 >= least * answers.len() as f64, "{clean} of {} are CLEAN", answers.len());
    }
}

#[test]
fn what_looks_like_a_leak_for_a_while_is_not_called_one() {
    // A cache of 60 entries that is just full; arenas that reached their highest level; a pool that grew long ago.
    for (name, tasks) in [("d065", 60), ("d065", 61), ("d016", 94), ("x050", 80)] {
        let recording = recordings().into_iter().find(|recording| recording.name == name).unwrap();
        let judged = at(&recording, tasks).unwrap();
        assert_ne!(judged.answer, Answer::Leak, "{name} after {tasks} tasks: {}", judged.reason);
    }
}

#[test]
fn a_check_that_looks_until_it_is_decided_accuses_one_clean_program_in_a_hundred_at_most() {
    let recordings = recordings();
    let accused = |recording: &&Recording| {
        let looks = std::iter::successors(Some(FIRST_LOOK), |tasks| Some(next_look(*tasks)));
        let answers = looks
            .map_while(|tasks| recording.first(tasks))
            .map(|readings| growth(&Readings { looks: LOOKS, ..readings }).answer);
        answers.into_iter().find(|answer| *answer != Answer::Inconclusive) == Some(Answer::Leak)
    };
    let clean: Vec<&Recording> = recordings.iter().filter(|recording| !recording.leak).collect();
    let wrong: Vec<&str> = clean.iter().copied().filter(accused).map(|it| it.name.as_str()).collect();
    assert!(clean.len() > 200 && wrong.len() * 100 <= clean.len(), "{wrong:?} of {}", clean.len());
}

#[test]
fn no_large_leak_is_ever_clean() {
    for leak in given().iter().chain(&blind()).filter(|it| it.leak && it.true_mb_per_task >= 0.97) {
        for tasks in 1..=leak.after_mb.len() {
            assert_ne!(at(leak, tasks).unwrap().answer, Answer::Clean, "{} after {tasks} tasks", leak.name);
        }
    }
}

/// The share of leaks of these sizes, without a collector, that are found after a number of tasks.
fn found(recordings: &[Recording], from: f64, to: f64, tasks: usize) -> f64 {
    let judged: Vec<bool> = recordings
        .iter()
        .filter(|it| it.leak && it.uncollected() && (from..to).contains(&it.true_mb_per_task))
        .filter_map(|it| at(it, tasks))
        .map(|it| it.answer == Answer::Leak)
        .collect();
    assert!(judged.len() >= 3, "too few recordings to say anything");
    judged.iter().filter(|found| **found).count() as f64 / judged.len() as f64
}

#[test]
fn leaks_are_found_in_time_where_there_is_no_collector() {
    let (given, blind) = (given(), blind());
    let all = f64::INFINITY;
    assert_eq!(found(&given, 9.7, all, 20), 1.0, "10 MB per task and more, after 20 tasks");
    assert_eq!(found(&blind, 9.7, all, 20), 1.0, "blind: 10 MB per task and more, after 20 tasks");
    assert_eq!(found(&given, 0.97, 9.7, 60), 1.0, "1 to 10 MB per task, after 60 tasks");
    assert!(found(&blind, 0.97, 9.7, 100) >= 0.85, "blind: 1 to 10 MB per task, after 100 tasks");
    assert!(found(&given, 0.097, 0.97, 100) >= 0.35, "0.1 to 1 MB per task, after 100 tasks");
    assert!(found(&blind, 0.097, 0.97, 100) >= 0.75, "blind: 0.1 to 1 MB per task, after 100 tasks");
}

#[test]
fn nothing_is_called_a_leak_before_it_has_outlasted_what_fills() {
    let soon = |from: f64, to: f64, tasks: usize| found(&given(), from, to, tasks);
    assert_eq!(soon(0.97, 9.7, 55), 0.0, "caches of 60 entries look the same until they are full");
    assert_eq!(soon(0.097, 0.97, 70), 0.0, "so do memo tables, which fill ever more slowly");
}

#[test]
fn intervals_hold_the_true_rate() {
    for recordings in [given(), blind()] {
        let (mut held, mut all) = (0, 0);
        for recording in recordings.iter().filter(|recording| recording.exact()) {
            let truth = if recording.leak { recording.true_mb_per_task } else { 0.0 };
            for tasks in (10..=200).step_by(10).filter(|tasks| *tasks >= recording.plateau_task + 8) {
                let Some(Growth { low: Some(low), high: Some(high), .. }) = at(recording, tasks) else {
                    continue;
                };
                all += 1;
                held += usize::from(low <= truth && truth <= high);
            }
        }
        assert!(held * 100 >= all * 95, "{held} of {all} intervals hold the true rate");
    }
}

#[test]
fn what_is_called_a_leak_grows_by_its_interval() {
    for recording in given().iter().chain(&blind()) {
        for tasks in [20, 60, 80, 100] {
            let Some(judged) = at(recording, tasks) else { continue };
            if judged.answer == Answer::Leak {
                assert!(judged.low.unwrap() > 0.0, "{} after {tasks} tasks: {judged:?}", recording.name);
            }
        }
    }
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/leak-traces").join(name).display().to_string()
}

fn judge(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_highwater")).arg("judge").args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (code, stdout, stderr) = judge(&[&["--json"], arguments].concat());
    let array: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (code, array.as_array().unwrap().clone())
}

#[test]
fn a_file_is_judged_in_words() {
    let (code, stdout, _) = judge(&[&fixture("d117.csv")]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("LEAK: +0.96 MB per task (98 % interval "), "{stdout}");
    assert!(stdout.contains("over 110 tasks; would pass a 200 MB gate for 208 tasks"), "{stdout}");
    let (code, stdout, _) = judge(&[&fixture("d117.csv"), "--first", "30"]);
    assert_eq!(code, Some(2));
    assert!(stdout.contains("unless something larger than"), "{stdout}");
    // A cache of sixty entries that filled until the sixtieth task: it is not accused, and not yet clean.
    let (code, stdout, _) = judge(&[&fixture("d065.csv")]);
    assert_eq!(code, Some(2), "{stdout}");
    assert!(stdout.contains("flat lately"), "{stdout}");
}

#[test]
fn programs_get_the_fields_that_are_promised_in_their_order() {
    let (code, told) = json(&[&fixture("d078.csv"), &fixture("d117.csv")]);
    assert_eq!(code, Some(1), "the worst of all files");
    let fields: Vec<&String> = told[0].as_object().unwrap().keys().take(9).collect();
    assert_eq!(
        fields,
        [
            "file",
            "verdict",
            "reason",
            "rate_mb_per_task",
            "low",
            "high",
            "tasks",
            "tasks_needed",
            "detectable_mb_per_task"
        ]
    );
    assert_eq!((&told[0]["verdict"], &told[1]["verdict"]), (&"clean".into(), &"leak".into()));
    assert!(told[1]["low"].as_f64().unwrap() <= 1000.0 / 1024.0);
    let (code, told) = json(&[&fixture("d117.csv"), "--first", "12"]);
    assert_eq!((code, &told[0]["tasks"]), (Some(2), &12.into()));
    assert!(told[0]["tasks_needed"].as_u64().unwrap() > 0);
}

#[test]
fn one_bad_file_hides_no_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.csv");
    std::fs::write(&bad, "task,rss_mb\n0,5\n1,five\n").unwrap();
    let bad = bad.display().to_string();
    let (code, stdout, stderr) = judge(&[&fixture("d078.csv"), &bad]);
    assert_eq!(code, Some(3));
    assert!(stdout.contains("CLEAN: ") && stdout.contains("1 unusable"), "{stdout}");
    assert!(stderr.contains("line 3, column `rss_mb`: `five`") && stderr.contains("hint:"), "{stderr}");
    let (code, told) = json(&[&fixture("d117.csv"), &bad]);
    assert_eq!(code, Some(1), "a leak is worse than a file that could not be judged");
    assert!(told[1]["error"].as_str().unwrap().contains("five"));
    assert_eq!(judge(&[&bad]).0, Some(3));
    assert_eq!(judge(&["nowhere.csv"]).0, Some(3));
}

#[test]
fn a_directory_is_judged_file_by_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("d078.csv"), directory.path().join("one.csv")).unwrap();
    std::fs::write(directory.path().join("labels.csv"), "file,worker\none.csv,c\n").unwrap();
    let (code, stdout, stderr) = judge(&[directory.path().to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("one.csv: CLEAN") && stderr.contains("skipped: "), "{stdout}{stderr}");
}

#[test]
fn results_of_a_run_are_judged_as_its_report_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("memory_leak_stress_test_20251209_232145.jsonl");
    let lines: Vec<String> = (0..30)
        .map(|task| {
            let (audio, after) = (if task % 2 == 0 { "short" } else { "long" }, 600 + 40 * task);
            format!(
                r#"{{"test_id": "{audio}_{task}", "audio_file": "{audio}.wav", "concurrency": 1, "status": "success", "worker_rss_after_mb": {after}.0}}"#
            )
        })
        .collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let (code, told) = json(&[path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert_eq!((&told[0]["verdict"], &told[0]["tasks"]), (&"leak".into(), &28.into()), "without the warm-up");
    assert_eq!(told[0]["rate_mb_per_task"], 40.0);
}

/// The first readings of a recording as a table with what was sent, in a file of its own.
fn table(directory: &Path, name: &str, first: usize) -> String {
    let recording = recordings().into_iter().find(|recording| recording.name == name).unwrap();
    assert_eq!((recording.worker.as_str(), recording.mode.as_str()), ("cpython", "bytes"), "one family");
    assert_eq!(recording.scenario, "plain");
    let rows: Vec<String> =
        recording.after_mb.iter().take(first).map(|mb| format!("short,{:.0}", mb * 1024.0)).collect();
    let path = directory.join(format!("{name}_{first}.csv"));
    std::fs::write(&path, format!("kind,anon_kb\n{}\n", rows.join("\n"))).unwrap();
    path.display().to_string()
}

#[test]
fn recordings_of_a_leak_and_of_its_fix_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let of = |name, first| table(directory.path(), name, first);
    let (leak, clean) = ("d117", "d000");
    for (before, after, code, verdict) in [
        (of(leak, 110), of(clean, 110), 0, "fixed"),
        (of(clean, 110), of(leak, 110), 1, "worse"),
        (of(clean, 110), of(clean, 60), 0, "no change"),
        (of(clean, 110), of("b063", 110), 0, "no change"),
        (of(leak, 7), of(clean, 7), 2, "not enough data"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_highwater"))
            .args(["compare", &before, &after, "--json"])
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &told["verdict"]), (Some(code), &verdict.into()), "{told:#}");
    }
}

#[test]
fn a_program_is_not_called_worse_than_itself() {
    let pairs = recordings_in(include_str!("../../fixtures/leak-traces/pairs.csv"));
    let figures = |recording: &Recording, tasks: usize| RunFigures {
        tasks: recording.after_mb[..tasks]
            .iter()
            .map(|mb| TaskFigures { private_mb: Some(*mb), ..TaskFigures::default() })
            .collect(),
        ..RunFigures::default()
    };
    for tasks in [20, 30, 60] {
        let (mut worse, mut caught) = (0, 0);
        for three in pairs.chunks(3) {
            let [once, twice, leak] = [0, 1, 2].map(|index| [figures(&three[index], tasks)]);
            worse += usize::from(compare(&once, &twice).verdict == Change::Worse);
            worse += usize::from(compare(&twice, &once).verdict == Change::Worse);
            caught += usize::from(compare(&once, &leak).verdict == Change::Worse);
        }
        assert_eq!(worse, 0, "false regressions after {tasks} tasks");
        assert!(caught >= 8, "{caught} of 20 leaks are regressions after {tasks} tasks");
    }
}
