//! The ramp: what each level did, and which one broke.

use maud::{Markup, html};

use super::frame::{Form, Told, cross, line, x_axis, y_axis};
use super::scale::{Scale, px};
use super::{Key, Picture, Plot};
use crate::analysis::{Level, Scalability, Summary};
use crate::assessment::Assessment;
use crate::record::Limit;
use crate::units::significant;
use crate::words::pictures as words;

/// The picture, unless no level was tried.
pub fn ramp(report: &Assessment) -> Option<Picture> {
    let levels: Vec<&Level> = report.levels.iter().filter(|level| level.complete).collect();
    if levels.is_empty() {
        return None;
    }
    let data = Data {
        highest: levels.iter().map(|level| level.concurrency).max().unwrap_or(1),
        limit: match &report.judgement.limit {
            Limit::Found { max_stable, .. } => Some(*max_stable),
            _ => None,
        },
        law: report.scalability.as_ref(),
        required: report.thresholds.ramp.required,
        max_rtf: report.thresholds.ramp.max_rtf,
        levels,
    };
    let plots = [throughput(&data), times(&data), queue(&data), memory(&data)];
    let plots: Vec<Plot> = plots.into_iter().flatten().collect();
    if plots.is_empty() {
        return None;
    }
    let broke = data.levels.iter().any(|level| level.broke.is_some());
    let mut key = vec![Key::new("dot long", "a level that held")];
    if broke {
        key.push(Key::new("cross", "a level that broke"));
    }
    key.push(Key::new(
        "range",
        "lowest to highest of its tasks; the dot is the median, the bar the 95th percentile",
    ));
    if data.law.is_some() {
        key.push(Key::new("line law", "prediction: the universal scalability law, fitted"));
    }
    Some(Picture {
        id: "ramp",
        title: words::ramp_title(&report.judgement.limit),
        caption: words::ramp_caption(report.scalability.as_ref()),
        key,
        plots,
    })
}

struct Data<'a> {
    levels: Vec<&'a Level>,
    highest: u32,
    limit: Option<u32>,
    law: Option<&'a Scalability>,
    required: u32,
    max_rtf: f64,
}

const TOP: f64 = 30.0;
const BOTTOM: f64 = 200.0;
const HEIGHT: f64 = 240.0;

impl Data<'_> {
    fn x(&self, (left, right): (f64, f64)) -> Scale {
        Scale::new(0.5, f64::from(self.highest) + 0.5, left, right)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = (self.highest as usize).div_ceil(10).max(1);
        (1..=self.highest).step_by(step).map(f64::from).collect()
    }

    /// The limit, between the last level that held and the next.
    fn limit(&self, x: Scale, right: f64) -> Markup {
        let Some(limit) = self.limit else { return html! {} };
        let at = x.at(f64::from(limit) + 0.5);
        let (anchor, text_at) = if at > right - 70.0 { ("end", at - 5.0) } else { ("start", at + 5.0) };
        html! {
            line class="limit" x1=(px(at)) x2=(px(at)) y1=(px(TOP)) y2=(px(BOTTOM)) {}
            text class="lab limitlab" text-anchor=(anchor) x=(px(text_at)) y=(px(TOP + 10.0)) { "limit " (limit) }
        }
    }

    /// The axes, the limit, and `marks` above them.
    fn plot(&self, y: Scale, title: &str, form: Form, marks: &dyn Fn(Scale) -> Markup) -> (f64, f64, Markup) {
        let (left, right) = form.sides(false);
        let x = self.x((left, right));
        let drawing = html! {
            (y_axis(y, (left, right), TOP, title))
            (x_axis(x, &self.ticks(), BOTTOM, "tasks at once"))
            (self.limit(x, right))
            (marks(x))
        };
        (form.width(), HEIGHT, drawing)
    }

    /// A dot for each attempt that held, a cross for each that broke.
    fn dots(
        &self,
        (x, y): (Scale, Scale),
        figure: &dyn Fn(&Level) -> Option<f64>,
        told: &dyn Fn(&Level, f64) -> String,
    ) -> Markup {
        html! {
            @for (level, value) in self.levels.iter().filter_map(|level| Some((level, figure(level)?))) {
                g class="m" {
                    title { (told(level, value)) @if let Some(broke) = &level.broke { "; broke: " (broke) } }
                    @let (at, up) = (x.at(f64::from(level.concurrency)), y.at(value.min(y.high)));
                    @if level.broke.is_some() { (cross(at, up)) } @else { circle class="dot long" cx=(px(at)) cy=(px(up)) r="3.6" {} }
                }
            }
        }
    }
}

fn throughput(data: &Data<'_>) -> Option<Plot> {
    let best = data.levels.iter().filter_map(|level| level.throughput).reduce(f64::max)?;
    let y = Scale::from_zero(best, BOTTOM, TOP, 4);
    // Attempts at one level stand above each other; the line goes through their means.
    let mut means: Vec<(f64, f64)> = Vec::new();
    for concurrency in 1..=data.highest {
        let of_level: Vec<f64> = data
            .levels
            .iter()
            .filter(|level| level.concurrency == concurrency)
            .filter_map(|level| level.throughput)
            .collect();
        if !of_level.is_empty() {
            means.push((f64::from(concurrency), of_level.iter().sum::<f64>() / of_level.len() as f64));
        }
    }
    let alt = words::throughput_alt(&means);
    let draw = |form: Form| {
        data.plot(y, "tasks per second", form, &|x| {
            html! {
                @if let Some(law) = data.law { (predicted(law, data.highest, (x, y))) }
                (line("line r0 thin", &means, (x, y), &Told { name: "throughput", x: "c", y: "tasks/s" }))
                (data.dots((x, y), &|level| level.throughput, &|level, value| {
                    format!("c={}: {} tasks/s", level.concurrency, significant(value))
                }))
            }
        })
    };
    Some(Plot::small("throughput", alt, draw))
}

/// The fitted law, level by level.
fn predicted(law: &Scalability, highest: u32, (x, y): (Scale, Scale)) -> Markup {
    let points: Vec<(f64, f64)> = (0..=40)
        .map(|step| {
            let n = 1.0 + f64::from(highest - 1) * f64::from(step) / 40.0;
            let rate = law.lambda * n / (1.0 + law.contention * (n - 1.0) + law.coherency * n * (n - 1.0));
            (n, rate.clamp(y.low, y.high))
        })
        .collect();
    line("line law", &points, (x, y), &Told { name: "prediction", x: "c", y: "tasks/s" })
}

/// RTF by level where the tasks have audio, else their seconds.
fn times(data: &Data<'_>) -> Option<Plot> {
    let rtf = data.levels.iter().any(|level| level.rtf.is_some());
    let of = |level: &Level| if rtf { level.rtf } else { level.seconds };
    let highest = data.levels.iter().filter_map(|level| of(level)).map(|times| times.max).reduce(f64::max)?;
    let bound = Some(data.max_rtf).filter(|bound| rtf && *bound <= 4.0 * highest);
    let y = Scale::from_zero(bound.map_or(highest, |bound| bound.max(highest)), BOTTOM, TOP, 4);
    let name = if rtf { "RTF" } else { "seconds" };
    let title = if rtf { "real-time factor of a task" } else { "seconds of a task" };
    let medians: Vec<(u32, f64)> =
        data.levels.iter().filter_map(|level| Some((level.concurrency, of(level)?.p50))).collect();
    let draw = |form: Form| {
        data.plot(y, title, form, &|x| {
            html! {
                @if let Some(bound) = bound {
                    line class="limit" x1=(px(x.at(x.low))) x2=(px(x.at(x.high))) y1=(px(y.at(bound))) y2=(px(y.at(bound))) {}
                    text class="lab limitlab" x=(px(x.at(x.low) + 4.0)) y=(px(y.at(bound) + 14.0)) { "bound up to c=" (data.required) ": " (bound) }
                }
                @for (level, times) in data.levels.iter().filter_map(|level| Some((level, of(level)?))) {
                    (spread(level.concurrency, times, (x, y)))
                }
                (data.dots((x, y), &|level| of(level).map(|times| times.p50), &|level, median| {
                    words::spread_told(level, name, median, of(level))
                }))
            }
        })
    };
    Some(Plot::small(if rtf { "rtf" } else { "seconds" }, words::levels_alt(title, &medians), draw))
}

/// From the lowest to the highest, with a bar at the 95th percentile.
fn spread(concurrency: u32, times: Summary, (x, y): (Scale, Scale)) -> Markup {
    let at = x.at(f64::from(concurrency));
    html! {
        line class="range" x1=(px(at)) x2=(px(at)) y1=(px(y.at(times.min))) y2=(px(y.at(times.max))) {}
        line class="p95" x1=(px(at - 5.0)) x2=(px(at + 5.0)) y1=(px(y.at(times.p95))) y2=(px(y.at(times.p95))) {}
    }
}

fn queue(data: &Data<'_>) -> Option<Plot> {
    let of = |level: &Level| level.queue_seconds;
    let highest = data.levels.iter().filter_map(|level| of(level)).map(|times| times.max).reduce(f64::max)?;
    let y = Scale::from_zero(highest, BOTTOM, TOP, 4);
    let medians: Vec<(u32, f64)> =
        data.levels.iter().filter_map(|level| Some((level.concurrency, of(level)?.p50))).collect();
    let title = "seconds in the queue";
    let draw = |form: Form| {
        data.plot(y, title, form, &|x| {
            html! {
                @for (level, times) in data.levels.iter().filter_map(|level| Some((level, of(level)?))) {
                    (spread(level.concurrency, times, (x, y)))
                }
                (data.dots((x, y), &|level| of(level).map(|times| times.p50), &|level, median| {
                    words::spread_told(level, "seconds in the queue", median, of(level))
                }))
            }
        })
    };
    Some(Plot::small("queue", words::levels_alt(title, &medians), draw))
}

fn memory(data: &Data<'_>) -> Option<Plot> {
    let highest = data.levels.iter().filter_map(|level| level.memory.peak_mb).reduce(f64::max)?;
    let y = Scale::from_zero(highest, BOTTOM, TOP, 4);
    let title = "highest worker memory, MB";
    let peaks: Vec<(u32, f64)> =
        data.levels.iter().filter_map(|level| Some((level.concurrency, level.memory.peak_mb?))).collect();
    let draw = |form: Form| {
        data.plot(y, title, form, &|x| {
            html! {
                @for level in &data.levels {
                    @if let (Some(before), Some(peak)) = (level.memory.before_mb, level.memory.peak_mb) {
                        @let at = x.at(f64::from(level.concurrency));
                        line class="range" x1=(px(at)) x2=(px(at)) y1=(px(y.at(before))) y2=(px(y.at(peak))) {}
                    }
                }
                (data.dots((x, y), &|level| level.memory.peak_mb, &|level, peak| words::level_memory(level, peak)))
            }
        })
    };
    Some(Plot::small("memory", words::levels_alt(title, &peaks), draw))
}
