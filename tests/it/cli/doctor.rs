//! `doctor`: what is ready, and what to do about what is not.

use super::*;

#[test]
fn doctor_finds_the_embedded_service_well() {
    let home = Home::new();
    let service = Embedded::start(Path::new(env!("CARGO_BIN_EXE_highwater")), &[]).unwrap();
    let worker = service.ready().pids(Role::Worker)[0].to_string();
    let recordings = home.recordings();
    let mut args = vec!["doctor", "--url", &service.ready().url, "--worker-pid", &worker];
    args.extend(recordings.iter().map(String::as_str));
    let ended = home.run(&args);
    ended.says(0, &[]);
    assert!(!ended.stdout.contains("FAIL"), "{}", ended.stdout);
    for part in [
        "is well",
        &format!("worker (pid {worker}):"),
        &format!("  pid {worker}  up "),
        "(2 s, ",
        "can be written",
        "everything is there; no task was sent yet: `highwater doctor --url http://127.0.0.1:",
    ] {
        assert!(ended.stdout.contains(part), "`{part}` is missing in: {}", ended.stdout);
    }
}

#[test]
fn doctor_says_of_everything_that_is_missing_what_to_do() {
    let home = Home::new();
    let file = home.write("a-file", "");
    let results = file.join("results");
    let ended = home.run(&[
        "doctor",
        "--url",
        &service::nobody(),
        "--set",
        "processes.worker.patterns=no-such-worker-anywhere",
        "--short",
        "none.wav",
        "--results",
        text(&results),
    ]);
    ended.says(3, &[]);
    let failed: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("FAIL")).collect();
    for what in ["service", "process", "audio", "results"] {
        assert!(failed.iter().any(|line| line.contains(what)), "{what} has not failed: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches("hint: ").count(), failed.len(), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("not ready\n"), "{}", ended.stdout);
}
