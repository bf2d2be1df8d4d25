//! The data files of a run: writing them so that nothing measured is lost, and
//! reading them, torn or not.
//!
//! * [`RunPaths`] reserves the names: two runs never write the same file.
//! * [`Journal`] appends lines, each with one `write` and synced to the disk.
//! * [`read`] gives the evidence back, and says what was damaged.

mod files;
mod lines;
mod read;
mod write;

pub(crate) use files::is_results;
pub use files::{RunPaths, find_runs};
pub use lines::parse_lines;
pub use read::read;
pub use write::Journal;
pub(crate) use write::is_being_written;
