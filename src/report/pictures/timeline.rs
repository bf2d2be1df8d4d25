//! Memory and CPU of every role over the time of a run.

use maud::{Markup, html};

use super::frame::{Form, Label, Told, cross, labels, line, x_axis, y_axis};
use super::scale::{Scale, px};
use super::{Key, Picture, Plot};
use crate::analysis::WORKER;
use crate::record::{Event, ExitKind, RunData, Samples};
use crate::words::pictures as words;

/// The figures of one role, tick by tick: seconds, RSS in MB, CPU in percent of one core.
#[derive(Debug, Clone, PartialEq)]
struct RoleLine {
    role: String,
    points: Vec<(f64, f64, f64)>,
}

impl RoleLine {
    /// The highest memory, in MB.
    fn peak_mb(&self) -> f64 {
        self.points.iter().map(|point| point.1).fold(0.0, f64::max)
    }
}

/// Something that happened at a moment: seconds, and in words.
#[derive(Debug, Clone, PartialEq)]
struct Mark {
    at: f64,
    role: String,
    text: String,
}

/// A stretch of time with a name.
#[derive(Debug, Clone, PartialEq)]
struct Span {
    from: f64,
    to: f64,
    name: String,
    /// True for a level of the ramp.
    level: bool,
}

/// The picture, unless nothing was sampled.
pub fn timeline(run: &RunData) -> Option<Picture> {
    let starts = starts(run);
    let spans = spans(run, &starts);
    let marks = marks(run, &starts);
    let roles = role_lines(&run.samples, &starts);
    let ended: Vec<String> = marks.iter().map(|mark| mark.text.clone()).collect();
    let peak = roles.iter().find(|line| line.role == WORKER).or(roles.first()).map(RoleLine::peak_mb);
    let title = words::timeline_title(peak, peak_phase(&roles, &spans).as_deref());
    picture(roles, spans, marks, title, words::timeline_caption(&ended))
}

/// The picture of processes that were watched without a run: `ends` says when (in seconds) and how a process ended.
pub fn watched(samples: Samples, ends: &[(f64, String, String)], caption: String) -> Option<Picture> {
    let lines = role_lines(&[samples], &[0.0]);
    let marks = ends
        .iter()
        .map(|(at, role, text)| Mark { at: *at, role: role.clone(), text: text.clone() })
        .collect();
    let peak = lines.iter().map(RoleLine::peak_mb).reduce(f64::max);
    picture(lines, Vec::new(), marks, words::timeline_title(peak, None), caption)
}

fn picture(
    roles: Vec<RoleLine>,
    spans: Vec<Span>,
    marks: Vec<Mark>,
    title: String,
    caption: String,
) -> Option<Picture> {
    let points = || roles.iter().flat_map(|line| &line.points);
    let last = points().map(|point| point.0).chain(spans.iter().map(|span| span.to)).fold(0.0, f64::max);
    if points().count() < 2 || last <= 0.0 {
        return None;
    }
    let mut key: Vec<Key> = roles
        .iter()
        .enumerate()
        .map(|(place, line)| Key::new(format!("line r{}", place.min(5)), line.role.clone()))
        .collect();
    if !marks.is_empty() {
        key.push(Key::new("cross", "a process ended"));
    }
    let alt = words::timeline_alt(
        &roles.iter().map(|line| (line.role.clone(), line.peak_mb())).collect::<Vec<_>>(),
    );
    let data = Data { roles, spans, marks, last };
    Some(Picture {
        id: "timeline",
        title,
        caption,
        key,
        plots: vec![Plot::of("", alt, |form| draw(&data, form))],
    })
}

struct Data {
    roles: Vec<RoleLine>,
    spans: Vec<Span>,
    marks: Vec<Mark>,
    last: f64,
}

/// Where each part of a run begins: one that goes on from another has a clock of its own.
fn starts(run: &RunData) -> Vec<f64> {
    let mut starts = vec![0.0];
    for pair in run.events.windows(2) {
        if matches!(pair[1].event, Event::RunStarted { .. }) {
            starts.push(starts.last().copied().unwrap_or_default() + pair[0].elapsed);
        }
    }
    starts
}

/// The events with their seconds since the first part began.
fn placed<'a>(run: &'a RunData, starts: &'a [f64]) -> impl Iterator<Item = (f64, &'a Event)> {
    let mut part = 0;
    run.events.iter().enumerate().map(move |(index, record)| {
        if index > 0 && matches!(record.event, Event::RunStarted { .. }) {
            part += 1;
        }
        (starts.get(part).copied().unwrap_or_default() + record.elapsed, &record.event)
    })
}

/// Memory and CPU by role, the worker first; by process name where the run's log does not tell. `starts` says when each
/// part began.
fn role_lines(parts: &[Samples], starts: &[f64]) -> Vec<RoleLine> {
    let mut roles: Vec<RoleLine> = Vec::new();
    for (part, samples) in parts.iter().enumerate() {
        let start = starts.get(part).copied().unwrap_or_default();
        for series in samples.series() {
            let points = series.points.iter().map(|(at, mb, cpu)| (start + at, *mb, *cpu));
            match roles.iter_mut().find(|line| line.role == series.role) {
                Some(line) => line.points.extend(points),
                None => roles.push(RoleLine { role: series.role.clone(), points: points.collect() }),
            }
        }
    }
    roles.sort_by_key(|line| (line.role != WORKER, line.role.clone()));
    roles
}

/// The phases of a run, and the levels of its ramp.
fn spans(run: &RunData, starts: &[f64]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut end = 0.0;
    for (at, event) in placed(run, starts) {
        end = at;
        let (name, level) = match event {
            Event::PhaseStarted { phase, .. } => (words::phase(*phase).to_string(), false),
            Event::LevelStarted { concurrency, .. } => (format!("c={concurrency}"), true),
            Event::PhaseEnded { .. } | Event::LevelEnded(_) => {
                let level = matches!(event, Event::LevelEnded(_));
                if let Some(place) = open.iter().rposition(|place| spans[*place].level == level) {
                    spans[open.remove(place)].to = at;
                }
                continue;
            }
            _ => continue,
        };
        open.push(spans.len());
        spans.push(Span { from: at, to: at, name, level });
    }
    for place in open {
        spans[place].to = end;
    }
    spans
}

/// The ends of processes that matter: of those that were looked for, and of all that were killed.
fn marks(run: &RunData, starts: &[f64]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = placed(run, starts)
        .filter_map(|(at, event)| match event {
            Event::ProcessExited { role, pid, root, how, .. }
                if *root || matches!(how, ExitKind::OutOfMemory | ExitKind::Signal(_)) =>
            {
                Some(Mark { at, role: role.clone(), text: format!("{role} pid {pid} {how}") })
            }
            _ => None,
        })
        .collect();
    marks.truncate(60);
    marks
}

/// The phase in which the worker's memory was highest.
fn peak_phase(roles: &[RoleLine], spans: &[Span]) -> Option<String> {
    let line = roles.first()?;
    let highest = line.points.iter().max_by(|left, right| left.1.total_cmp(&right.1))?;
    let holds = |span: &&Span| !span.level && span.from <= highest.0 && highest.0 <= span.to;
    spans.iter().find(holds).map(|span| span.name.clone())
}

fn draw(data: &Data, form: Form) -> (f64, f64, Markup) {
    let (left, right) = form.sides(true);
    let (top, middle) = (30.0, if form.is_wide() { 210.0 } else { 190.0 });
    let (cpu_top, bottom) = (middle + 46.0, middle + 116.0);
    let (shown, unit) = words::time_axis(data.last);
    let x = Scale::new(0.0, shown, left, right);
    // Figures are placed by seconds, ticks by the unit of the axis.
    let seconds = Scale::new(0.0, data.last, left, right);
    let most = |pick: fn(&(f64, f64, f64)) -> f64| {
        data.roles.iter().flat_map(|line| &line.points).map(pick).fold(0.0, f64::max)
    };
    let memory = Scale::from_zero(most(|point| point.1), middle, top, 4);
    let cpu = Scale::from_zero(most(|point| point.2), bottom, cpu_top, 2);
    let drawing = html! {
        @for (place, span) in data.spans.iter().enumerate() {
            (shade(span, place, seconds, (top, bottom)))
        }
        @for span in &data.spans { (name(span, seconds, top)) }
        (y_axis(memory, (left, right), top, "resident memory, MB"))
        (y_axis(cpu, (left, right), cpu_top, "CPU, % of one core"))
        (x_axis(x, &x.ticks(form.ticks()), bottom, unit))
        @for (place, role) in data.roles.iter().enumerate() {
            @let points = |pick: fn(&(f64, f64, f64)) -> f64| role.points.iter().map(|point| (point.0, pick(point))).collect::<Vec<_>>();
            (line(&class(place), &points(|point| point.1), (seconds, memory), &Told { name: &role.role, x: "s", y: "MB" }))
            (line(&class(place), &points(|point| point.2), (seconds, cpu), &Told { name: &role.role, x: "s", y: "%" }))
        }
        @for mark in &data.marks {
            g class="m" {
                title { (words::at_seconds(mark.at)) ": " (mark.text) }
                (cross(seconds.at(mark.at.min(data.last)), memory.at(near(data, mark))))
            }
        }
        @if form.is_wide() { (labels(tags(data, memory), right + 10.0, 130.0, middle)) }
    };
    (form.width(), bottom + 40.0, drawing)
}

fn class(place: usize) -> String {
    format!("line r{}", place.min(5))
}

fn shade(span: &Span, place: usize, x: Scale, (top, bottom): (f64, f64)) -> Markup {
    let (from, to) = (x.at(span.from), x.at(span.to));
    html! {
        @if span.level {
            @if place.is_multiple_of(2) { rect class="shade level" x=(px(from)) width=(px(to - from)) y=(px(top)) height=(px(bottom - top)) { title { (span.name) } } }
        } @else {
            rect class=(if place == 0 { "shade" } else { "shade other" }) x=(px(from)) width=(px(to - from)) y=(px(top)) height=(px(bottom - top)) { title { (span.name) } }
        }
    }
}

/// The name of a span, where there is room for it.
fn name(span: &Span, x: Scale, top: f64) -> Markup {
    let (from, to) = (x.at(span.from), x.at(span.to));
    let width = 6.6 * span.name.chars().count() as f64 + 4.0;
    html! {
        @if span.level {
            @if to - from > width { text class="tick small" text-anchor="middle" x=(px(f64::midpoint(from, to))) y=(px(top + 28.0)) { (span.name) } }
        } @else if to - from > width || to - from > 0.12 * (x.at(x.high) - x.at(x.low)) {
            text class="tick" x=(px(from + 5.0)) y=(px(top + 13.0)) { (span.name) }
        }
    }
}

/// The memory of the role of a mark, where its line was last.
fn near(data: &Data, mark: &Mark) -> f64 {
    let line = data.roles.iter().find(|line| line.role == mark.role);
    line.and_then(|line| line.points.iter().rev().find(|point| point.0 <= mark.at))
        .map_or(0.0, |point| point.1)
}

fn tags(data: &Data, y: Scale) -> Vec<Label> {
    let tag = |(place, line): (usize, &RoleLine)| {
        let last = line.points.last()?;
        Some(Label { y: y.at(last.1), class: format!("t{}", place.min(5)), text: line.role.clone() })
    };
    data.roles.iter().enumerate().take(8).filter_map(tag).collect()
}
