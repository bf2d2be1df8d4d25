//! Pictures of a run, as SVG: each is a pure function from what was measured to marks. Pure.
//!
//! A picture has a form for wide screens and paper, and one for phones, whose letters have the same size; the page
//! shows one of them. Colours are names of classes, so that a page has light and dark, and a picture that stands alone
//! brings its own ([`Picture::alone`]).

mod compare;
mod frame;
mod grew;
mod memory;
mod ramp;
mod scale;
mod soak;
mod timeline;

use maud::{Markup, PreEscaped, html};

pub use compare::compare;
pub use grew::grew;
pub use memory::memory;
pub use ramp::ramp;
pub use soak::soak;
pub use timeline::{timeline, watched};

use frame::Form;

/// One picture, with what it says in words.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Its name in links and files: `memory`.
    pub id: &'static str,
    /// What it shows, as a message.
    pub title: String,
    /// How it is to be read.
    pub caption: String,
    /// What the lines and marks stand for, where the drawing has no room to say so.
    pub key: Vec<Key>,
    /// Its drawings, side by side where there is room.
    pub plots: Vec<Plot>,
}

/// One drawing.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Its name in files; empty for the only one of a picture.
    pub name: &'static str,
    /// What somebody who cannot see it is told.
    pub alt: String,
    wide: Drawing,
    /// Absent where the wide one is narrow enough.
    narrow: Option<Drawing>,
}

/// Marks and their size.
#[derive(Debug, Clone)]
struct Drawing {
    width: f64,
    height: f64,
    marks: Markup,
}

/// An entry of the key: the class of the mark, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    class: String,
    text: String,
}

impl Key {
    fn new(class: impl Into<String>, text: impl Into<String>) -> Key {
        Key { class: class.into(), text: text.into() }
    }
}

impl Plot {
    /// A drawing in both forms.
    fn of(name: &'static str, alt: String, draw: impl Fn(Form) -> (f64, f64, Markup)) -> Plot {
        let drawing = |form| {
            let (width, height, marks) = draw(form);
            Drawing { width, height, marks }
        };
        Plot { name, alt, wide: drawing(Form::Wide), narrow: Some(drawing(Form::Narrow)) }
    }

    /// A drawing that is small enough for both.
    fn small(name: &'static str, alt: String, draw: impl Fn(Form) -> (f64, f64, Markup)) -> Plot {
        let (width, height, marks) = draw(Form::Narrow);
        Plot { name, alt, wide: Drawing { width, height, marks }, narrow: None }
    }

    fn inline(&self) -> Markup {
        let svg = |drawing: &Drawing, class: &str| {
            html! {
                svg class=(class) viewBox=(view_box(drawing)) role="img" aria-label=(self.alt) { (drawing.marks) }
            }
        };
        html! {
            @if let Some(narrow) = &self.narrow {
                (svg(&self.wide, "wide"))
                (svg(narrow, "narrow"))
            } @else {
                (svg(&self.wide, "small"))
            }
        }
    }
}

fn view_box(drawing: &Drawing) -> String {
    format!("0 0 {} {}", drawing.width, drawing.height)
}

/// The looks of a picture that stands alone, for paper: dark ink, and colours that differ in lightness too.
const PRINT: &str = include_str!("print.css");

impl Picture {
    /// The picture in a page: a heading with its message, how to read it, and the drawings.
    pub(crate) fn section(&self) -> Markup {
        html! {
            section class="picture" id=(self.id) {
                h2 { (self.title) }
                p { (self.caption) }
                figure tabindex="0" aria-label=(format!("{}. Arrow keys read the figures.", self.title)) {
                    @if !self.key.is_empty() {
                        figcaption class="key" {
                            @for key in &self.key {
                                span {
                                    svg viewBox="0 0 22 12" width="22" height="12" aria-hidden="true" { (sample(&key.class)) }
                                    (key.text)
                                }
                            }
                        }
                    }
                    div class=(if self.plots.len() > 1 { "plots several" } else { "plots" }) {
                        @for plot in &self.plots { (plot.inline()) }
                    }
                }
            }
        }
    }

    /// Each drawing as an SVG document of its own: its name in files, without an extension, and the text.
    pub fn alone(&self) -> Vec<(String, String)> {
        let file = |plot: &Plot| {
            let name =
                if plot.name.is_empty() { self.id.to_string() } else { format!("{}-{}", self.id, plot.name) };
            let drawing = &plot.wide;
            let text = html! {
                svg xmlns="http://www.w3.org/2000/svg" viewBox=(view_box(drawing)) width=(drawing.width)
                    height=(drawing.height) role="img" {
                    title { (self.title) }
                    desc { (plot.alt) }
                    style { (PreEscaped(PRINT)) }
                    rect class="paper" width=(drawing.width) height=(drawing.height) {}
                    (drawing.marks)
                }
            };
            (name, text.into_string())
        };
        self.plots.iter().map(file).collect()
    }
}

/// A mark of the key: the shape that has this class in a drawing.
fn sample(class: &str) -> Markup {
    let shape = class.split(' ').next().unwrap_or_default();
    html! {
        @match shape {
            "dot" => { circle class=(class) cx="11" cy="6" r="4" {} },
            "square" => { rect class=(class) x="7" y="2" width="8" height="8" {} },
            "peak" => { line class=(class) x1="11" x2="11" y1="0" y2="12" {} },
            "band" | "range" => { rect class=(class) x="1" y="2" width="20" height="8" {} },
            "cross" => { (frame::cross(11.0, 6.0)) },
            _ => { line class=(class) x1="1" x2="21" y1="6" y2="6" {} },
        }
    }
}
