//! Memory over the hours of a soak, and when its cap would be met.

use maud::{Markup, html};

use super::frame::{Form, Label, Told, between, cross, labels, line, x_axis, y_axis};
use super::scale::{Scale, px};
use super::{Key, Picture, Plot};
use crate::analysis::Soak;
use crate::assessment::Assessment;
use crate::words::pictures as words;

struct Data<'a> {
    soak: &'a Soak,
    cap: Option<f64>,
    /// Seconds and MB of the last floor, and the hours until the cap is met from there.
    forecast: Option<(f64, f64, f64)>,
}

/// The picture, unless there was no soak or its memory was not read.
pub fn soak(report: &Assessment, cap_mb: f64) -> Option<Picture> {
    let soak = report.soak.as_ref()?;
    if soak.rounds.iter().filter(|round| round.floor_mb.is_some()).count() < 2 {
        return None;
    }
    let last = soak.rounds.iter().rev().find_map(|round| Some((round.seconds, round.peak_mb?)));
    let data = Data {
        soak,
        cap: Some(cap_mb).filter(|cap| *cap > 0.0),
        forecast: last.zip(soak.hours_to_cap).map(|((seconds, peak), hours)| (seconds, peak, hours)),
    };
    let mut key = vec![Key::new("line r0", "the least of a round"), Key::new("band", "up to its peak")];
    if data.cap.is_some() {
        key.push(Key::new("line limit", "the cap"));
    }
    if data.forecast.is_some() {
        key.push(Key::new("line trend", "at this rate"));
    }
    Some(Picture {
        id: "soak",
        title: words::soak_title(soak),
        caption: words::soak_caption(soak),
        key,
        plots: vec![Plot::of("", words::soak_alt(soak), |form| draw(&data, form))],
    })
}

fn draw(data: &Data<'_>, form: Form) -> (f64, f64, Markup) {
    let (left, right) = form.sides(true);
    let (top, bottom) = (30.0, if form.is_wide() { 270.0 } else { 240.0 });
    let rounds = &data.soak.rounds;
    let end = data.soak.seconds.max(1.0);
    // A cap that is far away, in time or in memory, would press the measurements into a corner.
    let until = data.forecast.map(|(at, _, hours)| at + hours * 3600.0).filter(|until| *until <= 3.0 * end);
    let last = until.unwrap_or(end).max(end);
    let highest = rounds.iter().filter_map(|round| round.peak_mb).fold(0.0, f64::max);
    let cap = data.cap.filter(|cap| *cap <= 3.0 * highest);
    let y = Scale::from_zero(cap.map_or(highest, |cap| cap.max(highest)), bottom, top, 4);
    let seconds = Scale::new(0.0, last, left, right);
    let (shown, unit) = words::time_axis(last);
    let x = Scale::new(0.0, shown, left, right);
    let floors: Vec<(f64, f64)> =
        rounds.iter().filter_map(|round| Some((round.seconds, round.floor_mb?))).collect();
    let peaks: Vec<(f64, f64, f64)> =
        rounds.iter().filter_map(|round| Some((round.seconds, round.floor_mb?, round.peak_mb?))).collect();
    let first = rounds.first().map_or(0.0, |round| round.seconds);
    let drawing = html! {
        rect class="shade" x=(px(left)) width=(px(seconds.at(first) - left)) y=(px(top)) height=(px(bottom - top)) { title { "warm-up" } }
        (y_axis(y, (left, right), top, "worker private memory, MB"))
        (x_axis(x, &x.ticks(form.ticks()), bottom, unit))
        (between("band", &peaks, (seconds, y)))
        @if let Some(cap) = cap {
            line class="limit" x1=(px(left)) x2=(px(right)) y1=(px(y.at(cap))) y2=(px(y.at(cap))) {}
            @if !form.is_wide() { text class="lab limitlab" x=(px(left + 4.0)) y=(px(y.at(cap) - 5.0)) { (words::cap(cap)) } }
        }
        @if let (Some((at, peak, _)), Some(cap)) = (data.forecast, cap) {
            @if let Some(until) = until {
                line class="trend" x1=(px(seconds.at(at))) y1=(px(y.at(peak))) x2=(px(seconds.at(until))) y2=(px(y.at(cap))) {}
            }
        }
        (line("line r0", &floors, (seconds, y), &Told { name: "least of the round", x: "s", y: "MB" }))
        @if rounds.len() <= 80 {
            @for (at, floor, peak) in &peaks {
                circle class="m dot long" cx=(px(seconds.at(*at))) cy=(px(y.at(*floor))) r="3" { title { (words::round_told(*at, *floor, *peak)) } }
            }
        }
        @if let Some(over) = data.soak.over_cap_s {
            g class="m" { title { (words::at_seconds(over)) ": over the cap" } (cross(seconds.at(over), y.at(cap.unwrap_or(highest)))) }
        }
        @if form.is_wide() { (labels(tags(data, cap, y), right + 10.0, 130.0, bottom)) }
    };
    (form.width(), bottom + 40.0, drawing)
}

fn tags(data: &Data<'_>, cap: Option<f64>, y: Scale) -> Vec<Label> {
    let mut tags = Vec::new();
    let mut tag = |value: f64, class: &str, text: String| {
        tags.push(Label { y: y.at(value), class: class.to_string(), text });
    };
    if let Some(last) = data.soak.rounds.iter().rev().find_map(|round| round.floor_mb) {
        tag(last, "t0", "least of a round".to_string());
        if let Some(rate) = data.soak.mb_per_hour {
            tag(last, "trendlab", words::per_hour(rate));
        }
    }
    if let Some(cap) = cap {
        tag(cap, "limitlab", words::cap(cap));
    }
    tags
}
