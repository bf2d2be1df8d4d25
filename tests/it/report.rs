//! The report, from constant data: nothing in it varies, so nothing is hidden.

use highwater::assessment::{Assessment, assess};
use highwater::plan::{AudioKind, Plan};
use highwater::record::{
    Damage, Event, EventRecord, ExitKind, LevelEnd, LevelMemory, Machine, Moment, Phase, ResourceRow,
    RunData, RunFiles, Samples, TaskRecord, TaskStatus, Warning,
};
use highwater::report::{markdown, markdown_full};
use highwater::units::round;

const STAMP: &str = "20251209_232145";
const WORKER_PID: u32 = 12_345;

/// A run that is being told, event by event.
pub(crate) struct Story {
    pub(crate) run: RunData,
    pub(crate) elapsed: f64,
}

impl Story {
    /// A run with a log: it has begun, and its worker and API were found.
    pub(crate) fn logged(plan: &Plan) -> Story {
        let files = RunFiles {
            tasks: format!("memory_leak_stress_test_{STAMP}.jsonl"),
            events: format!("events_{STAMP}.jsonl"),
            resources: format!("system_resources_{STAMP}.csv"),
        };
        let run = RunData { file: files.tasks.clone(), ..RunData::default() };
        let mut story = Story { run, elapsed: 0.0 };
        story.event(Event::RunStarted {
            title: "memory leak and stress test of the ASR service at http://localhost:8000".to_string(),
            version: "0.1.0".to_string(),
            machine: Machine {
                os: "Debian GNU/Linux 13".to_string(),
                kernel: "6.12.0".to_string(),
                cpus: 8,
                memory_mb: 31_885.0,
            },
            plan: serde_json::to_value(plan).expect("a plan is JSON"),
            files,
        });
        story.found("worker", WORKER_PID, "python", true, 625.3);
        story.found("api", 12_001, "uvicorn", true, 88.0);
        story
    }

    pub(crate) fn event(&mut self, event: Event) {
        let seconds = self.elapsed as u32;
        let time = format!("2025-12-09T23:{:02}:{:02}.000+01:00", 21 + seconds / 60, seconds % 60);
        self.run.note(EventRecord { time, elapsed: self.elapsed, event });
    }

    pub(crate) fn found(&mut self, role: &str, pid: u32, name: &str, root: bool, rss_mb: f64) {
        self.event(Event::ProcessFound {
            role: role.to_string(),
            pid,
            name: name.to_string(),
            command: format!("{name} --serve"),
            root,
            parent: None,
            start: None,
            replacement: false,
            rss_mb: Some(rss_mb),
        });
    }

    pub(crate) fn exited(&mut self, pid: u32, root: bool, how: ExitKind) {
        let (role, name) = ("worker".to_string(), "python".to_string());
        self.event(Event::ProcessExited { role, pid, name, root, how });
    }

    fn memory(&mut self, moment: Moment, mb: f64) {
        self.event(Event::Memory { moment, worker_rss_mb: Some(mb) });
    }

    pub(crate) fn phase(&mut self, phase: Phase) {
        self.event(Event::PhaseStarted { phase, tasks: None });
    }

    pub(crate) fn phase_ends(&mut self, phase: Phase) {
        self.event(Event::PhaseEnded { phase, cut_short: None });
    }

    /// A task that was sent and has its line.
    pub(crate) fn task(&mut self, record: TaskRecord) {
        self.event(Event::TaskStarted { test_id: record.test_id.clone() });
        self.elapsed += record.processing_time.unwrap_or(1.0);
        self.run.take(record);
    }

    /// The leak check with short and long in turn; `after` is worker memory at the end of each task.
    fn leak_check(&mut self, after: &[f64]) {
        self.phase(Phase::Leak);
        self.memory(Moment::Start, 625.3);
        let mut before = 625.3;
        for (index, &after) in after.iter().enumerate() {
            let kind = if index % 2 == 0 { AudioKind::Short } else { AudioKind::Long };
            self.task(leak_task(kind, index, before, after));
            if index == 1 {
                self.memory(Moment::Baseline, after);
            }
            before = after;
        }
        self.memory(Moment::Final, before);
        self.phase_ends(Phase::Leak);
    }

    /// A level that holds.
    fn level(&mut self, concurrency: u32) {
        self.event(Event::LevelStarted { concurrency, attempt: None, why: None });
        for index in 0..concurrency {
            self.task(ramp_task(concurrency, index));
        }
        self.level_ends(concurrency);
    }

    fn level_ends(&mut self, concurrency: u32) {
        self.event(Event::Health { problem: None });
        let memory = LevelMemory {
            before_mb: Some(686.0),
            after_mb: Some(686.0 + f64::from(concurrency)),
            peak_mb: Some(700.0 + 20.0 * f64::from(concurrency)),
            ..LevelMemory::default()
        };
        self.event(Event::LevelEnded(Box::new(LevelEnd { concurrency, memory, ..LevelEnd::default() })));
    }

    pub(crate) fn sample(&mut self, name: &str, pid: u32, cpu_percent: f64, memory_rss_mb: f64) {
        self.run.sampled(&ResourceRow {
            timestamp: "2025-12-09T23:21:45".to_string(),
            elapsed_seconds: self.run.samples.iter().map(Samples::rows).sum::<u64>() as f64,
            process_name: name.to_string(),
            pid,
            cpu_percent,
            memory_rss_mb,
            memory_percent: 2.0,
        });
    }
}

fn task(stem: &str, concurrency: u32) -> TaskRecord {
    TaskRecord {
        timestamp: "2025-12-09T23:21:45.000".to_string(),
        audio_file: format!("{stem}.wav"),
        audio_size_mb: Some(4.49),
        task_id: Some("a1b2".to_string()),
        ..TaskRecord::new(format!("{stem}_c{concurrency}_1765322145"), concurrency, TaskStatus::Success)
    }
}

fn leak_task(kind: AudioKind, index: usize, before: f64, after: f64) -> TaskRecord {
    let seconds = if kind == AudioKind::Long { 734.0 } else { 147.0 };
    let rtf = 0.164 + index as f64 / 1000.0;
    let plain = task(kind.word(), 1);
    TaskRecord {
        test_id: format!("{}_c1_{}", kind.word(), 1_765_322_145 + index),
        processing_time: Some(rtf * seconds),
        rtf: Some(rtf),
        worker_rss_before_mb: Some(before),
        worker_rss_after_mb: Some(after),
        worker_rss_delta_mb: Some(round(after - before, 1)),
        phase: Some(Phase::Leak),
        kind: Some(kind),
        audio_seconds: Some(seconds),
        worker_rss_peak_mb: Some(after + 110.0),
        settled: Some(true),
        ..plain
    }
}

fn ramp_task(concurrency: u32, index: u32) -> TaskRecord {
    let rtf = 0.2 * f64::from(concurrency) + f64::from(index) / 100.0;
    let name =
        if concurrency > 1 { format!("short_c{concurrency}_t{index}") } else { "short_c1".to_string() };
    TaskRecord {
        test_id: format!("{name}_1765322300"),
        processing_time: Some(rtf * 147.0),
        rtf: Some(rtf),
        phase: Some(Phase::Concurrency),
        kind: Some(AudioKind::Short),
        delta_shared: concurrency > 1,
        ..task("short", concurrency)
    }
}

fn failed(concurrency: u32, index: u32, status: TaskStatus, error: &str) -> TaskRecord {
    TaskRecord { status, rtf: None, error: Some(error.to_string()), ..ramp_task(concurrency, index) }
}

/// Everything went well, up to the bound of the ramp.
pub(crate) fn passing(plan: &Plan) -> RunData {
    let mut story = Story::logged(plan);
    let flat = [686.0, 687.1, 686.2, 687.0, 686.1, 687.3, 686.4, 686.9, 686.2, 687.2];
    story.leak_check(&[[640.5, 686.3].as_slice(), &flat, &flat].concat());
    story.phase(Phase::Concurrency);
    (1..=plan.ramp.max).for_each(|concurrency| story.level(concurrency));
    story.phase_ends(Phase::Concurrency);
    for (cpu, rss) in [(0.0, 625.3), (101.5, 780.0), (98.5, 797.3), (3.0, 686.2)] {
        story.sample("python", WORKER_PID, cpu, rss);
        story.sample("uvicorn", 12_001, cpu / 20.0, 88.0);
    }
    story.event(Event::RunEnded);
    story.run
}

/// A leak; a service that refuses, loses a task and is killed; a log with a torn end.
pub(crate) fn failing(plan: &Plan) -> RunData {
    let mut story = Story::logged(plan);
    story.leak_check(&[
        940.5, 1240.3, 1540.0, 1840.1, 2140.2, 2440.0, 2740.1, 3040.3, 3340.4, 3640.9, 3940.2, 4240.2,
    ]);
    story.phase(Phase::Concurrency);
    story.level(1);
    story.level(2);
    story.event(Event::LevelStarted { concurrency: 3, attempt: None, why: None });
    story.task(ramp_task(3, 0));
    story.task(failed(3, 1, TaskStatus::Failed, "rejected: HTTP 503: {\"detail\": \"queue | full\"}"));
    story.exited(WORKER_PID, true, ExitKind::Signal(9));
    story.task(failed(
        3,
        2,
        TaskStatus::Failed,
        "worker pid 12345 was killed, signal 9, while this task was outstanding",
    ));
    story.level_ends(3);
    story.phase_ends(Phase::Concurrency);
    story.sample("python", WORKER_PID, 0.0, 625.3);
    story.sample("python", WORKER_PID, 99.0, 4240.2);
    for pid in 12_400..12_404 {
        story.found("worker", pid, "python", false, 600.0);
        story.sample("python", pid, 0.0, 610.0);
        story.sample("python", pid, 80.0 + f64::from(pid % 4), 660.0);
        story.exited(pid, false, if pid == 12_403 { ExitKind::Signal(11) } else { ExitKind::Code(0) });
    }
    story.event(Event::Warning { message: Warning::TicksMissed { missed: 3, all: 90 } });
    story.event(Event::RunEnded);
    story.run.damage.push(Damage {
        file: format!("system_resources_{STAMP}.csv"),
        line: 91,
        torn: true,
        reason: "the row does not end".to_string(),
    });
    story.run
}

/// Stopped by Ctrl+C in the leak check; nothing measured until then was bad.
pub(crate) fn interrupted(plan: &Plan) -> RunData {
    let mut story = Story::logged(plan);
    story.phase(Phase::Leak);
    story.task(leak_task(AudioKind::Short, 0, 625.3, 640.5));
    let mut moving = leak_task(AudioKind::Long, 1, 640.5, 686.3);
    moving.settled = Some(false);
    story.task(moving);
    story.event(Event::TaskStarted { test_id: "short_c1_1765322147".to_string() });
    story.event(Event::RunInterrupted { reason: "interrupted (SIGINT)".to_string() });
    story.run.missing.push(format!("system_resources_{STAMP}.csv"));
    story.run
}

/// A file of the Python script: tasks only, and only with its fields.
fn python() -> RunData {
    let mut story = Story { run: RunData::default(), elapsed: 0.0 };
    let figures = [("short", 147.0, 0.234, 625.3, 640.5), ("long", 734.0, 0.164, 640.5, 686.3)];
    for (stem, seconds, rtf, before, after) in figures {
        story.task(TaskRecord {
            processing_time: Some(rtf * seconds),
            rtf: Some(rtf),
            worker_rss_before_mb: Some(before),
            worker_rss_after_mb: Some(after),
            worker_rss_delta_mb: Some(round(after - before, 1)),
            ..task(stem, 1)
        });
    }
    for (concurrency, index) in [(1, 0), (2, 0), (2, 1)] {
        let TaskRecord { test_id, processing_time, rtf, .. } = ramp_task(concurrency, index);
        let late = index == 1;
        story.task(TaskRecord {
            test_id,
            processing_time,
            rtf: rtf.filter(|_| !late),
            status: if late { TaskStatus::Timeout } else { TaskStatus::Success },
            error: late.then(|| "Timeout after 600s".to_string()),
            worker_rss_before_mb: Some(686.3),
            worker_rss_after_mb: Some(690.0),
            worker_rss_delta_mb: Some(3.7),
            ..task("short", concurrency)
        });
    }
    story.run.events.clear();
    story.run.file = "memory_leak_stress_test_20251209_231545.jsonl".to_string();
    story.run.missing =
        vec!["events_20251209_231545.jsonl".to_string(), "system_resources_20251209_231545.csv".to_string()];
    story.run
}

pub(crate) fn short_ramp() -> Plan {
    let mut plan = Plan::default();
    plan.ramp.max = 4;
    plan
}

/// Holds the Markdown and the JSON of a report against their snapshots.
#[track_caller]
fn check(name: &str, assessment: &Assessment) {
    insta::assert_snapshot!(format!("{name}_markdown"), markdown(assessment));
    insta::assert_snapshot!(format!("{name}_full_markdown"), markdown_full(assessment));
    insta::assert_json_snapshot!(format!("{name}_json"), assessment);
}

#[test]
fn a_run_that_passes() {
    let plan = short_ramp();
    check("passing", &assess(&passing(&plan), &plan));
}

#[test]
fn a_run_that_fails() {
    let plan = short_ramp();
    check("failing", &assess(&failing(&plan), &plan));
}

#[test]
fn a_run_that_was_interrupted() {
    let plan = short_ramp();
    check("interrupted", &assess(&interrupted(&plan), &plan));
}

#[test]
fn a_file_of_the_python_script() {
    check("python", &assess(&python(), &Plan::default()));
}

#[test]
fn a_run_judged_with_other_thresholds_says_so() {
    let made_with = short_ramp();
    let mut strict = made_with.clone();
    strict.leak.max_delta_mb = 0.5;
    strict.ramp.required = 5;
    let again = assess(&passing(&made_with), &strict);
    insta::assert_snapshot!("other_thresholds_markdown", markdown(&again));
    assert_eq!(again.overridden, ["leak.max_delta_mb 0.5 (was 200.0)", "ramp.required 5 (was 3)"]);
}

#[test]
fn an_empty_log_is_no_pass() {
    let plan = Plan::default();
    let mut story = Story::logged(&plan);
    story.event(Event::RunEnded);
    let empty = assess(&story.run, &plan);
    assert_eq!(empty.exit_code, 2);
    assert!(markdown(&empty).contains("**INCONCLUSIVE**"));
}

/// The snapshots hide nothing; this shows that what matters most differs between them.
#[test]
fn verdicts_limits_and_exit_codes_differ_between_the_reports() {
    let plan = short_ramp();
    let told: Vec<(u8, String, String, Option<u32>)> =
        [passing(&plan), failing(&plan), interrupted(&plan), python()]
            .iter()
            .map(|run| {
                let report = assess(run, &plan);
                let text = markdown(&report);
                let mut lines = text.lines().filter(|line| !line.is_empty()).skip(1);
                let verdict = lines.next().unwrap_or_default().to_string();
                let limit = report.judgement.limit.to_string();
                (report.exit_code, verdict, limit, report.max_stable_concurrency)
            })
            .collect();
    let exit_codes: Vec<u8> = told.iter().map(|(code, ..)| *code).collect();
    assert_eq!(exit_codes, [0, 1, 130, 1]);
    let starts = ["**PASS**", "**FAIL**", "**INCONCLUSIVE**", "**FAIL**"];
    for ((_, verdict, ..), start) in told.iter().zip(starts) {
        assert!(verdict.starts_with(start), "{verdict}");
    }
    let limits: Vec<&str> = told.iter().map(|(_, _, limit, _)| limit.as_str()).collect();
    assert!(limits[0].starts_with("no limit found up to the configured bound: c=4 held"), "{}", limits[0]);
    assert!(limits[1].starts_with("maximum stable concurrency: 2"), "{}", limits[1]);
    assert!(limits[2].starts_with("limit not determined"), "{}", limits[2]);
    assert_eq!(told.iter().map(|(.., max)| *max).collect::<Vec<_>>(), [None, Some(2), None, Some(1)]);
}
