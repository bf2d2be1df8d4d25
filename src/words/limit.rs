//! How the ramp ended. The three endings are never worded alike.

use std::fmt;

use crate::record::{Clause, ExitKind, Limit, Tally};

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Found { max_stable, broke_at, broke, held, broken } => {
                let held = held.map_or(String::new(), |tally| format!(" ({})", held_times(tally)));
                let times = broken.map_or("broke".to_string(), broke_times);
                match max_stable {
                    0 => write!(f, "no stable concurrency: already c={broke_at} {times}: {broke}"),
                    _ => {
                        write!(
                            f,
                            "maximum stable concurrency: {max_stable}{held}; c={broke_at} {times}: {broke}"
                        )
                    }
                }
            }
            Limit::BoundReached { at_least, bound: None } => write!(
                f,
                "no limit found up to the configured bound: c={at_least} held, the maximum is {at_least} or more"
            ),
            Limit::BoundReached { at_least, bound: Some(bound) } => {
                write!(
                    f,
                    "no limit found within {bound}: c={at_least} held, the maximum is {at_least} or more"
                )
            }
            Limit::Undetermined { at_least: Some(level), reason } => {
                write!(f, "limit not determined: {reason}; c={level} was the highest level that held")
            }
            Limit::Undetermined { at_least: None, reason } => write!(f, "limit not determined: {reason}"),
            Limit::NotRun => f.write_str("the concurrency ramp was not run"),
        }
    }
}

fn held_times(tally: Tally) -> String {
    format!("held {} of {}", tally.held, tally.held + tally.broke)
}

/// One attempt is never as good as two, and says so.
fn broke_times(tally: Tally) -> String {
    let attempts = tally.held + tally.broke;
    let alone = if attempts == 1 { ", not tried again" } else { "" };
    format!("broke {} of {attempts}{alone}", tally.broke)
}

/// What happened, and when: `worker pid 7 was killed, signal 9 (after 3.2 s)`.
impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_s {
            Some(seconds) => write!(f, "{} (after {seconds:.1} s)", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// What one says after "process 12345": `was killed, signal 9`.
impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitKind::Code(code) => write!(f, "exited, code {code}"),
            ExitKind::Signal(signal) => write!(f, "was killed, signal {signal}"),
            ExitKind::OutOfMemory => f.write_str("was killed by the kernel, out of memory (signal 9)"),
            ExitKind::Unknown => f.write_str("ended, it is not known how"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ClauseKind, NoLimit};

    #[test]
    fn the_three_endings_share_no_wording() {
        let broke = Clause {
            clause: ClauseKind::Health,
            detail: "health endpoint gone".into(),
            pids: vec![],
            at_s: Some(3.21),
        };
        let tally = |held, broke| Some(Tally { held, broke, invalid: 0 });
        let found =
            Limit::Found { max_stable: 5, broke_at: 6, broke, held: tally(2, 0), broken: tally(0, 2) };
        let bound = Limit::BoundReached { at_least: 5, bound: None }.to_string();
        let unknown = Limit::Undetermined { at_least: Some(5), reason: NoLimit::Text("interrupted".into()) }
            .to_string();
        assert_eq!(
            found.to_string(),
            "maximum stable concurrency: 5 (held 2 of 2); c=6 broke 2 of 2: health endpoint gone (after 3.2 s)"
        );
        assert_eq!(broke_times(Tally { held: 0, broke: 1, invalid: 0 }), "broke 1 of 1, not tried again");
        assert!(!bound.contains("maximum stable concurrency"), "{bound}");
        assert!(!unknown.contains("maximum"), "{unknown}");
    }
}
