//! How a watch is shown: a live block, plain lines, or JSON lines.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::table;
use super::tally::{Row, Tally};
use crate::cli::judge::Judged;
use crate::cli::output::{say, say_error};
use crate::console::{Board, Screen, Stream, block_lines};
use crate::sampler::{EventKind, ProcessEvent};
use crate::units::round;

/// How a watch is shown.
pub(super) struct Show {
    json: bool,
    screen: Screen,
    pub(super) csv: Option<PathBuf>,
    interval: Duration,
    /// True once the titles of the lines have been shown.
    titled: bool,
}

/// The most processes in the live block: with all of a fork bomb nothing else would fit.
const PROCESSES: usize = 12;

impl Show {
    pub(super) fn new(json: bool, plain: bool, csv: Option<PathBuf>, interval: Duration) -> Show {
        let screen = Screen::new(Stream::Stdout);
        let screen = if json || plain { screen.plain() } else { screen };
        let show = Show { json, screen, csv, interval, titled: false };
        if let Some(csv) = &show.csv {
            show.aside(&format!("CSV: {}", csv.display()));
        }
        show
    }

    /// True if there is a live block.
    pub(super) fn is_live(&self) -> bool {
        self.screen.is_live()
    }

    /// Prints a line for people: on stderr if stdout is read by a program.
    pub(super) fn aside(&self, line: &str) {
        if self.json { say_error(format_args!("{line}")) } else { say!("{line}") }
    }

    /// Shows one reading.
    pub(super) fn rows(&mut self, rows: &[Row], tally: &Tally, board: &Board, elapsed: Duration) {
        let seconds = round(elapsed.as_secs_f64(), 3);
        if self.json {
            for row in rows {
                let mut line = json!({"event": "sample", "time": time(), "elapsed": seconds});
                merge(&mut line, serde_json::to_value(row).unwrap_or_default());
                say!("{line}");
            }
            return;
        }
        if !self.is_live() {
            let table = table::live(rows, usize::MAX);
            // The titles once, then one line per process.
            let skip = usize::from(self.titled);
            for line in table.iter().skip(skip).filter(|line| !line.starts_with("all ")) {
                say!("{}  {line}", if line.starts_with("role ") { "time    ".to_string() } else { clock() });
            }
            self.titled = true;
            return;
        }
        let interval = self.interval.as_secs_f64();
        let processes = tally.processes();
        let ended = processes.iter().filter(|seen| seen.end.is_some()).count() as u64 + tally.unlisted();
        let ended = if ended == 0 { String::new() } else { format!(", {ended} ended") };
        let mut lines = vec![format!("watching, every {interval} s{ended} (Ctrl+C ends and sums up)")];
        lines.extend(block_lines(board));
        lines.extend(table::live(rows, PROCESSES));
        self.screen.block(&lines);
    }

    /// Shows that a process appeared or ended.
    pub(super) fn event(&mut self, event: &ProcessEvent, mut told: Value, elapsed: Duration) {
        if self.json {
            let about = json!({
                "time": time(),
                "elapsed": round(elapsed.as_secs_f64(), 3),
                "role": event.role,
                "name": event.name,
                "pid": event.id.pid,
                "child": !event.is_root,
            });
            merge(&mut told, about);
            say!("{told}");
            return;
        }
        // A worker that forks for every task would fill the screen.
        if !event.is_root {
            return;
        }
        let what = match &event.kind {
            EventKind::Appeared { cmdline, .. } => {
                format!("appeared: {}", cmdline.chars().take(80).collect::<String>())
            }
            EventKind::Exited { how } => how.to_string(),
        };
        let pid = format!("pid {}", event.id.pid);
        // A process that was named by its pid has no other name.
        let who = if event.role == pid { pid } else { format!("{} {pid}", event.role) };
        let line = format!("{}  {who} {what}", clock());
        if self.is_live() { self.screen.line(&line) } else { say!("{line}") }
    }

    /// Shows the summary.
    pub(super) fn summary(&mut self, tally: &Tally, verdicts: &[Judged], why: &str) {
        let elapsed = round(tally.elapsed_s, 1);
        if self.json {
            say!(
                "{}",
                json!({
                    "event": "summary",
                    "ended": why,
                    "elapsed": elapsed,
                    "missed_ticks": tally.missed_ticks,
                    "restarts": tally.restarts,
                    "unlisted": tally.unlisted(),
                    "csv": self.csv,
                    "processes": tally.processes(),
                    "verdicts": verdicts.iter().map(Judged::json).collect::<Vec<_>>(),
                })
            );
            return;
        }
        self.screen.unblock();
        say!("\nwatched for {elapsed} s ({why}); RSS, peak and private in MB, CPU in percent of one core");
        for line in table::summary(tally) {
            say!("{line}");
        }
        if tally.missed_ticks > 0 {
            say!("note: the machine was busy, {} rows of the CSV are missing", tally.missed_ticks);
        }
        for verdict in verdicts {
            say!("{}: {}", verdict.name.as_deref().unwrap_or_default(), verdict.sentence(f64::MAX));
            for note in &verdict.notes {
                say!("  note: {note}");
            }
        }
        if let Some(csv) = &self.csv {
            say!("CSV: {}", csv.display());
        }
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

fn time() -> String {
    jiff::ZonedDateTime::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

fn clock() -> String {
    jiff::ZonedDateTime::now().strftime("%H:%M:%S").to_string()
}
