//! How the processes of a role are found, as data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::from_environment;

/// How the processes of one role are found.
///
/// Every condition that is given must be met: a role with `program` and `port` is played by a process that
/// fulfils both. A text must be equal, or, between slashes (`/^rq:worker:/`), be a regular expression that
/// is found in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessPlan {
    /// Words that all stand in the process's command line, its arguments joined by spaces. All processes that
    /// match belong to the role. A role other than `worker` with an empty list is not watched.
    pub patterns: Vec<String>,
    /// For each of these, an argument of the process is equal to it.
    pub argv: Vec<String>,
    /// The name of the program: that of the script or module where an interpreter runs one (`uvicorn`,
    /// `worker.py`), else of the executable.
    #[schemars(example = "worker.py")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The executable file: its path, or its base name.
    #[schemars(example = "/usr/bin/python3.11")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// The name of the process, as `ps -e` and `top` show it.
    #[schemars(example = "asr-worker")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One process, instead of every other condition.
    #[schemars(range(min = 1), example = 12345)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Further processes, for programs that know several; not part of the file.
    #[serde(skip)]
    pub pids: Vec<u32>,
    /// A file that holds the process's pid.
    #[schemars(example = "/run/asr/worker.pid")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pidfile: Option<String>,
    /// A TCP port on which the process listens.
    #[schemars(range(min = 1), example = 8001)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The systemd unit that the process belongs to.
    #[schemars(example = "asr-worker.service")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The control group that the process is in, or below.
    #[schemars(example = "/system.slice/asr-worker.service")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// The process is a worker of RQ.
    #[serde(skip_serializing_if = "RqPlan::is_empty")]
    pub rq: RqPlan,
    /// The container that the process runs in, asked of Docker or Podman: its name, its id (12 digits or more), its
    /// compose service (`worker`, or `project/worker`), or a label (`app=asr`). Its first process and the descendants of
    /// that play the role; where they cannot be seen from here, the role has the figures of the container.
    #[schemars(example = "asr-worker")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The socket of the engine that runs `container`. Unless given, it is that of `DOCKER_HOST` or `CONTAINER_HOST`, or
    /// one in a usual place.
    #[schemars(example = "/run/podman/podman.sock")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_socket: Option<String>,
    /// The figures of the process come from an endpoint of metrics, wherever the process is.
    pub metrics: MetricsPlan,
    /// The figures of the role are those that the kernel has counted for a control group: of a container or a unit.
    #[serde(skip_serializing_if = "GroupPlan::is_empty")]
    pub group: GroupPlan,
    /// The figures of the role come from a Prometheus server, for what cannot be asked where it is, such as a pod.
    pub prometheus: PrometheusPlan,
    /// How many processes, each with its descendants, may play the role. Unless given, several candidates are an
    /// error, except with `patterns` and with what names its processes exactly (`pid`, `pidfile`, `port`,
    /// `unit`, `cgroup`, `container`, `rq.url`).
    #[schemars(example = &"one")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// True lets a run go on without such a process.
    pub optional: bool,
    /// False watches the role and does not judge whether its memory accumulates (`leak.growth.` and the role). The
    /// worker is always judged.
    #[default = true]
    pub judged: bool,
}

/// A worker of RQ.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RqPlan {
    /// The queue that the worker works on. Alone, it is looked for in the command line and in the title that
    /// RQ gives its workers.
    #[schemars(example = "asr-queue")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The Redis whose registry of workers is asked.
    #[schemars(example = "redis://localhost:6379/0")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The role of the Redis whose registry of workers is asked.
pub(crate) const REDIS: &str = "redis";

/// The port of Redis where its URL names none.
const REDIS_PORT: u16 = 6379;

/// The port of a Redis on this machine; `None` for one elsewhere, and for a socket that is no port.
fn local_redis_port(url: &str) -> Option<u16> {
    let place = url.strip_prefix("redis://")?.split(['/', '?', '#']).next()?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, REDIS_PORT),
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]").then_some(port)
}

/// Watches the Redis of `rq.url` as a role of its own if it is on this machine; a plan that has such a role knows better.
pub(crate) fn watch_local_redis(roles: &mut BTreeMap<String, ProcessPlan>) {
    let urls = roles.values().filter_map(|role| role.rq.url.as_deref());
    let port = urls.filter_map(|url| local_redis_port(&from_environment(url))).next();
    if let Some(port) = port.filter(|_| !roles.contains_key(REDIS)) {
        // It holds the queue and its results, which fill and expire: it is watched for outages.
        let redis = ProcessPlan { port: Some(port), optional: true, judged: false, ..ProcessPlan::default() };
        roles.insert(REDIS.to_string(), redis);
    }
}

/// Judges `roles` as `asked` does: whether a role is judged is not for the service to say.
pub(crate) fn judge_as_asked(
    roles: &mut BTreeMap<String, ProcessPlan>,
    asked: &BTreeMap<String, ProcessPlan>,
) {
    for (name, role) in roles {
        role.judged = asked.get(name).map_or(role.judged, |asked| asked.judged);
    }
}

impl RqPlan {
    fn is_empty(&self) -> bool {
        *self == RqPlan::default()
    }
}

/// The endpoint of metrics that has the figures of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsPlan {
    /// Its address: Prometheus text or OpenMetrics, of a client library, process-exporter or cAdvisor. It is asked at
    /// every boundary of a task, and each second.
    #[schemars(example = "http://10.0.0.7:9256/metrics")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The labels that the figures must have, where there are several of a name. A value is equal, or, between slashes,
    /// a regular expression.
    #[schemars(example = &["groupname=asr-worker"])]
    pub labels: Vec<String>,
    /// A figure of the service's own that is judged in the place of its memory.
    #[schemars(example = &"kv_blocks_in_use")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// The bytes that one unit of `series` stands for. Unless given, a name that ends in `_bytes` has bytes, and every
    /// other unit counts as a megabyte.
    #[schemars(range(max = 1e12), extend("exclusiveMinimum" = 0), example = 65536.0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_bytes: Option<f64>,
    /// The most time that an answer may take. Without one there is no reading, which fails `sampler.complete`.
    #[default = 1.0]
    #[schemars(range(min = 0.01, max = 60.0))]
    pub timeout_s: f64,
    /// The oldest that a figure with a time of its own may be.
    #[default = 30.0]
    #[schemars(range(max = 3600.0), extend("exclusiveMinimum" = 0))]
    pub max_age_s: f64,
}

/// The control group of a container or of a systemd unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GroupPlan {
    /// Its directory. Memory is its working set, without the page cache that the kernel can take back; private memory is
    /// what no file backs.
    #[schemars(example = &"/sys/fs/cgroup/system.slice/asr-worker.service")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl GroupPlan {
    fn is_empty(&self) -> bool {
        *self == GroupPlan::default()
    }
}

/// A Prometheus server that has the figures of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusPlan {
    /// Its address, without a path.
    #[schemars(example = &"http://prometheus:9090")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The query for memory in bytes: an instant vector selector, each of whose series counts as one process.
    pub query: String,
    /// The query for a number of restarts, where there is one: when it changes, the process is another.
    #[schemars(example = &"kube_pod_container_status_restarts_total{pod=~\"asr-.*\"}")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<String>,
    /// The most time that an answer may take.
    #[default = 5.0]
    #[schemars(range(min = 0.01, max = 60.0))]
    pub timeout_s: f64,
    /// The oldest that a sample may be: more than the interval at which the server scrapes. After a task, highwater waits
    /// for a sample that was taken later.
    #[default = 90.0]
    #[schemars(range(max = 3600.0), extend("exclusiveMinimum" = 0))]
    pub max_age_s: f64,
}

impl MetricsPlan {
    /// The bytes that one unit of the judged series stands for.
    pub fn bytes_of_one(&self) -> f64 {
        let is_bytes = self.series.as_ref().is_some_and(|series| series.ends_with("_bytes"));
        self.unit_bytes.unwrap_or(if is_bytes { 1.0 } else { crate::units::MB })
    }
}

/// How many processes may play a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Count {
    /// One process with its descendants; several candidates are an error.
    One,
    /// Every process that matches, each with its descendants.
    Any,
}

impl ProcessPlan {
    /// The processes that are named outright; nothing else counts where there are some.
    pub fn explicit_pids(&self) -> Vec<u32> {
        self.pid.iter().chain(&self.pids).copied().collect()
    }

    /// True if the plan says nothing that a process could be found by.
    pub fn says_nothing(&self) -> bool {
        let blank = |words: &[String]| words.iter().all(|word| word.trim().is_empty());
        let texts = [&self.program, &self.exe, &self.name, &self.pidfile, &self.unit, &self.cgroup];
        self.explicit_pids().is_empty()
            && blank(&self.patterns)
            && blank(&self.argv)
            && texts.iter().all(|text| text.is_none())
            && self.port.is_none()
            && self.rq.queue.is_none()
            && !self.is_elsewhere()
    }

    /// True if an origin of figures says which processes play the role, and not a search on this machine. Those of a
    /// container may still be here.
    pub fn is_elsewhere(&self) -> bool {
        let places = [&self.metrics.url, &self.group.path, &self.prometheus.url, &self.container];
        places.iter().any(|place| place.is_some())
    }

    /// The oldest that a reading of its memory may be, in seconds: 0 for one that is taken when it is asked for.
    pub fn oldest_s(&self) -> f64 {
        match (&self.metrics.url, &self.prometheus.url) {
            (Some(_), _) => self.metrics.max_age_s,
            (None, Some(_)) => self.prometheus.max_age_s,
            (None, None) => 0.0,
        }
    }

    /// True if several candidates are an error: what looks like the service
    /// may be a neighbour's. What names its processes exactly (a pid, a
    /// pidfile, a port, a unit, a control group, RQ's registry) may name
    /// several, and `patterns` always meant all that match.
    pub fn wants_one(&self) -> bool {
        let exact = !self.explicit_pids().is_empty()
            || self.pidfile.is_some()
            || self.port.is_some()
            || self.unit.is_some()
            || self.cgroup.is_some()
            || self.rq.url.is_some()
            || self.is_elsewhere();
        match self.count {
            Some(count) => count == Count::One,
            None => !exact && self.patterns.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_redis_is_a_role_of_its_own() {
        let ports = [
            ("redis://localhost", Some(6379)),
            ("redis://:secret@127.0.0.1:6380/0", Some(6380)),
            ("redis://[::1]/1", Some(6379)),
            ("redis://db.example.org:6379/0", None),
            ("unix:///run/redis.sock", None),
        ];
        for (url, port) in ports {
            assert_eq!(local_redis_port(url), port, "{url}");
        }
        let rq = RqPlan { queue: Some("q".to_string()), url: Some("redis://localhost:7000".to_string()) };
        let worker = ProcessPlan { rq, ..ProcessPlan::default() };
        let mut roles = BTreeMap::from([("worker".to_string(), worker)]);
        watch_local_redis(&mut roles);
        assert_eq!((roles[REDIS].port, roles[REDIS].optional), (Some(7000), true));
        roles.insert(REDIS.to_string(), ProcessPlan { pid: Some(7), ..ProcessPlan::default() });
        watch_local_redis(&mut roles);
        assert_eq!(roles[REDIS].pid, Some(7));
    }
}
