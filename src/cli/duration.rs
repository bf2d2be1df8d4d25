//! Durations, as flags take them.

use std::time::Duration;

use jiff::SignedDuration;

/// Reads a duration as jiff does and as the embedded service's switches are read: `5s`, `250ms`, `2m`, `1h 30m`, or a
/// plain number of seconds.
///
/// # Errors
/// Says how a duration is written.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = "write a number and a unit, such as 250ms, 5s, 2m or 8h";
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().map(Duration::try_from_secs_f64);
    let read = seconds.map(|seconds| seconds.map_err(|_| format!("out of range; {hint}")));
    read.unwrap_or_else(|| {
        let signed: SignedDuration = text.parse().map_err(|why| format!("{why}; {hint}"))?;
        signed.try_into().map_err(|_| format!("out of range; {hint}"))
    })
}

#[cfg(all(test, feature = "demo"))]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_embedded_service() {
        for text in
            ["5s", " 5 s", "250ms", "2m", "2 min", "8h", "1h 30m", "1.5", "0", "1e3", "-5s", "5 parsecs", ""]
        {
            let theirs = highwater_demo::parse_duration(text);
            assert_eq!(parse_duration(text).ok(), theirs.clone().ok(), "{text}");
            assert!(theirs.is_ok() || parse_duration(text).unwrap_err().contains("250ms"), "{text}");
        }
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
    }
}
