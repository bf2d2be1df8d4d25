//! The inputs of a run, from its plan.

use bytes::Bytes;

use crate::audio::{self, Recording, varied};
use crate::error::{Error, ErrorKind, Result};

use crate::plan::{AudioKind, CommandPlan, HttpPlan, Plan, TargetKind};
use crate::service::{Bodies, HttpTarget, Input, Inputs, Variations};

/// The inputs for the plan's target: recordings, or a request.
pub(crate) fn planned_inputs(plan: &Plan) -> Result<Inputs> {
    let http = &plan.target.http;
    if plan.target.kind == TargetKind::Http && http.multipart_field.is_empty() {
        return request(http);
    }
    if plan.target.kind == TargetKind::Command
        && let Some(inputs) = of_program(&plan.target.command)?
    {
        return Ok(inputs);
    }
    let recordings = audio::load(&plan.audio)?;
    let (short, long) = (input(&recordings.short), input(&recordings.long));
    let variations = match varied(&short.bytes, 1) {
        Some(_) => Variations::Audio,
        None => Variations::None,
    };
    Ok(Inputs { short, long: Some(long), variations })
}

/// The request of a service that takes no audio, and what can vary in it.
fn request(http: &HttpPlan) -> Result<Inputs> {
    let bodies = http.bodies.as_deref().map(|path| Bodies::find(path, "target.http.bodies")).transpose()?;
    let (bytes, variations) = match bodies {
        Some(bodies) => (bodies.get(0)?.unwrap_or_default(), Variations::Bodies(bodies)),
        // The target renders the body itself; the bytes stand for its size.
        None => {
            let text = http.json.as_ref().map(ToString::to_string).or_else(|| http.body.clone());
            let variations = if HttpTarget::varies(http) { Variations::Template } else { Variations::None };
            (Bytes::from(text.unwrap_or_default()), variations)
        }
    };
    let name = format!("{} {}", http.method, http.path);
    let stem = "request".to_string();
    let short = Input { kind: AudioKind::Short, stem, name, bytes, seconds: None, variation: 0 };
    Ok(Inputs { short, long: None, variations })
}

/// The inputs of a program that takes no recording; absent for one that does.
fn of_program(command: &CommandPlan) -> Result<Option<Inputs>> {
    let takes_input = command.stdin || command.argv.iter().any(|word| word.contains("{input}"));
    let (name, bytes, variations) = match &command.inputs {
        Some(path) => {
            let bodies = Bodies::find(path, "target.command.inputs")?;
            let bytes = bodies.get(0)?.unwrap_or_default();
            (
                path.file_name().map(|name| name.to_string_lossy().into_owned()),
                bytes,
                Variations::Bodies(bodies),
            )
        }
        None if takes_input => return Ok(None),
        // Each task has a number of its own.
        None => (None, Bytes::new(), Variations::Template),
    };
    let name = name.or_else(|| command.argv.first().cloned()).unwrap_or_default();
    let stem = "task".to_string();
    let short = Input { kind: AudioKind::Short, stem, name, bytes, seconds: None, variation: 0 };
    Ok(Some(Inputs { short, long: None, variations }))
}

fn input(recording: &Recording) -> Input {
    Input {
        kind: recording.kind,
        stem: recording.stem.clone(),
        name: recording.file_name.clone(),
        bytes: recording.bytes.clone(),
        seconds: Some(recording.seconds),
        variation: 0,
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
    let bytes = crate::files::read(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot read the bad input `{}`", path.display()))
            .source(error)
            .hint("`leak.bad_input` is a file that is sent as it is")
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Input { kind: AudioKind::Short, stem, name, bytes: bytes.into(), seconds: None, variation: 0 }))
}
