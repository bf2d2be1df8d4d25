//! Growth planted in the embedded service is attributed to its place.

use rstest::rstest;
use serde_json::Value;
use serial_test::parallel;

use crate::support::expect::{Told, told};
use crate::support::runs::Place;

/// As few tasks as possible: the length of the check is not under test.
const LEAK: &str = "--only leak --set settle.late_free_s=0.2 --repeats 5 --set leak.max_repeats=5";

fn run(fault: &str) -> Told {
    told(&Place::new(2, 4), LEAK, fault).1
}

#[rstest]
#[case::heap("heap", "heap", "")]
#[case::arena("arena", "arenas", "of 64 MB")]
#[case::mmap("mmap", "anonymous", "MB")]
#[case::shared_memory("shm", "shared", "/memfd:leak")]
#[case::mapped_files("file", "files", "")]
#[parallel(machine)]
fn memory_is_told_by_its_place(#[case] how: &str, #[case] place: &str, #[case] most: &str) {
    let told = run(&format!("--leak 8MB --leak-how {how}"));
    let grown = &told.object["attribution"]["memory"][0];
    assert_eq!(grown["place"], place, "{}\n{}", told.object, told.stderr);
    assert!(grown["percent"].as_f64().unwrap() > 90.0, "{grown}");
    assert!(grown["most"].as_str().unwrap().contains(most), "{grown}");
    // Ten tasks of 7.6 MB come after the first look.
    assert!((65.0..90.0).contains(&grown["mb"].as_f64().unwrap()), "{grown}");
    assert!(!grown["hint"].as_str().unwrap().is_empty());
    assert!(
        told.report.contains("## Where the worker grew") && told.stderr.contains("grew: "),
        "{}",
        told.stderr
    );
}

#[test]
#[parallel(machine)]
fn what_can_be_counted_is_told_by_kind_and_name() {
    let told = run("--leak-fds 2 --leak-fd-kind pipe --leak-threads --leak-zombies");
    let counts = told.object["attribution"]["counts"].as_array().unwrap();
    let grown = |what: &str| {
        let count = |grown: &Value| grown["after"].as_u64().unwrap() - grown["before"].as_u64().unwrap();
        let found = counts.iter().find(|grown| grown["what"].as_str().unwrap().starts_with(what));
        found.map(count).unwrap_or_else(|| panic!("no `{what}` in {counts:?}\n{}", told.stderr))
    };
    assert_eq!((grown("pipes"), grown("threads named `leaked`"), grown("zombies")), (20, 10, 10));
    assert_eq!(counts.len(), 3, "{counts:?}");
}

#[test]
#[parallel(machine)]
fn sockets_files_and_children_are_told_apart() {
    let told = run("--leak-fds --leak-fd-kind socket --leak-children");
    let whats = |told: &Told| -> Vec<String> {
        let counts = told.object["attribution"]["counts"].as_array().unwrap();
        counts.iter().map(|grown| grown["what"].as_str().unwrap().to_string()).collect()
    };
    let found = whats(&told);
    assert!(found.iter().any(|what| what == "sockets"), "{found:?}");
    assert!(found.iter().any(|what| what.starts_with("processes named")), "{found:?}");
    let found = whats(&run("--leak-fds"));
    assert_eq!(found, ["open files, most of them `/dev/null`"]);
}

#[test]
#[parallel(machine)]
fn nothing_is_told_of_a_clean_service() {
    let told = run("--cache 2x8MB");
    assert_eq!(told.object["attribution"], Value::Null, "{}", told.object);
}
