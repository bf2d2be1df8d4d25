//! What the processes of a plan must fulfil.

use std::collections::BTreeMap;

use super::Violation;
use crate::plan::words::Word;
use crate::plan::words::names_a_variable;
use crate::plan::{GroupPlan, MetricsPlan, ProcessPlan, PrometheusPlan};

/// What says how a role is found, in a hint.
const WAYS: &str = "by `program`, `argv`, `port`, `pidfile`, `pid` or `unit`; `highwater init` \
    writes a file that explains them. A flag does it too: `--worker-port`, `--worker-pidfile`, `--worker-pid`";

/// Every role can be found, by what can be looked for.
pub(super) fn processes(processes: &BTreeMap<String, ProcessPlan>) -> Vec<Violation> {
    let mut found = Vec::new();
    if !processes.contains_key("worker") {
        let message = "there is no role `worker`, the one whose memory is judged".to_string();
        found.push(
            Violation::new(&["processes.worker.patterns", "processes.worker.optional"], message)
                .hint(format!("say in `[processes.worker]` how to find it, {WAYS}")),
        );
    }
    for (role, process) in processes {
        let key = |field: &str| format!("processes.{role}.{field}");
        if role.trim().is_empty() {
            found.push(Violation::new(
                &[&key("patterns")],
                "the name of a role must not be empty".to_string(),
            ));
        }
        if process.says_nothing() && process.patterns.is_empty() && process.argv.is_empty() {
            let keys = ["patterns", "argv", "pid", "optional"].map(key);
            let keys = keys.each_ref().map(String::as_str);
            let message = format!("`processes.{role}` does not say how its process is found");
            found.push(Violation::new(&keys, message).hint(WAYS));
        }
        for (field, words) in [("patterns", &process.patterns), ("argv", &process.argv)] {
            if words.iter().any(|word| word.trim().is_empty()) {
                // An empty word stands in every command line and would match any process.
                let message = format!("`{}` must not hold an empty word", key(field));
                found.push(Violation::new(&[&key(field)], message));
            }
        }
        found.extend(texts(role, process));
        found.extend(rq(role, process));
        found.extend(container(role, process));
        found.extend(metrics(role, process));
        found.extend(prometheus(role, process));
        found.extend(one_place(role, process));
    }
    found
}

/// Text that is given is not empty, and a regular expression is one.
fn texts(role: &str, process: &ProcessPlan) -> Vec<Violation> {
    let plain = [
        ("pidfile", &process.pidfile),
        ("rq.queue", &process.rq.queue),
        ("container_socket", &process.container_socket),
    ];
    let words = [
        ("program", &process.program),
        ("exe", &process.exe),
        ("name", &process.name),
        ("unit", &process.unit),
        ("cgroup", &process.cgroup),
        ("container", &process.container),
    ];
    let given = plain.into_iter().chain(words).filter_map(|(field, text)| Some((field, text.as_deref()?)));
    let mut found = Vec::new();
    for (field, text) in given {
        if text.trim().is_empty() {
            let key = format!("processes.{role}.{field}");
            found.push(Violation::new(&[&key], format!("`{key}` must not be empty")));
        }
    }
    let words = words.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?)));
    for (field, text) in words.chain(process.argv.iter().map(|word| ("argv", word.as_str()))) {
        if let Err(error) = Word::new(text) {
            let key = format!("processes.{role}.{field}");
            let message = format!("`{key}` is not a regular expression: {error}");
            found.push(
                Violation::new(&[&key], message)
                    .hint("text between slashes is one; without them it must be equal"),
            );
        }
    }
    found
}

fn container(role: &str, process: &ProcessPlan) -> Option<Violation> {
    let key = |field: &str| format!("processes.{role}.{field}");
    if process.container.is_none() {
        process.container_socket.as_ref()?;
        let message = format!("`{}` is given and `{}` is not", key("container_socket"), key("container"));
        return Some(Violation::new(&[&key("container")], message).hint("name the container, too"));
    }
    #[cfg(not(feature = "containers"))]
    {
        let error = crate::Error::without_feature(&format!("`{}`", key("container")), "containers");
        let hint = error.hint_text().unwrap_or_default().to_string();
        Some(Violation::new(&[&key("container")], error.to_string()).hint(hint))
    }
    #[cfg(feature = "containers")]
    None
}

fn metrics(role: &str, process: &ProcessPlan) -> Vec<Violation> {
    let metrics = &process.metrics;
    let key = |field: &str| format!("processes.{role}.metrics.{field}");
    let Some(url) = &metrics.url else {
        let asks = metrics.series.is_some() || !metrics.labels.is_empty();
        let message = format!("`processes.{role}.metrics` has no `url`, the address of the metrics");
        return if asks { vec![Violation::new(&[&key("url")], message)] } else { Vec::new() };
    };
    let mut found = Vec::new();
    #[cfg(not(feature = "remote"))]
    {
        let error = crate::Error::without_feature(&format!("`{}`", key("url")), "remote");
        let hint = error.hint_text().unwrap_or_default().to_string();
        found.push(Violation::new(&[&key("url")], error.to_string()).hint(hint));
    }
    if !names_a_variable(url) {
        found.extend(super::target::url_violation(&key("url"), url));
    }
    for label in &metrics.labels {
        let value = label.split_once('=').filter(|(name, _)| !name.trim().is_empty());
        let wrong = match value {
            None => Some("is not of the form `name=value`".to_string()),
            Some((_, value)) => {
                Word::new(value).err().map(|error| format!("is not a regular expression: {error}"))
            }
        };
        if let Some(wrong) = wrong {
            let message = format!("`{label}` in `{}` {wrong}", key("labels"));
            found.push(Violation::new(&[&key("labels")], message).hint("for example `groupname=asr-worker`"));
        }
    }
    found
}

fn prometheus(role: &str, process: &ProcessPlan) -> Vec<Violation> {
    let prometheus = &process.prometheus;
    let key = |field: &str| format!("processes.{role}.prometheus.{field}");
    let mut found = Vec::new();
    match &prometheus.url {
        Some(url) => {
            if !names_a_variable(url) {
                found.extend(super::target::url_violation(&key("url"), url));
            }
            let message = format!("`{}` is empty: what is the memory of the role?", key("query"));
            let hint = "for example `container_memory_working_set_bytes{pod=~\"asr-.*\"}`";
            let asks = !prometheus.query.trim().is_empty();
            found.extend((!asks).then(|| Violation::new(&[&key("query")], message).hint(hint)));
            #[cfg(not(feature = "remote"))]
            {
                let error = crate::Error::without_feature(&format!("`{}`", key("url")), "remote");
                let hint = error.hint_text().unwrap_or_default().to_string();
                found.push(Violation::new(&[&key("url")], error.to_string()).hint(hint));
            }
        }
        None if !prometheus.query.is_empty() => {
            let message = format!("`processes.{role}.prometheus` has no `url`, the address of the server");
            found.push(Violation::new(&[&key("url")], message));
        }
        None => {}
    }
    found
}

/// The figures of a role come from one place.
fn one_place(role: &str, process: &ProcessPlan) -> Option<Violation> {
    let places = [
        ("container", process.container.is_some()),
        ("metrics.url", process.metrics.url.is_some()),
        ("group.path", process.group.path.is_some()),
        ("prometheus.url", process.prometheus.url.is_some()),
    ];
    let mut given = places.into_iter().filter(|(_, given)| *given).map(|(field, _)| field);
    let first = given.next()?;
    let here = ProcessPlan {
        container: None,
        metrics: MetricsPlan::default(),
        group: GroupPlan::default(),
        prometheus: PrometheusPlan::default(),
        ..process.clone()
    };
    let message = match given.next() {
        Some(second) => format!("`processes.{role}` has `{first}` and `{second}`"),
        None if here.says_nothing() => return None,
        None => format!("`processes.{role}` has `{first}` and says how to find a process here as well"),
    };
    let hint = "the figures of a role come from one place: leave one of the two out";
    Some(Violation::new(&[&format!("processes.{role}.{first}")], message).hint(hint))
}

fn rq(role: &str, process: &ProcessPlan) -> Vec<Violation> {
    let Some(url) = &process.rq.url else { return Vec::new() };
    let key = format!("processes.{role}.rq.url");
    let mut found = Vec::new();
    if process.rq.queue.is_none() {
        let message =
            format!("`{key}` needs `processes.{role}.rq.queue`, the queue that the worker works on");
        found.push(Violation::new(&[&key], message));
    }
    #[cfg(not(feature = "rq"))]
    {
        let error = crate::Error::without_feature(&format!("`{key}`"), "rq");
        let hint = error.hint_text().unwrap_or_default().to_string();
        found.push(Violation::new(&[&key], error.to_string()).hint(hint));
    }
    if !names_a_variable(url) && !is_redis(url) {
        let hint = if url.starts_with("rediss:") {
            "Redis over TLS is not spoken; leave `rq.url` out to find the worker by its command line"
        } else {
            "for example `redis://localhost:6379/0`, or `unix:///run/redis/redis.sock`"
        };
        let message = format!("`{key}` must be a `redis://` or `unix://` URL");
        found.push(Violation::new(&[&key], message).hint(hint));
    }
    found
}

/// True for a URL of Redis. It may hold a password, so it is not shown.
#[cfg(feature = "rq")]
fn is_redis(url: &str) -> bool {
    redis::parse_redis_url(url).is_some_and(|url| {
        matches!(url.scheme(), "unix" | "redis+unix") || url.scheme() == "redis" && url.has_host()
    })
}

/// Which feature is missing has been said; nothing else needs to be.
#[cfg(not(feature = "rq"))]
fn is_redis(_: &str) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Preset, validate};

    /// The complaint about the default plan after `change` to its worker.
    fn complaint(change: impl FnOnce(&mut ProcessPlan)) -> String {
        let mut plan = Preset::AsrRq.plan();
        change(plan.processes.get_mut("worker").unwrap());
        validate(&plan).unwrap_err().to_string()
    }

    #[test]
    fn every_role_can_be_found() {
        let mut plan = Preset::AsrRq.plan();
        plan.processes.remove("worker");
        assert_eq!(
            validate(&plan).unwrap_err().to_string(),
            "there is no role `worker`, the one whose memory is judged"
        );
        assert_eq!(
            complaint(|worker| *worker = ProcessPlan::default()),
            "`processes.worker` does not say how its process is found"
        );
        assert_eq!(
            complaint(|worker| worker.patterns.push(String::new())),
            "`processes.worker.patterns` must not hold an empty word"
        );
    }

    #[test]
    fn what_is_looked_for_can_be_looked_for() {
        assert_eq!(
            complaint(|worker| worker.program = Some(" ".into())),
            "`processes.worker.program` must not be empty"
        );
        let unclosed = complaint(|worker| worker.argv.push("/(/".into()));
        assert!(unclosed.starts_with("`processes.worker.argv` is not a regular expression: "), "{unclosed}");
        assert_eq!(
            complaint(|worker| worker.port = Some(0)),
            "`processes.worker.port` must be a whole number from 1 to 65535, got `0`"
        );
    }

    #[test]
    #[cfg(feature = "remote")]
    fn metrics_have_an_address_and_are_the_only_place_of_a_role() {
        let complaint = |change: fn(&mut ProcessPlan)| {
            complaint(|worker| {
                *worker = ProcessPlan::default();
                worker.metrics.url = Some("http://h:9256/metrics".into());
                change(worker);
            })
        };
        assert_eq!(
            complaint(|worker| worker.port = Some(1)),
            "`processes.worker` has `metrics.url` and says how to find a process here as well"
        );
        assert_eq!(
            complaint(|worker| worker.metrics.labels = vec!["asr".into()]),
            "`asr` in `processes.worker.metrics.labels` is not of the form `name=value`"
        );
        assert_eq!(
            complaint(|worker| worker.metrics.url = Some("h:9256".into())),
            "`processes.worker.metrics.url` must be an `http://` or `https://` URL, got `h:9256`"
        );
        assert_eq!(
            complaint(|worker| {
                worker.metrics.url = None;
                worker.metrics.series = Some("blocks".into());
                worker.port = Some(1);
            }),
            "`processes.worker.metrics` has no `url`, the address of the metrics"
        );
    }

    #[test]
    #[cfg(feature = "rq")]
    fn a_redis_url_is_one_and_never_shown() {
        let url = |url: &str| complaint(|worker| worker.rq.url = Some(url.into()));
        for bad in ["localhost:6379", "http://u:secret@h", "rediss://:secret@h", "redis://", ""] {
            assert_eq!(url(bad), "`processes.worker.rq.url` must be a `redis://` or `unix://` URL", "{bad}");
        }
        assert_eq!(
            complaint(|worker| {
                worker.rq.url = Some("redis://h".into());
                worker.rq.queue = None;
                worker.program = Some("rq".into());
            }),
            "`processes.worker.rq.url` needs `processes.worker.rq.queue`, the queue that the worker works on"
        );
    }
}
