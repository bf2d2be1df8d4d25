//! What `run --json`, `soak --json` and `report --json` print of a run.

use serde::Serialize;
use serde_json::Value;

use crate::assessment::Assessment;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::RunPaths;

/// An assessment, with where the files are that it was made from.
#[derive(Debug, Serialize)]
pub(super) struct Printed<'a> {
    #[serde(flatten)]
    assessment: &'a Assessment,
    /// The files of the run.
    files: &'a RunPaths,
}

/// The object of one run.
///
/// # Errors
/// [`ErrorKind::Data`] if a path is no text.
pub(super) fn printed(assessment: &Assessment, files: &RunPaths) -> Result<Value> {
    serde_json::to_value(Printed { assessment, files })
        .map_err(|error| Error::new(ErrorKind::Data, "the run cannot be expressed in JSON").source(error))
}
