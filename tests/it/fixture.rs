//! What the fixture of the product's suites hands out, and the report of real runs of it.

use highwater::plan::Plan;
use highwater::suite::{Measured, Suite};
use regex::Regex;
use serial_test::parallel;

use crate::support::runs::{Place, assert_gone};

/// The embedded service with `fault`, and as many tasks as decide.
fn suite(place: &Place, fault: &[&str]) -> Suite {
    let mut plan = Plan { results: place.path("results"), ..Plan::default() };
    plan.audio.short = Some(place.path("short.wav"));
    plan.audio.long = Some(place.path("long.wav"));
    plan.settle.quiet_s = 0.05;
    plan.settle.late_free_s = 0.2;
    // As many tasks as decide for the worker may or may not decide for the API.
    plan.processes.entry("api".to_string()).or_default().judged = false;
    (plan.leak.repeats, plan.leak.max_repeats, plan.leak.for_s) = (10, 10, 0.0);
    Suite::new(plan).embedded(fault)
}

#[tokio::test]
#[parallel(machine)]
async fn the_fixture_is_a_service_that_is_up_and_a_sampler_that_sees_it() {
    let place = Place::new(2, 4);
    let running = suite(&place, &[]).start().await.unwrap_or_else(|error| panic!("{}", error.render()));
    let service = running.embedded().expect("the embedded service is tested");
    let mut pids: Vec<u32> = service.ready().processes.iter().map(|process| process.pid).collect();
    let snapshot = running.sampler().client().observe().await.unwrap();
    for process in &service.ready().processes {
        let role = &snapshot.roles[process.role.name()];
        let seen = role.processes.iter().find(|seen| seen.id.pid == process.pid);
        assert!(seen.is_some_and(|seen| seen.rss_bytes > 0), "{process:?} is not in {role:?}");
    }
    assert_eq!(running.plan().target.url, service.ready().url);
    assert!(!place.path("results").exists(), "nothing is measured yet");
    pids.push(service.pid());
    drop(running);
    assert_gone(&pids);
}

/// The report of a leak check of the service with `fault`, and what it came to.
async fn measured(fault: &[&str]) -> (Measured, String) {
    let place = Place::new(2, 4);
    let running = suite(&place, fault).start().await.unwrap_or_else(|error| panic!("{}", error.render()));
    let measured = running.leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()));
    let report = std::fs::read_to_string(&measured.paths.report).unwrap();
    (measured, report)
}

/// What varies from run to run, each where it stands, and what is shown in its place. The last two undo the
/// alignment of the tables, which follows from figures that vary.
const FILTERS: [(&str, &str); 16] = [
    (r"(?m)^(\| +\d+ \| (?:short|long)(?: \(warm-up\))? +\| success \|).*$", "$1 [figures] |"),
    (r"(?m)^(\| (?:api|worker) +\| highwater +\|) .* (\| [a-z][^|]*\|)$", "$1 [figures] $2"),
    (r"pid \d+, [^,]+, peak [0-9.]+", "pid [pid], [age], peak [MB]"),
    (r"`[^`]*/highwater(?:-demo)? ", "`[program] "),
    (r"\bdelta [+-][0-9.]+ MB (<|≥)", "delta [MB] $1"),
    (
        r"\b[0-9.]+ MB at the end, [+-][0-9.]+ MB from the baseline [0-9.]+ MB",
        "[MB] at the end, [MB] from [MB]",
    ),
    (r"a leak of [0-9.]+ MB per task would", "a leak of [MB] per task would"),
    (r"\bworker: \d+ to \d+ over (\d+) tasks", "worker: [n] to [n] over $1 tasks"),
    (r"\b\d+ of \d+ ticks saw", "[n] of [n] ticks saw"),
    (r"\b(short|long)_c1_\d+", "$1_c1_[time]"),
    (r"(?m)^- machine: .*$", "- machine: [machine]"),
    (r"(?m)^- highwater [0-9.]+$", "- highwater [version]"),
    (r"(?m)^- started .*, took .*$", "- started [time], took [time]"),
    (r"_\d{8}_\d{6}(?:_\d+)?\b", "_[stamp]"),
    (r" {2,}", " "),
    (r"-{3,}", "---"),
];

fn filtered(report: &str) -> String {
    FILTERS.iter().fold(report.to_string(), |text, (pattern, shown)| {
        Regex::new(pattern).unwrap().replace_all(&text, *shown).into_owned()
    })
}

#[tokio::test]
#[parallel(machine)]
async fn the_report_of_a_real_run() {
    let (measured, report) = measured(&[]).await;
    measured.assert_all_pass();
    insta::assert_snapshot!("real_run_passing", filtered(&report));
}

#[tokio::test]
#[parallel(machine)]
async fn the_report_of_a_real_run_that_leaks_descriptors() {
    let (measured, report) = measured(&["--leak-fds"]).await;
    let panic = std::panic::catch_unwind(|| measured.assert_passes("leak.fds")).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("FAIL"), "{report}");
    let text = filtered(&report);
    let (before, after) = text.split_once("## Phase 1").unwrap();
    insta::assert_snapshot!("real_run_failing", before);
    assert!(after.contains("| success |"), "{after}");
}

#[test]
fn no_filter_hides_a_verdict_a_limit_or_a_code() {
    for told in [
        "**PASS**: all 9 criteria are met",
        "**FAIL**: 1 of 9 criteria is not met",
        "| FAIL | no file descriptors accumulate | worker: 7 to 29 over 20 tasks, lowest of each half +10 (at most +2) |",
        "| FAIL | memory delta of every long task | delta +286.1 MB ≥ 200 MB; 3 of 3 long tasks over the limit |",
        "| PASS | memory delta of every long task | delta +0.0 MB < 200 MB (largest of 10 long tasks) |",
        "maximum stable concurrency: 3 (held 2 of 2); c=4 broke 2 of 2",
        "exit code 1",
    ] {
        let shown = filtered(told);
        for part in
            ["PASS", "FAIL", "200 MB", "≥", "<", "(at most +2)", "lowest of each half +10", "3 (held 2 of 2)"]
        {
            assert_eq!(shown.contains(part), told.contains(part), "`{part}`: {shown}");
        }
        assert!(!told.starts_with("exit") || shown == told, "{shown}");
    }
}
