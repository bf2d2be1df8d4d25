//! Reports: from an assessment to Markdown, and to a page with pictures. Pure.

mod attribution;
mod census;
mod comparison;
mod conditions;
mod doc;
mod figures;
#[cfg(feature = "html")]
mod html;
mod levels;
mod markdown;
mod methods;
#[cfg(feature = "html")]
pub mod pictures;
mod processes;
mod soak;
mod summary;
mod table;
mod tree;

pub use census::census;
pub use comparison::comparison_text;
#[cfg(feature = "html")]
pub use html::{compared_page, page, svg_files, watched_page};
pub use markdown::{markdown, markdown_full};
pub use methods::methods;
pub(crate) use summary::sparkline;
pub use summary::{comparison_comment, job_summary};
