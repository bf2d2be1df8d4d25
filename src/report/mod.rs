//! Reports: from what the files of a run say to Markdown and JSON. Pure.

mod markdown;
mod model;
mod processes;
mod table;

pub use markdown::markdown;
pub use model::{LeakRow, ProcessRow, Report, Thresholds, report};
