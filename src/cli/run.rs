//! `highwater run`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::{InFlight, RunArgs};
use super::misplaced::{misplaced, unused};
use super::output::say;
use super::printed::printed;
use super::signals;
use crate::console::{Console, Screen, Stream, criterion_line};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Plan};
use crate::record::{Judgement, Verdict};
use crate::resume::Resume;
use crate::session::{End, Outcome, Session};

/// The embedded service answers in seconds; what takes longer hangs.
const DEMO_TIMEOUT_S: f64 = 30.0;

/// What is tested, and how it is told.
pub(super) struct Target<'a> {
    pub(super) demo: bool,
    pub(super) demo_args: &'a [String],
    pub(super) json: bool,
}

pub(super) fn run(args: &RunArgs) -> Result<u8> {
    let target = Target { demo: args.demo, demo_args: &args.demo_args, json: args.json };
    misplaced(&target, &args.plan)?;
    let (plan, timeout_given, resume) = match &args.resume {
        Some(events) => {
            let resume = Resume::read(events, args.in_flight.map(|what| what == InFlight::Retry))?;
            (resume.plan(&args.overrides())?, true, Some(resume))
        }
        None => {
            let loaded = plan::load_with_origin(args.plan.config.as_deref(), &args.overrides())?;
            (loaded.plan, loaded.given.iter().any(|key| key == "target.timeout_s"), None)
        }
    };
    unused(args, &plan)?;
    conduct(&target, plan, timeout_given, resume)
}

/// Runs a plan from its start to its report; returns the exit code.
pub(super) fn conduct(
    target: &Target<'_>,
    mut plan: Plan,
    timeout_given: bool,
    resume: Option<Resume>,
) -> Result<u8> {
    if target.demo && !timeout_given {
        plan.target.timeout_s = DEMO_TIMEOUT_S;
    }
    // One thread: a level is one task, and the thread that learns that a connection can go on should be the one
    // that goes on with it. To hand that over to another costs more than a small request does (`benches/driver.rs`).
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))?;
    let outcome = runtime.block_on(drive(target, plan, resume))?;
    if target.json {
        say!("{}", printed(&outcome.assessment, &outcome.paths)?);
    }
    Ok(outcome.assessment.exit_code)
}

async fn drive(target: &Target<'_>, plan: Plan, resume: Option<Resume>) -> Result<Outcome> {
    let stop = CancellationToken::new();
    let reason = signals::watch(stop.clone())
        .map_err(|error| Error::new(ErrorKind::Io, "cannot watch for signals").source(error))?;
    let screen = Screen::new(if target.json { Stream::Stderr } else { Stream::Stdout });
    let console = Arc::new(Console::new(screen, plan.clone(), plan.results.clone()));
    let mut builder = Session::builder(plan).observer(Arc::clone(&console) as _).stop(stop.clone());
    if let Some(resume) = resume {
        console.earlier(resume.run().clone());
        builder = builder.resume(resume);
    }
    if target.demo {
        builder = builder.embedded(target.demo_args.to_vec());
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
    let finished = session.finish(end).await;
    // What ended the run is the cause, and a report that cannot be written on a full disk one of its effects.
    if let Some(error) = failure {
        return Err(error);
    }
    let outcome = finished?;
    tell(&console, &outcome);
    Ok(outcome)
}

fn tell(console: &Console, outcome: &Outcome) {
    console.say("");
    for line in closing(&outcome.assessment.judgement, |line| console.has_said(line)) {
        console.say(&line);
    }
    console.say(&format!("report: {}", outcome.paths.report.display()));
}

/// The last word on a run. What decides the verdict is worth saying twice; what is open was explained where it came up.
fn closing(judgement: &Judgement, has_said: impl Fn(&str) -> bool) -> Vec<String> {
    let word = judgement.verdict.word();
    // The exit code is that of an interruption, and so is the first word.
    let mut lines = vec![match judgement.interrupted {
        Some(_) => format!("interrupted: {word} by what was measured until then"),
        None => word.to_string(),
    }];
    for found in judgement.criteria.iter().filter(|found| found.verdict != Verdict::Pass) {
        let line = criterion_line(found);
        lines.push(if found.verdict == Verdict::Inconclusive && has_said(&line) {
            format!("  {}  {} (see above)", found.verdict.word(), found.title)
        } else {
            format!("  {line}")
        });
    }
    let notes = judgement.notes.iter().map(|note| format!("note: {note}"));
    lines.extend(notes.filter(|note| !has_said(note)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Criterion, Limit};

    #[test]
    fn the_last_word_repeats_what_decides_and_not_what_was_explained() {
        let criterion = |verdict, title: &str| Criterion {
            name: "leak.x".to_string(),
            title: title.to_string(),
            verdict,
            detail: "figures".to_string(),
            value: None,
            threshold: None,
            unit: None,
        };
        let mut judgement = Judgement {
            verdict: Verdict::Fail,
            criteria: vec![
                criterion(Verdict::Pass, "good"),
                criterion(Verdict::Inconclusive, "open"),
                criterion(Verdict::Fail, "bad"),
            ],
            limit: Limit::NotRun,
            notes: vec!["old".to_string(), "new".to_string()],
            interrupted: None,
        };
        let said = ["INCONCLUSIVE  open: figures", "FAIL  bad: figures", "note: old"];
        let lines = closing(&judgement, |line| said.contains(&line));
        assert_eq!(lines, ["FAIL", "  INCONCLUSIVE  open (see above)", "  FAIL  bad: figures", "note: new"]);
        let lines = closing(&judgement, |_| false);
        assert!(lines.contains(&"  INCONCLUSIVE  open: figures".to_string()), "{lines:?}");
        judgement.interrupted = Some("interrupted (SIGINT)".to_string());
        assert_eq!(closing(&judgement, |_| true)[0], "interrupted: FAIL by what was measured until then");
    }
}
