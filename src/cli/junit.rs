//! The criteria of a run as JUnit XML, which every CI shows.

use std::fs;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::assessment::Assessment;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Criterion, Verdict};

/// Writes the criteria of `runs` to `path`, a suite for each run.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be written.
pub(super) fn write(path: &Path, runs: &[&Assessment]) -> Result<()> {
    let text = xml(runs)?;
    fs::write(path, text).map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot write `{}`", path.display()))
            .source(error)
            .hint("name a file in a directory that exists and can be written")
    })
}

fn xml(runs: &[&Assessment]) -> Result<String> {
    let mut report = Report::new("highwater");
    for run in runs {
        report.add_test_suite(suite(run));
    }
    report
        .to_string()
        .map_err(|error| Error::new(ErrorKind::Data, "the criteria cannot be expressed in XML").source(error))
}

fn suite(run: &Assessment) -> TestSuite {
    let mut suite = TestSuite::new(run.title.clone());
    if let Some(seconds) = run.duration_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        suite.set_time(seconds);
    }
    suite.add_property(Property::new("verdict", run.judgement.verdict.word()));
    suite.add_property(Property::new("data", run.file.clone()));
    for criterion in &run.judgement.criteria {
        suite.add_test_case(case(criterion));
    }
    if let Some(why) = &run.judgement.interrupted {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(why.clone());
        suite.add_test_case(TestCase::new("the run comes to its end", status));
    }
    suite
}

/// A criterion that is not decided is an error and never a success.
fn case(criterion: &Criterion) -> TestCase {
    let status = match criterion.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => said(NonSuccessKind::Failure, criterion, "fail"),
        Verdict::Inconclusive => said(NonSuccessKind::Error, criterion, "inconclusive"),
    };
    let mut case = TestCase::new(criterion.title.clone(), status);
    case.set_classname(criterion.name.name().to_string());
    case.set_system_out(criterion.detail.clone());
    let figure = |value: Option<f64>| value.map(|value| value.to_string());
    let properties = [
        ("value", figure(criterion.value)),
        ("threshold", figure(criterion.threshold)),
        ("unit", criterion.unit.clone()),
    ];
    for (name, value) in properties {
        if let Some(value) = value {
            case.add_property(Property::new(name, value));
        }
    }
    case
}

fn said(kind: NonSuccessKind, criterion: &Criterion, word: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(criterion.detail.clone()).set_type(word);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::assess;
    use crate::plan::Plan;
    use crate::record::{CriterionId, RunData};

    fn judged(verdict: Verdict) -> Assessment {
        let mut run = assess(&RunData::default(), &Plan::default());
        run.title = "the <service>".to_string();
        run.judgement.verdict = verdict;
        run.judgement.criteria = vec![Criterion {
            name: CriterionId::LeakDelta,
            title: "memory delta of every task".to_string(),
            verdict,
            detail: "delta +250.0 MB ≥ 200 MB & \"more\"\u{1b}[31m".to_string(),
            value: Some(250.0),
            threshold: Some(200.0),
            unit: Some("MB".to_string()),
        }];
        run
    }

    #[test]
    fn a_criterion_is_a_test_case_with_its_figures() {
        let text = xml(&[&judged(Verdict::Fail)]).unwrap();
        assert!(text.contains("failures=\"1\"") && text.contains("classname=\"leak.delta\""), "{text}");
        assert!(text.contains("name=\"threshold\" value=\"200\""), "{text}");
        assert!(text.contains("the &lt;service&gt;") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_is_not_decided_is_no_success() {
        let open = xml(&[&judged(Verdict::Inconclusive)]).unwrap();
        assert!(open.contains("errors=\"1\"") && open.contains("failures=\"0\""), "{open}");
        let pass = xml(&[&judged(Verdict::Pass)]).unwrap();
        assert!(pass.contains("errors=\"0\"") && pass.contains("failures=\"0\""), "{pass}");
        let mut stopped = judged(Verdict::Pass);
        stopped.judgement.interrupted = Some("interrupted (SIGINT)".to_string());
        assert!(xml(&[&stopped]).unwrap().contains("errors=\"1\""));
    }
}
