//! The live line and the colours of a terminal.

use std::time::Duration;

use console::style;
use indicatif::{ProgressBar, ProgressStyle};

/// The line at the bottom.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Bar {
        Bar(ProgressBar::new_spinner())
    }

    /// Shows that `done` tasks of `total`, where that is known, have ended.
    pub(super) fn show(&self, done: u64, total: Option<u64>, message: &str) {
        let template = match total {
            Some(_) => "  {spinner} {bar:24} {pos}/{len}  {elapsed_precise}\n{msg}",
            None => "  {spinner} {elapsed_precise}\n{msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
        // A line that breaks would not be drawn over.
        let width = usize::from(console::Term::stderr().size().1).saturating_sub(6).max(20);
        let lines = message.lines().map(|line| format!("    {}", console::truncate_str(line, width, "…")));
        self.0.set_message(lines.collect::<Vec<_>>().join("\n"));
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    /// Calls `write` while the line is out of the way.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }

    pub(super) fn clear(self) {
        self.0.finish_and_clear();
    }
}

/// Colours the verdict words. Never only colour: the words stay.
pub(super) fn paint(line: &str) -> String {
    let words = [
        ("INCONCLUSIVE", console::Color::Yellow),
        ("PASS", console::Color::Green),
        ("FAIL", console::Color::Red),
    ];
    for (word, color) in words {
        if let Some(rest) = line.trim_start().strip_prefix(word) {
            let indent = &line[..line.len() - line.trim_start().len()];
            return format!("{indent}{}{rest}", style(word).fg(color).bold().force_styling(true));
        }
    }
    line.to_string()
}
