//! The invariants of the architecture that a program can check.
//!
//! Each check is a function on texts, tried first on a text with the fault planted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders and files that know neither tokio nor files nor clocks: they are
/// tested on constants, and give the same answer in a year.
const PURE: &[&str] = &[
    "demo/src/dsp",
    "src/analysis",
    "src/assessment",
    "src/report",
    "src/record",
    "src/audio/make.rs",
    "src/cli/misplaced.rs",
    "src/console/lines.rs",
    "src/console/now.rs",
    "src/error.rs",
    "src/generator/summary.rs",
    "src/journal/lines.rs",
    "src/phases/late.rs",
    "src/phases/line.rs",
    "src/phases/settle.rs",
    "src/plan/env.rs",
    "src/plan/file.rs",
    "src/plan/generator.rs",
    "src/plan/key.rs",
    "src/plan/keys.rs",
    "src/plan/layer.rs",
    "src/plan/leak.rs",
    "src/plan/mod.rs",
    "src/plan/nearest.rs",
    "src/plan/page.rs",
    "src/plan/preset.rs",
    "src/plan/sampling.rs",
    "src/plan/setting.rs",
    "src/plan/target.rs",
    "src/plan/unknown.rs",
    "src/plan/written.rs",
    "src/cli/judge/told.rs",
    "src/readings/amount.rs",
    "src/readings/clock.rs",
    "src/readings/columns.rs",
    "src/readings/forms",
    "src/readings/groups.rs",
    "src/readings/select",
    "src/readings/steps.rs",
    "src/readings/table.rs",
    "src/readings/text.rs",
    "src/sampler/elsewhere/container/choose.rs",
    "src/sampler/elsewhere/exposition.rs",
    "src/sampler/elsewhere/figures.rs",
    "src/sampler/anatomy/names.rs",
    "src/sampler/anatomy/smaps.rs",
    "src/sampler/process.rs",
    "src/plan/process.rs",
    "src/plan/roles.rs",
    "src/plan/words.rs",
    "src/sampler/find/candidates.rs",
    "src/sampler/find/evidence.rs",
    "src/sampler/find/explain.rs",
    "src/sampler/find/family.rs",
    "src/sampler/find/program.rs",
    "src/sampler/find/rq.rs",
    "src/sampler/find/select.rs",
    "src/sampler/find/tools.rs",
    "src/sampler/source/parse.rs",
    "src/service/error.rs",
    "src/service/multipart.rs",
    "src/service/poll.rs",
    "src/service/queue.rs",
    "src/service/spread.rs",
    "src/service/stream.rs",
    "src/service/streamed.rs",
    "src/service/unwell.rs",
    "src/units.rs",
];

/// Names that pure code must not contain.
const IMPURE: [&str; 11] = [
    "tokio",
    "hyper",
    "reqwest",
    "sysinfo",
    "std::fs",
    "File::",
    "Instant",
    "SystemTime",
    "now()",
    "std::env::var",
    "std::process",
];

/// The only modules with code that the compiler cannot vouch for.
const UNSAFE: [&str; 3] =
    ["demo/src/worker/fork.rs", "demo/src/worker/mapping.rs", "src/sampler/wait/pidfd_info.rs"];

/// No file of the library is longer.
const MAX_LINES: usize = 500;

/// The folders of the product's own code.
const CRATES: [&str; 2] = ["demo/src", "src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Rust files at or below `path`: their path from the root, and their text.
pub(crate) fn rust_files(path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(path)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            open.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
            found.push((name.clone(), text(&name)));
        }
    }
    assert!(!found.is_empty(), "there is no Rust file at {path}");
    found.sort();
    found
}

/// The Rust files of all crates.
fn library() -> Vec<(String, String)> {
    CRATES.into_iter().flat_map(rust_files).collect()
}

/// The lines of code, with their numbers: no comments, and no tests, which stand
/// last in a file.
pub(crate) fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = |line: &str| line.trim() == "#[cfg(test)]";
    let mut lines = source.lines().enumerate().peekable();
    let mut ended = false;
    std::iter::from_fn(move || {
        loop {
            let (number, line) = lines.next()?;
            // A module of tests that is a file of its own takes two lines, and more code may follow.
            let inline = tests(line) && lines.peek().is_some_and(|(_, next)| next.trim_end().ends_with('{'));
            ended = ended || inline;
            if ended {
                return None;
            }
            if !line.trim_start().starts_with("//") {
                return Some((number + 1, line.split(" // ").next().unwrap_or(line)));
            }
        }
    })
}

fn impure(source: &str) -> Vec<String> {
    let names = |line: &str| IMPURE.into_iter().find(|word| line.contains(word));
    code(source)
        .filter_map(|(number, line)| names(line).map(|word| format!("line {number}: {word}")))
        .collect()
}

fn has_unsafe(source: &str) -> bool {
    code(source)
        .any(|(_, line)| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe"))
}

fn ignored_without_reason(source: &str) -> Vec<usize> {
    let lines = source.lines().enumerate();
    lines.filter(|(_, line)| line.trim().starts_with("#[ignore]")).map(|(index, _)| index + 1).collect()
}

fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap_or_else(|error| panic!("Cargo.toml: {error}"));
    let tables =
        ["dependencies", "dev-dependencies"].iter().filter_map(|table| manifest.get(*table)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// Dependencies that the architecture does not give a line: `` - `name`: … ``.
fn unexplained(manifest: &str, architecture: &str) -> Vec<String> {
    let section = architecture.split("\n## Dependencies").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    dependencies(manifest).into_iter().filter(|name| !section.contains(&format!("`{name}`"))).collect()
}

/// The public fields of the types in a source.
fn fields(source: &str) -> Vec<String> {
    let field = |line: &str| Some(line.trim().strip_prefix("pub ")?.split_once(": ")?.0.to_string());
    code(source).filter_map(|(_, line)| field(line)).filter(|name| !name.contains(' ')).collect()
}

/// The names that the variants of the enumeration `Event` have in the log.
fn events(source: &str) -> Vec<String> {
    let body = source.split("pub enum Event {\n").nth(1).unwrap_or_default();
    let body = body.split("\n}").next().unwrap_or_default();
    let variants = code(body).filter_map(|(_, line)| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(char::is_uppercase).then(|| name.split([' ', '(', ',']).next().unwrap_or(name))
    });
    variants.map(snake).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn undocumented(names: Vec<String>, page: &str) -> Vec<String> {
    names.into_iter().filter(|name| !page.contains(&format!("`{name}`"))).collect()
}

#[test]
fn every_field_and_event_of_the_files_has_its_place_in_the_documentation() {
    let page = text("docs/src/files.md");
    let mut names = events(&text("src/record/event.rs"));
    assert!(names.contains(&"run_ended".to_string()), "{names:?}");
    for place in ["task.rs", "footprint.rs", "own.rs"] {
        names.extend(fields(&text(&format!("src/record/{place}"))));
    }
    let missing = undocumented(names, &page);
    assert!(missing.is_empty(), "not in docs/src/files.md: {}", missing.join(", "));
}

#[test]
fn an_undocumented_field_or_event_would_be_found() {
    let source = "pub struct A {\n    /// Said.\n    pub said_mb: f64,\n    pub unsaid: bool,\n}\n";
    assert_eq!(undocumented(fields(source), "`said_mb`"), ["unsaid"]);
    let source = "pub enum Event {\n    /// A.\n    LateFree {\n        of: u8,\n    },\n    Own(u8),\n    RunEnded,\n}\nB,\n";
    assert_eq!(events(source), ["late_free", "own", "run_ended"]);
}

#[test]
fn pure_modules_know_no_runtime_no_files_and_no_clocks() {
    for place in PURE {
        for (name, source) in rust_files(place) {
            let found = impure(&source);
            assert!(found.is_empty() || name.ends_with("tests.rs"), "{name} is not pure: {found:?}");
        }
    }
}

#[test]
fn an_impure_module_would_be_found() {
    assert_eq!(impure("use std::time::Instant;\n"), ["line 1: Instant"]);
    assert_eq!(impure("fn f() {\n    let now = jiff::Zoned::now();\n}\n"), ["line 2: now()"]);
    assert_eq!(impure("use std::fs::File;\nuse tokio::net;\n").len(), 2);
    assert_eq!(impure("#[cfg(test)]\nmod tests;\nuse reqwest::Client;\n"), ["line 3: reqwest"]);
    let innocent = "//! Knows nothing of tokio.\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_eq!(impure(innocent), Vec::<String>::new());
}

/// The parts of a rig: each knows the parts that it needs, and none of them the rig.
const PARTS: [&str; 10] =
    ["anatomy", "driver", "late", "line", "memory", "observer", "recorder", "settle", "stop", "workers"];

fn names_the_rig(source: &str) -> bool {
    code(source).any(|(_, line)| {
        line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "rig" || word == "Rig")
    })
}

#[test]
fn no_part_of_a_rig_knows_the_rig() {
    for part in PARTS {
        let path = format!("src/phases/{part}.rs");
        assert!(!names_the_rig(&text(&path)), "{path} knows the rig");
    }
}

#[test]
fn a_part_that_knows_the_rig_would_be_found() {
    assert!(names_the_rig("use super::rig::Rig;\n"));
    assert!(names_the_rig("fn check(rig: &super::Rig) {}\n"));
    assert!(!names_the_rig("//! Never the rig.\nfn right() {}\n"));
}

#[test]
fn unsafe_code_stands_in_the_known_modules_only() {
    let with: Vec<String> =
        library().into_iter().filter_map(|(name, source)| has_unsafe(&source).then_some(name)).collect();
    assert_eq!(with, UNSAFE);
}

#[test]
fn unsafe_code_would_be_found() {
    assert!(has_unsafe("fn f() {\n    unsafe { g() }\n}\n"));
    assert!(!has_unsafe("#![expect(unsafe_code)]\n// unsafe here is a word\nfn unsafely() {}\n"));
}

#[test]
fn no_file_of_the_library_is_long() {
    for (name, source) in library() {
        let lines = source.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines, at most {MAX_LINES} are wanted");
    }
}

#[test]
fn every_ignored_test_says_why() {
    for (name, source) in library().into_iter().chain(rust_files("tests")) {
        // This file holds planted faults.
        let found = if name == "tests/it/tidy.rs" { Vec::new() } else { ignored_without_reason(&source) };
        assert!(found.is_empty(), "{name}: `#[ignore]` without a reason in lines {found:?}");
    }
}

#[test]
fn an_ignored_test_without_a_reason_would_be_found() {
    assert_eq!(ignored_without_reason("#[test]\n    #[ignore]\nfn f() {}\n"), [2]);
    assert!(ignored_without_reason("#[ignore = \"long\"]\nfn f() {}\n").is_empty());
}

#[test]
fn nextest_reads_the_file_at_the_top() {
    let (link, real) = (text(".config/nextest.toml"), text("nextest.toml"));
    assert_eq!(link, real, "`.config/nextest.toml` must be a symbolic link to `../nextest.toml`");
    assert!(!real.is_empty());
}

/// The tests that carry `#[serial(machine)]`, as the test runner knows them, for the source of module `name`.
fn serial_tests(name: &str, source: &str) -> Vec<String> {
    let mut serial = false;
    let mut found = Vec::new();
    for line in source.lines() {
        serial |= line == "#[serial(machine)]";
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some((test, _)) = function.and_then(|line| line.split_once('('))
            && std::mem::take(&mut serial)
        {
            found.push(format!("{name}::{test}"));
        }
    }
    found
}

#[test]
fn what_is_alone_under_cargo_test_is_alone_under_nextest() {
    let configuration = text("nextest.toml");
    let group = configuration.split("[[profile.default.overrides]]").nth(1).expect("the first group");
    let listed = group.split("/^(").nth(1).and_then(|rest| rest.split(")/").next()).expect("its filter");
    let listed: Vec<&str> = listed.split('|').collect();
    let mut serial = Vec::new();
    for (path, source) in rust_files("tests/it") {
        let name = path.trim_start_matches("tests/it/").trim_end_matches(".rs").replace('/', "::");
        serial.extend(serial_tests(&name, &source));
    }
    let is_listed = |test: &String| listed.iter().any(|front| test.starts_with(front));
    let missing: Vec<&String> = serial.iter().filter(|test| !is_listed(test)).collect();
    assert!(missing.is_empty(), "not alone in nextest.toml: {missing:?}");
    for front in listed {
        assert!(serial.iter().any(|test| test.starts_with(front)), "`{front}` has no `#[serial(machine)]`");
    }
}

#[test]
fn a_serial_test_would_be_found() {
    let source =
        "#[test]\n#[serial(machine)]\nfn alone() {}\n#[test]\n#[parallel(machine)]\nfn beside() {}\n";
    assert_eq!(serial_tests("a::b", source), ["a::b::alone"]);
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    for manifest in ["Cargo.toml", "demo/Cargo.toml"] {
        let missing = unexplained(&text(manifest), &text("ARCHITECTURE.md"));
        let missing = missing.join(", ");
        assert!(missing.is_empty(), "{manifest}: not in ARCHITECTURE.md, section Dependencies: {missing}");
    }
}

#[test]
fn an_unexplained_dependency_would_be_found() {
    let manifest = "[dependencies]\ntokio = \"1\"\ncsv = \"1\"\n[dev-dependencies]\ninsta = \"1\"\n";
    let architecture = "# A\n`csv`\n## Dependencies\n\n- `tokio`: runs\n\n## More\n`insta`\n";
    assert_eq!(unexplained(manifest, architecture), ["csv", "insta"]);
    assert!(unexplained(manifest, "## A\n\n## Dependencies\n- `tokio`, `csv`, `insta`").is_empty());
}

/// The types that a source makes public.
fn public_types(source: &str) -> Vec<String> {
    let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
    let name = |line: &str| {
        let rest = line.strip_prefix("pub ")?;
        let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
        Some(name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(name).to_string())
    };
    code(source).filter_map(|(_, line)| name(line)).collect()
}

/// Names that several of `sources` give to a public type.
fn shared_names(sources: &[(String, String)]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (place, source) in sources {
        for name in public_types(source) {
            places.entry(name).or_default().push(place);
        }
    }
    let shared = places.into_iter().filter(|(_, places)| places.len() > 1);
    shared.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn no_two_public_types_share_a_name() {
    for place in CRATES {
        assert_eq!(shared_names(&rust_files(place)), Vec::<String>::new());
    }
}

#[test]
fn a_name_that_two_public_types_share_would_be_found() {
    let files = |second: &str| {
        [("a.rs", "pub struct Unit(f64);\npub(crate) enum Inner {}\n"), ("b.rs", second)]
            .map(|(name, source)| (name.to_string(), source.to_string()))
    };
    assert_eq!(shared_names(&files("/// A unit.\npub enum Unit<T> {\n    A(T),\n}\n")), ["Unit: a.rs, b.rs"]);
    assert_eq!(shared_names(&files("pub trait Units {}\nenum Unit {}\npub enum Inner {}\n")), [""; 0]);
}
