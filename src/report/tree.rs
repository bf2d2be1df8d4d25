//! Who descended from whom: the trees of the roles. Pure.

use std::fmt::Write;

use serde::Serialize;

use super::markdown::put;
use crate::record::{Event, ExitKind, ProcessSeen, RunData};

/// One role with its trees.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleTree {
    /// The role.
    pub role: String,
    /// The processes that were looked for, in the order in which they were seen.
    pub roots: Vec<TreeNode>,
    /// Further descendants that ended and are not listed, in all roles together.
    pub unlisted: u64,
}

/// One process with its descendants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TreeNode {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its command line.
    pub command: String,
    /// How long it had been running when it or the watching ended, in seconds.
    pub age_s: f64,
    /// The highest RSS that was seen of it, in MB.
    pub peak_mb: f64,
    /// How it ended; null if it outlived the watching.
    pub end: Option<ExitKind>,
    /// The processes that it started, and what these did.
    pub children: Vec<TreeNode>,
}

/// The trees of a run, by role; empty where the run's log does not tell.
pub(super) fn trees(run: &RunData) -> Vec<RoleTree> {
    let told = run.events.iter().rev().find_map(|record| match &record.event {
        Event::ProcessesSeen { processes, unlisted } => Some((processes, *unlisted)),
        _ => None,
    });
    let Some((processes, unlisted)) = told else { return Vec::new() };
    let mut roles: Vec<RoleTree> = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        if !is_head(processes, index) {
            continue;
        }
        let node = node(processes, index, &mut vec![index]);
        match roles.iter_mut().find(|tree| tree.role == process.role) {
            Some(tree) => tree.roots.push(node),
            None => roles.push(RoleTree { role: process.role.clone(), roots: vec![node], unlisted }),
        }
    }
    // The worker is what a run is about.
    roles.sort_by_key(|tree| (tree.role != crate::analysis::WORKER, tree.role.clone()));
    roles
}

/// The process that `index` descends from directly: the latest with that pid that was seen before it.
fn parent(processes: &[ProcessSeen], index: usize) -> Option<usize> {
    let child = &processes[index];
    let fits = |other: &ProcessSeen| other.pid == child.parent && other.role == child.role;
    let earlier = processes[..index].iter().rposition(fits);
    // Two that were there at the start are in no particular order.
    earlier.or_else(|| processes.iter().enumerate().position(|(at, other)| at != index && fits(other)))
}

/// A root, or a descendant whose parent is not known any more.
fn is_head(processes: &[ProcessSeen], index: usize) -> bool {
    processes[index].root || parent(processes, index).is_none()
}

/// `path` holds the processes above, since damaged data may hold a circle.
fn node(processes: &[ProcessSeen], index: usize, path: &mut Vec<usize>) -> TreeNode {
    let process = &processes[index];
    let mut children = Vec::new();
    for child in 0..processes.len() {
        let below = !is_head(processes, child) && parent(processes, child) == Some(index);
        if below && !path.contains(&child) {
            path.push(child);
            children.push(node(processes, child, path));
            path.pop();
        }
    }
    TreeNode {
        pid: process.pid,
        name: process.name.clone(),
        command: process.command.clone(),
        age_s: process.age_s,
        peak_mb: process.peak_mb,
        end: process.end,
        children,
    }
}

/// So many children of one command have a line each; more of them share one,
/// since a worker that forks for every task would fill the report.
const APART: usize = 3;
/// So much of a command line is shown.
const COMMAND: usize = 100;

/// The section with the trees, if there is anything to show.
pub(super) fn section(text: &mut String, trees: &[RoleTree]) {
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

fn nodes(text: &mut String, nodes_here: &[TreeNode], depth: usize) {
    let indent = "  ".repeat(depth);
    let alike = |one: &TreeNode, other: &TreeNode| {
        one.name == other.name && one.children.is_empty() && other.children.is_empty()
    };
    let mut told: Vec<usize> = Vec::new();
    for (index, one) in nodes_here.iter().enumerate() {
        if told.contains(&index) {
            continue;
        }
        let same: Vec<usize> = (index..nodes_here.len()).filter(|&at| alike(one, &nodes_here[at])).collect();
        if same.len() > APART {
            let group: Vec<&TreeNode> = same.iter().map(|&at| &nodes_here[at]).collect();
            put!(text, "{indent}- {}", together(&group));
            told.extend(same);
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
    use crate::record::EventRecord;

    fn seen(role: &str, pid: u32, parent: u32, root: bool, end: Option<ExitKind>) -> ProcessSeen {
        ProcessSeen {
            role: role.to_string(),
            pid,
            parent,
            name: "rq".to_string(),
            command: format!("rq worker {role}"),
            root,
            age_s: f64::from(pid) / 10.0,
            peak_mb: f64::from(pid),
            end,
        }
    }

    fn run(processes: Vec<ProcessSeen>) -> RunData {
        let event = Event::ProcessesSeen { processes, unlisted: 2 };
        let record = EventRecord { time: String::new(), elapsed: 0.0, event };
        RunData { events: vec![record], ..RunData::default() }
    }

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
        let mut text = String::new();
        section(&mut text, &trees(&run(processes)));
        insta::assert_snapshot!(text, @r"
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

    #[test]
    fn a_reused_pid_belongs_to_the_later_parent_and_circles_end() {
        let later = [
            seen("worker", 100, 1, true, Some(ExitKind::Code(1))),
            seen("worker", 30, 100, false, None),
            seen("worker", 100, 1, true, None),
            seen("worker", 31, 100, false, None),
        ];
        let roots = &trees(&run(later.to_vec()))[0].roots;
        let children: Vec<Vec<u32>> =
            roots.iter().map(|root| root.children.iter().map(|child| child.pid).collect()).collect();
        assert_eq!(children, [[30], [31]]);
        let circle = [seen("worker", 1, 2, false, None), seen("worker", 2, 1, false, None)];
        assert!(trees(&run(circle.to_vec())).is_empty(), "neither is the head of the other");
    }

    #[test]
    fn an_older_log_has_no_tree() {
        assert!(trees(&RunData::default()).is_empty());
    }
}
