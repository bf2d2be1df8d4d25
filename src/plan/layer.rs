//! Lays the sources of the configuration over one another.
//!
//! Pure: the texts and variables come in as arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value};

use super::assignment::{Assignment, Given, Origin};
use super::keys::{Found, find, split};
use super::roles::RoleChanges;
use super::target::OPENAI_HEALTH;
use super::unknown::unknown_key;
use super::validate::violations;
use super::{Plan, TargetKind, env, file};
use crate::error::{Error, ErrorKind, Result};

/// The plan of these sources: the defaults, over them `file` (a path for the
/// messages, and the text), over that the `HIGHWATER_…` variables among
/// `variables`, over that `overrides` (dotted key and text, such as
/// `leak.repeats` and `3`).
///
/// What a layer says of how a role is found replaces all that the layers below
/// say of it: a `pid` replaces the patterns, `patterns` replace a pid. A role that
/// is optional and whose patterns are set to an empty list is not watched.
///
/// # Errors
/// `Config` for text that is not TOML, a key that does not exist, a value of the
/// wrong type or out of range, and values that contradict one another.
pub fn layer(
    file: Option<(&Path, &str)>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &[(String, String)],
) -> Result<Plan> {
    layer_with_keys(file, variables, overrides).map(|(plan, _)| plan)
}

/// As [`layer()`], with the dotted paths of the keys that any source gave.
pub(super) fn layer_with_keys(
    file: Option<(&Path, &str)>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &[(String, String)],
) -> Result<(Plan, BTreeSet<String>)> {
    let mut layers = Layers::new()?;
    if let Some((path, text)) = file {
        layers.add(file::read(path, text)?)?;
    }
    layers.add(env::read(variables, &layers.plan)?)?;
    layers.add(read_overrides(overrides)?)?;
    layers.finish()
}

fn read_overrides(overrides: &[(String, String)]) -> Result<Vec<Assignment>> {
    let one = |(dotted, text): &(String, String)| {
        let path = split(dotted);
        match find(&path) {
            Found::Key(key) => {
                Ok(Assignment { path, key, given: Given::Text(text.clone()), origin: Origin::CommandLine })
            }
            Found::Table => {
                let message = format!("`{dotted}` is a table and cannot be set as one (command line)");
                Err(Error::new(ErrorKind::Config, message)
                    .hint("set its keys one at a time, or write the table into `highwater.toml`"))
            }
            Found::Nothing => Err(unknown_key(dotted, "on the command line")),
        }
    };
    overrides.iter().map(one).collect()
}

/// The configuration so far.
struct Layers {
    /// A serialised [`Plan`].
    plan: Value,
    /// Where each key that is not at its default was given, by dotted path.
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn new() -> Result<Layers> {
        let plan = serde_json::to_value(Plan::default()).map_err(internal)?;
        Ok(Layers { plan, origins: BTreeMap::new() })
    }

    fn add(&mut self, layer: Vec<Assignment>) -> Result<()> {
        let mut roles = RoleChanges::default();
        for assignment in layer {
            let value = assignment.value()?;
            roles.note(&assignment, &value);
            self.set(&assignment.path, value);
            self.origins.insert(assignment.path.join("."), assignment.origin);
        }
        if let Some((role, other, origin)) = roles.contradiction() {
            let message = format!("`processes.{role}` has both `{other}` and a `pid` ({origin})");
            return Err(Error::new(ErrorKind::Config, message).hint(format!(
                "keep the `pid` to watch one process, or the `{other}` to find it each time"
            )));
        }
        for path in roles.void() {
            let list = path.last().is_some_and(|key| key == "patterns" || key == "argv");
            self.set(&path, if list { Value::Array(Vec::new()) } else { Value::Null });
            self.origins.remove(&path.join("."));
        }
        Ok(())
    }

    /// Puts `value` at `path`, making the tables on the way; `Null` removes.
    fn set(&mut self, path: &[String], value: Value) {
        let Some((last, tables)) = path.split_last() else { return };
        let mut table = &mut self.plan;
        for word in tables {
            if value.is_null() && table.get(word).is_none() {
                return;
            }
            table = &mut table[word.as_str()];
            if table.is_null() {
                *table = Value::Object(Map::new());
            }
        }
        let Some(table) = table.as_object_mut() else { return };
        // The names of headers are the same in any case of their letters.
        if path.starts_with(&["target".into(), "http".into(), "headers".into()]) {
            table.retain(|name, _| !name.eq_ignore_ascii_case(last));
        }
        if value.is_null() {
            table.shift_remove(last);
        } else {
            table.insert(last.clone(), value);
        }
    }

    fn finish(self) -> Result<(Plan, BTreeSet<String>)> {
        let mut plan: Plan = serde_json::from_value(self.plan).map_err(internal)?;
        if !self.origins.contains_key("target.health") {
            match plan.target.kind {
                TargetKind::Asr => {}
                TargetKind::Openai => plan.target.health = OPENAI_HEALTH.to_string(),
                // Of any service nobody knows whether it has one, and where.
                TargetKind::Http => plan.target.health = String::new(),
            }
        }
        plan.processes.retain(|role, process| {
            let emptied = self.origins.contains_key(&format!("processes.{role}.patterns"));
            !(emptied && process.optional && process.says_nothing())
        });
        match violations(&plan).into_iter().next() {
            Some(violation) => {
                let origin = violation.keys.iter().find_map(|key| self.origins.get(key));
                Err(violation.into_error(origin))
            }
            None => Ok((plan, self.origins.into_keys().collect())),
        }
    }
}

/// For what the checks above should have caught.
fn internal(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Config, "the configuration does not make a plan").source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Count, RqPlan};

    /// The plan of a file's text, variables and overrides, the last two as `NAME=value` words.
    fn lay(text: &str, variables: &[&str], overrides: &[&str]) -> Result<Plan> {
        let pairs = |words: &[&str]| -> Vec<(String, String)> {
            words
                .iter()
                .map(|word| word.split_once('=').unwrap())
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        };
        layer(Some((Path::new("highwater.toml"), text)), pairs(variables), &pairs(overrides))
    }

    fn refused(text: &str, variables: &[&str], overrides: &[&str]) -> (String, String) {
        let error = lay(text, variables, overrides).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn nothing_configured_is_the_default() {
        assert_eq!(layer(None, [], &[]).unwrap(), Plan::default());
    }

    #[test]
    fn each_layer_covers_the_one_below() {
        let text = "[leak]\nrepeats = 2\nmax_delta_mb = 20\nbaseline_tolerance_mb = 30\n";
        let variables = ["HIGHWATER_LEAK_REPEATS=3", "HIGHWATER_LEAK_MAX_DELTA_MB=33.5", "HOME=/"];
        let leak = lay(text, &variables, &["leak.repeats=4"]).unwrap().leak;
        assert_eq!((leak.repeats, leak.max_delta_mb, leak.baseline_tolerance_mb), (4, 33.5, 30.0));
        assert_eq!(leak.severe_delta_mb, 500.0);
    }

    #[test]
    fn an_alias_gives_way_to_the_full_name() {
        let url = |variables: &[&str]| lay("", variables, &[]).unwrap().target.url;
        assert_eq!(url(&["HIGHWATER_URL=http://a:1"]), "http://a:1");
        assert_eq!(url(&["HIGHWATER_URL=http://a:1", "HIGHWATER_TARGET_URL=http://b:2"]), "http://b:2");
        assert_eq!(url(&["HIGHWATER_TARGET_URL=http://b:2", "HIGHWATER_URL=http://a:1"]), "http://b:2");
    }

    #[test]
    fn lists_headers_and_json_come_through_every_layer() {
        let text =
            "[target.http]\nheaders = { X-Key = 'file', Accept = 'a' }\njson = { n = [1, 2.5], t = true }\n";
        let http =
            lay(text, &["HIGHWATER_TARGET_HTTP_HEADERS_X_KEY=env"], &["target.http.success_status=200,202"])
                .unwrap()
                .target
                .http;
        assert_eq!(http.headers["X-Key"], "env");
        assert_eq!(http.headers["Accept"], "a");
        assert_eq!(http.success_status, [200, 202]);
        assert_eq!(http.json, Some(serde_json::json!({"n": [1, 2.5], "t": true})));
        let headers = lay(text, &[], &["target.http.headers.x-key=flag"]).unwrap().target.http.headers;
        assert_eq!(
            headers.into_iter().collect::<Vec<_>>(),
            [("Accept".to_string(), "a".to_string()), ("x-key".to_string(), "flag".to_string())]
        );
        let http = lay(text, &["HIGHWATER_TARGET_HTTP_JSON="], &[]).unwrap().target.http;
        assert_eq!(http.json, None, "an empty variable unsets an optional key");
    }

    #[test]
    fn each_kind_of_service_has_its_own_health_endpoint() {
        let health = |text: &str| lay(text, &[], &[]).unwrap().target.health;
        assert_eq!(health(""), "/api/v1/health");
        assert_eq!(health("[target]\nkind = 'openai'\n"), "/v1/models");
        assert_eq!(health("[target]\nkind = 'openai'\nhealth = ''\n"), "");
        assert_eq!(health("[target]\nkind = 'http'\n"), "");
        assert_eq!(health("[target]\nkind = 'http'\nhealth = '/up'\n"), "/up");
    }

    #[test]
    fn a_pid_replaces_patterns_and_patterns_a_pid() {
        let worker = |text: &str, variables: &[&str], overrides: &[&str]| {
            let worker = lay(text, variables, overrides).unwrap().processes["worker"].clone();
            let queue = worker.rq.queue.unwrap_or_default();
            (worker.patterns.join("+") + &queue, worker.pid)
        };
        let by_pid = "[processes.worker]\npid = 123\n";
        assert_eq!(worker(by_pid, &[], &[]), (String::new(), Some(123)));
        let by_words = ["HIGHWATER_PROCESSES_WORKER_PATTERNS=celery, asr"];
        assert_eq!(worker(by_pid, &by_words, &[]), ("celery+asr".to_string(), None));
        assert_eq!(worker(by_pid, &by_words, &["processes.worker.pid=9"]), (String::new(), Some(9)));
        assert_eq!(worker("", &["HIGHWATER_PROCESSES_WORKER_PID="], &[]).0, "asr-queue");
        assert_eq!(
            refused("[processes.worker]\npid = 123\npatterns = ['a']\n", &[], &[]),
            (
                "`processes.worker` has both `patterns` and a `pid` (`highwater.toml` line 2)".to_string(),
                "keep the `pid` to watch one process, or the `patterns` to find it each time".to_string()
            )
        );
    }

    #[test]
    fn ways_to_find_a_role_combine_within_a_layer_and_replace_those_below() {
        let worker =
            |text: &str, overrides: &[&str]| lay(text, &[], overrides).unwrap().processes["worker"].clone();
        let text = "[processes.worker]\nprogram = 'a'\nport = 1\ncount = 'any'\nrq.url = 'redis://h'\n\
            rq.queue = 'q'\n";
        let both = worker(text, &[]);
        assert_eq!(
            (both.program.as_deref(), both.port, both.rq.queue.as_deref()),
            (Some("a"), Some(1), Some("q"))
        );
        let replaced = worker(text, &["processes.worker.pidfile=/run/w.pid"]);
        assert_eq!((replaced.program, replaced.port, replaced.rq), (None, None, RqPlan::default()));
        assert_eq!(replaced.count, Some(Count::Any), "that is no way to find a process");
        let refined = worker("", &["processes.worker.rq.url=redis://h"]).rq;
        assert_eq!(
            (refined.queue.as_deref(), refined.url.as_deref()),
            (Some("asr-queue"), Some("redis://h"))
        );
    }

    #[test]
    fn roles_can_be_added_and_switched_off() {
        let text = "[processes.indexer]\npatterns = ['indexer']\n[processes.api]\npatterns = []\n";
        let plan = lay(text, &[], &[]).unwrap();
        assert_eq!(plan.processes.keys().collect::<Vec<_>>(), ["backend", "indexer", "worker"]);
        assert!(!plan.processes["indexer"].optional);
        assert_eq!(
            refused("[processes.worker]\npatterns = []\n", &[], &[]).0,
            "`processes.worker` does not say how its process is found (`highwater.toml` line 2)"
        );
        assert_eq!(
            refused("[processes.indexer]\noptional = true\n", &[], &[]).0,
            "`processes.indexer` does not say how its process is found (`highwater.toml` line 2)"
        );
    }

    #[test]
    fn unknown_keys_are_named_with_their_place() {
        assert_eq!(
            refused(&format!("{}[leak]\nmax_delta = 1\n", "\n".repeat(10)), &[], &[]),
            (
                "unknown key `leak.max_delta` in `highwater.toml` line 12".to_string(),
                "did you mean `leak.max_delta_mb`?".to_string()
            )
        );
        assert_eq!(
            refused("", &["HIGHWATER_RAMP_MAXIMUM=1"], &[]),
            (
                "unknown environment variable `HIGHWATER_RAMP_MAXIMUM`".to_string(),
                "did you mean `HIGHWATER_RAMP_MAX`?".to_string()
            )
        );
        assert_eq!(
            refused("", &[], &["leak.repeat=1"]),
            (
                "unknown key `leak.repeat` on the command line".to_string(),
                "did you mean `leak.repeats`?".to_string()
            )
        );
        assert_eq!(
            refused("", &[], &["leak=1"]).0,
            "`leak` is a table and cannot be set as one (command line)"
        );
    }

    #[test]
    fn bad_values_are_named_with_their_place() {
        let check = |text: &str, variables: &[&str], overrides: &[&str], message: &str| {
            assert_eq!(refused(text, variables, overrides).0, message);
        };
        check(
            "[leak]\nrepeats = -1\n",
            &[],
            &[],
            "`leak.repeats` must be a whole number from 0 to 100000, got `-1` (`highwater.toml` line 2)",
        );
        check(
            "",
            &["HIGHWATER_LEAK_ENABLED=maybe"],
            &[],
            "`leak.enabled` must be `true` or `false`, got `maybe` \
             (environment variable `HIGHWATER_LEAK_ENABLED`)",
        );
        check(
            "",
            &[],
            &["sampler.interval_s=0.001"],
            "`sampler.interval_s` must be a number from 0.01 to 3600, got `0.001` (command line)",
        );
        // A contradiction names the place of whichever side was given.
        check(
            "[ramp]\nstart = 20\n",
            &[],
            &[],
            "`ramp.max` (10) must not be below `ramp.start` (20) (`highwater.toml` line 2)",
        );
        check(
            "",
            &["HIGHWATER_URL=localhost:8000"],
            &[],
            "`target.url` must be an `http://` or `https://` URL, got `localhost:8000` \
             (environment variable `HIGHWATER_URL`)",
        );
    }

    #[test]
    fn a_list_that_is_none_says_how_to_write_one() {
        assert_eq!(
            refused("", &["HIGHWATER_TARGET_HTTP_SUCCESS_STATUS=ok"], &[]),
            (
                "`target.http.success_status` must be a list of whole numbers from 100 to 599, got `ok` \
                 (environment variable `HIGHWATER_TARGET_HTTP_SUCCESS_STATUS`)"
                    .to_string(),
                "for example `200,202`".to_string()
            )
        );
    }
}
