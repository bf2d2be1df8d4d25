//! Where lines go, and the line at the bottom that says what is going on.

use std::io::{IsTerminal, Write};

#[cfg(feature = "cli")]
use super::live::{Bar, paint};
#[cfg(not(feature = "cli"))]
use super::plain::{Bar, paint};

use crate::outside::one_line;

/// Which stream people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The usual.
    Stdout,
    /// Where stdout belongs to a machine (`--json`).
    Stderr,
}

/// A terminal with a live last line, or plain lines where there is no terminal.
pub struct Screen {
    stream: Stream,
    terminal: bool,
    color: bool,
    /// There only while something is going on: an empty bar would say that nothing will.
    bar: Option<Bar>,
}

/// What the live line shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Progress {
    /// Leave it as it is.
    Keep,
    /// Nothing is going on.
    Clear,
    /// So many tasks of so many are done; absent total: it is not known.
    Tasks {
        /// Tasks that have ended.
        done: u64,
        /// Tasks that there will be.
        total: Option<u64>,
        /// What is going on, in lines.
        message: String,
        /// Present while it waits.
        wait: Option<Wait>,
    },
}

/// A wait, whose length the first line of the block ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Wait {
    /// It is given up after this many seconds; absent where that is not known.
    pub(super) at_most_s: Option<f64>,
    /// True if it is memory that has to become quiet.
    pub(super) for_memory: bool,
}

/// A change of less than this between two looks is none, in MB.
const STILL_MB: f64 = 0.5;

impl Wait {
    /// How long it has taken and, of memory, which way it went between the last two looks: `: still falling, 3 s`,
    /// `, 12 of 60 s`.
    pub(super) fn so_far(self, seconds: f64, trail_mb: &[f64]) -> String {
        let direction = match trail_mb {
            [.., before, last] if self.for_memory && last - before > STILL_MB => ": still rising",
            [.., before, last] if self.for_memory && before - last > STILL_MB => ": still falling",
            _ => "",
        };
        match self.at_most_s {
            Some(most) => format!("{direction}, {seconds:.0} of {most:.0} s"),
            None => format!("{direction}, {seconds:.0} s"),
        }
    }
}

impl Screen {
    /// A screen on `stream`, live if a terminal is there to see it.
    pub fn new(stream: Stream) -> Screen {
        let terminal = match stream {
            Stream::Stdout => std::io::stdout().is_terminal() && std::io::stderr().is_terminal(),
            Stream::Stderr => std::io::stderr().is_terminal(),
        };
        let color = terminal && std::env::var_os("NO_COLOR").is_none();
        Screen { stream, terminal, color, bar: None }
    }

    /// The same with lines only: nothing on it is ever drawn again.
    #[must_use]
    pub fn plain(mut self) -> Screen {
        self.terminal = false;
        self
    }

    /// True if something is shown that changes.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal
    }

    /// Shows a line that stays.
    pub(crate) fn line(&self, line: &str) {
        let line = one_line(line);
        let painted = if self.color { paint(&line) } else { line.into_owned() };
        let write = || {
            // A reader that went away (`| head`) is no reason to end a measurement.
            let written = match self.stream {
                Stream::Stdout => writeln!(std::io::stdout(), "{painted}"),
                Stream::Stderr => writeln!(std::io::stderr(), "{painted}"),
            };
            if let Err(error) = written {
                tracing::debug!(%error, "a line was not shown");
            }
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Shows `lines` as the live block, as many as fit; nothing without a terminal.
    #[cfg(feature = "cli")]
    pub(crate) fn block(&mut self, lines: &[String]) {
        let most = usize::from(::console::Term::stderr().size().0).saturating_sub(2).max(4);
        let lines: Vec<&str> = lines.iter().take(most).map(String::as_str).collect();
        self.progress(Progress::Tasks { done: 0, total: None, message: lines.join("\n"), wait: None });
    }

    /// Takes the live block away.
    #[cfg(feature = "cli")]
    pub(crate) fn unblock(&mut self) {
        self.clear();
    }

    pub(super) fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Keep => {}
            Progress::Clear => self.clear(),
            Progress::Tasks { done, total, message, .. } if self.terminal => {
                self.bar.get_or_insert_with(Bar::new).show(done, total, &message);
            }
            Progress::Tasks { .. } => {}
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.clear();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_says_how_long_it_has_taken_and_where_memory_goes() {
        let memory = Wait { at_most_s: None, for_memory: true };
        assert_eq!(memory.so_far(3.2, &[90.0, 80.0]), ": still falling, 3 s");
        assert_eq!(memory.so_far(3.2, &[70.0, 80.0]), ": still rising, 3 s");
        assert_eq!(memory.so_far(0.2, &[80.1, 80.0]), ", 0 s");
        assert_eq!(memory.so_far(1.0, &[]), ", 1 s");
        let recovery = Wait { at_most_s: Some(60.0), for_memory: false };
        assert_eq!(recovery.so_far(12.4, &[90.0, 80.0]), ", 12 of 60 s");
    }
}
