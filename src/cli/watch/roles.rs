//! The roles to watch: from the configuration, patterns or pids.

use std::collections::BTreeMap;

use super::args::WatchArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Plan, ProcessPlan};
use crate::sampler::{Found, Sampler};

/// The roles that the arguments name; without arguments, those of the configuration.
///
/// # Errors
/// [`ErrorKind::Config`] for an argument that is empty.
pub(super) fn chosen(args: &WatchArgs, plan: &Plan) -> Result<BTreeMap<String, ProcessPlan>> {
    let mut roles = BTreeMap::new();
    for pid in &args.pid {
        roles.insert(format!("pid {pid}"), ProcessPlan { pid: Some(*pid), ..ProcessPlan::default() });
    }
    for what in &args.what {
        if what.trim().is_empty() {
            return Err(Error::new(ErrorKind::Config, "an empty argument names no process")
                .hint("name a role of highwater.toml, or words of a command line"));
        }
        let role = match plan.processes.get(what) {
            Some(role) => ProcessPlan { optional: false, ..role.clone() },
            None => ProcessPlan { patterns: vec![what.clone()], ..ProcessPlan::default() },
        };
        roles.insert(what.clone(), role);
    }
    if roles.is_empty() {
        // All roles are optional here; afterwards it is checked that at least one was found.
        let named = plan.processes.iter().filter(|(_, role)| !role.says_nothing());
        roles
            .extend(named.map(|(name, role)| (name.clone(), ProcessPlan { optional: true, ..role.clone() })));
    }
    Ok(roles)
}

/// Fails if no process was found: then there is nothing to watch.
///
/// # Errors
/// [`ErrorKind::ProcessNotFound`], listing near misses.
pub(super) fn check_any(sampler: &Sampler) -> Result<()> {
    let found = sampler.found();
    if found.roles.values().any(|role| !role.roots.is_empty()) {
        return Ok(());
    }
    let required = Found {
        roles: found
            .roles
            .iter()
            .map(|(name, role)| {
                let mut role = role.clone();
                role.plan.optional = false;
                (name.clone(), role)
            })
            .collect(),
    };
    required.check()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Preset;

    fn args(what: &[&str], pid: &[u32]) -> WatchArgs {
        WatchArgs {
            what: what.iter().map(ToString::to_string).collect(),
            pid: pid.to_vec(),
            ..WatchArgs::default()
        }
    }

    #[test]
    fn roles_patterns_and_pids_are_told_apart() {
        let plan = Preset::AsrRq.plan();
        let roles = chosen(&args(&["worker", "postgres: writer"], &[7]), &plan).unwrap();
        assert_eq!(roles.keys().collect::<Vec<_>>(), ["pid 7", "postgres: writer", "worker"]);
        assert_eq!(roles["worker"].patterns, plan.processes["worker"].patterns);
        assert_eq!(roles["postgres: writer"].patterns, ["postgres: writer"]);
        assert_eq!(roles["pid 7"].pid, Some(7));
        let all = chosen(&args(&[], &[]), &plan).unwrap();
        assert!(all.len() == plan.processes.len() && all.values().all(|role| role.optional));
        assert_eq!(chosen(&args(&[" "], &[]), &plan).unwrap_err().kind(), ErrorKind::Config);
    }
}
