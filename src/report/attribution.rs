//! Where the worker and the other roles grew, in Markdown.

use std::fmt::Write;

use super::doc::Doc;
use super::figures::put;
use crate::analysis::Attribution;

/// The section: what grew where, each with what that usually is.
pub(super) fn section(text: &mut Doc, role: &str, attribution: Option<&Attribution>) {
    let Some(found) = attribution else { return };
    put!(text, "## Where {role} grew\n\nBetween warm-up and the end of the leak check.\n");
    for grown in &found.memory {
        put!(text, "- {grown}\n  Usually: {}", grown.hint);
    }
    for grown in &found.counts {
        put!(text, "- {grown}\n  Usually: {}", grown.hint);
    }
    if let Some(reason) = &found.unread {
        put!(text, "where memory grew is not known: {reason}");
    }
    put!(text, "");
}
