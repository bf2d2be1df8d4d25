//! Memory task by task: what a leak looks like.

use std::collections::HashMap;

use maud::{Markup, html};

use super::frame::{Form, Label, Told, between, cross, labels, line, x_axis, y_axis};
use super::scale::{Scale, px};
use super::{Key, Picture, Plot};
use crate::analysis::{Growth, LeakTasks, Reason, WORKER};
use crate::assessment::Assessment;
use crate::record::{Condition, Event, Phase, RunData, TaskRecord};
use crate::units::significant;
use crate::words::pictures as words;

/// With more points than this, a line is drawn instead of a mark for each.
const MARKS: usize = 160;

/// Memory after a task, or after a block of tasks.
struct Point {
    /// The number of the task, from 1; that of the last task of a block.
    number: f64,
    before: Option<f64>,
    after: f64,
    peak: Option<f64>,
    class: &'static str,
    told: String,
    /// A task's row in the table of the page.
    row: Option<usize>,
}

/// A stretch of tasks that were sent under the condition of a probe.
struct Stretch {
    first: f64,
    last: f64,
    name: String,
}

struct Data {
    points: Vec<Point>,
    stretches: Vec<Stretch>,
    /// The numbers of the tasks during which a worker was replaced or ended, and what happened.
    breaks: Vec<(f64, String)>,
    last: f64,
    /// Lowest, likely and highest growth in MB per task, and the stretch over which it was judged.
    growth: Option<[f64; 3]>,
    judged: (f64, f64),
    threshold: Option<f64>,
    tolerance: f64,
}

/// The picture, unless no memory was read after a task of the leak check.
pub fn memory(run: &RunData, report: &Assessment) -> Option<Picture> {
    let data = data(run, report);
    if data.points.is_empty() {
        return None;
    }
    let growth = report.growth.as_ref();
    Some(Picture {
        id: "memory",
        title: words::memory_title(growth),
        caption: words::memory_caption(
            data.points.iter().any(|point| point.row.is_none()),
            data.points.len() > MARKS,
            data.growth.is_some(),
        ),
        key: key(&data),
        plots: vec![Plot::of("", words::memory_alt(&data.ends(), growth), |form| draw(&data, form))],
    })
}

impl Data {
    /// The first and the last figure with their numbers.
    fn ends(&self) -> [(f64, f64); 2] {
        let end = |point: Option<&Point>| point.map_or((0.0, 0.0), |point| (point.number, point.after));
        [end(self.points.first()), end(self.points.last())]
    }

    fn dense(&self) -> bool {
        self.points.len() > MARKS
    }

    /// The level of the growth line at its middle: the median of what is left when growth is taken away.
    fn middle(&self, rate: f64) -> (f64, f64) {
        let judged: Vec<&Point> = self
            .points
            .iter()
            .filter(|point| point.number >= self.judged.0 && point.number <= self.judged.1)
            .collect();
        let at = (self.judged.0 + self.judged.1) / 2.0;
        let mut levels: Vec<f64> =
            judged.iter().map(|point| point.after - rate * (point.number - at)).collect();
        levels.sort_by(f64::total_cmp);
        (at, levels.get(levels.len() / 2).copied().unwrap_or_default())
    }
}

fn data(run: &RunData, report: &Assessment) -> Data {
    let rows: HashMap<&str, usize> =
        report.leak_check.iter().map(|row| (row.task.test_id.as_str(), row.index)).collect();
    let warm: HashMap<&str, bool> =
        report.leak_check.iter().map(|row| (row.task.test_id.as_str(), row.warm_up)).collect();
    let named = run.tasks.iter().any(|task| task.phase.is_some());
    let of_check = |task: &&TaskRecord| {
        if named { task.phase == Some(Phase::Leak) } else { rows.contains_key(task.test_id.as_str()) }
    };
    let tasks: Vec<&TaskRecord> =
        run.tasks.iter().filter(of_check).filter(|task| task.block.is_none()).collect();
    let plain = |task: &&&TaskRecord| task.condition.is_none();
    let singles = tasks.iter().filter(plain).count() as f64;
    let blocks = LeakTasks::of(run).blocks;
    let checked = blocks.last().map_or(singles, |block| f64::from(block.tasks).max(singles));
    // The tasks of blocks are not kept one by one. Those of probes come after them.
    let number_of = |place: usize, task: &TaskRecord| {
        place as f64 + 1.0 + if task.condition.is_some() { checked - singles } else { 0.0 }
    };
    let mut points: Vec<Point> = Vec::new();
    for (place, task) in tasks.iter().enumerate() {
        let number = number_of(place, task);
        let Some(after) = task.worker_rss_after_mb else { continue };
        let warm_up = warm.get(task.test_id.as_str()).copied().unwrap_or_default();
        points.push(Point {
            number,
            before: task.worker_rss_before_mb,
            after,
            peak: task.worker_rss_peak_mb,
            class: class(task, warm_up),
            told: words::task_told(number as usize, task, warm_up),
            row: rows.get(task.test_id.as_str()).copied(),
        });
    }
    for block in blocks {
        let Some(after) = block.worker.and_then(|worker| worker.rss_mb) else { continue };
        let number = f64::from(block.tasks);
        points.push(Point {
            number,
            before: None,
            after,
            peak: None,
            class: "dot block",
            told: words::block_told(number, block, after),
            row: None,
        });
    }
    points.sort_by(|left, right| left.number.total_cmp(&right.number));
    let judged_from = points
        .iter()
        .filter(|point| !point.class.contains("warm"))
        .map(|point| point.number)
        .next()
        .unwrap_or(1.0);
    // What each process gains until it is replaced is no line through their sum.
    let of_sum = |growth: &&Growth| !matches!(growth.reason, Reason::WithinLives { .. });
    let growth = report.growth.as_ref().filter(of_sum);
    let growth = growth.and_then(|growth| Some([growth.low?, growth.rate_mb_per_task?, growth.high?]));
    Data {
        stretches: stretches(&tasks, checked - singles),
        breaks: breaks(run, &tasks),
        last: (tasks.len() as f64 + checked - singles).max(2.0),
        growth: growth.filter(|rates| rates.iter().all(|rate| rate.is_finite()) && checked > judged_from),
        judged: (judged_from, checked.max(judged_from)),
        threshold: baseline(run, &points).map(|base| base + report.thresholds.leak.baseline_tolerance_mb),
        tolerance: report.thresholds.leak.baseline_tolerance_mb,
        points,
    }
}

fn class(task: &TaskRecord, warm_up: bool) -> &'static str {
    let long = task.kind.is_none_or(|kind| kind.word() != "short");
    match (task.succeeded(), warm_up, task.new_input, long) {
        (false, ..) => "dot bad",
        (_, true, ..) => "dot warm",
        (_, _, true, _) => "square new",
        (_, _, _, true) => "dot long",
        (_, _, _, false) => "dot short",
    }
}

/// Memory after warm-up, which it must return to.
fn baseline(run: &RunData, points: &[Point]) -> Option<f64> {
    let recorded = run.events.iter().find_map(|record| match &record.event {
        Event::Memory { moment: crate::record::Moment::Baseline, worker_rss_mb } => *worker_rss_mb,
        _ => None,
    });
    let warm =
        || points.iter().take_while(|point| point.class.contains("warm")).last().map(|point| point.after);
    recorded.or_else(warm)
}

/// The stretches of probes, after `in_blocks` tasks that were sent in blocks.
fn stretches(tasks: &[&TaskRecord], in_blocks: f64) -> Vec<Stretch> {
    let mut found: Vec<(Option<&Condition>, Stretch)> = Vec::new();
    for (place, task) in tasks.iter().enumerate() {
        let number = place as f64 + 1.0 + in_blocks;
        match found.last_mut() {
            Some((condition, stretch)) if *condition == task.condition.as_ref() => stretch.last = number,
            _ => {
                let name = task.condition.as_ref().map(words::condition).unwrap_or_default();
                found.push((task.condition.as_ref(), Stretch { first: number, last: number, name }));
            }
        }
    }
    found.into_iter().filter(|(condition, _)| condition.is_some()).map(|(_, stretch)| stretch).collect()
}

/// Where a worker ended or was replaced, by the number of tasks that had ended by then.
fn breaks(run: &RunData, tasks: &[&TaskRecord]) -> Vec<(f64, String)> {
    let numbers: HashMap<&str, f64> =
        tasks.iter().enumerate().map(|(place, task)| (task.test_id.as_str(), place as f64 + 1.0)).collect();
    let (mut number, mut found) = (0.0, Vec::new());
    for record in &run.events {
        match &record.event {
            Event::TaskStarted { test_id } => {
                number = numbers.get(test_id.as_str()).copied().unwrap_or(number);
            }
            Event::PhaseEnded { phase: Phase::Leak, .. } => break,
            Event::ProcessExited { role, pid, root: true, how, .. } if role == WORKER && number > 0.0 => {
                found.push((number, crate::analysis::worker_end(*pid, *how)));
            }
            _ => {}
        }
    }
    found.truncate(40);
    found
}

fn key(data: &Data) -> Vec<Key> {
    let has = |class: &str| data.points.iter().any(|point| point.class == class);
    let entry = |class: &str, text: &str| has(class).then(|| Key::new(class, text));
    let kinds = has("dot short");
    let mut key = Vec::new();
    if data.dense() {
        key.push(Key::new("line r0", "after each task"));
    } else {
        key.extend(entry("dot long", if kinds { "after a long task" } else { "after a task" }));
        key.extend(entry("dot short", "after a short task"));
        key.extend(entry("square new", "after a task with a new input"));
        key.extend(entry("dot block", "after a block of tasks"));
        key.extend(entry("dot warm", "warm-up, not judged"));
        key.extend(entry("dot bad", "after a task that failed"));
    }
    if data.points.iter().any(|point| point.peak.is_some()) {
        key.push(Key::new("peak", "up to the peak of the task"));
    }
    if data.growth.is_some() {
        key.push(Key::new("line trend", "growth, with its 98 % interval"));
    }
    if !data.breaks.is_empty() {
        key.push(Key::new("cross", "the worker ended or was replaced"));
    }
    key
}

fn draw(data: &Data, form: Form) -> (f64, f64, Markup) {
    let (left, right) = form.sides(true);
    let (top, bottom) = (30.0, if form.is_wide() { 290.0 } else { 250.0 });
    let highest = data
        .points
        .iter()
        .flat_map(|point| [Some(point.after), point.peak, point.before])
        .flatten()
        .chain(data.threshold.filter(|bound| *bound < 4.0 * most(data)))
        .fold(0.0, f64::max);
    let y = Scale::from_zero(highest, bottom, top, 4);
    let x = Scale::new(1.0, data.last, left + 8.0, right - 8.0);
    let (tags, marks) = (tags(data, (x, y)), marks(data, (x, y)));
    let drawing = html! {
        @for (number, stretch) in data.stretches.iter().enumerate() {
            (shaded(stretch, number, x, (top, bottom)))
        }
        (y_axis(y, (left, right), top, "worker memory, MB"))
        (x_axis(x, &x.whole_ticks(form.ticks()), bottom, "task"))
        @if let Some(bound) = data.threshold.filter(|bound| *bound <= y.high) {
            line class="limit" x1=(px(left)) x2=(px(right)) y1=(px(y.at(bound))) y2=(px(y.at(bound))) {}
            @if !form.is_wide() {
                text class="lab limitlab" text-anchor="end" x=(px(right)) y=(px(y.at(bound) - 5.0)) {
                    (words::tolerance(data.tolerance))
                }
            }
        }
        (marks)
        @for (number, what) in &data.breaks {
            g class="m" { title { "task " (*number) ": " (what) } (cross(x.at(*number), bottom - 8.0)) }
        }
        @if form.is_wide() { (labels(tags, right + 10.0, 130.0, bottom)) }
    };
    (form.width(), bottom + 40.0, drawing)
}

/// The highest figure after a task.
fn most(data: &Data) -> f64 {
    data.points.iter().map(|point| point.peak.unwrap_or(point.after)).fold(1.0, f64::max)
}

fn shaded(stretch: &Stretch, number: usize, x: Scale, (top, bottom): (f64, f64)) -> Markup {
    let (from, to) = (x.at(stretch.first - 0.5), x.at(stretch.last + 0.5));
    html! {
        rect class=(if number.is_multiple_of(2) { "shade" } else { "shade other" }) x=(px(from)) width=(px(to - from)) y=(px(top)) height=(px(bottom - top)) {
            title { (stretch.name) }
        }
        @if to - from > 7.0 * stretch.name.chars().count() as f64 {
            text class="tick" x=(px(from + 4.0)) y=(px(top + 13.0)) { (stretch.name) }
        }
    }
}

/// The growth line with its interval, the peaks, and a mark for each task or a line through all.
fn marks(data: &Data, (x, y): (Scale, Scale)) -> Markup {
    let peaks: Vec<(f64, f64, f64)> = data
        .points
        .iter()
        .filter_map(|point| Some((point.number, point.after, point.peak?.max(point.after))))
        .collect();
    let after: Vec<(f64, f64)> = data.points.iter().map(|point| (point.number, point.after)).collect();
    let inside = |value: f64| value.clamp(y.low, y.high);
    html! {
        @if data.dense() {
            (between("peaks", &peaks, (x, y)))
        } @else {
            @for (number, low, high) in &peaks {
                line class="peak" x1=(px(x.at(*number))) x2=(px(x.at(*number))) y1=(px(y.at(*low))) y2=(px(y.at(*high))) {}
            }
        }
        @if let Some([low, rate, high]) = data.growth {
            @let (middle, level) = data.middle(rate);
            @let (from, to) = data.judged;
            @let at = |slope: f64, number: f64| inside(level + slope * (number - middle));
            polygon class="band" points=({
                [(from, low), (middle, rate), (to, low), (to, high), (middle, rate), (from, high)]
                    .map(|(number, slope)| format!("{},{}", px(x.at(number)), px(y.at(at(slope, number)))))
                    .join(" ")
            }) {}
            line class="trend" x1=(px(x.at(from))) x2=(px(x.at(to))) y1=(px(y.at(at(rate, from)))) y2=(px(y.at(at(rate, to)))) {}
        }
        @if data.dense() {
            (line("line r0", &after, (x, y), &Told { name: "after the task", x: "task", y: "MB" }))
        } @else {
            @for point in &data.points { (mark(point, (x, y))) }
        }
    }
}

fn mark(point: &Point, (x, y): (Scale, Scale)) -> Markup {
    let (at, up) = (x.at(point.number), y.at(point.after));
    let shape = html! {
        @if point.class.starts_with("square") {
            rect class=(format!("m {}", point.class)) x=(px(at - 3.5)) y=(px(up - 3.5)) width="7" height="7" { title { (point.told) } }
        } @else {
            circle class=(format!("m {}", point.class)) cx=(px(at)) cy=(px(up)) r="3.6" { title { (point.told) } }
        }
    };
    html! {
        @if let Some(row) = point.row {
            a href=(format!("#task-{row}")) tabindex="-1" { (shape) }
        } @else {
            (shape)
        }
    }
}

/// The labels at the right end.
fn tags(data: &Data, (_, y): (Scale, Scale)) -> Vec<Label> {
    let mut tags = Vec::new();
    let mut tag = |value: f64, class: &str, text: String| {
        tags.push(Label { y: y.at(value.clamp(y.low, y.high)), class: class.to_string(), text });
    };
    if let Some(last) = data.points.last() {
        tag(last.after, "t0", format!("{} MB", significant(last.after)));
        if let Some(peak) = last.peak.filter(|peak| *peak > last.after) {
            tag(peak, "soft", "peak of the task".to_string());
        }
    }
    if let Some([_, rate, _]) = data.growth {
        let (middle, level) = data.middle(rate);
        tag(level + rate * (data.judged.1 - middle), "trendlab", words::per_task(rate));
    }
    if let Some(bound) = data.threshold.filter(|bound| *bound <= y.high) {
        tag(bound, "limitlab", words::tolerance(data.tolerance));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::assess;
    use crate::plan::Plan;
    use crate::record::{BlockReading, Bulk, EventRecord, Footprint, TaskStatus};

    /// Six single tasks and ten blocks, of which the files keep one reading each.
    fn in_blocks() -> RunData {
        let single = |mb: f64| TaskRecord {
            phase: Some(Phase::Leak),
            worker_rss_after_mb: Some(mb),
            ..TaskRecord::new("a", 1, TaskStatus::Success)
        };
        let record = |event| EventRecord { time: String::new(), elapsed: 0.0, event };
        let block = |number: u32| {
            let mb = Some(60.0 + f64::from(number));
            let worker = Footprint { rss_mb: mb, private_mb: mb, ..Footprint::default() };
            record(Event::BlockEnded(BlockReading {
                block: number,
                tasks: 6 + 100 * number,
                seconds: 10.0 * f64::from(number),
                busy_seconds: 5.0,
                settled: true,
                worker: Some(worker),
                floor_rss_mb: None,
                floor_tasks: None,
            }))
        };
        RunData {
            tasks: (0..6).map(|at| single(50.0 + f64::from(at))).collect(),
            in_blocks: Bulk { tasks: 1000, succeeded: 1000, ..Bulk::default() },
            events: (1..=10).map(block).collect(),
            ..RunData::default()
        }
    }

    #[test]
    fn each_block_has_a_mark_at_its_last_task() {
        let run = in_blocks();
        let data = data(&run, &assess(&run, &Plan::default()));
        let blocks: Vec<f64> =
            data.points.iter().filter(|point| point.class == "dot block").map(|point| point.number).collect();
        assert_eq!((blocks.len(), data.points.len()), (10, 16));
        assert_eq!((blocks[0], blocks[9], data.last, data.judged.1), (106.0, 1006.0, 1006.0, 1006.0));
        let picture = memory(&run, &assess(&run, &Plan::default())).unwrap().section().into_string();
        assert!(picture.contains("after a block of tasks") && picture.contains("dot block"));
    }
}
