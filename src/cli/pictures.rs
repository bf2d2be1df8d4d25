//! The pictures of runs as files of their own: `report --svg DIR` and `--png DIR`.

use std::path::Path;

use super::judged::Judged;
use crate::error::Result;

/// Writes the pictures of each run as SVG; with several runs, each has a directory of its own.
///
/// # Errors
/// [`ErrorKind::Io`](crate::error::ErrorKind::Io) if a file cannot be written.
#[cfg(feature = "html")]
pub(super) fn svg(directory: &Path, runs: &[Judged]) -> Result<()> {
    written::each(directory, runs, |name, text| Ok((format!("{name}.svg"), text.into_bytes())))
}

/// Writes the pictures of each run as PNG.
///
/// # Errors
/// [`ErrorKind::Io`](crate::error::ErrorKind::Io) if a file cannot be written or this machine has no font.
#[cfg(feature = "png")]
pub(super) fn png(directory: &Path, runs: &[Judged]) -> Result<()> {
    let fonts = super::raster::Fonts::of_system()?;
    written::each(directory, runs, |name, text| Ok((format!("{name}.png"), fonts.png(&text)?)))
}

#[cfg(feature = "html")]
mod written {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::super::output::say_error;
    use super::Judged;
    use crate::error::{Error, ErrorKind, Result};

    /// Writes what `file` makes of the name and the SVG text of each picture.
    pub(super) fn each(
        directory: &Path,
        runs: &[Judged],
        file: impl Fn(&str, String) -> Result<(String, Vec<u8>)>,
    ) -> Result<()> {
        for one in runs {
            let stem = one.paths.tasks.file_stem().unwrap_or_default();
            let place: PathBuf = if runs.len() > 1 { directory.join(stem) } else { directory.to_path_buf() };
            let unwritable = |error: std::io::Error| {
                Error::new(ErrorKind::Io, format!("cannot write pictures to `{}`", place.display()))
                    .source(error)
                    .hint("name a directory that can be written")
            };
            fs::create_dir_all(&place).map_err(unwritable)?;
            for (name, text) in crate::report::svg_files(&one.run, &one.assessment) {
                let (name, bytes) = file(&name, text)?;
                let path = place.join(name);
                fs::write(&path, bytes).map_err(unwritable)?;
                say_error(format_args!("{}", path.display()));
            }
        }
        Ok(())
    }
}

/// Without `html` there are no pictures.
#[cfg(not(feature = "html"))]
pub(super) fn svg(_: &Path, _: &[Judged]) -> Result<()> {
    Err(missing("html", "on by default"))
}

/// Without `png` there is nothing that draws them.
#[cfg(not(feature = "png"))]
pub(super) fn png(_: &Path, _: &[Judged]) -> Result<()> {
    Err(missing("png", "off by default, since it brings some forty packages; `--svg DIR` needs none"))
}

#[cfg(not(all(feature = "html", feature = "png")))]
fn missing(feature: &str, why: &str) -> crate::error::Error {
    crate::error::Error::new(crate::error::ErrorKind::Config, "this highwater cannot make these pictures")
        .hint(format!("build it with the feature `{feature}`, which is {why}"))
}
