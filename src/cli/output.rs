//! Writing to stdout and stderr, and remembering when stdout failed.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};
use crate::outside::{printable, printable_json};

/// Like `println!`, but does not panic when the reader has gone away (`| head`).
macro_rules! say {
    ($($arguments:tt)*) => { $crate::cli::output::say_line(format_args!($($arguments)*)) };
}
pub(super) use say;

/// The first error of writing to stdout.
static REFUSED: OnceLock<io::Error> = OnceLock::new();

pub(super) fn say_line(line: Arguments<'_>) {
    write_line(&printable(&line.to_string()));
}

fn write_line(line: &str) {
    let mut stdout = io::stdout();
    if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        tracing::debug!(%error, "a line was not shown");
        // Later errors say the same.
        drop(REFUSED.set(error));
    }
}

/// Writes `value` as a line of JSON, whatever text is in it.
pub(super) fn say_json(value: &Value) {
    write_line(&printable_json(value));
}

/// Like `say!`, on stderr.
pub(super) fn say_error(line: Arguments<'_>) {
    // If stderr is gone as well, there is nowhere left to report it.
    drop(writeln!(io::stderr(), "{}", printable(&line.to_string())));
}

/// True once writing to stdout has failed: nobody reads further lines.
pub(super) fn stdout_is_gone() -> bool {
    REFUSED.get().is_some()
}

/// The output that was lost, if any. A reader that went away wanted no more, so nothing was lost.
pub(super) fn lost() -> Option<Error> {
    let error = REFUSED.get().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)?;
    Some(
        Error::new(ErrorKind::Io, "cannot write to stdout; the output is lost")
            .source(io::Error::new(error.kind(), error.to_string()))
            .hint("is the disk that stdout is written to full?"),
    )
}

/// The last object of `--json` when there is no verdict.
pub(super) fn failure(error: &Error) -> Value {
    let causes = error.causes().map(ToString::to_string);
    let what: Vec<String> = std::iter::once(error.to_string()).chain(causes).collect();
    json!({
        "verdict": "error",
        "exit_code": error.kind().exit_code(),
        "error": what.join(": "),
        "hint": error.hint_text(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_an_object_with_its_causes_and_hint() {
        let error = Error::new(ErrorKind::Io, "cannot read `a`").source(io::Error::other("no")).hint("look");
        let expected =
            json!({"verdict": "error", "exit_code": 3, "error": "cannot read `a`: no", "hint": "look"});
        assert_eq!(failure(&error), expected);
    }
}
