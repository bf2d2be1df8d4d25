//! Load that another program makes (`load.command`): k6, Locust, oha, or a script.

mod summary;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use self::summary::{Summary, summary};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;
use crate::programs::Group;
use crate::record::GeneratorLoad;
use crate::units::round;

/// The most output of a generator that is looked at: the last 8 MB.
const MOST_OUTPUT: usize = 8 << 20;

/// A program that makes load.
pub(crate) struct Generator {
    command: String,
    url: String,
    grace: Duration,
}

impl Generator {
    /// The program that `plan` names; absent where highwater makes the load itself.
    pub(crate) fn of_plan(plan: &Plan) -> Option<Generator> {
        Some(Generator {
            command: plan.load.command.clone()?,
            url: plan.target.url.trim_end_matches('/').to_string(),
            grace: Duration::from_secs_f64(plan.load.grace_s),
        })
    }

    /// Lets it make load with `concurrency` for `seconds`, and reads what it says of that. Dropping the future ends it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is no such program: that says nothing of the service.
    pub(crate) async fn run(&self, concurrency: u32, seconds: f64) -> Result<GeneratorLoad> {
        let unusable = |error: std::io::Error| {
            Error::new(ErrorKind::Io, "cannot start the load generator").source(error)
        };
        let place = tempfile::tempdir().map_err(unusable)?;
        let file = place.path().join("summary");
        let line = filled(&self.command, concurrency, seconds, &self.url, &file);
        let started = Instant::now();
        let group = Group::start(&["sh".to_string(), "-c".to_string(), line], &[], None).map_err(unusable)?;
        let ended = tokio::time::timeout(
            Duration::from_secs_f64(seconds) + self.grace,
            group.finish(&[], MOST_OUTPUT),
        )
        .await;
        let mut load = GeneratorLoad {
            concurrency,
            seconds: round(started.elapsed().as_secs_f64(), 3),
            ..GeneratorLoad::default()
        };
        let ended = match ended {
            Ok(ended) => ended.map_err(unusable)?,
            Err(_) => {
                let over = self.grace.as_secs_f64();
                load.problem =
                    Some(format!("it had not ended {over} s after its load should have, and was killed"));
                return Ok(load);
            }
        };
        // What the shell says of a program that is not there.
        if let Some(code @ (126 | 127)) = ended.status.code() {
            let words = ended.last_words().unwrap_or_else(|| format!("exit status {code}"));
            return Err(Error::new(
                ErrorKind::Config,
                format!("the load generator cannot be started: {words}"),
            )
            .hint("`load.command` is a line for the shell; try it there first"));
        }
        if !ended.status.success() {
            let words = ended.last_words().map_or_else(String::new, |words| format!(": {words}"));
            load.problem = Some(format!("it ended with {}{words}", ended.how()));
        }
        let output = String::from_utf8_lossy(&ended.stdout).into_owned();
        if let Some(found) = files(&file).chain([output]).find_map(|text| summary(&text)) {
            take(&mut load, &found);
        }
        Ok(load)
    }
}

fn take(load: &mut GeneratorLoad, found: &Summary) {
    load.tool = Some(found.tool.to_string());
    (load.requests, load.failed) = (found.requests, found.failed);
    (load.per_s, load.p50_s, load.p95_s) = (found.per_s, found.p50_s, found.p95_s);
}

/// The files that a generator may have written where `{summary}` stood.
fn files(path: &Path) -> impl Iterator<Item = String> {
    let path = path.display().to_string();
    ["", ".json", "_stats.csv"]
        .into_iter()
        .filter_map(move |end| fs::read_to_string(format!("{path}{end}")).ok())
}

/// The line for the shell.
fn filled(command: &str, concurrency: u32, seconds: f64, url: &str, summary: &Path) -> String {
    command
        .replace("{concurrency}", &concurrency.to_string())
        .replace("{seconds}", &format!("{}", seconds.ceil()))
        .replace("{url}", url)
        .replace("{summary}", &summary.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(command: &str, grace_s: f64) -> Generator {
        let mut plan = Plan::http("http://h:1/", "/");
        plan.load.command = Some(command.to_string());
        plan.load.grace_s = grace_s;
        Generator::of_plan(&plan).unwrap()
    }

    #[tokio::test]
    async fn it_is_given_the_level_and_its_summary_is_read() {
        let made = generator(
            "echo '{\"requests\": {concurrency}, \"per_s\": {seconds}}' > {summary}; echo {url}",
            60.0,
        );
        let load = made.run(7, 1.5).await.unwrap();
        assert_eq!((load.requests, load.per_s, load.problem), (Some(7), Some(2.0), None));
        let printed = generator("echo hello; echo '{\"requests\": 3}'", 60.0).run(1, 1.0).await.unwrap();
        assert_eq!((printed.requests, printed.tool.as_deref()), (Some(3), Some("script")));
        let silent = generator("true", 60.0).run(1, 1.0).await.unwrap();
        assert_eq!((silent.requests, silent.problem), (None, None));
    }

    #[tokio::test]
    async fn one_that_fails_hangs_or_is_not_there_says_so() {
        let failed = generator("echo thresholds crossed >&2; exit 99", 60.0).run(1, 1.0).await.unwrap();
        assert_eq!(failed.problem.as_deref(), Some("it ended with exit status 99: thresholds crossed"));
        let hung = generator("sleep 600", 0.05).run(1, 0.05).await.unwrap();
        assert!(hung.problem.unwrap().starts_with("it had not ended 0.05 s after"));
        let missing = generator("highwater-has-no-such-generator", 60.0).run(1, 1.0).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::Config);
    }
}
