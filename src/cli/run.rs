//! `highwater run`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::{InFlight, RunArgs, Target};
use super::misplaced::{misplaced, of_http, unused};
use super::output::say_json;
use super::printed::printed;
use super::{github, junit, signals};
use crate::analysis::{Answer, Note};
use crate::assessment::Assessment;
use crate::console::{Console, Pulse, Screen, Stream};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::RunPaths;
use crate::plan::{self, Plan};
use crate::record::{CriterionId, Verdict};
use crate::resume::Resume;
use crate::serve::Source;
use crate::session::{End, Outcome, Session};
use crate::words::{changes, criterion_line, resumed};

/// The embedded service answers in seconds; what takes longer hangs.
const DEMO_TIMEOUT_S: f64 = 30.0;

pub(super) fn run(args: &RunArgs) -> Result<u8> {
    let target = args.target();
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
    of_http(&args.plan, &plan)?;
    unused(args, &plan)?;
    conduct(&target, plan, timeout_given, resume, args.junit.as_deref())
}

/// Runs a plan from its start to its report; returns the exit code.
pub(super) fn conduct(
    target: &Target<'_>,
    mut plan: Plan,
    timeout_given: bool,
    resume: Option<Resume>,
    junit: Option<&Path>,
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
    if let Some(path) = junit {
        junit::write(path, &[&outcome.assessment])?;
    }
    if target.json {
        say_json(&printed(&outcome.assessment, &outcome.paths)?);
    }
    Ok(outcome.assessment.exit_code)
}

async fn drive(target: &Target<'_>, plan: Plan, resume: Option<Resume>) -> Result<Outcome> {
    let stop = CancellationToken::new();
    let reason = signals::watch(stop.clone())
        .map_err(|error| Error::new(ErrorKind::Io, "cannot watch for signals").source(error))?;
    let command = if plan.soak.enabled { "soak" } else { "run" };
    let screen = Screen::new(if target.json { Stream::Stderr } else { Stream::Stdout });
    let screen = if target.plain { screen.plain() } else { screen };
    let console = Arc::new(Console::new(screen, plan.clone(), plan.results.clone()));
    let seen = Arc::clone(&console);
    let board: Source = Arc::new(move || seen.board());
    let serving = target.serve.start(&board)?;
    if target.serve.any() {
        console.serve();
    }
    serving.lines().iter().for_each(|line| console.say(line));
    let mut builder = Session::builder(plan).observer(Arc::clone(&console) as _).stop(stop.clone());
    if let Some(resume) = resume {
        console.say(&resumed(resume.run().ended() as usize, resume.phase()));
        console.earlier(resume.run().clone());
        builder = builder.resume(resume);
    }
    if target.demo {
        builder = builder.embedded(target.demo_args.to_vec());
    }
    let session = tokio::select! {
        session = Box::pin(builder.start()) => session?,
        () = stop.cancelled() => return Err(Error::new(ErrorKind::Interrupted, "interrupted before the run started")),
    };
    let pulse = pulse(&console, &session)?;
    let done = Box::pin(session.run_plan()).await;
    drop(pulse);
    let (end, failure) = match done {
        Ok(()) => (End::Complete, None),
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            (End::Interrupted(reason.get().copied().unwrap_or("interrupted").to_string()), None)
        }
        Err(error) => (End::Interrupted(error.to_string()), Some(error)),
    };
    let finished = Box::pin(session.finish(end)).await;
    drop(serving);
    // What ended the run is the cause, and a report that cannot be written on a full disk one of its effects.
    if let Some(error) = failure {
        return Err(error);
    }
    let outcome = finished?;
    tell(&console, &outcome, command);
    Ok(outcome)
}

/// Starts the look at the processes once a second, if someone is watching.
fn pulse(console: &Arc<Console>, session: &Session) -> Result<Option<Pulse>> {
    let seen = Arc::clone(console);
    let start = || Pulse::start(session.sampler(), move |snapshot, closer| seen.look(snapshot, closer));
    console.is_seen().then(start).transpose()
}

fn tell(console: &Console, outcome: &Outcome, command: &str) {
    console.say("");
    let assessment = &outcome.assessment;
    for line in closing(assessment, &console.shown(), console.earlier_warnings()) {
        console.say(&line);
    }
    let changes = assessment.comparison.as_ref().map(changes).unwrap_or_default();
    changes.iter().for_each(|line| console.say(&format!("baseline: {line}")));
    console.say(&format!("report: {}", outcome.paths.report.display()));
    if cfg!(feature = "html") {
        console.say(&format!("pictures: {}", outcome.paths.page.display()));
    }
    if let Some(next) = next(assessment, &outcome.paths, command) {
        console.say(&next);
    }
    github::tell(console, assessment, &outcome.paths);
}

/// Where to go from here, where something is to be done.
fn next(assessment: &Assessment, paths: &RunPaths, command: &str) -> Option<String> {
    if assessment.judgement.interrupted.is_some() {
        return Some(format!(
            "next: `highwater {command} --resume {}` goes on from here",
            paths.events.display()
        ));
    }
    let leaks = assessment.growth.as_ref().is_some_and(|growth| growth.answer == Answer::Leak);
    leaks.then(|| {
        format!(
            "next: when it is fixed, `highwater run --only leak --results after` and `highwater compare {} after --expect \
             fixed`",
            paths.tasks.display()
        )
    })
}

/// The last word on a run. What decides the verdict is worth showing twice; what is open was explained where it came
/// up, if it was shown with the same answer. Warnings were shown when they came, but for those of an earlier part.
fn closing(
    assessment: &Assessment,
    shown: &HashSet<(CriterionId, Verdict)>,
    earlier_warnings: usize,
) -> Vec<String> {
    let judgement = &assessment.judgement;
    let word = judgement.verdict.word();
    // The exit code is that of an interruption, and so is the first word.
    let mut lines = vec![match judgement.interrupted {
        Some(_) => format!("interrupted: {word} by what was measured until then"),
        None => word.to_string(),
    }];
    for found in judgement.criteria.iter().filter(|found| found.verdict != Verdict::Pass) {
        let explained =
            found.verdict == Verdict::Inconclusive && shown.contains(&(found.name.clone(), found.verdict));
        lines.push(match explained {
            true => format!("  {}  {} (see above)", found.verdict.word(), found.title),
            false => format!("  {}", criterion_line(found)),
        });
    }
    let warning = |note: &&Note| matches!(note, Note::Warning(_));
    let earlier = assessment.observations.iter().filter(warning).take(earlier_warnings);
    let others = assessment.observations.iter().filter(|note| !warning(note));
    lines.extend(earlier.chain(others).map(|note| format!("note: {note}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::assess;
    use crate::record::{Condition, Criterion, RunData, Warning};

    #[test]
    fn the_last_word_repeats_what_decides_and_not_what_was_explained() {
        let criterion = |verdict, name, title: &str| Criterion {
            name,
            title: title.to_string(),
            verdict,
            detail: "figures".to_string(),
            value: None,
            threshold: None,
            unit: None,
        };
        let open = CriterionId::Probe(Condition::Pause);
        let mut assessment = assess(&RunData::default(), &Plan::default());
        assessment.judgement.verdict = Verdict::Fail;
        assessment.judgement.criteria = vec![
            criterion(Verdict::Pass, CriterionId::LeakTasks, "good"),
            criterion(Verdict::Inconclusive, open.clone(), "open"),
            criterion(Verdict::Fail, CriterionId::LeakDelta, "bad"),
        ];
        let warning = |text: &str| Note::Warning(Warning::Text(text.to_string()));
        let retries = Note::Retries { tasks: 1, of: 3, retries: 1 };
        assessment.observations = vec![warning("of the earlier part"), warning("shown"), retries.clone()];
        let shown = HashSet::from([(open, Verdict::Inconclusive), (CriterionId::LeakDelta, Verdict::Fail)]);
        let expected = [
            "FAIL".to_string(),
            "  INCONCLUSIVE  open (see above)".to_string(),
            "  FAIL  bad: figures".to_string(),
            "note: of the earlier part".to_string(),
            format!("note: {retries}"),
        ];
        assert_eq!(closing(&assessment, &shown, 1), expected);
        let lines = closing(&assessment, &HashSet::new(), 0);
        assert!(lines.contains(&"  INCONCLUSIVE  open: figures".to_string()), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("note: ")).count(), 1, "{lines:?}");
        assessment.judgement.interrupted = Some("interrupted (SIGINT)".to_string());
        assert_eq!(closing(&assessment, &shown, 0)[0], "interrupted: FAIL by what was measured until then");
    }
}
