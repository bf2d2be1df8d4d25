//! How a watch is shown: a table in place, plain lines, or JSON lines.

use std::path::PathBuf;
use std::time::Duration;

use console::Term;
use serde_json::{Value, json};

use super::table;
use super::tally::{Row, Tally};
use crate::cli::judge::Judged;
use crate::cli::output::{say, say_error};
use crate::sampler::{EventKind, ProcessEvent};
use crate::units::round;

/// How a watch is shown.
pub(super) struct Show {
    json: bool,
    terminal: Option<Term>,
    pub(super) csv: Option<PathBuf>,
    interval: Duration,
    /// The number of lines of the table now on the screen.
    drawn: usize,
}

impl Show {
    pub(super) fn new(json: bool, csv: Option<PathBuf>, interval: Duration) -> Show {
        let terminal = Term::stdout();
        let terminal = (!json && terminal.is_term()).then_some(terminal);
        let show = Show { json, terminal, csv, interval, drawn: 0 };
        if let Some(csv) = &show.csv {
            show.aside(&format!("CSV: {}", csv.display()));
        }
        show
    }

    /// Prints a line for people: on stderr if stdout is read by a program.
    pub(super) fn aside(&self, line: &str) {
        if self.json { say_error(format_args!("{line}")) } else { say!("{line}") }
    }

    /// Shows one reading.
    pub(super) fn rows(&mut self, rows: &[Row], tally: &Tally, elapsed: Duration) {
        let seconds = round(elapsed.as_secs_f64(), 3);
        if self.json {
            for row in rows {
                let mut line = json!({"event": "sample", "time": time(), "elapsed": seconds});
                merge(&mut line, serde_json::to_value(row).unwrap_or_default());
                say!("{line}");
            }
            return;
        }
        let Some(terminal) = &self.terminal else {
            let table = table::live(rows, usize::MAX);
            // The titles once, then one line per process.
            let skip = usize::from(self.drawn > 0);
            for line in table.iter().skip(skip).filter(|line| !line.starts_with("all ")) {
                say!("{}  {line}", if line.starts_with("role ") { "time    ".to_string() } else { clock() });
            }
            self.drawn = 1;
            return;
        };
        let (height, width) = terminal.size();
        let interval = self.interval.as_secs_f64();
        let processes = tally.processes();
        let ended = processes.iter().filter(|seen| seen.end.is_some()).count() as u64 + tally.unlisted;
        let ended = if ended == 0 { String::new() } else { format!("  {ended} ended") };
        let mut lines = vec![format!("{seconds:.1} s, every {interval} s{ended}  (Ctrl+C ends and sums up)")];
        lines.extend(table::live(rows, usize::from(height).saturating_sub(5).max(1)));
        let cut = |line: &String| line.chars().take(usize::from(width)).collect::<String>();
        let text = lines.iter().map(cut).collect::<Vec<_>>();
        // If writing fails, the terminal has gone, and a signal will follow.
        drop(terminal.clear_last_lines(self.drawn));
        self.drawn = text.len();
        drop(terminal.write_str(&format!("{}\n", text.join("\n"))));
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
        if let Some(terminal) = &self.terminal {
            drop(terminal.clear_last_lines(self.drawn));
            self.drawn = 0;
        }
        let pid = format!("pid {}", event.id.pid);
        // A process that was named by its pid has no other name.
        let who = if event.role == pid { pid } else { format!("{} {pid}", event.role) };
        say!("{}  {who} {what}", clock());
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
                    "unlisted": tally.unlisted,
                    "csv": self.csv,
                    "processes": tally.processes(),
                    "verdicts": verdicts.iter().map(Judged::json).collect::<Vec<_>>(),
                })
            );
            return;
        }
        if let Some(terminal) = &self.terminal {
            drop(terminal.clear_last_lines(self.drawn));
        }
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
