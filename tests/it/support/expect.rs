//! The expected results of runs with planted faults, and their one verifier.

use serde_json::Value;

use super::runs::{Place, Running, assert_gone, json_lines};

/// The output and the files of a finished run.
pub(crate) struct Told {
    /// The object that `--json` ends with.
    pub(crate) object: Value,
    /// The output for people, on stderr.
    pub(crate) stderr: String,
    pub(crate) tasks: Vec<Value>,
    pub(crate) events: Vec<Value>,
    pub(crate) report: String,
}

/// The outcome that is expected; what is left out is not looked at.
#[derive(Default)]
pub(crate) struct Expect<'a> {
    pub(crate) exit: i32,
    /// Names of the criteria that must be there, with the verdict of each.
    pub(crate) criteria: &'a [(&'a str, &'a str)],
    pub(crate) max_stable: Option<u64>,
    /// The clause that broke, and the beginning of what is said about it (`{worker}` is its pid).
    pub(crate) broke: Option<(&'a str, &'a str)>,
    /// Words that the report must contain.
    pub(crate) words: &'a [&'a str],
}

/// Runs highwater to its end against the embedded service with `fault`.
pub(crate) fn told(place: &Place, arguments: &str, fault: &str) -> (i32, Told) {
    finished(place, Running::start(&mut place.run(&format!("--json {arguments}"), fault)))
}

/// Waits for the end of a highwater that was started with `--json`.
pub(crate) fn finished(place: &Place, running: Running) -> (i32, Told) {
    let (exit, stdout, stderr) = running.ended();
    let object: Value = stdout
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_else(|| panic!("no JSON object at the end of stdout: {stdout:?}\n{stderr}"));
    let file = |name: &str| place.path(object["files"][name].as_str().unwrap());
    let told = Told {
        tasks: json_lines(&file("tasks")),
        events: json_lines(&file("events")),
        report: std::fs::read_to_string(file("report")).unwrap(),
        object,
        stderr,
    };
    let exit = exit.unwrap_or_else(|| panic!("highwater was killed: {}", told.stderr));
    (exit, told)
}

/// Runs and holds everything against `expect`; no process may be left.
pub(crate) fn check(place: &Place, arguments: &str, fault: &str, expect: &Expect<'_>) -> Told {
    let (exit, told) = told(place, arguments, fault);
    told.verify(exit, expect);
    assert_gone(&told.pids());
    told
}

impl Told {
    /// Holds a run against what is expected of it.
    pub(crate) fn verify(&self, exit: i32, expect: &Expect<'_>) {
        let context = &self.stderr;
        assert_eq!(exit, expect.exit, "exit code\n{context}");
        assert_eq!(self.object["exit_code"], expect.exit, "exit code in the object\n{context}");
        let verdict = ["pass", "fail", "inconclusive"][usize::try_from(expect.exit).unwrap()];
        assert_eq!(self.object["verdict"], verdict, "{context}");
        for (name, verdict) in expect.criteria {
            assert_eq!(self.criterion(name)["verdict"], *verdict, "`{name}`\n{context}");
        }
        assert_eq!(self.object["max_stable_concurrency"].as_u64(), expect.max_stable, "{context}");
        let broke = &self.object["broke"];
        match expect.broke {
            Some((clause, detail)) => {
                let detail = detail.replace("{worker}", &self.worker().to_string());
                assert_eq!(broke["clause"], clause, "{context}");
                assert!(broke["detail"].as_str().unwrap().starts_with(&detail), "{broke} is not `{detail}…`");
            }
            None => assert!(broke.is_null(), "{broke}\n{context}"),
        }
        for words in expect.words {
            let words = words.replace("{worker}", &self.worker().to_string());
            assert!(self.report.contains(&words), "the report does not say `{words}`:\n{}", self.report);
        }
    }

    /// The criterion of that name.
    pub(crate) fn criterion(&self, name: &str) -> &Value {
        let criteria = self.object["criteria"].as_array().unwrap();
        criteria
            .iter()
            .find(|criterion| criterion["name"] == name)
            .unwrap_or_else(|| panic!("`{name}` was not judged\n{}", self.stderr))
    }

    /// The worker that was there at the start.
    pub(crate) fn worker(&self) -> u64 {
        let found =
            self.all("process_found").find(|event| event["role"] == "worker" && event["root"] == true);
        found.and_then(|event| event["pid"].as_u64()).expect("the log tells of the worker")
    }

    /// The events of that name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["event"] == name)
    }

    /// The tasks of one level of the ramp.
    pub(crate) fn level(&self, concurrency: u32) -> Vec<&Value> {
        self.tasks
            .iter()
            .filter(|task| task["phase"] == "concurrency" && task["concurrency"] == concurrency)
            .collect()
    }

    fn pids(&self) -> Vec<u32> {
        self.all("process_found")
            .map(|event| u32::try_from(event["pid"].as_u64().unwrap()).unwrap())
            .collect()
    }
}
