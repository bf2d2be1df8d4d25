//! Two versions on one pair of axes, and the difference with its interval.

use maud::{Markup, html};

use super::frame::{Form, Label, Told, labels, line, x_axis, y_axis};
use super::scale::{Scale, px};
use super::{Key, Picture, Plot};
use crate::analysis::{Comparison, SignalComparison};
use crate::record::RunFigures;
use crate::words::pictures as words;

/// Memory above the first reading after warm-up, task by task, of each run of a side.
type Side = Vec<Vec<(f64, f64)>>;

/// The picture, unless there are no readings of both.
pub fn compare(before: &[RunFigures], after: &[RunFigures], comparison: &Comparison) -> Option<Picture> {
    let sides = [readings(before), readings(after)];
    let mut plots = Vec::new();
    if sides.iter().all(|side| !side.is_empty()) {
        plots.push(Plot::of("memory", words::compare_alt(comparison), |form| draw(&sides, form)));
    }
    let signals: Vec<&SignalComparison> =
        comparison.signals.iter().filter(|found| found.difference.is_some()).collect();
    if !signals.is_empty() {
        plots.push(Plot::of("difference", words::compare_alt(comparison), |form| intervals(&signals, form)));
    }
    if plots.is_empty() {
        return None;
    }
    Some(Picture {
        id: "compare",
        title: words::COMPARED.to_string(),
        caption: words::COMPARE_CAPTION.to_string(),
        key: vec![Key::new("line r1", "before"), Key::new("line r0", "after")],
        plots,
    })
}

/// The readings of the runs of one side, less the first of each, so that both begin at 0.
fn readings(runs: &[RunFigures]) -> Side {
    let of_run = |run: &RunFigures| {
        let mut points: Vec<(f64, f64)> = run
            .tasks
            .iter()
            .enumerate()
            .filter_map(|(place, task)| Some((place as f64 + 1.0, task.rss_mb?)))
            .collect();
        let mut tasks = run.tasks.len() as f64;
        for block in &run.blocks {
            tasks += f64::from(block.tasks);
            points.extend(block.worker.and_then(|worker| worker.rss_mb).map(|mb| (tasks, mb)));
        }
        // The first tasks load what is loaded once.
        let warm_up = if points.len() > 4 { 2 } else { 0 };
        let first = points.get(warm_up)?.1;
        Some(points.iter().skip(warm_up).map(|(at, mb)| (*at, mb - first)).collect::<Vec<_>>())
    };
    runs.iter().filter_map(of_run).filter(|points| points.len() > 1).collect()
}

fn draw(sides: &[Side; 2], form: Form) -> (f64, f64, Markup) {
    let (left, right) = form.sides(true);
    let (top, bottom) = (30.0, if form.is_wide() { 250.0 } else { 220.0 });
    let points = || sides.iter().flatten().flatten();
    let last = points().map(|point| point.0).fold(2.0, f64::max);
    let (low, high) =
        points().fold((0.0_f64, 0.0_f64), |(low, high), point| (low.min(point.1), high.max(point.1)));
    // A change of less than a megabyte is not to look like one of many.
    let y = Scale::new(low * 1.05, (high * 1.05).max(1.0), bottom, top);
    let x = Scale::new(1.0, last, left + 4.0, right - 4.0);
    let side = |place: usize, name: &'static str| {
        html! {
            @for points in &sides[place] {
                (line(&format!("line r{}", 1 - place), points, (x, y), &Told { name, x: "task", y: "MB" }))
                @if points.len() <= 120 {
                    @for (at, mb) in points {
                        circle class=(format!("dot f{}", 1 - place)) cx=(px(x.at(*at))) cy=(px(y.at(*mb))) r="2.6" {}
                    }
                }
            }
        }
    };
    let end = |place: usize, text: &str| {
        let last = sides[place].first().and_then(|points| points.last()).map_or(0.0, |point| point.1);
        Label { y: y.at(last), class: format!("t{}", 1 - place), text: format!("{text} {last:+.1} MB") }
    };
    let drawing = html! {
        (y_axis(y, (left, right), top, "worker memory above its first reading, MB"))
        (x_axis(x, &x.whole_ticks(form.ticks()), bottom, "task"))
        (side(0, "before"))
        (side(1, "after"))
        @if form.is_wide() { (labels(vec![end(0, "before"), end(1, "after")], right + 10.0, 130.0, bottom)) }
    };
    (form.width(), bottom + 40.0, drawing)
}

const ROW: f64 = 46.0;

/// A row for each signal: the difference and its interval, beside 0.
fn intervals(signals: &[&SignalComparison], form: Form) -> (f64, f64, Markup) {
    let (left, right) = (14.0, form.width() - 14.0);
    let drawing = html! {
        @for (number, found) in signals.iter().enumerate() {
            @if let Some(difference) = found.difference {
                @let top = ROW * number as f64;
                @let reach = [difference.low.abs(), difference.high.abs(), found.least_per_task].into_iter().fold(0.0, f64::max) * 1.15;
                @let x = Scale::new(-reach, reach, left, right);
                g class="m" {
                    title { (words::difference(found.signal, difference.per_task, difference.low, difference.high)) }
                    text class="lab" x="0" y=(px(top + 14.0)) { (words::difference(found.signal, difference.per_task, difference.low, difference.high)) }
                    rect class="shade" x=(px(x.at(-found.least_per_task))) width=(px(x.at(found.least_per_task) - x.at(-found.least_per_task))) y=(px(top + 20.0)) height="18" {}
                    line class="zero" x1=(px(x.at(0.0))) x2=(px(x.at(0.0))) y1=(px(top + 20.0)) y2=(px(top + 38.0)) {}
                    line class="range" x1=(px(x.at(difference.low))) x2=(px(x.at(difference.high))) y1=(px(top + 29.0)) y2=(px(top + 29.0)) {}
                    circle class="dot long" cx=(px(x.at(difference.per_task))) cy=(px(top + 29.0)) r="4.5" {}
                }
            }
        }
    };
    (form.width(), ROW * signals.len() as f64, drawing)
}
