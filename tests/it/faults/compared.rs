//! Comparing runs of the embedded service: a planted fix is proved, a planted regression is caught.

use serde_json::Value;
use serial_test::parallel;

use crate::support::runs::{Place, Running};

/// Results of a clean run and of two with the same leak, in directories of their own.
struct Runs(Place);

const LEAK: &str = "--leak 5MB";

fn measured() -> Runs {
    let place = Place::new(2, 4);
    for (directory, fault) in [("clean", ""), ("leak", LEAK), ("again", LEAK)] {
        // As few repeats as possible: the length of the check is not under test.
        let arguments = "run --demo --short short.wav --long long.wav --only leak --repeats 5 \
                         --set leak.max_repeats=5 --set settle.quiet_s=0.05 --set settle.late_free_s=0.2";
        let mut command = place.highwater();
        command.args(arguments.split_whitespace()).args(["--results", directory, "--"]);
        Running::start(command.args(fault.split_whitespace())).ended();
    }
    Runs(place)
}

impl Runs {
    /// `highwater compare`: its exit code and the object that it prints.
    fn compare(&self, arguments: &str) -> (i32, Value) {
        let mut command = self.0.highwater();
        command.arg("compare").args(arguments.split_whitespace()).arg("--json");
        let (code, stdout, stderr) = Running::start(&mut command).ended();
        let object = stdout.last().and_then(|line| serde_json::from_str(line).ok());
        (code.unwrap(), object.unwrap_or_else(|| panic!("no JSON: {stdout:?}\n{stderr}")))
    }

    #[track_caller]
    fn assert(&self, arguments: &str, code: i32, verdict: &str, words: &str) {
        let (found, object) = self.compare(arguments);
        let reason = object["reason"].as_str().unwrap();
        assert_eq!((found, object["verdict"].as_str()), (code, Some(verdict)), "{object:#}");
        assert!(reason.contains(words), "`{reason}` does not say `{words}`");
        assert_eq!(object["exit_code"], code);
        assert_eq!(object["signals"][0]["difference"]["method"], "paired", "{object:#}");
    }
}

#[test]
#[parallel(machine)]
fn a_fix_is_proved_and_a_regression_caught() {
    let runs = measured();
    runs.assert("leak clean", 0, "fixed", "memory grew by 4.77 MB per task before");
    runs.assert("leak clean --expect fixed", 0, "fixed", "grows no more");
    runs.assert("clean leak", 1, "worse", "memory grows by 4.77 MB per task after");
    runs.assert("leak again", 0, "no change", "still growing");
    runs.assert("leak again --expect better", 1, "no change", "still growing");
    runs.assert("clean clean", 0, "no change", "does not grow differently");

    // The gate of a known leak: passes with it, and fails with a larger one.
    let gate = |fault: &str| {
        let arguments =
            "--only leak --baseline leak --set settle.late_free_s=0.2 --set leak.max_repeats=20 --json";
        let (code, stdout, stderr) = Running::start(&mut runs.0.run(arguments, fault)).ended();
        (code, serde_json::from_str::<Value>(stdout.last().unwrap()).unwrap(), stderr)
    };
    let (code, object, stderr) = gate(LEAK);
    assert_eq!(code, Some(0), "{stderr}");
    let criteria = object["criteria"].as_array().unwrap();
    let compared = criteria.iter().find(|found| found["name"] == "compare.growth").unwrap();
    assert!(compared["detail"].as_str().unwrap().starts_with("no change: still growing"), "{compared}");
    let (code, object, stderr) = gate("--leak 15MB");
    assert_eq!((code, object["verdict"].as_str()), (Some(1), Some("fail")), "{stderr}");
}

/// The flow of `docs/src/prove-a-fix.md` with the settings that a user has: a leak of the long recordings only, whose
/// check ends when that is known, and the version without it, which sends as many tasks as the comparison needs.
#[test]
#[parallel(machine)]
fn two_default_runs_prove_a_fix() {
    // `--leak-when long` is about recordings of more than 300 s. Tasks that wait take longer than quiet memory does, so
    // that each has a reading of its own on any machine.
    let place = Place::new(4, 302);
    let run = |arguments: &str, fault: &str| {
        let mut command = place.highwater();
        command.args("run --demo --short short.wav --long long.wav --only leak --json".split(' '));
        command.args(arguments.split_whitespace()).arg("--").args(fault.split_whitespace());
        let (code, stdout, stderr) = Running::start(&mut command).ended();
        let object: Value = serde_json::from_str(stdout.last().unwrap()).unwrap();
        (code, object, stderr)
    };
    let detail = |object: &Value, name: &str| {
        let criteria = object["criteria"].as_array().unwrap();
        criteria.iter().find(|found| found["name"] == name).unwrap()["detail"].as_str().unwrap().to_string()
    };
    let (code, before, stderr) = run("--results before", "--leak 210MB --leak-when long --wait 600ms");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        detail(&before, "leak.growth").contains("+200 MB per long task, nothing per short task"),
        "{before:#}"
    );
    assert!(!stderr.contains("certain"), "{stderr}");

    let (code, after, stderr) = run("--results after --baseline before", "--wait 600ms");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(detail(&after, "compare.growth").starts_with("fixed: memory grew by 200."), "{after:#}");

    let mut compare = place.highwater();
    compare.args("compare before after --expect fixed".split(' '));
    let (code, said, stderr) = Running::start(&mut compare).ended();
    assert_eq!(code, Some(0), "{said:?} {stderr}");
    assert!(said[0].starts_with("FIXED: memory grew by 200."), "{said:?}");
    assert!(said.iter().all(|line| !line.contains("-0 KB")), "{said:?}");
    let rows = |row: &str| said.iter().filter(|line| line.starts_with(row)).count();
    assert_eq!((rows("| growth of memory"), rows("| growth of shared memory")), (1, 1), "{said:?}");
}
