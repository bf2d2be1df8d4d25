//! Reports: from what the files of a run say to Markdown and JSON. Pure.

mod attribution;
mod comparison;
mod conditions;
mod levels;
mod markdown;
mod model;
mod processes;
mod soak;
mod table;
mod tree;

pub use attribution::attribution_lines;
pub use comparison::comparison_text;
pub use markdown::markdown;
pub use model::{JudgementRest, LeakRow, ProcessRow, Report, Thresholds, report};
pub use tree::{RoleTree, TreeNode};
