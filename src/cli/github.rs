//! What GitHub Actions shows of a run: a summary of the job, annotations, and outputs of the step. The texts are pure.

use std::fs::OpenOptions;
use std::io::Write;

use crate::assessment::Assessment;
use crate::console::Console;
use crate::journal::RunPaths;
use crate::record::{Criterion, Verdict};
use crate::report::job_summary;

/// GitHub cuts a summary off at 1 MiB; a few criteria are far below that, whatever a service has answered.
const MOST: usize = 500_000;

/// Tells GitHub of a run, where its variables are set. What cannot be written is a note, since the verdict stands.
pub(super) fn tell(console: &Console, assessment: &Assessment, paths: &RunPaths) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        for line in annotations(assessment) {
            console.say(&line);
        }
    }
    let link = link(&variable);
    let page = paths.page.display().to_string();
    let mut summary = job_summary(assessment, &page, link.as_deref());
    if summary.len() > MOST {
        summary = summary.chars().take(MOST / 4).collect();
    }
    for (name, text) in [("GITHUB_STEP_SUMMARY", summary), ("GITHUB_OUTPUT", outputs(assessment, paths))] {
        let Some(file) = variable(name) else { continue };
        let appended = OpenOptions::new().create(true).append(true).open(&file);
        if let Err(error) = appended.and_then(|mut file| file.write_all(text.as_bytes())) {
            console.say(&format!("note: cannot write to {name} (`{file}`): {error}"));
        }
    }
}

/// The page of the job, where its artefacts are.
fn link(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
    Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
}

/// A line for each criterion that did not pass.
fn annotations(assessment: &Assessment) -> Vec<String> {
    let line = |found: &Criterion| {
        let level = if found.verdict == Verdict::Fail { "error" } else { "warning" };
        format!("::{level} title={}::{}", property(&found.title), data(&found.detail))
    };
    let open = assessment.judgement.criteria.iter().filter(|found| found.verdict != Verdict::Pass);
    open.map(line).collect()
}

/// The outputs of the step: `name=value`, a line each.
fn outputs(assessment: &Assessment, paths: &RunPaths) -> String {
    let growth = assessment.growth.as_ref().and_then(|growth| growth.rate_mb_per_task);
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let limit = assessment.max_stable_concurrency.map_or(String::new(), |limit| limit.to_string());
    let entries = [
        ("verdict", assessment.judgement.verdict.word().to_lowercase()),
        ("exit-code", assessment.exit_code.to_string()),
        ("growth-mb-per-task", number(growth)),
        ("max-stable-concurrency", limit),
        ("report", paths.report.display().to_string()),
        ("page", paths.page.display().to_string()),
        ("data", paths.tasks.display().to_string()),
    ];
    entries.iter().map(|(name, value)| format!("{name}={}\n", value.replace(['\n', '\r'], " "))).collect()
}

/// A message of a workflow command is one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command ends at a comma or a colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::assess;
    use crate::plan::Plan;
    use crate::record::{CriterionId, RunData};

    fn failed() -> Assessment {
        let mut run = assess(&RunData::default(), &Plan::default());
        let criterion = |verdict| Criterion {
            name: CriterionId::LeakDelta,
            title: "delta: a, b".to_string(),
            verdict,
            detail: "100 %\n::error::planted".to_string(),
            value: None,
            threshold: None,
            unit: None,
        };
        run.judgement.criteria =
            [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive].map(criterion).to_vec();
        run.judgement.verdict = Verdict::Fail;
        run
    }

    #[test]
    fn what_a_service_said_cannot_become_a_command() {
        let lines = annotations(&failed());
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "::error title=delta%3A a%2C b::100 %25%0A::error::planted");
        assert!(lines[1].starts_with("::warning "), "{}", lines[1]);
    }

    #[test]
    fn outputs_are_a_line_each() {
        let paths = RunPaths::beside(std::path::Path::new("results/a\nb.jsonl"));
        let text = outputs(&failed(), &paths);
        assert_eq!(text.lines().count(), 7);
        assert!(text.starts_with("verdict=fail\n"), "{text}");
    }

    #[test]
    fn the_link_needs_all_its_parts() {
        let known = |name: &str| match name {
            "GITHUB_SERVER_URL" => Some("https://github.com".to_string()),
            "GITHUB_REPOSITORY" => Some("a/b".to_string()),
            "GITHUB_RUN_ID" => Some("7".to_string()),
            _ => None,
        };
        assert_eq!(link(&known).as_deref(), Some("https://github.com/a/b/actions/runs/7"));
        assert_eq!(link(&|_| None), None);
    }
}
