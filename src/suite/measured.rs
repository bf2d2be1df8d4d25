//! What was measured, as tests ask for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::unwritable;
use crate::assessment::{Assessment, assess};
use crate::error::Result;
use crate::journal::{self, RunPaths};
use crate::plan::Plan;
use crate::record::{Criterion, Verdict};
use crate::words::criterion_line;

/// A phase that was measured: what it came to, and its files.
#[derive(Debug)]
pub struct Measured {
    /// Everything that is concluded from the files.
    pub assessment: Assessment,
    /// The files.
    pub paths: RunPaths,
}

impl Measured {
    /// Panics unless the criterion called `name` passed.
    ///
    /// # Panics
    /// With the figures and the path of the data. Inconclusive is not a pass.
    #[track_caller]
    pub fn assert_passes(&self, name: &str) {
        let all = &self.assessment.judgement.criteria;
        let Some(criterion) = all.iter().find(|criterion| criterion.name.name() == name) else {
            let known: Vec<_> = all.iter().map(|criterion| criterion.name.name()).collect();
            panic!("no criterion `{name}` was judged; there are: {}", known.join(", "));
        };
        assert!(criterion.verdict == Verdict::Pass, "{}", self.message(&[criterion]));
    }

    /// Panics unless every criterion passed.
    ///
    /// # Panics
    /// With the figures and the path of the data. Inconclusive is not a pass.
    #[track_caller]
    pub fn assert_all_pass(&self) {
        let all = &self.assessment.judgement.criteria;
        let open: Vec<&Criterion> =
            all.iter().filter(|criterion| criterion.verdict != Verdict::Pass).collect();
        let whole = self.assessment.judgement.verdict == Verdict::Pass;
        assert!(open.is_empty() && whole, "{}", self.message(&open));
    }

    /// Panics unless `concurrency` tasks at once were seen to succeed.
    ///
    /// # Panics
    /// With how the ramp ended and the path of the data.
    #[track_caller]
    pub fn assert_holds(&self, concurrency: u32) {
        let limit = &self.assessment.judgement.limit;
        let holds = limit.held().is_some_and(|held| held >= concurrency);
        assert!(holds, "c={concurrency} is required; {}\n{}", limit, self.message(&[]));
    }

    fn message(&self, criteria: &[&Criterion]) -> String {
        let mut lines: Vec<String> = criteria.iter().map(|criterion| criterion_line(criterion)).collect();
        lines.extend(
            self.assessment.judgement.interrupted.iter().map(|reason| format!("interrupted: {reason}")),
        );
        lines.push(format!("data: {}", self.paths.tasks.display()));
        lines.push(format!("report: {}", self.paths.report.display()));
        lines.join("\n")
    }

    /// Tells the other tests of this run where the measurement is.
    pub(super) fn mark(&self, marker: &Path) -> Result<()> {
        fs::write(marker, self.paths.tasks.display().to_string()).map_err(|error| unwritable(marker, error))
    }

    /// What another test of this run has measured, judged anew.
    pub(super) fn of_marker(marker: &Path, plan: &Plan) -> Result<Option<Measured>> {
        let tasks = match fs::read_to_string(marker) {
            Ok(path) => PathBuf::from(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unwritable(marker, error)),
        };
        let run = journal::read(&tasks)?;
        Ok(Some(Measured { assessment: assess(&run, plan), paths: RunPaths::beside(&tasks) }))
    }
}
