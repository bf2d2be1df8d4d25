//! A Prometheus server: for figures that cannot be asked for where they are, such as those of a pod.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Figures, Origin, Sighting};
use crate::plan::{PrometheusPlan, from_environment};
use crate::service::Endpoint;
use crate::{Error, ErrorKind, Result};

/// How often the server is asked: it has nothing new more often than it scrapes.
const PACE: Duration = Duration::from_secs(1);

/// The figures of a server.
pub(super) struct Prometheus {
    plan: PrometheusPlan,
    url: String,
    memory: Endpoint,
    /// When each of the samples was taken: the server's own time of an answer is that of the question.
    taken: Endpoint,
    restarts: Option<Endpoint>,
    runtime: Runtime,
}

/// A value by the labels that it has.
type Vector = BTreeMap<String, f64>;

impl Prometheus {
    /// # Errors
    /// [`ErrorKind::Config`] if the URL is none.
    pub(super) fn of_plan(plan: &PrometheusPlan) -> Result<Prometheus> {
        let url = plan.url.clone().unwrap_or_default();
        let base = from_environment(&url);
        let ask = |query: &str| {
            Endpoint::of_url(&format!("{}/api/v1/query?query={}", base.trim_end_matches('/'), escaped(query)))
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))?;
        Ok(Prometheus {
            memory: ask(&plan.query)?,
            taken: ask(&format!("timestamp({})", plan.query))?,
            restarts: plan.restarts.as_deref().map(ask).transpose()?,
            plan: plan.clone(),
            url,
            runtime,
        })
    }
}

impl Origin for Prometheus {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn read(&mut self) -> std::result::Result<Sighting, String> {
        let limit = self.patience();
        let asked = async {
            let memory = self.memory.get_text().await?;
            let taken = self.taken.get_text().await?;
            let restarts = match &self.restarts {
                Some(restarts) => Some(restarts.get_text().await?),
                None => None,
            };
            Ok::<_, String>((memory, taken, restarts))
        };
        let asked = async { tokio::time::timeout(limit, asked).await };
        let (memory, taken, restarts) = match self.runtime.block_on(asked) {
            Ok(Ok(answers)) => answers,
            Ok(Err(problem)) => return Err(format!("cannot be asked: {problem}")),
            Err(_) => return Err(format!("gives no answer within {} s", limit.as_secs_f64())),
        };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        figures(&memory, &taken, restarts.as_deref(), now_s).map(Sighting::from)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.plan.timeout_s)
    }

    fn oldest_s(&self) -> f64 {
        self.plan.max_age_s
    }

    fn pace(&self) -> Duration {
        PACE
    }
}

/// The figures in the answers to the three questions.
fn figures(
    memory: &str,
    taken: &str,
    restarts: Option<&str>,
    now_s: f64,
) -> std::result::Result<Vec<Figures>, String> {
    let (memory, taken) = (vector(memory)?, vector(taken)?);
    // Nothing is known of restarts where the question has no answer, and then nothing is concluded.
    let restarts = restarts.map(vector).transpose()?.unwrap_or_default();
    if memory.is_empty() {
        // Its target is down, or has not been scraped: a gap, and no end of a process.
        return Err("has no sample for the query: its target may be down (`up == 0`)".to_string());
    }
    let restarted: f64 = restarts.values().sum();
    let figures = memory.into_iter().map(|(key, value)| {
        if !(value.is_finite() && value > 0.0 && value < 1e15) {
            return Err(format!("says that the memory is {value}, which cannot be"));
        }
        let at = taken.get(&key).ok_or("does not say when its sample was taken")?;
        let name = name(&key);
        Ok(Figures {
            name,
            key: format!("{key} {restarted}"),
            age_s: (now_s - at).max(0.0),
            rss_bytes: value as u64,
            ..Figures::default()
        })
    });
    figures.collect()
}

/// The vector of an answer; the name of the metric is left out of the labels, as `timestamp()` does.
fn vector(answer: &str) -> std::result::Result<Vector, String> {
    let answer: Value =
        serde_json::from_str(answer).map_err(|error| format!("gives an answer that is not JSON: {error}"))?;
    if answer["status"] != "success" {
        return Err(format!(
            "refuses the query: {}",
            answer["error"].as_str().unwrap_or("no reason is given")
        ));
    }
    if answer["data"]["resultType"] != "vector" {
        return Err("answers the query with something else than a vector".to_string());
    }
    let one = |series: &Value| {
        let labels = series["metric"].as_object()?;
        let labels = labels.iter().filter(|(name, _)| *name != "__name__");
        let key: Vec<String> =
            labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
        Some((key.join(","), series["value"][1].as_str()?.parse().ok()?))
    };
    let all = answer["data"]["result"].as_array().into_iter().flatten();
    all.map(|series| one(series).ok_or_else(|| "has a series without a value".to_string())).collect()
}

/// What people call it: its pod or container, or all of its labels.
fn name(key: &str) -> String {
    let label = |wanted: &str| {
        key.split(',')
            .find_map(|label| label.strip_prefix(wanted)?.strip_prefix('='))
            .filter(|name| !name.is_empty())
    };
    ["pod", "name", "container", "instance"].into_iter().find_map(label).unwrap_or(key).to_string()
}

/// `query` as part of a URL.
fn escaped(query: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    query.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as a server gives it.
    fn answer(series: &[(&str, &str, f64)]) -> String {
        let one = |(pod, name, value): &(&str, &str, f64)| {
            format!(r#"{{"metric":{{"__name__":"{name}","pod":"{pod}"}},"value":[1700000100.5,"{value}"]}}"#)
        };
        let all: Vec<String> = series.iter().map(one).collect();
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, all.join(","))
    }

    const MEMORY: &str = "container_memory_working_set_bytes";

    fn read(
        memory: &[(&str, &str, f64)],
        at: f64,
        restarts: f64,
    ) -> std::result::Result<Vec<Figures>, String> {
        let taken: Vec<_> = memory.iter().map(|(pod, _, _)| (*pod, "", at)).collect();
        let restarts = answer(&[("asr-1", "kube_pod_container_status_restarts_total", restarts)]);
        figures(&answer(memory), &answer(&taken), Some(&restarts), 1_700_000_100.0)
    }

    #[test]
    fn a_pod_has_its_memory_its_age_and_its_restarts() {
        let found = read(&[("asr-1", MEMORY, 3e8), ("asr-2", MEMORY, 2e8)], 1_700_000_088.0, 0.0).unwrap();
        assert_eq!(
            (found[0].name.as_str(), found[0].rss_bytes, found[0].age_s),
            ("asr-1", 300_000_000, 12.0)
        );
        assert_eq!((found[1].name.as_str(), found[1].fds), ("asr-2", None));
        let later = read(&[("asr-1", MEMORY, 3e8)], 1_700_000_088.0, 1.0).unwrap();
        assert_ne!(later[0].key, found[0].key, "a restart makes it another");
    }

    #[test]
    fn a_gap_is_no_zero_and_no_end() {
        assert!(read(&[], 0.0, 0.0).unwrap_err().contains("`up == 0`"));
        assert!(read(&[("asr-1", MEMORY, 0.0)], 0.0, 0.0).unwrap_err().contains("cannot be"));
        let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(vector(refused).unwrap_err(), "refuses the query: parse error");
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert!(vector(scalar).unwrap_err().contains("something else than a vector"));
        assert!(vector("<html>").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn a_query_can_stand_in_a_url() {
        assert_eq!(escaped(r#"a{b=~"c.*"} / 2"#), "a%7Bb%3D~%22c.%2A%22%7D%20%2F%202");
    }
}
