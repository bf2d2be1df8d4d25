//! The keys of the configuration, derived from the default [`Plan`] itself, so
//! that no list of them is kept by hand.

use std::sync::LazyLock;

use serde_json::Value;

use super::Plan;
use super::bounds::bound;

/// Tables whose keys are the user's own words.
const FREE_TABLES: [&str; 3] = ["processes", "target.http.headers", "target.openai.fields"];

/// Keys that may be absent, so that they do not always show in a serialised plan.
/// `*` stands for any key of a free table.
const OPTIONAL_KEYS: [(&str, Kind); 16] = [
    ("audio.long", Kind::Text),
    ("audio.short", Kind::Text),
    ("baseline", Kind::Text),
    ("leak.bad_input", Kind::Text),
    ("processes.*.cgroup", Kind::Text),
    ("processes.*.count", Kind::Text),
    ("processes.*.exe", Kind::Text),
    ("processes.*.name", Kind::Text),
    ("processes.*.pid", Kind::Whole),
    ("processes.*.pidfile", Kind::Text),
    ("processes.*.port", Kind::Whole),
    ("processes.*.program", Kind::Text),
    ("processes.*.rq.queue", Kind::Text),
    ("processes.*.rq.url", Kind::Text),
    ("processes.*.unit", Kind::Text),
    ("target.http.json", Kind::Json),
];

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// True or false.
    Flag,
    /// A whole number, 0 or more.
    Whole,
    /// A finite number.
    Number,
    /// Any text.
    Text,
    /// One of these words.
    Choice(Vec<String>),
    /// A list of text.
    Words,
    /// A list of whole numbers.
    Wholes,
    /// Any JSON value.
    Json,
}

/// One key: its path, in which `*` stands for a word of the user's, and what it holds.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    /// True if the key may be absent; an empty environment variable then unsets it.
    pub(super) optional: bool,
}

impl Key {
    /// The path as written in messages, with `*` for a word of the user's.
    pub(super) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// What a value of this key must be, in words that follow "must be".
    pub(super) fn expected(&self) -> String {
        match (&self.kind, bound(&self.dotted())) {
            (Kind::Flag, _) => "`true` or `false`".to_string(),
            (Kind::Whole, Some(bound)) => format!("a whole number {bound}"),
            (Kind::Whole, None) => "a whole number".to_string(),
            (Kind::Number, Some(bound)) => format!("a number {bound}"),
            (Kind::Number, None) => "a number".to_string(),
            (Kind::Text, _) => "text".to_string(),
            (Kind::Choice(words), _) => format!("`{}`", words.join("` or `")),
            (Kind::Words, _) => "a list of text".to_string(),
            (Kind::Wholes, Some(bound)) => format!("a list of whole numbers {bound}"),
            (Kind::Wholes, None) => "a list of whole numbers".to_string(),
            (Kind::Json, _) => "JSON".to_string(),
        }
    }

    /// True if `value` is what this key holds and within its bounds.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        let bound = bound(&self.dotted());
        let number = |value: &Value| {
            value.as_f64().is_some_and(|number| bound.is_none_or(|bound| bound.holds(number)))
        };
        let whole = |value: &Value| value.is_u64() && number(value);
        let all =
            |test: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(test));
        match &self.kind {
            Kind::Flag => value.is_boolean(),
            Kind::Whole => whole(value),
            Kind::Number => number(value),
            Kind::Text => value.is_string(),
            Kind::Choice(words) => value.as_str().is_some_and(|word| words.iter().any(|known| known == word)),
            Kind::Words => all(&Value::is_string),
            Kind::Wholes => all(&whole),
            Kind::Json => true,
        }
    }
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Found {
    Key(&'static Key),
    Table,
    Nothing,
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let plan = serde_json::to_value(Plan::default()).expect("the default plan has only text as map keys");
    let mut keys = Vec::new();
    for (dotted, kind) in OPTIONAL_KEYS {
        let path: Vec<String> = dotted.split('.').map(str::to_string).collect();
        let kind = match kind {
            Kind::Text => choices(&path).filter(|words| !words.is_empty()).map_or(Kind::Text, Kind::Choice),
            other => other,
        };
        keys.push(Key { path, kind, optional: true });
    }
    collect(&plan, &mut Vec::new(), &mut keys);
    // Every role of the default plan has given the same keys, and some that are
    // optional: of equals the first is kept.
    keys.sort_by(|a, b| a.path.cmp(&b.path));
    keys.dedup_by(|a, b| a.path == b.path);
    keys
});

/// All keys, by path.
pub(super) fn known() -> &'static [Key] {
    &KEYS
}

/// What stands at `path`.
pub(super) fn find(path: &[String]) -> Found {
    let fits = |key: &&Key| key.path.iter().zip(path).all(|(known, word)| known == "*" || known == word);
    match known().iter().filter(fits).map(|key| (key.path.len(), key)).min_by_key(|(length, _)| *length) {
        Some((length, key)) if length == path.len() => Found::Key(key),
        // Only a key that goes on below `path` makes `path` a table.
        _ if known().iter().filter(fits).any(|key| key.path.len() > path.len()) => Found::Table,
        _ => Found::Nothing,
    }
}

/// Splits a dotted path. The word of a free table may itself hold dots.
pub(super) fn split(dotted: &str) -> Vec<String> {
    for key in known() {
        let Some(star) = key.path.iter().position(|word| word == "*") else { continue };
        let before = format!("{}.", key.path[..star].join("."));
        let after: String = key.path[star + 1..].iter().map(|word| format!(".{word}")).collect();
        let word = dotted.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after));
        if let Some(word) = word.filter(|word| !word.is_empty()) {
            let mut path = key.path.clone();
            path[star] = word.to_string();
            return path;
        }
    }
    dotted.split('.').map(str::to_string).collect()
}

fn collect(value: &Value, path: &mut Vec<String>, keys: &mut Vec<Key>) {
    let Value::Object(table) = value else {
        keys.push(Key { path: path.clone(), kind: kind(value, path), optional: false });
        return;
    };
    let free = FREE_TABLES.contains(&path.join(".").as_str());
    if free && table.is_empty() {
        // An empty free table is a map from words to text.
        path.push("*".to_string());
        keys.push(Key { path: path.clone(), kind: Kind::Text, optional: true });
        path.pop();
    }
    for (word, value) in table {
        path.push(if free { "*".to_string() } else { word.clone() });
        collect(value, path, keys);
        path.pop();
    }
}

fn kind(value: &Value, path: &[String]) -> Kind {
    match value {
        Value::Bool(_) => Kind::Flag,
        Value::Number(number) if number.is_f64() => Kind::Number,
        Value::Number(_) => Kind::Whole,
        Value::Array(items) if items.first().is_some_and(Value::is_number) => Kind::Wholes,
        Value::Array(_) => Kind::Words,
        _ => choices(path).map_or(Kind::Text, Kind::Choice),
    }
}

/// The words that the text at `path` is limited to: serde names them when it
/// refuses one that nobody would use.
fn choices(path: &[String]) -> Option<Vec<String>> {
    let odd = path.iter().rev().fold(Value::from("\u{0}"), |value, word| {
        Value::Object(serde_json::Map::from_iter([(word.clone(), value)]))
    });
    let refusal = serde_json::from_value::<Plan>(odd).err()?.to_string();
    Some(quoted(refusal.split_once("expected ")?.1))
}

/// The words between backticks in `text`.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_string).collect()
    }

    #[test]
    fn keys_know_what_they_hold() {
        let check = |dotted: &str, expected: &str| match find(&path(dotted)) {
            Found::Key(key) => assert_eq!(key.expected(), expected, "{dotted}"),
            other => panic!("{dotted}: {other:?}"),
        };
        check("leak.enabled", "`true` or `false`");
        check("leak.repeats", "a whole number from 0 to 100000");
        check("sampler.interval_s", "a number from 0.01 to 3600");
        check("results", "text");
        check("target.kind", "`asr` or `openai` or `http`");
        check("processes.indexer.patterns", "a list of text");
        check("processes.indexer.pid", "a whole number from 1 to 4294967295");
        check("processes.indexer.program", "text");
        check("processes.indexer.port", "a whole number from 1 to 65535");
        check("processes.indexer.count", "`one` or `any`");
        check("processes.indexer.rq.queue", "text");
        check("target.http.success_status", "a list of whole numbers from 100 to 599");
        check("target.http.headers.X-Key", "text");
        check("target.http.json", "JSON");
    }

    #[test]
    fn tables_and_nothing_are_told_apart() {
        for table in
            ["leak", "target", "target.http", "target.http.headers", "processes", "processes.indexer"]
        {
            assert!(matches!(find(&path(table)), Found::Table), "{table}");
        }
        for nothing in ["leek", "leak.max_delta", "processes.worker.paterns", "leak.repeats.more"] {
            assert!(matches!(find(&path(nothing)), Found::Nothing), "{nothing}");
        }
    }

    #[test]
    fn a_users_word_may_hold_dots() {
        assert_eq!(split("processes.a.b.pid"), ["processes", "a.b", "pid"]);
        assert_eq!(split("target.http.headers.X.Y"), ["target", "http", "headers", "X.Y"]);
        assert_eq!(split("leak.repeats"), ["leak", "repeats"]);
    }

    /// serde names all fields of a table when it refuses one; ours must be the same.
    #[test]
    fn the_keys_of_each_table_are_those_that_serde_takes() {
        for table in [
            "",
            "target",
            "target.asr",
            "target.http",
            "target.openai",
            "audio",
            "processes.x",
            "processes.x.rq",
            "sampler",
            "settle",
            "leak",
            "ramp",
            "ramp.stable",
            "soak",
            "guard",
        ] {
            let prefix: Vec<String> = path(table).into_iter().filter(|word| !word.is_empty()).collect();
            let mut odd = prefix.clone();
            odd.push("\u{0}".to_string());
            let value = odd.iter().rev().fold(Value::Null, |value, word| {
                Value::Object(serde_json::Map::from_iter([(word.clone(), value)]))
            });
            let refusal = serde_json::from_value::<Plan>(value).unwrap_err().to_string();
            let mut taken = quoted(refusal.split_once("expected ").unwrap().1);
            taken.sort();
            let mut ours: Vec<String> = known()
                .iter()
                .filter(|key| key.path.len() > prefix.len())
                .filter(|key| key.path.iter().zip(&prefix).all(|(known, word)| known == "*" || known == word))
                .map(|key| key.path[prefix.len()].clone())
                .collect();
            ours.dedup();
            assert_eq!(ours, taken, "[{table}]");
        }
    }
}
