//! Dependencies between modules point one way: down the list of the architecture, and in no circle.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::tidy::{code, rust_files, text};

/// The modules of a crate: their paths (`["service", "client"]`) and their code.
type Modules = BTreeMap<Vec<String>, String>;

/// The modules under `src`, without their tests.
fn modules() -> Modules {
    let is_test =
        |name: &str| name.ends_with("tests.rs") || name.ends_with("/fixtures.rs") || name.contains("/tests/");
    let path = |name: &str| {
        let mut path: Vec<String> =
            name["src/".len()..name.len() - ".rs".len()].split('/').map(String::from).collect();
        if path.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            path.pop();
        }
        path
    };
    let source = |source: &str| code(source).map(|(_, line)| format!("{line}\n")).collect();
    let files = rust_files("src").into_iter().filter(|(name, _)| !is_test(name));
    files.map(|(name, text)| (path(&name), source(&text))).collect()
}

/// The paths that begin with `crate`, `self` or `super`, with the braces of a `use` multiplied out.
fn paths(source: &str) -> Vec<Vec<String>> {
    let start = Regex::new(r"\b(?:crate|self|super)(?:::\w+)*").expect("a valid pattern");
    let mut found = Vec::new();
    for head in start.find_iter(source) {
        let head_path: Vec<String> = head.as_str().split("::").map(String::from).collect();
        match source[head.end()..].strip_prefix("::{") {
            Some(group) => expand(&head_path, group, &mut found),
            None => found.push(head_path),
        }
    }
    found
}

/// Adds `head` with each item of `group`, which begins behind an opening brace.
pub(crate) fn expand(head: &[String], group: &str, found: &mut Vec<Vec<String>>) {
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = group[start..at].trim();
                let (path, rest) = item.split_once("::{").unwrap_or((item, ""));
                let names = path.split(" as ").next().unwrap_or_default().split("::");
                let names = names.map(str::trim).filter(|name| !name.is_empty() && *name != "self");
                let whole: Vec<String> = head.iter().cloned().chain(names.map(String::from)).collect();
                if rest.is_empty() {
                    found.push(whole);
                } else {
                    expand(&whole, rest, found);
                }
                start = at + 1;
                if letter == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// The module in `modules` that `path` leads to, seen from the module `from`.
fn target(modules: &Modules, from: &[String], path: &[String]) -> Vec<String> {
    let mut at = from.to_vec();
    let mut names = path.iter();
    for name in names.by_ref() {
        match name.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            _ => {
                at.push(name.clone());
                break;
            }
        }
    }
    let mut reached = at.clone();
    if !modules.contains_key(&reached) {
        reached.pop();
        return reached;
    }
    for name in names {
        reached.push(name.clone());
        if !modules.contains_key(&reached) {
            reached.pop();
            break;
        }
    }
    reached
}

/// Which siblings use which, by their parent.
fn uses(modules: &Modules) -> BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> {
    let mut uses: BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (from, source) in modules {
        for path in paths(source) {
            let to = target(modules, from, &path);
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(user), Some(used)) = (from.get(shared), to.get(shared)) {
                let siblings = uses.entry(from[..shared].to_vec()).or_default();
                siblings.entry(user.clone()).or_default().insert(used.clone());
            }
        }
    }
    uses
}

/// The siblings that `from` uses, directly or by way of others.
fn reached<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, from: &'a String) -> BTreeSet<&'a String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        open.extend(uses.get(module).into_iter().flatten().filter(|used| seen.insert(*used)));
    }
    seen
}

/// The modules that use each other, directly or by way of their siblings.
fn circles(modules: &Modules) -> Vec<String> {
    let mut found = Vec::new();
    for (parent, uses) in uses(modules) {
        let in_circle: Vec<&str> = uses
            .keys()
            .filter(|module| reached(&uses, module).contains(module))
            .map(String::as_str)
            .collect();
        if !in_circle.is_empty() {
            found.push(format!("{}: {}", parent.join("::"), in_circle.join(", ")));
        }
    }
    found
}

/// The order of the modules in the architecture's code map: `` - `name`: … ``.
fn order(architecture: &str, modules: &Modules) -> Vec<String> {
    let map = architecture.split("\n## Code map").nth(1).unwrap_or_default();
    let map = map.split("\n## ").next().unwrap_or_default();
    let named = Regex::new(r"`(\w+)`:").expect("a valid pattern");
    let names = named.captures_iter(map).map(|found| found[1].to_string());
    names.filter(|name| modules.contains_key(&vec![name.clone()])).collect()
}

/// Uses of a module that is not above the user in `order`, and modules that are not in it.
fn upward(modules: &Modules, order: &[String]) -> Vec<String> {
    let place = |name: &String| order.iter().position(|listed| listed == name);
    let all = modules.keys().filter_map(|path| path.first()).collect::<BTreeSet<_>>();
    let unlisted = all.into_iter().filter(|name| place(name).is_none());
    let mut found: Vec<String> = unlisted.map(|name| format!("{name} is not in the code map")).collect();
    for (user, used) in uses(modules).remove(&Vec::new()).unwrap_or_default() {
        let wrong = used.iter().filter(|used| place(used) > place(&user));
        found.extend(wrong.map(|used| format!("{user} uses {used}, which is below it")));
    }
    found
}

#[test]
fn a_module_uses_only_those_above_it_in_the_code_map() {
    let modules = modules();
    let order = order(&text("ARCHITECTURE.md"), &modules);
    assert!(order.len() > 10, "the code map lists only {order:?}");
    assert_eq!(upward(&modules, &order), Vec::<String>::new());
}

#[test]
fn no_modules_use_each_other() {
    assert_eq!(circles(&modules()), Vec::<String>::new());
}

fn planted(files: &[(&str, &str)]) -> Modules {
    let path = |name: &str| name.split('/').map(String::from).collect::<Vec<_>>();
    files.iter().map(|(name, source)| (path(name), source.to_string())).collect()
}

#[test]
fn a_circle_would_be_found() {
    let rule = ("a/rule", "use super::words::{self, Sentence};\n");
    let words = "use crate::{b, a::{rule::Rate, C}};\n";
    let modules = |words| planted(&[("a", ""), rule, ("a/words", words), ("b", "")]);
    assert_eq!(circles(&modules(words)), ["a: rule, words"]);
    assert_eq!(circles(&modules("use crate::b;\n")), Vec::<String>::new());
    let long =
        [("x", "use crate::y;"), ("y", "fn f() { crate::z::g() }"), ("z/w", "use super::super::x::H;")];
    let with_parent = [&long[..], &[("z", "")]].concat();
    assert_eq!(circles(&planted(&with_parent)), [": x, y, z"]);
}

#[test]
fn a_use_of_a_lower_module_would_be_found() {
    let architecture =
        "## Before\n`b`: no\n## Code map\n\n- `a`: uses `b`\n- `b`: and `c`: last\n\n## After\n`d`: no\n";
    let modules = planted(&[("a", "use crate::c::D;"), ("b", "use crate::a;"), ("c", ""), ("d", "")]);
    let order = order(&format!("# A\n\n{architecture}"), &modules);
    assert_eq!(order, ["a", "b", "c"]);
    assert_eq!(upward(&modules, &order), ["d is not in the code map", "a uses c, which is below it"]);
}
