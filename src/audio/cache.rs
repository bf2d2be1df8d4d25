//! Keeps generated recordings on disk, outside the project.
//!
//! Several processes may do so at once, for example the tests of a suite. Each
//! writes a file of its own and renames it, so a reader sees a whole file or none.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::make::{CONTENT_VERSION, made_bytes, make};
use crate::error::{Error, ErrorKind, Result};

/// The environment variable that names another cache directory.
pub const CACHE_DIR_VARIABLE: &str = "HIGHWATER_CACHE_DIR";

/// The directories in which recordings are looked up and kept, in order of preference:
/// the one that `HIGHWATER_CACHE_DIR` names or else the user's cache directory,
/// then one in the system's directory for temporary files.
pub fn cache_directories() -> Vec<PathBuf> {
    candidates(std::env::var_os(CACHE_DIR_VARIABLE))
}

fn candidates(named: Option<OsString>) -> Vec<PathBuf> {
    let named = named.filter(|name| !name.is_empty()).map(PathBuf::from);
    let home =
        || directories::ProjectDirs::from("", "", "highwater").map(|dirs| dirs.cache_dir().to_path_buf());
    // All users share the directory for temporary files, so the name contains the user id.
    let shared = std::env::temp_dir().join(format!("highwater-{}", rustix::process::getuid().as_raw()));
    named.or_else(home).into_iter().chain([shared]).collect()
}

/// The recording of `seconds` called `name`: from the first of `directories`
/// that has it, or else generated and kept in the first writable one.
///
/// # Errors
/// `Io` if the file can be written to none of the directories.
pub(super) fn obtain(name: &str, seconds: u32, directories: &[PathBuf]) -> Result<(PathBuf, Bytes)> {
    // The version is part of the directory's name, since the file's name becomes part of every `test_id`.
    let place = Path::new(&format!("recordings-v{CONTENT_VERSION}")).join(format!("{name}.wav"));
    let paths: Vec<PathBuf> = directories.iter().map(|directory| directory.join(&place)).collect();
    for path in &paths {
        if let Some(bytes) = read_whole(path, made_bytes(seconds)) {
            return Ok((path.clone(), bytes));
        }
    }
    let made = Bytes::from(make(seconds));
    let mut last = None;
    for path in paths {
        match store(&path, &made) {
            Ok(()) => return Ok((path, made)),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "cannot keep a recording here");
                last = Some((path, error));
            }
        }
    }
    let error = match last {
        Some((path, error)) => {
            Error::new(ErrorKind::Io, format!("cannot write the recording `{}`", path.display()))
                .source(error)
        }
        None => Error::new(ErrorKind::Io, "there is no directory to keep recordings in"),
    };
    Err(error.hint(format!(
        "set `{CACHE_DIR_VARIABLE}` to a writable directory with 30 MB of free space, or give recordings of \
         your own as `audio.short` and `audio.long`"
    )))
}

/// The file's content if it has exactly `size` bytes; a torn file is generated again.
fn read_whole(path: &Path, size: u64) -> Option<Bytes> {
    if fs::metadata(path).ok()?.len() != size {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    (bytes.len() as u64 == size).then(|| Bytes::from(bytes))
}

fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new().prefix(".making-").suffix(".wav").tempfile_in(directory)?;
    file.write_all(bytes)?;
    // Otherwise a power cut could leave a file of the right size without content.
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_first_directory() {
        let named = candidates(Some("/elsewhere".into()));
        assert_eq!(named[0], Path::new("/elsewhere"));
        assert!(named[1].starts_with(std::env::temp_dir()));
        assert_ne!(candidates(Some(OsString::new()))[0], Path::new(""));
    }

    #[test]
    fn no_directory_at_all_is_an_error_that_says_what_to_do() {
        let error = obtain("short", 1, &[]).unwrap_err();
        assert_eq!(error.to_string(), "there is no directory to keep recordings in");
        assert!(error.hint_text().unwrap().contains("HIGHWATER_CACHE_DIR"));
    }
}
