//! How a layer of the configuration changes the way in which a role is found.

use std::collections::{BTreeMap, BTreeSet};

use figment::value::Value;

use super::setting::{Origin, Setting};

/// The keys of a role that say how its processes are found. `rq.url` is not
/// among them: it makes `rq.queue` more exact.
pub(super) const FINDERS: [&str; 15] = [
    "patterns",
    "argv",
    "program",
    "exe",
    "name",
    "pid",
    "pidfile",
    "port",
    "unit",
    "cgroup",
    "rq.queue",
    "container",
    "metrics.url",
    "group.path",
    "prometheus.url",
];

/// Keys that mean something only beside another one, and that one.
const REFINERS: [(&str, &str); 5] = [
    ("container_socket", "container"),
    ("metrics.labels", "metrics.url"),
    ("metrics.series", "metrics.url"),
    ("prometheus.query", "prometheus.url"),
    ("prometheus.restarts", "prometheus.url"),
];

/// The keys of one role that a layer gives a value to.
#[derive(Debug, Default)]
pub(super) struct RoleChange {
    given: BTreeSet<String>,
    pid: Option<Origin>,
}

/// What a layer says of each role.
#[derive(Debug, Default)]
pub(super) struct RoleChanges(BTreeMap<String, RoleChange>);

impl RoleChanges {
    /// Notes that a layer gives a key this value; an empty one takes it away. Only
    /// `patterns` say something when they are empty: do not watch this role.
    pub(super) fn note(&mut self, setting: &Setting, value: &Value) {
        let [table, role, rest @ ..] = setting.path.as_slice() else { return };
        let field = rest.join(".");
        let empty = value.to_empty().is_some()
            || field == "argv" && value.as_array().is_some_and(<[Value]>::is_empty);
        if table != "processes" || rest.is_empty() || empty {
            return;
        }
        let change = self.0.entry(role.clone()).or_default();
        if field == "pid" {
            change.pid = Some(setting.origin.clone());
        }
        change.given.insert(field);
    }

    /// The paths, below the plan, of the keys that this layer makes void: a
    /// layer that says how a role is found replaces what the layers below it
    /// say, whole.
    pub(super) fn void(&self) -> Vec<Vec<String>> {
        let mut void = Vec::new();
        for (role, change) in &self.0 {
            if !change.given.iter().any(|field| FINDERS.contains(&field.as_str())) {
                continue;
            }
            let idle = REFINERS.iter().filter(|(_, finder)| !change.given.contains(*finder));
            let idle = idle.map(|(refiner, _)| *refiner);
            for field in FINDERS.into_iter().chain(["rq.url"]).chain(idle) {
                if !change.given.contains(field) {
                    let path = ["processes", role].into_iter().chain(field.split('.'));
                    void.push(path.map(str::to_string).collect());
                }
            }
        }
        void
    }

    /// A role that a layer finds by a pid and by something else: its name, the
    /// other key, and where the pid was given.
    pub(super) fn contradiction(&self) -> Option<(&str, &str, &Origin)> {
        self.0.iter().find_map(|(role, change)| {
            let pid = change.pid.as_ref()?;
            let other = |field: &&str| *field != "pid" && change.given.contains(*field);
            FINDERS.iter().find(|field| other(field)).map(|field| (role.as_str(), *field, pid))
        })
    }
}
