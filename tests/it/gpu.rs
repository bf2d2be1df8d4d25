//! GPU memory, from a driver's library that this test builds (`fixtures/gpu/fake_nvml.c`): no machine here has a GPU.
//!
//! The service is inside this test. With each task it changes what the library says of the worker's process.
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rstest::rstest;
use serde_json::Value;
use serial_test::parallel;

use crate::support::helper::Helper;
use crate::support::request::request_line;
use crate::support::runs::{Place, Running, json_lines};

/// The task from which on the figures change.
const FROM: u32 = 5;

/// The library's answer about the worker after this many tasks.
fn control(does: &str, pid: u32, tasks: u32) -> String {
    let changed = tasks >= FROM;
    let (mode, mb) = match does {
        "keeps" => ("ok", Some(800 + 16 * tasks)),
        "leaves" if changed => ("ok", None),
        "denied" | "split" | "unavailable" => (does, Some(800)),
        "lost" if changed => ("lost", Some(800)),
        _ => ("ok", Some(800)),
    };
    // A stranger's memory grows meanwhile.
    let stranger = format!("process 1 {}\n", 500 + 50 * tasks);
    format!("mode {mode}\n{stranger}{}", mb.map_or(String::new(), |mb| format!("process {pid} {mb}\n")))
}

/// Written whole, since the library may read it at any time.
fn say(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

fn answer(mut stream: TcpStream, change: &dyn Fn()) -> std::io::Result<()> {
    let first = request_line(&stream)?;
    if first.starts_with("POST") {
        change();
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")
}

/// The directory with the library.
fn library(place: &Place) -> PathBuf {
    let directory = place.path("lib");
    std::fs::create_dir(&directory).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(directory.join("libnvidia-ml.so.1"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/gpu/fake_nvml.c"))
        .status()
        .expect("a C compiler, `cc`");
    assert!(built.success());
    directory
}

struct Checked {
    results: Value,
    tasks: Vec<Value>,
    warnings: Vec<String>,
    rows: Option<String>,
    pid: u32,
}

impl Checked {
    fn criterion(&self) -> Option<&Value> {
        self.results["criteria"].as_array().unwrap().iter().find(|found| found["name"] == "leak.gpu")
    }

    fn verdict(&self) -> Option<&str> {
        self.criterion().and_then(|found| found["verdict"].as_str())
    }

    /// The worker's GPU memory after each task.
    fn held(&self) -> Vec<Option<f64>> {
        self.tasks.iter().map(|task| task["worker_after"]["gpu_mb"].as_f64()).collect()
    }
}

/// A leak check of a service whose worker `does` this on the GPU.
fn check(does: &'static str) -> Checked {
    let place = Place::new(1, 1);
    let helper = Helper::spawn();
    let pid = helper.pid;
    let file = place.path("control");
    say(&file, &control(does, pid, 0));
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (said, tasks) = (file.clone(), Arc::new(AtomicU32::new(0)));
    std::thread::spawn(move || {
        let change = move || {
            let tasks = tasks.fetch_add(1, Ordering::SeqCst) + 1;
            say(&said, &control(does, pid, tasks));
        };
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever asked may have gone.
            let _ = answer(stream, &change);
        }
    });
    let config = format!(
        "results = \"results\"\n[target]\nkind = \"http\"\nurl = \"http://{address}\"\n[target.http]\n\
         path = \"/task\"\n[processes.worker]\npid = {pid}\n[sampler]\ninterval_s = 0.1\n[settle]\nquiet_s = 0.05\n\
         max_s = 0.3\nlate_free_s = 0.3\n[leak]\nrepeats = 20\nmax_repeats = 24\nfor_s = 0\n[ramp]\nenabled = false\n"
    );
    std::fs::write(place.path("highwater.toml"), config).unwrap();
    let mut command = place.highwater();
    command.args(["run", "--json"]);
    if does != "no library" {
        command.env("LD_LIBRARY_PATH", library(&place)).env("FAKE_NVML", &file);
    }
    let (_, lines, stderr) = Running::start(&mut command).ended();
    let text = lines.join("\n");
    let results: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{stderr}"));
    let found = |prefix: &str| {
        let files = std::fs::read_dir(place.path("results")).unwrap();
        files.map(|file| file.unwrap().path()).find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(prefix) && !name.ends_with(".md") && !name.ends_with(".html")
        })
    };
    let events = json_lines(&found("events_").unwrap());
    let warnings = events.iter().filter(|event| event["event"] == "warning");
    Checked {
        tasks: json_lines(&found("memory_leak_stress_test_").unwrap()),
        warnings: warnings.map(|event| event["message"].as_str().unwrap().to_string()).collect(),
        rows: found("gpu_").map(|path| std::fs::read_to_string(path).unwrap()),
        results,
        pid,
    }
}

#[test]
#[parallel(machine)]
fn memory_that_a_worker_keeps_on_the_gpu_is_a_leak() {
    let checked = check("keeps");
    let found = checked.criterion().unwrap_or_else(|| panic!("{}", checked.results));
    assert_eq!(found["verdict"], "fail", "{found}");
    assert!(found["detail"].as_str().unwrap().starts_with("worker: LEAK: +16 MB per task"), "{found}");
    assert_eq!(checked.held()[..3], [Some(816.0), Some(832.0), Some(848.0)]);
    assert_eq!(checked.results["gpu_growth"]["worker"]["verdict"], "leak");
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
    let rows = checked.rows.as_deref().unwrap();
    let mine = format!(",0,Fake GPU,{},", checked.pid);
    let mine: Vec<&str> = rows.lines().filter(|row| row.contains(&mine)).collect();
    assert!(mine.iter().all(|row| row.contains(",worker,") && row.contains(",81920.0,")), "{rows}");
    assert!(mine.iter().any(|row| row.ends_with(",21")), "how busy it is: {rows}");
    assert!(
        rows.lines().any(|row| row.contains(",0,Fake GPU,,,,") && row.ends_with(",81920.0,37")),
        "{rows}"
    );
    assert!(!rows.contains("Fake GPU,1,"), "a stranger's row: {rows}");
}

#[test]
#[parallel(machine)]
fn a_worker_that_holds_the_same_passes_whatever_strangers_do() {
    let checked = check("flat");
    assert_eq!(checked.verdict(), Some("pass"), "{:?}", checked.criterion());
    assert!(checked.held().iter().all(|held| *held == Some(800.0)), "{:?}", checked.held());
}

#[test]
#[parallel(machine)]
fn a_machine_without_a_gpu_says_nothing_of_any() {
    let checked = check("no library");
    assert_eq!((checked.verdict(), checked.rows.as_deref()), (None, None));
    assert!(checked.held().iter().all(Option::is_none));
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
}

#[rstest]
#[case::denied("denied", "GPU 0", "does not permit it")]
#[case::split("split", "GPU 0", "(MIG)")]
#[case::unavailable("unavailable", "GPU 0", "without their memory")]
#[parallel(machine)]
fn figures_that_a_driver_refuses_are_absent_and_the_run_says_so_once(
    #[case] does: &'static str,
    #[case] device: &str,
    #[case] why: &str,
) {
    let checked = check(does);
    assert_eq!(checked.verdict(), None, "{:?}", checked.criterion());
    assert!(checked.held().iter().all(Option::is_none), "{:?}", checked.held());
    assert_eq!(checked.warnings.len(), 1, "{:?}", checked.warnings);
    assert!(
        checked.warnings[0].contains(device) && checked.warnings[0].contains(why),
        "{:?}",
        checked.warnings
    );
}

#[test]
#[parallel(machine)]
fn a_device_that_is_lost_is_never_a_pass() {
    let checked = check("lost");
    assert_eq!(checked.verdict(), Some("inconclusive"), "{:?}", checked.criterion());
    assert_eq!(checked.held().last(), Some(&None), "{:?}", checked.held());
    assert_eq!(checked.warnings.len(), 1, "{:?}", checked.warnings);
}

#[test]
#[parallel(machine)]
fn a_worker_that_lets_go_of_the_gpu_holds_nothing_there() {
    let checked = check("leaves");
    assert_eq!(checked.held().last(), Some(&Some(0.0)), "{:?}", checked.held());
    assert_ne!(checked.verdict(), Some("fail"), "{:?}", checked.criterion());
}
