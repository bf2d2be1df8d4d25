//! The page of a run in a real browser: no error, marks where the data say so, no scrolling sideways on a phone, nothing
//! fetched, and no markup from what a process or a service said.
//!
//! Ignored unless asked for: they need Debian's chromium, which `.ci/run` installs.

use std::path::{Path, PathBuf};

use highwater::assessment::assess;
use highwater::plan::Plan;
use highwater::record::{Event, Phase, ResourceRow, RunData, SoakRound, TaskRecord, TaskStatus};
use highwater::report::page;

use crate::live::{interrupt, served};
use crate::report::{Story, failing, interrupted, passing, short_ramp};
use crate::support::browser::Browser;
use crate::support::runs::{Place, eventually};

/// The widths that a page is looked at with: a phone, and a wide screen.
const WIDTHS: [u32; 2] = [360, 1280];

fn written(directory: &tempfile::TempDir, name: &str, run: &RunData, plan: &Plan) -> PathBuf {
    let path = directory.path().join(format!("{name}.html"));
    std::fs::write(&path, page(run, &assess(run, plan))).unwrap();
    path
}

/// Opens a page in every way; returns how many marks its drawings have.
fn checked(browser: &mut Browser, path: &Path) -> u64 {
    let mut marks = 0;
    for (width, dark) in WIDTHS.into_iter().flat_map(|width| [(width, false), (width, true)]) {
        browser.open(path, width, dark, true);
        let at = format!("{} at {width} px", path.display());
        assert_eq!(
            browser.value("document.documentElement.dataset.ready"),
            "yes",
            "{at}: the script did not end"
        );
        // What is folded is as wide as it is when somebody looks at it.
        browser.value("document.querySelectorAll('details').forEach(part => { part.open = true; })");
        let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{at}: the page is {wide} px wide");
        // Of the two forms of a drawing exactly one is seen, and its letters are not tiny.
        let seen =
            "[...document.querySelectorAll('.plots > svg')].filter(svg => svg.getClientRects().length)";
        marks = browser
            .value(&format!("{seen}.reduce((all, svg) => all + svg.querySelectorAll('circle, polyline, path, rect.bar').length, 0)"))
            .as_u64()
            .unwrap();
        let letters = browser.value(&format!(
            "Math.min(99, ...{seen}.map(svg => 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"
        ));
        assert!(letters.as_f64().unwrap() >= 10.0, "{at}: letters of {letters} px");
        let unnamed = browser.value("[...document.querySelectorAll('.plots svg')].filter(svg => !svg.getAttribute('aria-label')).length");
        assert_eq!(unnamed, 0, "{at}: a drawing without a text");
        assert_eq!(browser.errors, Vec::<String>::new(), "{at}");
        assert_eq!(browser.fetched, Vec::<String>::new(), "{at}");
    }
    marks
}

#[test]
#[ignore = "needs chromium, which .ci/run installs"]
fn the_pages_of_all_endings_are_sound() {
    let directory = tempfile::tempdir().unwrap();
    let plan = short_ramp();
    let mut browser = Browser::start();
    let mut empty = Story::logged(&plan);
    empty.event(Event::RunEnded);
    let runs = [
        ("passing", passing(&plan), 20),
        ("failing", failing(&plan), 12),
        ("interrupted", interrupted(&plan), 2),
        ("empty", empty.run, 0),
        ("nothing", RunData::default(), 0),
    ];
    for (name, run, least) in runs {
        let marks = checked(&mut browser, &written(&directory, name, &run, &plan));
        assert!(marks >= least, "{name}: {marks} marks");
        assert_eq!(least == 0, marks == 0, "{name}: {marks} marks");
    }
}

#[test]
#[ignore = "needs chromium, which .ci/run installs"]
fn a_pointer_is_told_the_task_and_a_click_shows_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let plan = short_ramp();
    let path = written(&directory, "failing", &failing(&plan), &plan);
    let mut browser = Browser::start();
    browser.open(&path, 1280, false, true);
    browser.value("document.querySelector('#memory').scrollIntoView()");
    let place = browser.value(
        "(() => { const box = document.querySelector('#memory .wide a[href=\"#task-7\"]').getBoundingClientRect(); \
         return [box.x + box.width / 2, box.y + box.height / 2]; })()",
    );
    let mouse = |kind: &str| serde_json::json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
    browser.ask("Input.dispatchMouseEvent", mouse("mouseMoved"));
    let told = browser.value("document.querySelector('#tip').textContent");
    let told = told.as_str().unwrap();
    assert!(told.starts_with("task 7, short") && told.contains("2440.0 to 2740.1 MB"), "{told}");
    browser.ask("Input.dispatchMouseEvent", mouse("mousePressed"));
    browser.ask("Input.dispatchMouseEvent", mouse("mouseReleased"));
    assert_eq!(browser.value("document.querySelector('tr.on')?.id"), "task-7");
    assert_eq!(browser.value("document.querySelector('#task-7').closest('details').open"), true);
    // The same with the keyboard.
    browser.value("document.querySelector('#memory figure').focus()");
    for kind in ["keyDown", "keyUp"] {
        browser.ask("Input.dispatchKeyEvent", serde_json::json!({"type": kind, "key": "End", "code": "End"}));
    }
    let last = browser.value("document.querySelector('#tip').textContent");
    assert!(last.as_str().unwrap().starts_with("task 12"), "{last}");
    // Without the script every figure is still there.
    browser.open(&path, 1280, false, false);
    let titles = browser.value("document.querySelectorAll('#memory .wide title').length");
    assert!(titles.as_u64().unwrap() >= 12, "{titles}");
    assert_eq!(browser.value("document.querySelectorAll('#task-12').length"), 1);
}

#[test]
#[ignore = "needs chromium, which .ci/run installs"]
fn the_page_of_a_run_updates_while_it_goes_on_and_says_when_it_has_ended() {
    let place = Place::new(1, 1);
    let (running, urls) = served(&place, "--dashboard");
    let mut browser = Browser::start();
    for (width, dark) in WIDTHS.into_iter().flat_map(|width| [(width, false), (width, true)]) {
        browser.visit(&urls[0], width, dark, true);
        eventually("a line of memory for each role", || {
            (browser.value("document.querySelectorAll('#roles svg path').length") == 2).then_some(())
        });
        let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "the page is {wide} px wide at {width} px");
        assert_eq!(browser.errors, Vec::<String>::new());
        assert!(browser.fetched.iter().all(|url| url.contains(&urls[0])), "{:?}", browser.fetched);
    }
    let mut tasks = || {
        let figures = "[...document.querySelectorAll('#figures div')].map(pair => pair.textContent)";
        let figures = browser.value(figures);
        let done = figures
            .as_array()?
            .iter()
            .find_map(|pair| pair.as_str()?.strip_prefix("tasks done")?.parse().ok());
        done.map(|done: u64| done)
    };
    let first = eventually("tasks on the page", &mut tasks);
    eventually("more tasks on the page", || tasks().filter(|now| *now > first));
    assert_eq!(interrupt(running), Some(130));
    eventually("the page says that the run has ended", || {
        let said = browser.value("document.querySelector('#connection').textContent");
        said.as_str()?.contains("the run has ended").then_some(())
    });
}

const MARKUP: &str = "</title></svg><img src=x onerror=\"console.error('planted')\"><script>console.error('planted')</script>\
     <a href=\"javascript:console.error(1)\">`</code>";

/// Ten thousand tasks, with names and errors that would be markup.
fn hostile(plan: &Plan) -> RunData {
    let mut story = Story::logged(plan);
    story.found(MARKUP, 77, MARKUP, true, 10.0);
    story.phase(Phase::Leak);
    let mut before = 100.0;
    for number in 0..10_000_u32 {
        let after = 100.0 + f64::from(number % 7) / 10.0;
        let fails = number % 1000 == 999;
        story.task(TaskRecord {
            audio_file: MARKUP.to_string(),
            status: if fails { TaskStatus::Failed } else { TaskStatus::Success },
            error: fails.then(|| MARKUP.repeat(20)),
            phase: Some(Phase::Leak),
            processing_time: Some(0.01),
            worker_rss_before_mb: Some(before),
            worker_rss_after_mb: Some(after),
            worker_rss_delta_mb: Some(after - before),
            worker_rss_peak_mb: Some(if number == 5_000 { 900.0 } else { after + 5.0 }),
            ..TaskRecord::new(format!("{MARKUP}{number}"), 1, TaskStatus::Success)
        });
        before = after;
    }
    story.phase_ends(Phase::Leak);
    for _ in 0..3 {
        story.sample(MARKUP, 77, 10.0, 50.0);
    }
    story.exited(77, true, highwater::record::ExitKind::Signal(9));
    story.event(Event::RunInterrupted { reason: MARKUP.to_string() });
    story.run
}

#[test]
#[ignore = "needs chromium, which .ci/run installs"]
fn markup_from_a_service_is_text_and_ten_thousand_tasks_fit() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan::default();
    let path = written(&directory, "hostile", &hostile(&plan), &plan);
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size <= 1_000_000, "{size} bytes");
    let mut browser = Browser::start();
    assert!(checked(&mut browser, &path) > 0);
    assert_eq!(browser.value("document.images.length"), 0);
    assert_eq!(browser.value("document.scripts.length"), 1);
    assert_eq!(browser.value("document.querySelectorAll('a[href^=javascript]').length"), 0);
    // Thinning loses no peak: the drawing reaches up to 900 MB.
    let ticks =
        browser.value("[...document.querySelectorAll('#memory .wide .tick')].map(tick => tick.textContent)");
    let highest = ticks
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tick| tick.as_str()?.replace(',', "").parse::<f64>().ok());
    assert!(highest.fold(0.0, f64::max) >= 800.0, "{ticks}");
}

/// A day at one reading a second, with one peak of a second.
fn day(plan: &Plan) -> RunData {
    const DAY: u32 = 86_400;
    let mut story = Story::logged(plan);
    story.phase(Phase::Soak);
    for round in 1..=240 {
        story.elapsed = f64::from(round * DAY / 240);
        story.event(Event::SoakRound(SoakRound {
            round,
            tasks: 400 * round,
            seconds: story.elapsed,
            floor_mb: Some(300.0 + f64::from(round)),
            peak_mb: Some(360.0 + f64::from(round)),
            ..SoakRound::default()
        }));
    }
    story.phase_ends(Phase::Soak);
    story.event(Event::RunEnded);
    for second in 0..DAY {
        for (name, pid, mb) in [("python", 12_345, 300.0 + f64::from(second % 60)), ("uvicorn", 12_001, 88.0)]
        {
            let peak = if second == 43_210 && pid == 12_345 { 4000.0 } else { mb };
            story.run.sampled(&ResourceRow {
                timestamp: String::new(),
                elapsed_seconds: f64::from(second),
                process_name: name.to_string(),
                pid,
                cpu_percent: f64::from(second % 100),
                memory_rss_mb: peak,
                memory_percent: 1.0,
            });
        }
    }
    story.run
}

#[test]
#[ignore = "needs chromium, which .ci/run installs"]
fn a_day_of_soak_is_a_small_page_with_its_peak() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = Plan::default();
    plan.soak.enabled = true;
    plan.soak.cap_mb = 800.0;
    let path = written(&directory, "day", &day(&plan), &plan);
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size <= 3_000_000, "{size} bytes");
    let mut browser = Browser::start();
    assert!(checked(&mut browser, &path) > 4);
    let lines = browser.value("document.querySelectorAll('#timeline .wide polyline').length");
    assert_eq!(lines, 4);
    assert!(
        browser
            .value("document.querySelector('#timeline h2').textContent")
            .as_str()
            .unwrap()
            .contains("4000 MB")
    );
}
