//! Who descended from whom: the trees of the roles. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{Event, ExitKind, ProcessSeen, RunData};

/// One role with its trees.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct RoleTree {
    /// The role.
    pub role: String,
    /// The processes that were looked for, in the order in which they were seen.
    pub roots: Vec<TreeNode>,
    /// Further descendants that ended and are not listed, in all roles together.
    pub unlisted: u64,
}

/// One process with its descendants.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
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
pub(crate) fn trees(run: &RunData) -> Vec<RoleTree> {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::EventRecord;

    pub(crate) fn seen(role: &str, pid: u32, parent: u32, root: bool, end: Option<ExitKind>) -> ProcessSeen {
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

    pub(crate) fn run(processes: Vec<ProcessSeen>) -> RunData {
        let event = Event::ProcessesSeen { processes, unlisted: 2 };
        let record = EventRecord { time: String::new(), elapsed: 0.0, event };
        RunData { events: vec![record], ..RunData::default() }
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
