//! Where the worker grew: a bar for each kind of mapping, for descriptors, threads and processes.

use maud::{Markup, html};

use super::frame::Form;
use super::scale::{Scale, px};
use super::{Picture, Plot};
use crate::analysis::Attribution;
use crate::words::pictures as words;

struct Bar {
    name: String,
    figure: String,
    value: f64,
    told: String,
}

/// The picture, unless nothing is to be explained.
pub fn grew(attribution: &Attribution) -> Option<Picture> {
    let memory: Vec<Bar> = attribution
        .memory
        .iter()
        .map(|grown| Bar {
            name: words::place_name(grown),
            figure: words::grown_figure(grown),
            value: grown.mb,
            told: grown.to_string(),
        })
        .collect();
    let counts: Vec<Bar> = attribution
        .counts
        .iter()
        .map(|grown| Bar {
            name: grown.what.to_string(),
            figure: format!("{} to {}", grown.before, grown.after),
            value: f64::from(grown.after.saturating_sub(grown.before)),
            told: grown.to_string(),
        })
        .collect();
    let alt = |bars: &[Bar]| bars.iter().map(|bar| bar.told.clone()).collect::<Vec<_>>().join("; ");
    let plots: Vec<Plot> = [("memory", memory), ("counts", counts)]
        .into_iter()
        .filter(|(_, bars)| !bars.is_empty())
        .map(|(name, bars)| Plot::of(name, alt(&bars), |form| draw(&bars, form)))
        .collect();
    if plots.is_empty() {
        return None;
    }
    Some(Picture {
        id: "grew",
        title: words::grew_title(attribution),
        caption: words::GREW_CAPTION.to_string(),
        key: Vec::new(),
        plots,
    })
}

const ROW: f64 = 44.0;

fn draw(bars: &[Bar], form: Form) -> (f64, f64, Markup) {
    let (left, right) = (0.0, form.width() - 96.0);
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let x = Scale::new(0.0, most, left, right);
    let letters = ((form.width() - 10.0) / 7.2) as usize;
    let drawing = html! {
        @for (number, bar) in bars.iter().enumerate() {
            @let top = ROW * number as f64;
            g class="m" {
                title { (bar.told) }
                text class="lab" x="0" y=(px(top + 14.0)) { (cut(&bar.name, letters)) }
                rect class="bar" x="0" y=(px(top + 20.0)) width=(px(x.at(bar.value.max(0.0)).max(2.0))) height="16" rx="2" {}
                text class="lab soft" x=(px(x.at(bar.value.max(0.0)).max(2.0) + 8.0)) y=(px(top + 33.0)) { (bar.figure) }
            }
        }
    };
    (form.width(), ROW * bars.len() as f64, drawing)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
