//! The audio to send: the user's own recordings, or two that highwater generates.
//!
//! A file is read once; all tasks share its bytes.

mod cache;
mod facts;
mod make;
mod vary;

use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub use cache::{CACHE_DIR_VARIABLE, cache_directories};
pub use facts::{AudioFacts, probe};
pub use make::{SAMPLE_RATE, made_bytes, make};
pub use vary::varied;

use crate::error::Result;
use crate::plan::{AudioKind, AudioPlan};

/// Length of the generated short recording, in seconds.
pub const SHORT_SECONDS: u32 = 147;

/// Length of the generated long recording, in seconds.
pub const LONG_SECONDS: u32 = 734;

/// An audio file, ready to be sent.
#[derive(Clone)]
pub struct Recording {
    /// The path of the file.
    pub path: PathBuf,
    /// The file's name without its extension; the beginning of each `test_id`.
    pub stem: String,
    /// The file's name.
    pub file_name: String,
    /// The whole file. A clone shares the memory.
    pub bytes: Bytes,
    /// Length of the audio in seconds, above 0.
    pub seconds: f64,
    /// Which of the two recordings this is.
    pub kind: AudioKind,
}

/// The two recordings of a run.
#[derive(Debug, Clone)]
pub struct Recordings {
    /// The short one.
    pub short: Recording,
    /// The long one.
    pub long: Recording,
}

impl Recordings {
    /// The recording of this kind.
    pub fn get(&self, kind: AudioKind) -> &Recording {
        match kind {
            AudioKind::Short => &self.short,
            AudioKind::Long => &self.long,
        }
    }
}

// Written by hand, since a derived one would print 23 MB.
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .field("seconds", &self.seconds)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Reads the recordings of `plan`; those without a path are generated on first use
/// and kept in the user's cache directory (see [`cache_directories`]).
///
/// # Errors
/// `Io` if a file cannot be read, or a generated one cannot be written; `Data` if a
/// file is empty, cut short or not audio.
pub fn load(plan: &AudioPlan) -> Result<Recordings> {
    load_in(plan, &cache_directories())
}

/// As [`load`], but keeps generated recordings in the first usable one of `directories`.
///
/// # Errors
/// As [`load`].
pub fn load_in(plan: &AudioPlan, directories: &[PathBuf]) -> Result<Recordings> {
    let one = |path: Option<&PathBuf>, kind, name, seconds| match path {
        Some(path) => own(path, kind),
        None => {
            let (path, bytes) = cache::obtain(name, seconds, directories)?;
            Ok(recording(&path, bytes, f64::from(seconds), kind))
        }
    };
    Ok(Recordings {
        short: one(plan.short.as_ref(), AudioKind::Short, "short", SHORT_SECONDS)?,
        long: one(plan.long.as_ref(), AudioKind::Long, "long", LONG_SECONDS)?,
    })
}

/// Reads a file of the user's.
fn own(path: &Path, kind: AudioKind) -> Result<Recording> {
    let metadata = std::fs::metadata(path).map_err(|error| facts::unreadable(path, error))?;
    facts::regular(path, &metadata)?;
    let bytes = Bytes::from(crate::files::read(path).map_err(|error| facts::unreadable(path, error))?);
    let facts = facts::facts(path, Cursor::new(&bytes), bytes.len() as u64)?;
    Ok(recording(path, bytes, facts.seconds, kind))
}

fn recording(path: &Path, bytes: Bytes, seconds: f64, kind: AudioKind) -> Recording {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    Recording {
        path: path.to_path_buf(),
        stem: text(path.file_stem()),
        file_name: text(path.file_name()),
        bytes,
        seconds,
        kind,
    }
}
