//! A service that is reached through a program of the user's: the run of the program is one task.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::client::Client;
use super::health::Health;
use super::success::Success;
use super::{Cause, Completion, Input, Stage, Target, TaskError, Unwell};
use crate::error::{Error, ErrorKind};
use crate::plan::{CommandPlan, TargetPlan};
use crate::programs::{Ended, Group};

/// The most output of a program that is looked at: the last 8 MB.
const MOST_OUTPUT: usize = 8 << 20;

type Files = Vec<(String, Arc<NamedTempFile>)>;

/// A service whose tasks a program carries out.
#[derive(Debug, Clone)]
pub struct CommandTarget {
    url: String,
    /// Who is asked for the service's health; absent if there is no endpoint for that.
    client: Option<(Client, Health)>,
    plan: CommandPlan,
    /// The conditions of `target.success`.
    conditions: Option<Success>,
    success: Option<Regex>,
    duration: Option<Regex>,
    /// The number of the last task.
    tasks: Arc<AtomicU64>,
    /// The files of the inputs that are used again and again, by name.
    files: Arc<Mutex<Files>>,
}

impl CommandTarget {
    /// The program and the service that `plan` describes.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it names no program or a pattern is invalid, or if there is a health endpoint and the
    /// URL is none.
    pub fn of_plan(plan: &TargetPlan) -> Result<CommandTarget, Error> {
        let filled = plan.filled()?.target;
        let command = plan.command.clone();
        if command.argv.is_empty() {
            return Err(Error::new(ErrorKind::Config, "`target.command.argv` names no program"));
        }
        let pattern = |key: &str, text: &str| match text {
            "" => Ok(None),
            text => Regex::new(text).map(Some).map_err(|error| {
                Error::new(ErrorKind::Config, format!("`target.command.{key}` is not a regular expression"))
                    .source(error)
            }),
        };
        let client = match filled.health.as_str() {
            "" => None,
            _ => Some((Client::of_plan(plan)?, Health::of_plan(&filled)?)),
        };
        Ok(CommandTarget {
            url: filled.url.trim_end_matches('/').to_string(),
            client,
            conditions: Success::of_plan(&filled.success)?,
            success: pattern("success_pattern", &command.success_pattern)?,
            duration: pattern("duration_pattern", &command.duration_pattern)?,
            plan: command,
            tasks: Arc::default(),
            files: Arc::default(),
        })
    }

    /// A file that holds the input. The inputs that come again have one file for all of their tasks.
    fn file(&self, input: &Input) -> std::io::Result<Arc<NamedTempFile>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = files.iter().find(|(name, _)| input.variation == 0 && *name == input.name) {
            return Ok(Arc::clone(file));
        }
        let suffix = Path::new(&input.name).extension().map(|end| format!(".{}", end.to_string_lossy()));
        let mut file = tempfile::Builder::new()
            .prefix("highwater-input-")
            .suffix(suffix.as_deref().unwrap_or_default())
            .tempfile()?;
        file.write_all(&input.bytes)?;
        file.flush()?;
        let file = Arc::new(file);
        if input.variation == 0 {
            files.push((input.name.clone(), Arc::clone(&file)));
        }
        Ok(file)
    }

    async fn run(&self, input: &Input) -> Result<Completion, TaskError> {
        let number = self.tasks.fetch_add(1, Ordering::Relaxed) + 1;
        let takes_file = self.plan.argv.iter().any(|word| word.contains("{input}"));
        let file = if takes_file {
            Some(self.file(input).map_err(|error| local("cannot write the input", &error))?)
        } else {
            None
        };
        let path = file.as_ref().map(|file| file.path().to_string_lossy().into_owned()).unwrap_or_default();
        let argv = filled(&self.plan.argv, &path, number, &self.url);
        let group = Group::start(&argv, &[], None)
            .map_err(|error| local(&format!("cannot start `{}`", self.plan.argv[0]), &error))?;
        let stdin = if self.plan.stdin { input.bytes.as_ref() } else { &[] };
        let ended = group
            .finish(stdin, MOST_OUTPUT)
            .await
            .map_err(|error| local("cannot learn how the program ended", &error))?;
        self.judge(&ended)
    }

    /// Whether the program did its task, from its end and its output.
    fn judge(&self, ended: &Ended) -> Result<Completion, TaskError> {
        let code = ended.status.code().and_then(|code| u16::try_from(code).ok());
        if !code.is_some_and(|code| self.plan.success_exit.contains(&code)) {
            let words = ended.last_words().map_or_else(String::new, |words| format!(": {words}"));
            let message = format!("`{}` ended with {}{words}", self.plan.argv[0], ended.how());
            return Err(TaskError::Failed { task_id: None, message });
        }
        let output = String::from_utf8_lossy(&ended.stdout);
        let output = output.trim();
        let json = json(output);
        let at = |pointer: &str| json.as_ref().and_then(|json| json.pointer(pointer));
        let success = &self.plan.success_pointer;
        if !success.is_empty() && at(success).is_none_or(Value::is_null) {
            return Err(TaskError::malformed(match json {
                Some(_) => format!("the output has nothing at `{success}`"),
                None => "the output is not JSON".to_string(),
            }));
        }
        if let Some(pattern) = self.success.as_ref().filter(|pattern| !pattern.is_match(output)) {
            return Err(TaskError::malformed(format!("the output does not match `{pattern}`")));
        }
        if let Some(conditions) = &self.conditions {
            match &json {
                Some(json) => conditions.check(json)?,
                None => conditions.check_bytes(output.as_bytes())?,
            }
        }
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let found = match &self.duration {
            Some(pattern) => pattern.captures(output).and_then(|groups| groups.get(1)?.as_str().parse().ok()),
            None if self.plan.duration_pointer.is_empty() => None,
            None => at(&self.plan.duration_pointer).and_then(number),
        };
        let audio_seconds = found.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
        Ok(Completion { audio_seconds, answer_bytes: Some(output.len() as u64), ..Completion::default() })
    }
}

impl Target for CommandTarget {
    fn describe(&self) -> String {
        format!("the program `{}`", self.plan.argv[0])
    }

    async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
        self.run(input).await
    }

    async fn health(&self) -> Result<(), Unwell> {
        match &self.client {
            Some((client, health)) => client.health(health).await,
            None => Ok(()),
        }
    }
}

/// The arguments of one task.
fn filled(argv: &[String], input: &str, number: u64, url: &str) -> Vec<String> {
    let number = number.to_string();
    let fill = |word: &String| word.replace("{n}", &number).replace("{url}", url).replace("{input}", input);
    argv.iter().map(fill).collect()
}

/// The output as JSON: all of it, or its last line.
fn json(output: &str) -> Option<Value> {
    let last = || output.lines().rfind(|line| !line.trim().is_empty());
    serde_json::from_str(output).ok().or_else(|| serde_json::from_str(last()?).ok())
}

fn local(what: &str, error: &std::io::Error) -> TaskError {
    TaskError::transport(Stage::Connect, Cause::Local, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{AudioKind, TargetKind};

    fn target(argv: &[&str], change: impl FnOnce(&mut CommandPlan)) -> CommandTarget {
        let mut plan =
            TargetPlan { kind: TargetKind::Command, url: "amqp://h".into(), ..TargetPlan::default() };
        plan.command.argv = argv.iter().map(ToString::to_string).collect();
        change(&mut plan.command);
        CommandTarget::of_plan(&plan).unwrap()
    }

    fn shell(script: &str, change: impl FnOnce(&mut CommandPlan)) -> CommandTarget {
        target(&["sh", "-c", script], change)
    }

    fn input(variation: u64) -> Input {
        Input {
            kind: AudioKind::Short,
            stem: "clip".into(),
            name: "clip.wav".into(),
            bytes: bytes::Bytes::from_static(b"sound"),
            seconds: None,
            variation,
        }
    }

    async fn failure(target: &CommandTarget) -> String {
        target.perform(&input(0)).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn each_task_is_a_run_with_its_input_its_number_and_the_url() {
        let target = shell("cat '{input}' -; echo ' {n} {url}'", |plan| {
            plan.stdin = true;
            plan.success_pattern = "^soundsound 1 amqp://h$".into();
        });
        target.perform(&input(0)).await.unwrap();
        assert!(failure(&target).await.contains("does not match"), "the second task has another number");
        let path = shell("echo {input}", |plan| plan.success_pattern = r"/highwater-input-\w+\.wav".into());
        path.perform(&input(0)).await.unwrap();
        path.perform(&input(3)).await.unwrap();
        assert_eq!(path.files.lock().unwrap().len(), 1, "a new input has a file for one task only");
    }

    #[tokio::test]
    async fn what_it_prints_decides_and_has_the_length_of_the_audio() {
        let json = shell(r#"echo log; echo '{"text": "hello", "duration": 2.5}'"#, |plan| {
            plan.success_pointer = "/text".into();
            plan.duration_pointer = "/duration".into();
        });
        assert_eq!(json.perform(&input(0)).await.unwrap().audio_seconds, Some(2.5));
        let text = shell("echo took 3.5 s", |plan| plan.duration_pattern = "took ([0-9.]+) s".into());
        assert_eq!(text.perform(&input(0)).await.unwrap().audio_seconds, Some(3.5));
        let null = shell(r#"echo '{"text": null}'"#, |plan| plan.success_pointer = "/text".into());
        assert_eq!(failure(&null).await, "malformed answer: the output has nothing at `/text`");
        let none = shell("echo hello", |plan| plan.success_pointer = "/text".into());
        assert_eq!(failure(&none).await, "malformed answer: the output is not JSON");
    }

    #[tokio::test]
    async fn a_failure_has_its_status_and_its_last_words() {
        let failing = shell("echo the queue is full >&2; exit 4", |_| ());
        assert_eq!(
            failure(&failing).await,
            "failed by the service: `sh` ended with exit status 4: the queue is full"
        );
        let as_wanted = shell("exit 4", |plan| plan.success_exit = vec![4]);
        as_wanted.perform(&input(0)).await.unwrap();
        let killed = shell("kill -11 $$", |_| ());
        assert_eq!(failure(&killed).await, "failed by the service: `sh` ended with signal 11");
        let missing = failure(&target(&["highwater-has-no-such-program"], |_| ())).await;
        assert!(missing.contains("cannot start `highwater-has-no-such-program`"), "{missing}");
    }
}
