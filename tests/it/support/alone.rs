//! A test in a process of its own: under `cargo test` the tests of a binary share one process.

use std::process::Command;

/// Tells a test that it is alone in its process.
const VARIABLE: &str = "HIGHWATER_TEST_ALONE";

/// Runs `body` in a process that runs nothing but the test that calls this; `test` is its path, as in
/// `concat!(module_path!(), "::the_test")`.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(VARIABLE).is_some() {
        return body();
    }
    println!("{}", again(test, VARIABLE, "1"));
}

/// Runs `test` alone in a process with `variable` set to `value`, and returns its output.
pub(crate) fn again(test: &str, variable: &str, value: &str) -> String {
    // The test runner knows it without the name of the binary.
    let (_, name) = test.split_once("::").expect("the path of a test");
    let mut command = Command::new(std::env::current_exe().expect("our own program"));
    command.args(["--exact", name, "--nocapture", "--include-ignored"]).env(variable, value);
    let output = command.output().expect("it can be started again");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said
}
