//! Inputs that were never sent before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Input;
use crate::audio::varied;
use crate::error::{Error, ErrorKind, Result};

/// Where new inputs come from.
#[derive(Debug, Clone, Default)]
pub enum Variations {
    /// There are none: one input is all that can be sent.
    #[default]
    None,
    /// The request has placeholders.
    Template,
    /// The recording, begun elsewhere; see [`varied`].
    Audio,
    /// Bodies of the user's own. The first is the one that is sent again and again.
    Bodies(Bodies),
}

/// Bodies from a folder, or from the lines of a file.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// Read when they are sent.
    Files(Vec<PathBuf>),
    /// Slices of a file that was read once.
    Lines(Vec<Bytes>),
}

impl Variations {
    /// The `number`th new input in the place of `input`, from 1; absent where there are no more.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file that holds it cannot be read.
    pub fn of(&self, input: &Input, number: u64) -> Result<Option<Input>> {
        let bytes = match self {
            Variations::None => return Ok(None),
            Variations::Template => Some(input.bytes.clone()),
            Variations::Audio => varied(&input.bytes, number),
            Variations::Bodies(bodies) => bodies.get(number)?,
        };
        Ok(bytes.map(|bytes| Input { bytes, variation: number, ..input.clone() }))
    }
}

impl Bodies {
    /// Finds the bodies in a folder (a file each, in the order of their names) or in a file (a line each); `key` is the
    /// key of the plan that names it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be read, [`ErrorKind::Config`] if there is no body in it.
    pub fn find(path: &Path, key: &str) -> Result<Bodies> {
        let unreadable = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("cannot read the bodies in `{}`", path.display()))
                .source(error)
                .hint(format!("`{key}` is a folder with one in each file, or a file with one in each line"))
        };
        let source = if fs::metadata(path).map_err(unreadable)?.is_dir() {
            let entries = fs::read_dir(path).map_err(unreadable)?;
            let entries = entries.collect::<std::io::Result<Vec<_>>>().map_err(unreadable)?;
            let mut files: Vec<PathBuf> =
                entries.iter().map(fs::DirEntry::path).filter(|path| path.is_file()).collect();
            files.sort();
            Source::Files(files)
        } else {
            let all = Bytes::from(crate::files::read(path).map_err(unreadable)?);
            let lines = all.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            Source::Lines(lines.filter(|line| !line.is_empty()).map(|line| all.slice_ref(line)).collect())
        };
        let bodies = Bodies(Arc::new(source));
        if bodies.is_empty() {
            return Err(Error::new(ErrorKind::Config, format!("there is no body in `{}`", path.display()))
                .hint(format!(
                    "`{key}` is a folder with one in each file, or a file with one in each line"
                )));
        }
        Ok(bodies)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &*self.0 {
            Source::Files(files) => files.len(),
            Source::Lines(lines) => lines.len(),
        }
    }

    /// False: [`Bodies::find`] refuses an empty source.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Body `number`, from 0; absent past the last.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file that holds it cannot be read.
    pub fn get(&self, number: u64) -> Result<Option<Bytes>> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        match &*self.0 {
            Source::Lines(lines) => Ok(lines.get(index).cloned()),
            Source::Files(files) => files
                .get(index)
                .map(|path| {
                    crate::files::read(path).map(Bytes::from).map_err(|error| {
                        Error::new(ErrorKind::Io, format!("cannot read the body `{}`", path.display()))
                            .source(error)
                    })
                })
                .transpose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::AudioKind;

    fn input(bytes: &'static [u8]) -> Input {
        Input {
            kind: AudioKind::Short,
            stem: "request".to_string(),
            name: "request".to_string(),
            bytes: Bytes::from_static(bytes),
            seconds: None,
            variation: 0,
        }
    }

    fn texts(bodies: &Bodies) -> Vec<String> {
        let body =
            |number| bodies.get(number).unwrap().map(|body| String::from_utf8_lossy(&body).into_owned());
        (0..).map_while(body).collect()
    }

    #[test]
    fn bodies_are_files_of_a_folder_or_lines_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("b.json", "second"), ("a.json", "first\n")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(texts(&Bodies::find(folder.path(), "key").unwrap()), ["first\n", "second"]);
        let file = folder.path().join("all.jsonl");
        fs::write(&file, "{\"n\": 1}\r\n\n{\"n\": 2}").unwrap();
        assert_eq!(texts(&Bodies::find(&file, "key").unwrap()), ["{\"n\": 1}", "{\"n\": 2}"]);
    }

    #[test]
    fn a_source_without_a_body_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Bodies::find(folder.path(), "key").unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(Bodies::find(&folder.path().join("none"), "key").unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn new_inputs_end_with_the_bodies_and_never_with_a_template() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        fs::write(folder.path().join("b"), "b").unwrap();
        let bodies = Variations::Bodies(Bodies::find(folder.path(), "key").unwrap());
        let second = bodies.of(&input(b"a"), 1).unwrap().unwrap();
        assert_eq!((&second.bytes[..], second.variation), (&b"b"[..], 1));
        assert!(bodies.of(&input(b"a"), 2).unwrap().is_none());
        assert_eq!(Variations::Template.of(&input(b""), 9_999).unwrap().unwrap().variation, 9_999);
        assert!(Variations::None.of(&input(b""), 1).unwrap().is_none());
    }
}
