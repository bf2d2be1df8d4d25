//! Reads what the service adds to its log during a level.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use regex::Regex;

use crate::files;
use crate::plan::StablePlan;
use crate::record::Event;
use crate::words;

/// The most that is read of a log, in bytes; additions beyond that are ignored.
const MOST: u64 = 64 << 20;

/// The longest part of a line that is kept, in characters.
const LINE: usize = 300;

/// A log, and its length when the level began.
pub(super) struct ServiceLog {
    path: PathBuf,
    offset: u64,
    pattern: String,
}

impl ServiceLog {
    /// The plan's log at its present length; `None` if the plan names none.
    pub(super) fn at_end(plan: &StablePlan) -> Option<ServiceLog> {
        if plan.log.is_empty() {
            return None;
        }
        let path = PathBuf::from(&plan.log);
        // If it does not exist yet, all of it will be new.
        let offset = std::fs::metadata(&path).map_or(0, |file| file.len());
        Some(ServiceLog { path, offset, pattern: plan.log_pattern.clone() })
    }

    /// The event for the lines that were added since.
    pub(super) fn read(&self) -> Event {
        match self.added() {
            Ok(text) => matches(&text, &self.pattern),
            Err(error) => Event::ServiceLog {
                matches: 0,
                first: None,
                problem: Some(words::unreadable_log(&self.path, &error)),
            },
        }
    }

    fn added(&self) -> std::io::Result<String> {
        let mut file = files::open(&self.path)?;
        // A log that has become shorter was rotated, and all of it is new.
        let from = if file.metadata()?.len() < self.offset { 0 } else { self.offset };
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn matches(text: &str, pattern: &str) -> Event {
    let Ok(pattern) = Regex::new(pattern) else {
        let problem = Some(words::wrong_pattern(pattern));
        return Event::ServiceLog { matches: 0, first: None, problem };
    };
    let mut found = text.lines().filter(|line| pattern.is_match(line));
    let first = found.next().map(|line| line.trim().chars().take(LINE).collect::<String>());
    let matches = u32::from(first.is_some()) + found.count() as u32;
    Event::ServiceLog { matches, first, problem: None }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(log: &ServiceLog) -> (u32, Option<String>, bool) {
        match log.read() {
            Event::ServiceLog { matches, first, problem } => (matches, first, problem.is_some()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_was_added_counts_and_a_rotated_log_is_new() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("service.log");
        std::fs::write(&path, "ERROR of yesterday\n").unwrap();
        let plan = StablePlan { log: path.display().to_string(), ..StablePlan::default() };
        let log = ServiceLog::at_end(&plan).unwrap();
        assert_eq!(read(&log), (0, None, false));
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        writeln!(file, "fine\n12:00 ERROR queue is full\nTraceback (most recent call last):").unwrap();
        assert_eq!(read(&log), (2, Some("12:00 ERROR queue is full".to_string()), false));
        std::fs::write(&path, "FATAL\n").unwrap();
        assert_eq!(read(&log), (1, Some("FATAL".to_string()), false));
        std::fs::remove_file(&path).unwrap();
        assert!(read(&log).2, "a log that is gone was not read");
        assert!(ServiceLog::at_end(&StablePlan::default()).is_none());
    }
}
