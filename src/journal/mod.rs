//! Writes the data files of a run so that no measurement is lost, and reads them back,
//! torn or whole.
//!
//! * [`RunPaths`] reserves the names: two runs never write the same file.
//! * [`Journal`] appends lines, each with one `write` and synced to the disk.
//! * [`read`] reads a run back, and reports damage.

mod files;
mod lines;
mod read;
mod samples;
mod write;

pub(crate) use files::is_results;
pub use files::{RunPaths, find_runs};
#[cfg(fuzzing)]
pub(crate) use lines::any_bytes as any_lines;
pub(crate) use lines::parse_line;
pub use lines::parse_lines;
pub use read::{read, read_samples};
#[cfg(fuzzing)]
pub(crate) use samples::any_bytes as any_samples;
pub use write::Journal;
pub(crate) use write::{is_being_written, line_of};
