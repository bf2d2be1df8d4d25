//! Durations, as flags take them.

use std::time::Duration;

/// Reads a duration: `5s`, `250ms`, `2m`, or a plain number of seconds.
///
/// # Errors
/// Says how a duration is written.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = "write a number and a unit, such as 250ms, 5s, 2m or 8h";
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("no duration; {hint}"))?;
    let scale = match unit.trim() {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("unknown unit `{unit}`; {hint}")),
    };
    Duration::try_from_secs_f64(number * scale).map_err(|_| format!("out of range; {hint}"))
}
