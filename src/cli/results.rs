//! `highwater results`: the runs in a directory, and the newest of them.

use std::path::Path;

use serde_json::json;

use super::args::ResultsArgs;
use super::output::say;
use crate::assessment::Assessment;
use crate::error::Result;
use crate::journal;
use crate::record::{Event, Limit, RunData, Verdict};
use crate::units::span;

pub(super) fn results(args: &ResultsArgs) -> Result<u8> {
    let mut runs = journal::find_runs(&args.directory)?;
    runs.reverse();
    let mut rows = vec![
        ["started", "length", "verdict", "growth", "limit", "service", "file"].map(String::from).to_vec(),
    ];
    let mut objects = Vec::new();
    for path in &runs {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match journal::read(path).and_then(|run| Ok((super::judged::judged(&run, &[])?, run))) {
            Ok((assessment, run)) => {
                objects.push(object(&assessment, path));
                rows.push(row(&assessment, &run, name));
            }
            // A file that cannot be read hides none of the others.
            Err(error) => {
                objects.push(json!({"file": path, "error": error.to_string()}));
                rows.push(vec![
                    "–".into(),
                    "–".into(),
                    "unreadable".into(),
                    "–".into(),
                    "–".into(),
                    error.to_string(),
                    name,
                ]);
            }
        }
    }
    if args.json {
        super::output::say_json(&serde_json::Value::from(objects));
        return Ok(0);
    }
    for line in columns(&rows) {
        say!("{line}");
    }
    Ok(0)
}

fn object(run: &Assessment, path: &Path) -> serde_json::Value {
    json!({
        "file": path,
        "started": run.started,
        "duration_s": run.duration_s,
        "title": run.title,
        "verdict": run.judgement.verdict,
        "interrupted": run.judgement.interrupted,
        "mb_per_task": run.growth.as_ref().and_then(|growth| growth.rate_mb_per_task),
        "max_stable_concurrency": run.max_stable_concurrency,
        "highest_level_held": run.highest_level_held,
    })
}

fn row(run: &Assessment, data: &RunData, name: String) -> Vec<String> {
    let started = run
        .started
        .as_ref()
        .map_or("–".to_string(), |time| time.replace('T', " ").chars().take(16).collect());
    let verdict = match (&run.judgement.interrupted, run.judgement.verdict) {
        (Some(_), _) => "interrupted",
        (None, Verdict::Pass) => "pass",
        (None, Verdict::Fail) => "FAIL",
        (None, Verdict::Inconclusive) => "inconclusive",
    };
    let per_task = run.growth.as_ref().and_then(|growth| growth.rate_mb_per_task).map(crate::words::per_task);
    let per_hour = run.soak.as_ref().and_then(|soak| soak.mb_per_hour).map(crate::words::per_hour);
    let limit = match &run.judgement.limit {
        Limit::Found { max_stable, .. } => format!("c={max_stable}"),
        limit => limit.held().map_or("–".to_string(), |held| format!("c≥{held}")),
    };
    vec![
        started,
        run.duration_s.map_or("–".to_string(), span),
        verdict.to_string(),
        per_task.or(per_hour).unwrap_or_else(|| "–".to_string()),
        limit,
        service(data),
        name,
    ]
}

/// Where the service is, by the run's log.
fn service(run: &RunData) -> String {
    let Some(Event::RunStarted { title, plan, .. }) = run.start() else { return "–".to_string() };
    let url = plan.get("target").and_then(|target| target.get("url")).and_then(|url| url.as_str());
    match url {
        Some(url) if !title.contains("embedded") => url.chars().take(40).collect(),
        _ => "embedded".to_string(),
    }
}

fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let width = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_string(), "bb".to_string()], vec!["ccc".to_string(), "d".to_string()]];
        assert_eq!(columns(&rows), ["a    bb", "ccc  d"]);
    }
}
