//! The inputs of a run, from its plan.

use bytes::Bytes;

use crate::audio::{self, Recording};
use crate::error::{Error, ErrorKind, Result};

use crate::plan::{AudioKind, Plan, TargetKind};
use crate::service::{Input, Inputs};

/// The inputs for the plan's target: recordings, or a request.
pub(crate) fn planned_inputs(plan: &Plan) -> Result<Inputs> {
    let http = &plan.target.http;
    if plan.target.kind == TargetKind::Http && http.multipart_field.is_empty() {
        let bytes = http.json.as_ref().map(|json| Bytes::from(json.to_string())).unwrap_or_default();
        let name = format!("{} {}", http.method, http.path);
        let short = Input { kind: AudioKind::Short, stem: "request".to_string(), name, bytes, seconds: None };
        return Ok(Inputs { short, long: None });
    }
    let recordings = audio::load(&plan.audio)?;
    Ok(Inputs { short: input(&recordings.short), long: Some(input(&recordings.long)) })
}

fn input(recording: &Recording) -> Input {
    Input {
        kind: recording.kind,
        stem: recording.stem.clone(),
        name: recording.file_name.clone(),
        bytes: recording.bytes.clone(),
        seconds: Some(recording.seconds),
    }
}

/// The input on which the service should fail, if the plan names one.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read; [`ErrorKind::Config`] if a probe needs it and the plan names none.
pub(crate) fn bad_input(plan: &Plan) -> Result<Option<Input>> {
    let Some(path) = &plan.leak.bad_input else {
        if plan.leak.probes.iter().any(|probe| probe == "error") {
            return Err(Error::new(ErrorKind::Config, "the probe `error` needs a request that fails")
                .hint("name a file that the service fails on with `--bad-input FILE` (`leak.bad_input`)"));
        }
        return Ok(None);
    };
    let bytes = std::fs::read(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot read the bad input `{}`", path.display()))
            .source(error)
            .hint("`leak.bad_input` is a file that is sent as it is")
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Input { kind: AudioKind::Short, stem, name, bytes: bytes.into(), seconds: None }))
}
