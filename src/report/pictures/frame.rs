//! What all pictures share: the plot's place, its axes, its grid, and labels that do not overlap.

use maud::{Markup, html};

use super::scale::{Scale, envelope, px, thin, tick};

/// Where a drawing will be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// On a wide screen or on paper: labels stand at the end of the lines.
    Wide,
    /// On a phone, or one of two side by side.
    Narrow,
}

impl Form {
    /// Its width, in pixels at which its letters are 12 of them high.
    pub(super) fn width(self) -> f64 {
        match self {
            Form::Wide => 800.0,
            Form::Narrow => 344.0,
        }
    }

    /// The place for the plot's marks: left and right end.
    pub(super) fn sides(self, labels: bool) -> (f64, f64) {
        match self {
            Form::Wide if labels => (56.0, 800.0 - 142.0),
            Form::Wide => (56.0, 800.0 - 12.0),
            Form::Narrow => (46.0, 344.0 - 10.0),
        }
    }

    /// Some so many ticks fit on its horizontal axis.
    pub(super) fn ticks(self) -> usize {
        match self {
            Form::Wide => 8,
            Form::Narrow => 4,
        }
    }

    pub(super) fn is_wide(self) -> bool {
        self == Form::Wide
    }
}

/// The horizontal grid with the figures of the vertical axis, and its unit above.
pub(super) fn y_axis(y: Scale, (left, right): (f64, f64), top: f64, title: &str) -> Markup {
    html! {
        text class="axis" x=(px(left)) y=(px(top - 8.0)) { (title) }
        @for value in y.ticks(4) {
            line class=(if value == 0.0 { "grid zero" } else { "grid" }) x1=(px(left)) x2=(px(right)) y1=(px(y.at(value))) y2=(px(y.at(value))) {}
            text class="tick" text-anchor="end" x=(px(left - 7.0)) y=(px(y.at(value) + 4.0)) { (tick(value)) }
        }
    }
}

/// The figures of the horizontal axis below `bottom`, and its unit.
pub(super) fn x_axis(x: Scale, ticks: &[f64], bottom: f64, title: &str) -> Markup {
    let last = x.at(x.high);
    html! {
        @for value in ticks {
            line class="notch" x1=(px(x.at(*value))) x2=(px(x.at(*value))) y1=(px(bottom)) y2=(px(bottom + 4.0)) {}
            text class="tick" text-anchor="middle" x=(px(x.at(*value))) y=(px(bottom + 17.0)) { (tick(*value)) }
        }
        text class="axis" text-anchor="end" x=(px(last)) y=(px(bottom + 33.0)) { (title) }
    }
}

/// A line through points, and what a pointer is told that hovers over it.
///
/// The page's script reads the figures back from the places of its corners: `data-s` holds the ends of both scales.
pub(super) fn line(class: &str, points: &[(f64, f64)], (x, y): (Scale, Scale), told: &Told<'_>) -> Markup {
    let thinned = thin(points, x);
    if thinned.is_empty() {
        return html! {};
    }
    let places: Vec<String> =
        thinned.iter().map(|point| format!("{},{}", px(x.at(point.0)), px(y.at(point.1)))).collect();
    let ends = format!(
        "{} {} {} {} {} {} {} {}",
        px(x.at(x.low)),
        px(x.at(x.high)),
        x.low,
        x.high,
        px(y.at(y.low)),
        px(y.at(y.high)),
        y.low,
        y.high
    );
    html! {
        polyline class=(class) points=(places.join(" ")) data-s=(ends) data-x=(told.x) data-y=(told.y) data-n=(told.name) {
            title { (told.name) }
        }
    }
}

/// What is said of a point of a line: `worker, 31 s: 503 MB`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// The name of the line.
    pub(super) name: &'a str,
    /// `s` for seconds, `task` for the number of a task, `c` for a level.
    pub(super) x: &'a str,
    /// The unit of the figures.
    pub(super) y: &'a str,
}

/// A surface between two lines over the same points.
pub(super) fn between(class: &str, points: &[(f64, f64, f64)], (x, y): (Scale, Scale)) -> Markup {
    let lower: Vec<(f64, f64)> = points.iter().map(|point| (point.0, point.1)).collect();
    let upper: Vec<(f64, f64)> = points.iter().map(|point| (point.0, point.2)).collect();
    let (lower, upper) = (envelope(&lower, x, f64::min), envelope(&upper, x, f64::max));
    let place = |point: &(f64, f64)| format!("{},{}", px(x.at(point.0)), px(y.at(point.1)));
    let corners: Vec<String> = lower.iter().map(place).chain(upper.iter().rev().map(place)).collect();
    html! {
        @if !corners.is_empty() { polygon class=(class) points=(corners.join(" ")) {} }
    }
}

/// A cross, for what ended or broke.
pub(super) fn cross(x: f64, y: f64) -> Markup {
    let path = format!("M{} {}l8 8m0 -8l-8 8", px(x - 4.0), px(y - 4.0));
    html! { path class="cross" d=(path) {} }
}

/// A label at the end of a line.
#[derive(Debug, Clone)]
pub(super) struct Label {
    /// Where it should stand.
    pub(super) y: f64,
    pub(super) class: String,
    pub(super) text: String,
}

/// The height of a line of letters.
const LINE: f64 = 15.0;
/// How wide a letter of a label is at most, on average.
const LETTER: f64 = 6.9;

/// Labels at `x`, moved apart so that none hides another, broken into lines that fit `width`, above `bottom`.
pub(super) fn labels(mut labels: Vec<Label>, x: f64, width: f64, bottom: f64) -> Markup {
    labels.sort_by(|left, right| left.y.total_cmp(&right.y));
    let broken: Vec<Vec<String>> = labels.iter().map(|label| broken(&label.text, width)).collect();
    let heights: Vec<f64> = broken.iter().map(|lines| LINE * lines.len() as f64).collect();
    let mut places: Vec<f64> = labels.iter().map(|label| label.y).collect();
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + heights[index - 1] + 2.0);
    }
    // What was moved below the plot is moved up again, and with it what lies above it.
    let mut lowest = bottom;
    for index in (0..places.len()).rev() {
        places[index] = places[index].min(lowest - heights[index] + LINE);
        lowest = places[index] - LINE - 2.0;
    }
    html! {
        @for ((label, lines), place) in labels.iter().zip(&broken).zip(&places) {
            text class=(format!("lab {}", label.class)) x=(px(x)) y=(px(place + 4.0)) {
                @for (number, line) in lines.iter().enumerate() {
                    tspan x=(px(x)) dy=(if number == 0 { "0".to_string() } else { px(LINE) }) { (line) }
                }
            }
        }
    }
}

/// A text in lines of at most `width` pixels, broken between words.
pub(super) fn broken(text: &str, width: f64) -> Vec<String> {
    let most = (width / LETTER).max(4.0) as usize;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word: String = word.chars().take(most).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines.truncate(4);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_overlap_and_stay_above_the_axis() {
        let label = |y: f64, text: &str| Label { y, class: String::new(), text: text.to_string() };
        let text =
            labels(vec![label(96.0, "one two three"), label(95.0, "b"), label(10.0, "c")], 0.0, 60.0, 100.0)
                .into_string();
        let places: Vec<f64> = text
            .split(" y=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().expect("a value").parse().expect("a number"))
            .collect();
        assert_eq!(places.len(), 3);
        assert!(places[1] - places[0] >= LINE && places[2] - places[1] >= LINE, "{places:?}");
        // The last label has two lines.
        assert!(places[2] + LINE <= 104.0, "{places:?}");
    }

    #[test]
    fn a_label_is_broken_between_words_and_a_long_word_is_cut() {
        assert_eq!(broken("growth line with interval", 100.0), ["growth line", "with interval"]);
        assert!(broken(&"x".repeat(500), 100.0)[0].len() < 20);
    }
}
