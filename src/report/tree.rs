//! The trees of the roles in Markdown. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::doc::Doc;
use super::figures::put;
use crate::assessment::{RoleTree, TreeNode};

/// So many children of one command have a line each; more of them share one,
/// since a worker that forks for every task would fill the report.
const APART: usize = 3;
/// So much of a command line is shown.
const COMMAND: usize = 100;

/// The section with the trees, if there is anything to show.
pub(super) fn section(text: &mut Doc, trees: &[RoleTree]) {
    if trees.is_empty() {
        return;
    }
    put!(text, "## Process trees\n");
    put!(text, "How long each process ran, and its highest RSS in MB.\n");
    for tree in trees {
        put!(text, "- {}", tree.role);
        nodes(text, &tree.roots, 1);
    }
    if let Some(unlisted) = trees.first().map(|tree| tree.unlisted).filter(|&unlisted| unlisted > 0) {
        put!(text, "\n{unlisted} more descendants had ended and are not listed.");
    }
    put!(text, "");
}

fn nodes(text: &mut Doc, nodes_here: &[TreeNode], depth: usize) {
    let indent = "  ".repeat(depth);
    let mut alike: BTreeMap<&str, Vec<&TreeNode>> = BTreeMap::new();
    for one in nodes_here.iter().filter(|one| one.children.is_empty()) {
        alike.entry(&one.name).or_default().push(one);
    }
    alike.retain(|_, group| group.len() > APART);
    for one in nodes_here {
        if let Some(group) = alike.get_mut(one.name.as_str()).filter(|_| one.children.is_empty()) {
            // They are told where the first of them stands.
            if !group.is_empty() {
                put!(text, "{indent}- {}", together(&std::mem::take(group)));
            }
            continue;
        }
        put!(text, "{indent}- {}", line(one));
        nodes(text, &one.children, depth + 1);
    }
}

/// `rq, pid 4711, 12 min, peak 83.1, alive: `rq worker asr-queue``.
fn line(node: &TreeNode) -> String {
    format!(
        "{}, pid {}, {}, peak {:.1}, {}: `{}`",
        node.name,
        node.pid,
        span(node.age_s),
        node.peak_mb,
        end(node),
        shown(&node.command)
    )
}

fn together(group: &[&TreeNode]) -> String {
    let shortest = group.iter().map(|node| node.age_s).fold(f64::INFINITY, f64::min);
    let longest = group.iter().map(|node| node.age_s).fold(0.0, f64::max);
    let highest = group.iter().map(|node| node.peak_mb).fold(0.0, f64::max);
    let mut ends: Vec<(String, usize)> = Vec::new();
    for node in group {
        let end = end(node);
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, count)) => *count += 1,
            None => ends.push((end, 1)),
        }
    }
    let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    format!(
        "{}, {} of them, {} to {} each, highest peak {highest:.1}, {}: `{}`",
        group[0].name,
        group.len(),
        span(shortest),
        span(longest),
        ends.join("; "),
        shown(&group[0].command)
    )
}

fn end(node: &TreeNode) -> String {
    node.end.map_or_else(|| "alive".to_string(), |how| how.to_string())
}

fn span(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1} s") } else { crate::units::span(seconds) }
}

/// A backtick would end the code that it stands in.
fn shown(command: &str) -> String {
    let plain = command.replace(['`', '\n'], "'");
    if plain.chars().count() <= COMMAND {
        return plain;
    }
    plain.chars().take(COMMAND).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::tree::tests::{run, seen};
    use crate::assessment::tree::trees;
    use crate::record::ExitKind;

    #[test]
    fn a_tree_is_told_by_role_and_depth_with_many_children_in_one_line() {
        let mut processes = vec![
            seen("api", 20, 1, true, None),
            seen("api", 22, 20, false, None),
            seen("worker", 100, 1, true, Some(ExitKind::Signal(9))),
        ];
        processes.extend((31..35).map(|pid| seen("worker", pid, 100, false, Some(ExitKind::Code(0)))));
        // Its parent had ended before it was seen.
        processes.push(seen("worker", 90, 89, false, None));
        let mut text = Doc::default();
        section(&mut text, &trees(&run(processes)));
        insta::assert_snapshot!(text.markdown(), @r"
        ## Process trees

        How long each process ran, and its highest RSS in MB.

        - worker
          - rq, pid 100, 10 s, peak 100.0, was killed, signal 9: `rq worker worker`
            - rq, 4 of them, 3.1 s to 3.4 s each, highest peak 34.0, 4 exited, code 0: `rq worker worker`
          - rq, pid 90, 9.0 s, peak 90.0, alive: `rq worker worker`
        - api
          - rq, pid 20, 2.0 s, peak 20.0, alive: `rq worker api`
            - rq, pid 22, 2.2 s, peak 22.0, alive: `rq worker api`

        2 more descendants had ended and are not listed.
        ");
    }
}
