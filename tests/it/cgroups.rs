//! Real control groups: their members, and the processes that the kernel killed for lack of memory.
//!
//! They make groups of their own, which only root may, where the hierarchies can be written to:
//! `cargo test --test it cgroups -- --ignored`.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::helper::{Helper, until};
use highwater::plan::ProcessPlan;
use highwater::record::ExitKind;
use highwater::sampler::{EventKind, Sampler, SamplerOptions, default_source, find_processes};

/// A group of the test's own; removed on drop, once it is empty.
struct Group {
    /// The mount point of the hierarchy.
    mount: PathBuf,
    /// Its path from there.
    path: String,
}

impl Group {
    /// Made in the hierarchy that is mounted at `mount`; `name` may be several levels.
    fn make(mount: &Path, name: &str) -> Group {
        let path = format!("/highwater-test-{}/{name}", std::process::id());
        let group = Group { mount: mount.to_path_buf(), path };
        fs::create_dir_all(group.directory()).unwrap_or_else(|error| {
            panic!("{}: {error}; run this as root where it can be written to", group.directory().display())
        });
        group
    }

    fn directory(&self) -> PathBuf {
        self.mount.join(&self.path[1..])
    }

    fn join(&self, helper: &Helper) {
        self.write("cgroup.procs", &helper.pid.to_string());
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.directory().join(file);
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut directory = self.directory();
        // A process that was just killed stays in its group for a moment.
        for _ in 0..1000 {
            if fs::remove_dir(&directory).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        while directory.pop() && directory != self.mount {
            // Another test may still be in it.
            let _ = fs::remove_dir(&directory);
        }
    }
}

/// The mount point of the first hierarchy with the given type and options.
fn mount(wanted: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("our own mounts");
    mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        wanted(fields[2], fields[3]).then(|| PathBuf::from(fields[1]))
    })
}

/// The hierarchy that identifies the group of a process: the unified one, or else systemd's own.
fn membership() -> PathBuf {
    mount(|kind, _| kind == "cgroup2")
        .or_else(|| mount(|kind, options| kind == "cgroup" && options.contains("name=systemd")))
        .expect("a hierarchy of control groups is mounted")
}

fn found(plan: ProcessPlan) -> Result<Vec<u32>, String> {
    let roles = BTreeMap::from([("worker".to_string(), plan)]);
    let found = find_processes(&roles, &mut *default_source().expect("/proc")).expect("a list");
    found.check().map_err(|error| format!("{error}\n{}", error.hint_text().unwrap_or_default()))?;
    Ok(found.roles["worker"].roots.iter().map(|root| root.id.pid).collect())
}

#[test]
#[ignore = "makes control groups: needs root, and a hierarchy that can be written to"]
fn of_two_processes_alike_the_one_in_the_unit_is_found() {
    let word = format!("grouped-of-test-{}", std::process::id());
    let service = Group::make(&membership(), "system.slice/asr-worker.service");
    let other = Group::make(&membership(), "system.slice/other.service");
    let (helper, stranger) = (Helper::spawn_stranger(&word), Helper::spawn_stranger(&word));
    service.join(&helper);
    other.join(&stranger);

    let alike = ProcessPlan { argv: vec![word], ..ProcessPlan::default() };
    found(alike.clone()).expect_err("without a group both fit");
    for unit in ["asr-worker.service", "asr-worker"] {
        let plan = ProcessPlan { unit: Some(unit.to_string()), ..alike.clone() };
        assert_eq!(found(plan), Ok(vec![helper.pid]), "{unit}");
    }
    for cgroup in [service.path.clone(), format!("/test-{}.*asr-worker/", std::process::id())] {
        let plan = ProcessPlan { cgroup: Some(cgroup.clone()), ..alike.clone() };
        assert_eq!(found(plan), Ok(vec![helper.pid]), "{cgroup}");
    }
    // A group names everyone in it, without any word of a command line.
    let plan = ProcessPlan { cgroup: Some(other.path.clone()), ..ProcessPlan::default() };
    assert_eq!(found(plan), Ok(vec![stranger.pid]));

    // It is empty now.
    other.join(&helper);
    let plan = ProcessPlan { unit: Some("asr-worker".to_string()), ..alike };
    let error = found(plan).expect_err("both are in the other group");
    assert!(error.contains("none is the unit `asr-worker`"), "{error}");
}

/// A group whose members may have 64 MB together, in either version.
fn of_64_mb() -> Group {
    const BYTES: &str = "67108864";
    let unified = mount(|kind, _| kind == "cgroup2");
    let controls_memory = |mount: &PathBuf| {
        let controllers = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
        controllers.split_whitespace().any(|one| one == "memory")
    };
    if let Some(mount) = unified.filter(controls_memory) {
        let parent = Group { mount: mount.clone(), path: format!("/highwater-test-{}", std::process::id()) };
        fs::create_dir_all(parent.directory()).expect("root may make a group");
        for directory in [mount.clone(), parent.directory()] {
            let file = directory.join("cgroup.subtree_control");
            fs::write(&file, "+memory").unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        std::mem::forget(parent);
        let group = Group::make(&mount, "small");
        group.write("memory.max", BYTES);
        let _ = fs::write(group.directory().join("memory.swap.max"), "0");
        return group;
    }
    let memory = mount(|kind, options| kind == "cgroup" && options.split(',').any(|one| one == "memory"));
    let group = Group::make(&memory.expect("the memory of groups can be limited"), "small");
    group.write("memory.limit_in_bytes", BYTES);
    let _ = fs::write(group.directory().join("memory.memsw.limit_in_bytes"), BYTES);
    group
}

#[test]
#[ignore = "makes control groups: needs root, and a hierarchy that can be written to"]
fn whom_the_kernel_kills_for_want_of_memory_died_of_that_and_a_killed_one_did_not() {
    let group = of_64_mb();
    let killed_by = |end: &dyn Fn(&mut Helper)| {
        let mut helper = Helper::spawn();
        group.join(&helper);
        let options = SamplerOptions::new(helper.role());
        let sampler = Sampler::start(options, default_source().expect("/proc")).expect("it is alive");
        let mut events = sampler.client().subscribe();
        end(&mut helper);
        let mut how = None;
        until("its end is told", || {
            if let Ok(event) = events.try_recv()
                && let EventKind::Exited { how: told } = event.kind
            {
                how = Some(told);
            }
            how.is_some()
        });
        how.expect("told")
    };
    assert_eq!(killed_by(&|helper| helper.order("allocate 256")), ExitKind::OutOfMemory);
    // The same signal in the same group, after a kill for want of memory was counted.
    assert_eq!(killed_by(&|helper| helper.kill()), ExitKind::Signal(9));
}
