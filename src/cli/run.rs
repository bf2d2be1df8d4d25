//! `highwater run`.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::args::RunArgs;
use super::say;
use super::signals;
use crate::console::{Console, Screen, Stream, criterion_line};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Plan};
use crate::record::Verdict;
use crate::session::{End, Outcome, Session};

/// The embedded service answers in seconds; what takes longer hangs.
const DEMO_TIMEOUT_S: f64 = 30.0;

pub(super) fn run(args: &RunArgs) -> Result<u8> {
    if !args.demo && !args.demo_args.is_empty() {
        return Err(Error::new(ErrorKind::Config, "arguments after `--` are for the embedded service")
            .hint("add `--demo`, or leave them out"));
    }
    let loaded = plan::load_with_origin(args.plan.config.as_deref(), &args.overrides())?;
    let mut plan = loaded.plan;
    if args.demo && !loaded.given.iter().any(|key| key == "target.timeout_s") {
        plan.target.timeout_s = DEMO_TIMEOUT_S;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))?;
    let outcome = runtime.block_on(drive(args, plan))?;
    if args.json {
        say!("{}", machine_readable(&outcome));
    }
    Ok(outcome.report.exit_code())
}

async fn drive(args: &RunArgs, plan: Plan) -> Result<Outcome> {
    let stop = CancellationToken::new();
    let reason = signals::watch(stop.clone())
        .map_err(|error| Error::new(ErrorKind::Io, "cannot watch for signals").source(error))?;
    let screen = Screen::new(if args.json { Stream::Stderr } else { Stream::Stdout });
    let console = Arc::new(Console::new(screen, plan.clone(), plan.results.clone()));
    let mut builder = Session::builder(plan).observer(Arc::clone(&console) as _).stop(stop.clone());
    if args.demo {
        builder = builder.embedded(args.demo_args.clone());
    }
    let session = tokio::select! {
        session = builder.start() => session?,
        () = stop.cancelled() => return Err(Error::new(ErrorKind::Interrupted, "interrupted before the run started")),
    };
    let done = session.run_plan().await;
    let (end, failure) = match done {
        Ok(()) => (End::Complete, None),
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            (End::Interrupted(reason.get().copied().unwrap_or("interrupted").to_string()), None)
        }
        Err(error) => (End::Interrupted(error.to_string()), Some(error)),
    };
    let outcome = session.finish(end).await?;
    if let Some(error) = failure {
        return Err(error);
    }
    tell(&console, &outcome);
    Ok(outcome)
}

fn tell(console: &Console, outcome: &Outcome) {
    let report = &outcome.report;
    console.say("");
    let interrupted = if report.judgement.interrupted.is_some() { "  interrupted" } else { "" };
    console.say(&format!("{}{interrupted}", report.verdict.word()));
    for found in report.judgement.criteria.iter().filter(|found| found.verdict != Verdict::Pass) {
        console.say(&format!("  {}", criterion_line(found)));
    }
    for note in &report.judgement.notes {
        console.say(&format!("note: {note}"));
    }
    console.say(&format!("report: {}", outcome.paths.report.display()));
}

/// The object that `--json` ends with.
fn machine_readable(outcome: &Outcome) -> serde_json::Value {
    let report = &outcome.report;
    json!({
        "verdict": report.verdict,
        "exit_code": report.exit_code(),
        "interrupted": report.judgement.interrupted,
        "criteria": report.judgement.criteria,
        "max_stable_concurrency": report.max_stable_concurrency,
        "highest_level_held": report.highest_level_held,
        "limit": report.judgement.limit,
        "broke": report.broke,
        "notes": report.judgement.notes,
        "files": {
            "tasks": outcome.paths.tasks,
            "events": outcome.paths.events,
            "resources": outcome.paths.resources,
            "report": outcome.paths.report,
        },
    })
}
