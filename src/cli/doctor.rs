//! `highwater doctor`: everything that a run needs, checked one by one.

mod figures;
mod suggest;

use std::path::Path;

use super::args::DoctorArgs;
use super::misplaced::of_http;
use super::output::say;
use super::tree;
use crate::descriptors;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::inputs::planned_inputs;
use crate::plan::{self, Plan, TargetKind};
use crate::sampler::{ProcessSource, RoleFound, find_processes, source_of};
use crate::units::{FILE_MB, to_mb};
use crate::{audio, service, session};

/// A run writes a few hundred bytes per task and second, so this lasts for weeks.
const DISK_MB: f64 = 100.0;

/// A task's line and its events take this much, in MB: a kilobyte and a half.
const TASK_MB: f64 = 1.5 / 1024.0;

pub(super) fn doctor(args: &DoctorArgs) -> Result<u8> {
    let loaded = plan::load_with_origin(args.plan.config.as_deref(), &args.plan.overrides())?;
    let configuration = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "defaults (no highwater.toml here; `highwater init` writes one)".to_string(),
    };
    say!("configuration: {configuration}");
    let plan = loaded.plan;
    of_http(&args.plan, &plan)?;
    let mut checks = vec![("service", service(&plan))];
    if let Some(secret) = service::secret(&plan).transpose() {
        checks.push(("secret", secret));
    }
    match source_of(&plan.processes) {
        Ok(mut source) => {
            checks.extend(processes(&plan, &mut *source).into_iter().map(|check| ("process", check)));
            checks.push(("reading", reading(&mut *source)));
        }
        Err(error) => checks.push(("reading", Err(error))),
    }
    checks.push(("audio", recordings(&plan)));
    if args.trial {
        checks.push(("trial", trial(&plan)));
    }
    checks.push(("files", open_files(&plan)));
    checks.push(("results", results(&plan.results)));
    checks.push(("disk", disk(&plan.results)));

    let mut healthy = true;
    for (name, check) in checks {
        match check {
            Ok(found) => say!("ok    {name:<8} {}", found.replace('\n', &format!("\n{:15}", ""))),
            Err(error) => {
                healthy = false;
                say!("FAIL  {name:<8} {error}");
                if let Some(hint) = error.hint_text() {
                    say!("{:15}hint: {}", "", hint.replace('\n', &format!("\n{:21}", "")));
                }
            }
        }
    }
    let flags = repeated(std::env::args().skip_while(|argument| argument != "doctor").skip(1));
    match (healthy, args.trial) {
        (false, _) => say!("not ready"),
        (true, true) => say!("ready: `highwater run{flags}`"),
        (true, false) => say!(
            "everything is there; no task was sent yet: `highwater doctor{flags} --trial` sends one, \
             `highwater run{flags}` tests the service"
        ),
    }
    Ok(if healthy { 0 } else { ErrorKind::Config.exit_code() })
}

/// The arguments after `doctor`, as a shell takes them, without `--trial`: the run needs them too.
fn repeated(arguments: impl Iterator<Item = String>) -> String {
    let plain = |argument: &str| {
        !argument.is_empty()
            && argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c))
    };
    let quoted = |argument: String| match plain(&argument) {
        true => format!(" {argument}"),
        false => format!(" '{}'", argument.replace('\'', r"'\''")),
    };
    arguments.filter(|argument| argument != "--trial").map(quoted).collect()
}

fn trial(plan: &Plan) -> Result<String> {
    runtime()?.block_on(session::try_task(plan))
}

fn service(plan: &Plan) -> Result<String> {
    runtime()?.block_on(session::check_service(plan))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))
}

/// One check for each role: the tree that was found and why, or what is missing.
///
/// The roles are searched for together, as in a run, because a process can have only one.
fn processes(plan: &Plan, source: &mut dyn ProcessSource) -> Vec<Result<String>> {
    let found = match find_processes(&plan.processes, source) {
        Ok(found) => found,
        Err(error) => return vec![Err(error)],
    };
    let missing = |found: &RoleFound| found.roots.is_empty() && !found.plan.optional;
    // Nothing is asked that nobody needs.
    let around = found.roles.values().any(missing).then(|| suggest::Around::of(&plan.target.url));
    found.roles.iter().map(|(role, found)| process(role, found, source, around.as_ref())).collect()
}

fn process(
    role: &str,
    found: &RoleFound,
    source: &mut dyn ProcessSource,
    around: Option<&suggest::Around>,
) -> Result<String> {
    let sought = found.sought();
    if !found.roots.is_empty() {
        let trees: String = found.roots.iter().map(|root| tree::lines(root, source)).collect();
        let figures = found.roots.first().map(|root| figures::line(&found.plan, root.id, source));
        return Ok(format!("{role} ({sought}):{trees}\n{}", figures.unwrap_or_default()));
    }
    let error = found.error(role);
    if !found.plan.optional {
        let suggested = around.map_or_else(Vec::new, |around| around.suggestions(role, &found.plan));
        let hint: Vec<String> = error.hint_text().map(str::to_string).into_iter().chain(suggested).collect();
        return Err(error.hint(hint.join("\n")));
    }
    let hint = error.hint_text().filter(|_| !found.surplus.is_empty());
    Ok(match hint {
        Some(hint) => format!("{role}: not watched, and optional: {error}\n{hint}"),
        None => format!("{role}: not there, and optional ({sought})"),
    })
}

fn reading(source: &mut dyn ProcessSource) -> Result<String> {
    let machine = source.machine().map_err(|error| {
        Error::new(ErrorKind::Io, "cannot read the machine's memory").source(error).hint("is /proc mounted?")
    })?;
    let processes = source.list().map_err(|error| {
        Error::new(ErrorKind::Io, "cannot list the processes").source(error).hint("is /proc mounted?")
    })?;
    let memory = to_mb(machine.total_memory_bytes);
    Ok(format!("{} processes can be listed, the machine has {memory:.0} MB", processes.len()))
}

fn open_files(plan: &Plan) -> Result<String> {
    let Some((limit, tasks)) = descriptors::room() else {
        return Ok("no limit of open files is known".to_string());
    };
    let most = plan.ramp.max;
    if plan.ramp.enabled && tasks < plan.ramp.required.max(1) {
        return Err(Error::new(
            ErrorKind::Io,
            format!(
                "{limit} open files are enough for {tasks} tasks at once, and {} are required",
                plan.ramp.required
            ),
        )
        .hint("raise the hard limit (`ulimit -Hn`, `LimitNOFILE=`)"));
    }
    Ok(match plan.ramp.enabled && tasks < most {
        true => format!("{limit} are allowed: enough for levels up to {tasks}, and `ramp.max` is {most}"),
        false => format!("{limit} are allowed: enough for {tasks} tasks at once"),
    })
}

fn recordings(plan: &Plan) -> Result<String> {
    if plan.target.kind == TargetKind::Http && plan.target.http.multipart_field.is_empty() {
        return Ok("none is sent".to_string());
    }
    if plan.target.kind == TargetKind::Command {
        let inputs = planned_inputs(plan)?;
        if inputs.long.is_none() {
            return Ok(format!("none; the program takes {}", inputs.short.name));
        }
    }
    let recordings = audio::load(&plan.audio)?;
    let tell = |recording: &audio::Recording| {
        let mb = recording.bytes.len() as f64 / FILE_MB;
        format!("{} ({:.0} s, {mb:.1} MB)", recording.path.display(), recording.seconds)
    };
    Ok(format!("short {}, long {}", tell(&recordings.short), tell(&recordings.long)))
}

fn results(directory: &Path) -> Result<String> {
    let unwritable = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("cannot write to `{}`", directory.display()))
            .source(error)
            .hint("choose another with `--results DIR`, or make this one writable")
    };
    std::fs::create_dir_all(directory).map_err(unwritable)?;
    tempfile::NamedTempFile::new_in(directory).map_err(unwritable)?;
    Ok(format!("`{}` can be written", directory.display()))
}

/// On systems that do not tell the free space, a full disk is still an error when a write fails.
fn disk(directory: &Path) -> Result<String> {
    let existing = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let Some(free) = files::free_bytes(existing) else {
        return Ok("its free space is not known".to_string());
    };
    let free_mb = to_mb(free);
    if free_mb < DISK_MB {
        return Err(Error::new(ErrorKind::Io, format!("only {free_mb:.0} MB are free for results"))
            .hint(format!("free {DISK_MB:.0} MB, or choose another place with `--results DIR`")));
    }
    let tasks = free_mb / TASK_MB;
    Ok(format!("{free_mb:.0} MB free: room for some {}", told(tasks)))
}

/// `12,000 tasks`, `34 million tasks`: as far as the size of a task's lines can be foreseen.
fn told(tasks: f64) -> String {
    match tasks {
        tasks if tasks >= 1e6 => format!("{:.0} million tasks", tasks / 1e6),
        tasks => format!("{:.0} thousand tasks", tasks / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_repeated_as_a_shell_takes_them() {
        let given = ["--preset", "http", "--trial", "--json-body", r#"{"text": "it's"}"#, "--health", ""];
        assert_eq!(
            repeated(given.map(String::from).into_iter()),
            r#" --preset http --json-body '{"text": "it'\''s"}' --health ''"#
        );
    }
}
