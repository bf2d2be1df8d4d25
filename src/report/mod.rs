//! Reports: from an assessment to Markdown. Pure.

mod attribution;
mod comparison;
mod conditions;
mod figures;
mod levels;
mod markdown;
mod processes;
mod soak;
mod table;
mod tree;

pub use comparison::comparison_text;
pub use markdown::markdown;
