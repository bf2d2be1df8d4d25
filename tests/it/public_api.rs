//! The names that a user of the library sees are listed in `docs/public-api.txt`, so that a change of them is seen in
//! review.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::module_order::expand;
use crate::tidy::{code, text};

const HEAD: &str = "\
# Every public name of the library: modules, types, traits, functions and constants, with all features.
# Made from the source by `cargo test --test it public_api -- --ignored`. A name that leaves this list, or that changes
# what it stands for, is a breaking change.
";

fn listing() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/public-api.txt")
}

/// The public names of a module, its own and re-exported ones, and its modules in files.
#[derive(Debug, Default, PartialEq)]
struct Face {
    names: BTreeSet<String>,
    modules: BTreeSet<String>,
}

fn face(source: &str) -> Face {
    let mut face = Face::default();
    let mut statement = String::new();
    for (_, line) in code(source) {
        if statement.is_empty() && !line.starts_with("pub ") {
            continue;
        }
        statement.push_str(line.trim());
        // `pub use` may go on over several lines.
        if statement.starts_with("pub use ") && !statement.ends_with(';') {
            continue;
        }
        let whole = std::mem::take(&mut statement);
        let item = whole["pub ".len()..].trim_end_matches(';');
        if let Some(path) = item.strip_prefix("use ") {
            face.names.extend(exported(path));
        } else if let Some(module) = item.strip_prefix("mod ") {
            face.modules.insert(module.to_string());
        } else {
            face.names.extend(defined(item));
        }
    }
    face
}

/// The names that `pub use` brings: `a::{B, c::D}`.
fn exported(path: &str) -> Vec<String> {
    if let Some((_, name)) = path.split_once(" as ").filter(|_| !path.contains('{')) {
        return vec![name.to_string()];
    }
    let mut found = Vec::new();
    let path = path.replace(",}", "}");
    match path.split_once("::{") {
        Some((head, group)) => expand(&[head.to_string()], group, &mut found),
        None => found.push(path.split("::").map(String::from).collect()),
    }
    found.into_iter().filter_map(|path: Vec<String>| path.last().cloned()).collect()
}

/// The name that an item defines: `const fn name(`, `struct Name<T>`.
fn defined(item: &str) -> Option<String> {
    const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
    let mut words = item
        .split(' ')
        .skip_while(|word| ["async", "unsafe", "const"].contains(word) && item.contains(" fn "));
    words.next().filter(|kind| KINDS.contains(kind))?;
    let name = words.next()?.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    Some(name.to_string())
}

/// The public names at and below the module `path`, whose source is `source`.
fn collect(path: &str, source: &str, read: &dyn Fn(&str) -> String, found: &mut BTreeSet<String>) {
    let face = face(source);
    found.extend(face.names.iter().map(|name| format!("{path}::{name}")));
    for module in &face.modules {
        let path = format!("{path}::{module}");
        collect(&path, &read(&path), read, found);
        found.insert(path);
    }
}

/// The source of the module `highwater::a::b`.
fn source(path: &str) -> String {
    let file = path.replacen("highwater", "src", 1).replace("::", "/");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = format!("{file}/mod.rs");
    text(if root.join(&whole).exists() { whole } else { format!("{file}.rs") }.as_str())
}

fn public_names() -> String {
    let mut found = BTreeSet::new();
    collect("highwater", &text("src/lib.rs"), &source, &mut found);
    let names: Vec<String> = found.into_iter().collect();
    format!("{HEAD}\n{}\n", names.join("\n"))
}

#[test]
fn every_public_name_is_in_the_listing() {
    let listed = std::fs::read_to_string(listing()).unwrap_or_default();
    let (listed, names): (BTreeSet<&str>, String) = (listed.lines().collect(), public_names());
    let names: BTreeSet<&str> = names.lines().collect();
    let (new, gone) = (names.difference(&listed), listed.difference(&names));
    assert!(
        names == listed,
        "new: {:?}, gone: {:?}; if that is meant: `cargo test --test it public_api -- --ignored`",
        new.collect::<Vec<_>>(),
        gone.collect::<Vec<_>>()
    );
}

#[test]
#[ignore = "writes docs/public-api.txt"]
fn write_the_listing() {
    std::fs::write(listing(), public_names()).unwrap();
}

#[test]
fn a_new_public_name_would_be_found() {
    let read = |path: &str| {
        match path {
        "highwater::a" => "pub(crate) struct Inner;\npub use b::{\n    C,\n    d::{E, F},\n};\nmod g;\npub const fn h() {}\n".to_string(),
        other => panic!("{other} is not public"),
    }
    };
    let mut found = BTreeSet::new();
    let root = "pub mod a;\nmod i;\npub use i::J;\npub use k as l;\npub enum M<T> {\n    N(T),\n}\npub async fn o() {}\n";
    collect("highwater", root, &read, &mut found);
    let found: Vec<String> = found.into_iter().map(|name| name["highwater::".len()..].to_string()).collect();
    assert_eq!(found, ["J", "M", "a", "a::C", "a::E", "a::F", "a::h", "l", "o"]);
    assert_eq!(defined("const LIMIT: u32 = 3"), Some("LIMIT".to_string()));
}
