//! Who descended from whom: the trees of the roles. Pure.

use std::collections::HashMap;

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
    let family = Family::of(processes);
    let mut roles: Vec<RoleTree> = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        if !family.is_head(index) {
            continue;
        }
        let node = family.node(index, &mut Vec::new());
        match roles.iter_mut().find(|tree| tree.role == process.role) {
            Some(tree) => tree.roots.push(node),
            None => roles.push(RoleTree { role: process.role.clone(), roots: vec![node], unlisted }),
        }
    }
    // The worker is what a run is about.
    roles.sort_by_key(|tree| (tree.role != crate::analysis::WORKER, tree.role.clone()));
    roles
}

/// Processes with their parents and children, by their places in the list.
struct Family<'a> {
    processes: &'a [ProcessSeen],
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
}

impl<'a> Family<'a> {
    fn of(processes: &'a [ProcessSeen]) -> Family<'a> {
        let mut places: HashMap<(u32, &str), Vec<usize>> = HashMap::new();
        for (index, process) in processes.iter().enumerate() {
            places.entry((process.pid, &process.role)).or_default().push(index);
        }
        let parent = |(index, child): (usize, &ProcessSeen)| {
            let places = places.get(&(child.parent, child.role.as_str()))?;
            // The latest with that pid that was seen before it. Two that were there at the start are in no
            // particular order.
            let earlier = places[..places.partition_point(|&at| at < index)].last();
            earlier.or_else(|| places.iter().find(|&&at| at != index)).copied()
        };
        let parents: Vec<Option<usize>> = processes.iter().enumerate().map(parent).collect();
        let mut children = vec![Vec::new(); processes.len()];
        for (child, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent.filter(|_| !processes[child].root) {
                children[parent].push(child);
            }
        }
        Family { processes, parents, children }
    }

    /// A root, or a descendant whose parent is not known any more.
    fn is_head(&self, index: usize) -> bool {
        self.processes[index].root || self.parents[index].is_none()
    }

    /// `path` has the processes above, since damaged data may have a circle. A chain of processes that is longer than
    /// any is cut.
    fn node(&self, index: usize, path: &mut Vec<usize>) -> TreeNode {
        let process = &self.processes[index];
        path.push(index);
        let below = self.children[index].iter().filter(|_| path.len() < DEEPEST);
        let below: Vec<usize> = below.copied().filter(|child| !path.contains(child)).collect();
        let children = below.into_iter().map(|child| self.node(child, path)).collect();
        path.pop();
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
}

/// Generations that are shown.
const DEEPEST: usize = 64;

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
