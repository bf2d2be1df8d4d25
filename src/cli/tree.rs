//! A process with its descendants, as they are now.

use crate::sampler::{ProcessInfo, ProcessSource, Wanted};
use crate::units::{span, to_mb};

/// The longest part of a command line that is shown.
const MOST: usize = 90;
/// The most descendants that are shown; a fork bomb would fill the screen.
const MOST_LINES: usize = 40;

/// One line for `root` and for each of its descendants, indented by depth, each
/// preceded by a line break: `pid 4711  up 2 h, 83 MB  rq worker asr-queue`.
pub(super) fn lines(root: &ProcessInfo, source: &mut dyn ProcessSource) -> String {
    let mut text = String::new();
    let mut open = vec![(0, root.clone())];
    let mut shown = 0;
    while let Some((depth, process)) = open.pop() {
        shown += 1;
        if shown > MOST_LINES {
            text.push_str("\n  … and more");
            break;
        }
        text.push_str(&format!("\n  {:1$}{2}", "", depth * 2, line(&process, source)));
        let mut children = source.children(&[process.id]);
        children.sort_by_key(|child| std::cmp::Reverse(child.id));
        open.extend(children.into_iter().map(|child| (depth + 1, child)));
    }
    text
}

fn line(process: &ProcessInfo, source: &mut dyn ProcessSource) -> String {
    let clock = source.clock().filter(|_| !process.id.is_elsewhere());
    let age = clock.map(|clock| format!("up {}, ", span(clock.age_s(process.id))));
    let rss =
        source.read(process.id, Wanted::MEMORY).map(|reading| format!("{:.0} MB", to_mb(reading.rss_bytes)));
    let command = process.command_line();
    let mut shown: String = command.chars().take(MOST).collect();
    if shown.len() < command.len() {
        shown.push('…');
    }
    let (age, rss) = (age.unwrap_or_default(), rss.unwrap_or_else(|error| error.to_string()));
    if process.id.is_elsewhere() {
        return format!("{rss}  {shown}");
    }
    format!("pid {}  {age}{rss}  {shown}", process.id.pid)
}
