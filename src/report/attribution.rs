//! Where something grew, in lines for people.

use crate::analysis::Attribution;

/// What grew where, each followed by what that usually is.
pub fn attribution_lines(attribution: &Attribution) -> Vec<String> {
    let memory = attribution.memory.iter().map(|grown| (grown.sentence(), grown.hint.as_str()));
    let counts = attribution.counts.iter().map(|grown| (grown.sentence(), grown.hint.as_str()));
    let mut lines: Vec<String> = Vec::new();
    for (sentence, hint) in memory.chain(counts) {
        lines.push(format!("grew: {sentence}"));
        lines.push(format!("      usually: {hint}"));
    }
    if let Some(reason) = &attribution.unread {
        lines.push(format!("where memory grew is not known: {reason}"));
    }
    lines
}
