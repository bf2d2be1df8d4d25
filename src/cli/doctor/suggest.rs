//! What could be watched where a role has no process: containers that run here, and metrics beside the service.

use crate::plan::ProcessPlan;
use crate::sampler::{Nearby, nearby_containers, nearby_metrics};

/// As many containers as are suggested.
const MOST: usize = 3;

/// What there is around the service.
pub(super) struct Around {
    containers: Vec<Nearby>,
    /// The port of the service, if it has one.
    port: Option<u16>,
    /// The address of metrics that has the memory of a process.
    metrics: Option<String>,
}

impl Around {
    /// Looks around the service at `url`; takes seconds at most.
    pub(super) fn of(url: &str) -> Around {
        let place =
            url.split_once("://").map(|(scheme, rest)| (scheme, rest.split('/').next().unwrap_or(rest)));
        let port = place.and_then(|(_, authority)| authority.rsplit_once(':')?.1.parse().ok());
        let metrics = place.map(|(scheme, authority)| format!("{scheme}://{authority}/metrics"));
        Around { containers: nearby_containers(), port, metrics: metrics.filter(|url| nearby_metrics(url)) }
    }

    /// What to write into the configuration for `role`, each with the reason; those that fit best come first.
    pub(super) fn suggestions(&self, role: &str, plan: &ProcessPlan) -> Vec<String> {
        let words = words(role, plan);
        let fits = |text: &str| words.iter().any(|word| text.contains(word.as_str()));
        let reason = |one: &Nearby| {
            let serves = self.port.filter(|port| one.ports.contains(port));
            let named = fits(&one.name) || one.service.as_deref().is_some_and(fits);
            match (serves, named) {
                (Some(port), _) => Some((0, format!("publishes port {port}"))),
                (None, true) => Some((1, "has a fitting name".to_string())),
                (None, false) => None,
            }
        };
        let mut found: Vec<_> =
            self.containers.iter().filter_map(|one| Some((reason(one)?, one.name.as_str()))).collect();
        found.sort();
        let containers = found.into_iter().take(MOST).map(|((_, reason), name)| {
            format!("the container `{name}` {reason}; in highwater.toml:\n  [processes.{role}]\n  container = \"{name}\"")
        });
        let metrics = self.metrics.iter().map(|url| {
            format!("`{url}` has the memory of a process; in highwater.toml:\n  [processes.{role}.metrics]\n  url = \"{url}\"")
        });
        containers.chain(metrics).collect()
    }
}

/// What the name of a container of `role` may have in it.
fn words(role: &str, plan: &ProcessPlan) -> Vec<String> {
    let container = plan.container.iter().map(|name| name.trim_matches('/'));
    let named = [&plan.program, &plan.name, &plan.rq.queue, &plan.unit];
    let named =
        named.into_iter().flatten().map(|name| name.trim_end_matches(".service").trim_end_matches(".py"));
    let all =
        std::iter::once(role).chain(container).chain(named).chain(plan.patterns.iter().map(String::as_str));
    // A short word is in many names.
    all.filter(|word| word.len() >= 3 && !word.starts_with('/')).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, service: Option<&str>, ports: &[u16]) -> Nearby {
        Nearby { name: name.to_string(), service: service.map(str::to_string), ports: ports.to_vec() }
    }

    #[test]
    fn the_container_behind_the_port_comes_before_one_that_is_named_so() {
        let around = Around {
            containers: vec![
                container("redis-1", Some("redis"), &[6379]),
                container("asr-worker-1", None, &[]),
                container("front", Some("web"), &[8000]),
            ],
            port: Some(8000),
            metrics: Some("http://h:8000/metrics".to_string()),
        };
        let said = around.suggestions("worker", &ProcessPlan::default());
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(
            said[0],
            "the container `front` publishes port 8000; in highwater.toml:\n  [processes.worker]\n  container = \"front\""
        );
        assert!(said[1].starts_with("the container `asr-worker-1` has a fitting name;"), "{said:?}");
        assert!(
            said[2].ends_with("[processes.worker.metrics]\n  url = \"http://h:8000/metrics\""),
            "{said:?}"
        );
        let queue = ProcessPlan { program: Some("redis.py".to_string()), ..ProcessPlan::default() };
        assert!(around.suggestions("api", &queue)[1].contains("`redis-1` has a fitting name"));
    }
}
