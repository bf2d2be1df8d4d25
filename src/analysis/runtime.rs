//! Is the worker a large runtime? What it has mapped may say so. Pure.
//!
//! The heap of a large runtime (Java, JavaScript engines) rises to a limit of its own before anything in it is
//! collected, so more is asked of its growth. Where nothing else is known, it is told by how much is mapped from files.
//! That takes a Python worker with numerical libraries for one, whose memory is freed as soon as nothing refers to it.

use crate::record::{Event, Place, RunData};

/// The beginnings of the names of files of programs without such a heap: reference-counted interpreters, and the
/// embedded service, whose unoptimised build maps as much.
const COUNTED: [&str; 3] = ["python", "libpython", "highwater"];

/// Those of engines with a heap of their own; also inside another program.
const ENGINES: [&str; 7] =
    ["libjvm", "libnode", "libv8", "libcoreclr", "libmono", "libmozjs", "libjavascriptcore"];

/// Programs that contain such an engine.
const PROGRAMS: [&str; 3] = ["node", "deno", "bun"];

/// What the heap of a Java machine may rise by on its own, in MB: it starts with a 64th of the machine's memory and goes
/// on to a quarter of it, and what was collected stays resident.
const JVM_HEAP_MB: f64 = 1_536.0;

/// An engine that collects before each reading may raise its heap by this much without a leak, in MB: after a
/// collection it keeps up to three times what is in use.
const COLLECTED_HEAP_MB: f64 = 96.0;

/// How far the worker's heap may rise without a leak, in MB, if its runtime is known by the files that it had mapped.
pub(super) fn heap_mb(run: &RunData) -> Option<f64> {
    let names = mapped(run);
    let any = |beginning: &str| names.iter().any(|name| name.starts_with(beginning));
    let engine = ENGINES.iter().any(|engine| any(engine)) || names.iter().any(|name| PROGRAMS.contains(name));
    if collects(run) && engine {
        return Some(COLLECTED_HEAP_MB);
    }
    any("libjvm").then_some(JVM_HEAP_MB)
}

/// True if the runtime was made to collect before each reading.
pub(super) fn collects(run: &RunData) -> bool {
    run.events.iter().any(|record| matches!(record.event, Event::Collects {}))
}

/// The names of the files that the worker had mapped when that was first looked at; none where it was not.
fn mapped(run: &RunData) -> Vec<&str> {
    let looked = run.events.iter().find_map(|record| match &record.event {
        Event::Anatomy { role: None, anatomy, .. } if !anatomy.memory.is_empty() => Some(anatomy),
        _ => None,
    });
    let parts = looked.map(|anatomy| anatomy.memory.iter()).into_iter().flatten();
    let files = parts.filter(|part| part.place == Place::Files);
    files.map(|part| part.name.rsplit('/').next().unwrap_or_default()).collect()
}

/// True if the worker is known to be no large runtime, by what it had mapped when that was first looked at.
pub(super) fn is_counted(run: &RunData) -> bool {
    let names = mapped(run);
    let any = |beginnings: &[&str]| {
        names.iter().any(|name| beginnings.iter().any(|beginning| name.starts_with(beginning)))
    };
    any(&COUNTED) && !any(&ENGINES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{run, task};
    use crate::analysis::{Answer, LeakTasks};
    use crate::record::{Anatomy, Footprint, MemoryPart, Moment, Phase, TaskRecord};

    fn run_with(files: &[&str]) -> RunData {
        let part =
            |name: &&str| MemoryPart { place: Place::Files, name: (*name).to_string(), mb: 5.0, mappings: 1 };
        let anatomy = Anatomy { memory: files.iter().map(part).collect(), ..Anatomy::default() };
        run(Vec::new(), vec![Event::Anatomy { moment: Moment::Baseline, role: None, anatomy }])
    }

    #[test]
    fn its_growth_is_judged_as_that_of_any_program() {
        let held = |index: u32| {
            let private_mb = 100.0 + f64::from(index);
            let (private_mb, rss_mb) = (Some(private_mb), Some(private_mb + 40.0));
            Footprint { private_mb, rss_mb, ..Footprint::default() }
        };
        let after = |index: u32| TaskRecord {
            phase: Some(Phase::Leak),
            worker_after: Some(held(index)),
            ..task("short", 1, 0.1)
        };
        let tasks = || (0..71).map(after).collect();
        let judged = |run: &RunData| LeakTasks::of(run).growth(1).answer;
        assert_eq!(judged(&run(tasks(), Vec::new())), Answer::Inconclusive, "taken for a large runtime");
        let python = RunData { tasks: tasks(), ..run_with(&["/usr/lib/libpython#.#.so.#.#"]) };
        assert_eq!(judged(&python), Answer::Leak);
    }

    #[test]
    fn a_python_with_large_libraries_is_no_large_runtime() {
        let numerical = ["/usr/lib/libscipy_openblas#_.so", "/usr/lib/libpython#.#.so.#.#"];
        assert!(is_counted(&run_with(&numerical)));
        assert!(is_counted(&run_with(&["/usr/bin/python#.#"])));
        assert!(
            is_counted(&run_with(&["/target/debug/highwater", "/usr/lib/libc.so.#"])),
            "the embedded service"
        );
        assert!(
            !is_counted(&run_with(&["/usr/bin/python#.#", "/usr/lib/jvm/lib/server/libjvm.so"])),
            "one inside"
        );
        assert!(!is_counted(&run_with(&["/usr/bin/node", "/lib/python#/x.so"])));
        assert!(!is_counted(&run_with(&[])), "not known");
        assert!(!is_counted(&RunData::default()), "not known");
        assert_eq!(heap_mb(&run_with(&["/usr/lib/jvm/lib/server/libjvm.so"])), Some(JVM_HEAP_MB));
        assert_eq!(heap_mb(&run_with(&["/usr/bin/node"])), None);
        let mut collected = run_with(&["/usr/bin/node"]);
        collected.events.extend(run(Vec::new(), vec![Event::Collects {}]).events);
        assert_eq!(heap_mb(&collected), Some(COLLECTED_HEAP_MB));
    }
}
