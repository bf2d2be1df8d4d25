//! Every key with every value that could do harm, by all four ways to give it.

use std::path::Path;
use std::time::Duration;

use figment::value::{Dict, Value};

use super::key::{Key, Kind};
use super::keys::keys;
use super::setting::at_path;
use super::{Override, Plan, Preset, env, layer, validate};
use crate::error::Result;

/// Numbers that are no quantity, or too large a one, as TOML and as text.
const NUMBERS: [&str; 14] = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "-1.0",
    "-0.0",
    "0",
    "0.0",
    "1e-300",
    "1e300",
    "2.5",
    "4294967295",
    "4294967296",
    "9223372036854775807",
];

/// A plan that is valid, with everything set on which the validity of another key depends.
const BASE: [&str; 3] = ["ramp.max = 100000", "settle.max_s = 604800.0", "settle.quiet_s = 0.0"];

/// The path of a key, with a role in the place of `*`.
fn path(key: &Key) -> Vec<String> {
    key.path.iter().map(|word| word.replace('*', "worker")).collect()
}

fn by_file(key: &Key, number: &str) -> Result<Plan> {
    let written = if key.kind == Kind::Wholes { format!("[{number}]") } else { number.to_string() };
    let text = format!("{} = {written}\n{}", path(key).join("."), base(key));
    layer(Some((Path::new("a.toml"), &text)), [], &[])
}

/// The base, without the key itself.
fn base(key: &Key) -> String {
    let itself = format!("{} ", path(key).join("."));
    BASE.into_iter().filter(|line| !line.starts_with(&itself)).map(|line| format!("{line}\n")).collect()
}

fn by_variable(key: &Key, number: &str) -> Result<Plan> {
    let variable = (env::variable(&path(key)), number.to_string());
    layer(Some((Path::new("a.toml"), &base(key))), [variable], &[])
}

fn by_set(key: &Key, number: &str) -> Result<Plan> {
    let set = Override::text(path(key).join("."), number);
    layer(Some((Path::new("a.toml"), &base(key))), [], &[set])
}

/// The plan with the number in the field itself; `None` where the field's type cannot hold it.
fn in_code(key: &Key, number: &str) -> Option<Result<Plan>> {
    let plan = layer(Some((Path::new("a.toml"), &base(key))), [], &[]).unwrap();
    let mut tree = Value::serialize(&plan).unwrap();
    let value = match key.kind {
        Kind::Number => Value::from(number.parse::<f64>().unwrap()),
        Kind::Whole => Value::from(number.parse::<u64>().ok()?),
        _ => Value::from(vec![number.parse::<u64>().ok()?]),
    };
    set(&mut tree, &path(key)[..path(key).len() - 1], key.name(), value);
    let plan: Plan = tree.deserialize().ok()?;
    assert!(at_path(&tree, &path(key)).is_some());
    Some(validate(&plan).map(|()| plan))
}

fn set(tree: &mut Value, table: &[String], name: &str, value: Value) {
    let dict: Option<&mut Dict> = table
        .iter()
        .try_fold(tree, |value, word| match value {
            Value::Dict(_, dict) => dict.get_mut(word),
            _ => None,
        })
        .and_then(|value| match value {
            Value::Dict(_, dict) => Some(dict),
            _ => None,
        });
    dict.unwrap().insert(name.to_string(), value);
}

/// What is wrong, without what was given and where: a file writes `nan` where code has `NaN`.
fn wrong(plan: &Result<Plan>) -> Option<String> {
    let message = plan.as_ref().err()?.to_string();
    Some(
        message
            .split(", got `")
            .next()
            .unwrap_or_default()
            .split(" (`a.toml`")
            .next()
            .unwrap_or_default()
            .to_string(),
    )
}

#[test]
fn every_number_is_judged_alike_by_file_variable_flag_and_in_code() {
    let (mut tried, mut refused) = (0, 0);
    for key in keys().iter().filter(|key| matches!(key.kind, Kind::Number | Kind::Whole | Kind::Wholes)) {
        for number in NUMBERS {
            let plans = [by_file(key, number), by_variable(key, number), by_set(key, number)];
            let what = format!("{} = {number}", key.dotted());
            let first = wrong(&plans[0]);
            for plan in &plans[1..] {
                assert_eq!(wrong(plan), first, "{what}");
                assert!(plan.is_err() || plan.as_ref().ok() == plans[0].as_ref().ok(), "{what}");
            }
            if let Some(code) = in_code(key, number) {
                assert_eq!(wrong(&code), first, "{what}");
            }
            match &plans[0] {
                Ok(plan) => seconds_make_durations(plan, &what),
                Err(error) => {
                    refused += 1;
                    let message = error.to_string();
                    assert!(message.contains(&format!("`{}`", path(key).join("."))), "{what}: {message}");
                    assert!(message.contains("`a.toml` line "), "{what}: {message}");
                }
            }
            tried += 1;
        }
    }
    assert!(tried > 500 && refused > 300, "{tried} tried, {refused} refused");
}

/// Every time of a valid plan is one that the clock can wait for.
fn seconds_make_durations(plan: &Plan, what: &str) {
    let tree = Value::serialize(plan).unwrap();
    for key in keys().iter().filter(|key| key.kind == Kind::Number && key.name().ends_with("_s")) {
        let Some(seconds) = at_path(&tree, &path(key)).and_then(Value::to_f64) else { continue };
        assert!(Duration::try_from_secs_f64(seconds).is_ok(), "{what}: {} is {seconds}", key.dotted());
    }
}

#[test]
fn every_key_takes_text_that_is_none_of_its_values_only_where_any_text_will_do() {
    for key in keys().iter().filter(|key| !matches!(key.kind, Kind::Text | Kind::Words)) {
        for text in ["\u{0}", "many", "[", "{", "true,false"] {
            for plan in [by_variable(key, text), by_set(key, text)] {
                let message = plan.unwrap_err().to_string();
                assert!(message.contains(&path(key).join(".")), "{}: {message}", key.dotted());
            }
        }
    }
}

#[tokio::test]
async fn a_session_takes_no_plan_that_is_not_valid() {
    let home = tempfile::TempDir::new().unwrap();
    let results = home.path().join("results");
    type Change = fn(&mut Plan);
    let changes: [(&str, Change); 6] = [
        ("target.timeout_s", |plan| plan.target.timeout_s = f64::NAN),
        ("sampler.interval_s", |plan| plan.sampler.interval_s = -1.0),
        ("sampler.busy_interval_s", |plan| plan.sampler.busy_interval_s = f64::INFINITY),
        ("settle.quiet_s", |plan| plan.settle.quiet_s = -0.5),
        ("ramp.hold_s", |plan| plan.ramp.hold_s = 1e300),
        ("leak.repeats", |plan| plan.leak.repeats = u32::MAX),
    ];
    for (key, change) in changes {
        for embedded in [false, true] {
            let mut plan = Preset::Http.plan().worker_pid(std::process::id());
            plan.results = results.clone();
            change(&mut plan);
            let builder = crate::session::Session::builder(plan.clone());
            let builder = if embedded { builder.embedded(Vec::new()) } else { builder };
            let error = builder.start().await.err().unwrap();
            assert!(error.to_string().starts_with(&format!("`{key}` must be ")), "{error}");
            let suite = crate::suite::Suite::new(plan);
            let suite = if embedded { suite.embedded(&[]) } else { suite };
            let error = suite.leak_check().await.err().unwrap();
            assert!(error.to_string().starts_with(&format!("`{key}` must be ")), "{error}");
        }
    }
    assert!(!results.exists(), "nothing was begun");
}

#[test]
fn any_text_is_a_plan_or_an_error() {
    let corpus: [&[u8]; 2] = [
        b"results = \"r\"\n[target]\nurl = \"http://a:1\"\nkind = \"http\"\n[target.http.headers]\nA = \"${B}\"\n",
        b"[leak]\nrepeats = 3\nmax_delta_mb = 1.5\nprobes = [\"pause\"]\n[processes.worker]\nargv = [\"a\"]\n",
    ];
    crate::mutation_tests::survives(&corpus, |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            drop(layer(Some((Path::new("a.toml"), text)), [], &[]));
        }
    });
}
