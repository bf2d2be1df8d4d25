//! Lays the sources of the configuration over one another.
//!
//! Pure: the texts and variables come in as arguments. figment holds the layers; each value carries where it
//! was given, as the name of its source.

use std::collections::BTreeSet;
use std::path::Path;

use figment::value::{Dict, Empty, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::fill::{self, Variables};
use super::key::Kind;
use super::keys::{Found, find, keys, split};
use super::roles::RoleChanges;
use super::setting::{Origin, Override, Setting, at_path, every};
use super::unknown::unknown_key;
use super::validate::violations;
use super::{Plan, Preset, TargetKind, env, file};
use crate::error::{Error, ErrorKind, Result};

/// The name of the source of what nobody gave.
const DEFAULT: &str = "default";

/// The plan of these sources: that of the preset, over it `file` (a path for the
/// messages, and the text), over that the `HIGHWATER_…` variables among
/// `variables`, over that `overrides`.
///
/// What a layer says of how a role is found replaces all that the layers below
/// say of it: a `pid` replaces the patterns, `patterns` replace a pid. A role other than
/// `worker` whose patterns are set to an empty list is not watched. `${NAME}` is left as it is
/// ([`load()`](super::load()) checks that there is such a variable).
///
/// # Errors
/// `Config` for text that is not TOML, a key that does not exist, a value of the
/// wrong type or out of range, and values that contradict one another.
pub fn layer(
    file: Option<(&Path, &str)>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &[Override],
) -> Result<Plan> {
    layer_with_keys(file, variables, overrides, None).map(|(plan, _)| plan)
}

/// As [`layer()`], with the dotted paths of the keys that any source gave. `filling` knows the variables that `${NAME}`
/// stands for.
pub(super) fn layer_with_keys(
    file: Option<(&Path, &str)>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &[Override],
    filling: Option<Variables<'_>>,
) -> Result<(Plan, BTreeSet<String>)> {
    let file = file.map(|(path, text)| file::read(path, text)).transpose()?.unwrap_or_default();
    let variables = env::read(variables, &file)?;
    let overrides = read_overrides(overrides)?;
    let sources = [file, variables, overrides];
    let mut layers = Layers::over(&preset(&sources)?.plan())?;
    for layer in sources {
        layers.add(layer)?;
    }
    layers.finish(filling)
}

/// The preset that the uppermost layer names, or else the one of the service's kind.
fn preset(sources: &[Vec<Setting>]) -> Result<Preset> {
    let last = |key: &str| sources.iter().flatten().rev().find(|setting| setting.key.dotted() == key);
    if let Some(setting) = last("preset") {
        let value = setting.value()?;
        if value.to_empty().is_none() {
            return value.deserialize().map_err(|error| refused(&error));
        }
    }
    let kind = last("target.kind").map(Setting::value).transpose()?;
    match kind {
        Some(kind) => {
            let kind: TargetKind = kind.deserialize().map_err(|error| refused(&error))?;
            Ok(Preset::of_kind(kind))
        }
        None => Ok(Preset::AsrRq),
    }
}

fn read_overrides(overrides: &[Override]) -> Result<Vec<Setting>> {
    let one = |Override { key: dotted, given }: &Override| {
        let path = split(dotted);
        match find(&path) {
            Found::Key(key) => Ok(Setting { path, key, given: given.clone(), origin: Origin::CommandLine }),
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
struct Layers(Figment);

impl Layers {
    fn over(plan: &Plan) -> Result<Layers> {
        let plan = Value::serialize(plan).map_err(|error| refused(&error))?;
        Ok(Layers(Figment::from(Source { name: DEFAULT.to_string(), tree: plan })))
    }

    fn add(&mut self, layer: Vec<Setting>) -> Result<()> {
        self.address_as_preset(&layer)?;
        let mut roles = RoleChanges::default();
        for setting in layer {
            let value = setting.value()?;
            roles.note(&setting, &value);
            let mut path = setting.path.clone();
            self.spell_as_before(&mut path);
            if setting.key.kind == Kind::Json {
                // JSON of two layers is not mixed.
                self.put(&path, Empty::None.into(), DEFAULT.to_string());
            }
            self.put(&path, value, setting.origin.to_string());
        }
        if let Some((role, other, origin)) = roles.contradiction() {
            let message = format!("`processes.{role}` has both `{other}` and a `pid` ({origin})");
            return Err(Error::new(ErrorKind::Config, message).hint(format!(
                "keep the `pid` to watch one process, or the `{other}` to find it each time"
            )));
        }
        for path in roles.void() {
            let nothing = match path.last().map(String::as_str) {
                Some("patterns" | "argv" | "labels") => Value::from(Vec::<Value>::new()),
                Some("query") => Value::from(""),
                _ => Empty::None.into(),
            };
            self.put(&path, nothing, DEFAULT.to_string());
        }
        Ok(())
    }

    fn put(&mut self, path: &[String], value: Value, name: String) {
        let nested = |tree: Value, word: &String| Dict::from([(word.clone(), tree)]).into();
        let tree = path.iter().rev().fold(value, nested);
        self.0 = std::mem::take(&mut self.0).merge(Source { name, tree });
    }

    /// A layer that names a preset says with it how the service is addressed, whatever the layers below say.
    fn address_as_preset(&mut self, layer: &[Setting]) -> Result<()> {
        let Some(setting) = layer.iter().rev().find(|setting| setting.key.dotted() == "preset") else {
            return Ok(());
        };
        if let Ok(preset) = setting.value()?.deserialize::<Preset>() {
            let kind = Value::serialize(preset.plan().target.kind).map_err(|error| refused(&error))?;
            self.put(&["target".to_string(), "kind".to_string()], kind, setting.origin.to_string());
        }
        Ok(())
    }

    /// The names of headers are the same in any case of their letters.
    fn spell_as_before(&self, path: &mut [String]) {
        let [target, http, table, name] = path else { return };
        if [target.as_str(), http.as_str(), table.as_str()] != ["target", "http", "headers"] {
            return;
        }
        let headers = self.0.find_value("target.http.headers").ok().and_then(Value::into_dict);
        let before =
            headers.and_then(|table| table.into_keys().find(|known| known.eq_ignore_ascii_case(name)));
        *name = before.unwrap_or_else(|| name.clone());
    }

    fn finish(self, filling: Option<Variables<'_>>) -> Result<(Plan, BTreeSet<String>)> {
        let mut plan: Plan = self.0.extract().map_err(|error| refused(&error))?;
        let tree = self.0.find_value("").map_err(|error| refused(&error))?;
        plan.processes.retain(|role, process| {
            let emptied = self.origin(&tree, &format!("processes.{role}.patterns")).is_some();
            !(emptied && role != "worker" && process.says_nothing())
        });
        let unfilled = || fill::violation(&plan, filling?);
        match violations(&plan).into_iter().next().or_else(unfilled) {
            Some(violation) => {
                let origin = violation.keys.iter().find_map(|key| self.origin(&tree, key));
                Err(violation.into_error(origin))
            }
            None => Ok((plan, self.given(&tree))),
        }
    }

    /// Where the value of a key was given; `None` if nobody gave it.
    fn origin(&self, tree: &Value, key: &str) -> Option<&str> {
        self.origin_of(at_path(tree, &split(key))?)
    }

    fn origin_of(&self, value: &Value) -> Option<&str> {
        self.0.get_metadata(value.tag()).map(|source| source.name.as_ref()).filter(|name| *name != DEFAULT)
    }

    /// The dotted paths of the keys that a source gave.
    fn given(&self, tree: &Value) -> BTreeSet<String> {
        let values = keys().iter().flat_map(|key| every(tree, &key.path));
        values.filter(|(_, value)| self.origin_of(value).is_some()).map(|(dotted, _)| dotted).collect()
    }
}

/// Values from one place.
struct Source {
    name: String,
    tree: Value,
}

impl Provider for Source {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> std::result::Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.tree.clone().into_dict().unwrap_or_default()))
    }
}

/// For what the checks of each value should have caught.
fn refused(error: &figment::Error) -> Error {
    let place = error.metadata.as_ref().map_or(DEFAULT, |source| source.name.as_ref());
    Error::new(ErrorKind::Config, format!("`{}`: {} ({place})", error.path.join("."), error.kind))
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
        let overrides: Vec<Override> =
            pairs(overrides).into_iter().map(|(key, text)| Override::text(key, text)).collect();
        layer(Some((Path::new("highwater.toml"), text)), pairs(variables), &overrides)
    }

    fn refused(text: &str, variables: &[&str], overrides: &[&str]) -> (String, String) {
        let error = lay(text, variables, overrides).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        (error.to_string(), error.hint_text().unwrap_or_default().to_string())
    }

    #[test]
    fn nothing_configured_is_the_default() {
        assert_eq!(layer(None, [], &[]).unwrap(), Preset::AsrRq.plan());
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
    fn an_alias_stands_for_the_full_name() {
        let url = |variables: &[&str]| lay("", variables, &[]).unwrap().target.url;
        assert_eq!(url(&["HIGHWATER_URL=http://a:1"]), "http://a:1");
        assert_eq!(url(&["HIGHWATER_TARGET_URL=http://b:2"]), "http://b:2");
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
            [("Accept".to_string(), "a".to_string()), ("X-Key".to_string(), "flag".to_string())]
        );
        let http = lay(text, &["HIGHWATER_TARGET_HTTP_JSON="], &[]).unwrap().target.http;
        assert_eq!(http.json, None, "an empty variable unsets an optional key");
    }

    #[test]
    fn a_preset_is_given_or_follows_from_the_kind_of_service() {
        let plan = |text: &str, overrides: &[&str]| {
            lay(&format!("{text}\n[processes.worker]\npid = 7\n"), &[], overrides).unwrap()
        };
        let health = |text: &str| plan(text, &[]).target.health;
        assert_eq!(health(""), "/api/v1/health");
        assert_eq!(health("[target]\nkind = 'openai'\n"), "/v1/models");
        assert_eq!(health("[target]\nkind = 'openai'\nhealth = ''\n"), "");
        assert_eq!(health("[target]\nkind = 'http'\n"), "");
        assert_eq!(health("preset = 'http'\n[target]\nhealth = '/up'\n"), "/up");
        let http = plan("preset = 'http'", &[]);
        assert_eq!((http.preset, http.target.kind), (Some(Preset::Http), TargetKind::Http));
        assert_eq!(http.processes.keys().collect::<Vec<_>>(), ["worker"], "no role has to be switched off");
        // A flag rises above what the file says of the kind, and leaves the rest of the file.
        let text = "preset = 'asr-rq'\n[target]\nkind = 'asr'\nurl = 'http://a:1'\n";
        let over = plan(text, &["preset=openai"]);
        assert_eq!((over.target.kind, over.target.url.as_str()), (TargetKind::Openai, "http://a:1"));
        assert_eq!(over.target.health, "/v1/models");
        assert_eq!(plan("preset = 'http'\n[target]\nkind = 'openai'", &[]).target.kind, TargetKind::Openai);
        assert_eq!(lay("", &["HIGHWATER_PRESET=asr-rq"], &[]).unwrap(), Preset::AsrRq.plan());
        assert_eq!(
            refused("preset = 'grpc'\n", &[], &[]).0,
            "`preset` must be `asr-rq` or `openai` or `http`, got `'grpc'` (`highwater.toml` line 1)"
        );
    }

    #[test]
    fn roles_that_a_preset_does_not_have_may_be_switched_off() {
        let text = "[target]\nkind = 'http'\n[processes.worker]\npid = 7\n\
            [processes.api]\npatterns = []\n[processes.backend]\npatterns = []\n";
        assert_eq!(lay(text, &[], &[]).unwrap().processes.keys().collect::<Vec<_>>(), ["worker"]);
        let (message, hint) = refused("preset = 'http'\n", &[], &[]);
        assert_eq!(message, "there is no role `worker`, the one whose memory is judged");
        assert!(hint.contains("--worker-port"), "{hint}");
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
    fn what_refines_a_way_to_find_a_role_goes_with_it() {
        for elsewhere in [
            "container = 'asr'\ncontainer_socket = '/p.sock'\n",
            "metrics.url = 'http://h/metrics'\nmetrics.labels = ['a=b']\nmetrics.series = 'blocks'\n",
            "prometheus.url = 'http://h'\nprometheus.query = 'memory'\nprometheus.restarts = 'r'\n",
        ] {
            let text = format!("[processes.worker]\n{elsewhere}");
            let plan = lay(&text, &[], &["processes.worker.pid=9"]).unwrap();
            crate::plan::validate(&plan).unwrap_or_else(|error| panic!("{elsewhere}: {error}"));
            assert!(!plan.processes["worker"].is_elsewhere(), "{elsewhere}");
        }
        let text = "[processes.worker.metrics]\nurl = 'http://h/metrics'\nlabels = ['a=b']\n";
        let other = lay(text, &[], &["processes.worker.metrics.url=http://i/metrics"]).unwrap();
        assert_eq!(other.processes["worker"].metrics.labels, ["a=b"], "another address of the same");
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
            "`sampler.interval_s` must be a number of seconds from 0.01 to 3600, got `0.001` (command line)",
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
