//! Real containers, of Debian's Podman with runc. Their image is empty: the programs are those of this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use highwater::plan::{Plan, Preset, ProcessPlan};
use highwater::record::{ExitKind, Verdict};
use highwater::sampler::{EventKind, ProcessEvent, Sampler, SamplerOptions, find_processes, source_of};
use highwater::suite::{Measured, Suite};
use serde_json::Value;

use crate::support::demo_service::program;
use crate::support::helper::until;

/// An engine of the test's own, with its own storage and socket; gone with its containers when dropped.
struct Podman {
    home: tempfile::TempDir,
    service: Option<Child>,
}

impl Podman {
    fn start() -> Podman {
        let mut podman = Podman { home: tempfile::tempdir().unwrap(), service: None };
        let root = podman.home.path().join("image");
        for directory in ["usr", "lib", "lib64", "tmp"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        let tar = podman.home.path().join("image.tar");
        let made = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status().unwrap();
        assert!(made.success());
        podman.does(&["import", &tar.display().to_string(), "empty"]);
        let address = format!("unix://{}", podman.socket().display());
        podman.service = Some(
            podman
                .command()
                .args(["system", "service", "--time", "0", &address])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        until("the engine listens", || std::os::unix::net::UnixStream::connect(podman.socket()).is_ok());
        podman
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("engine.sock")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        // conmon leaves a file where it was started, for a container that was killed for want of memory.
        command.current_dir(self.home.path());
        command.arg("--root").arg(self.home.path().join("storage"));
        command.arg("--runroot").arg(self.home.path().join("run"));
        command.args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"]);
        command
    }

    /// What it prints.
    fn does(&self, arguments: &[&str]) -> String {
        let done = self.command().args(arguments).output().unwrap_or_else(|error| {
            panic!("podman cannot be started: {error}; `apt-get install podman runc`")
        });
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "podman {arguments:?}: {said}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Starts a program of this machine in a container of this name, with further options.
    fn runs(&self, name: &str, options: &[&str], program: &[&str]) {
        let own = format!("{}:/highwater:ro", self::program().display());
        let mut arguments = vec!["run", "-d", "--name", name, "--network", "host", "--pull", "never"];
        // More than the machine allows is refused.
        arguments.extend(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=10000:10000"]);
        for mount in ["/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro", &own] {
            arguments.extend(["-v", mount]);
        }
        arguments.extend(options);
        arguments.push("empty");
        arguments.extend(program);
        self.does(&arguments);
    }

    fn role(&self, container: &str) -> BTreeMap<String, ProcessPlan> {
        let worker = ProcessPlan {
            container: Some(container.to_string()),
            container_socket: Some(self.socket().display().to_string()),
            ..ProcessPlan::default()
        };
        BTreeMap::from([("worker".to_string(), worker)])
    }

    /// A leak check of the embedded service in a container, with these faults.
    async fn check(&self, name: &str, faults: &[&str]) -> Measured {
        let mut service = vec!["/highwater", "demo", "--fast"];
        service.extend(faults);
        self.runs(name, &["--label", "app=asr"], &service);
        let mut ready = String::new();
        until("the service is ready", || {
            ready = self.does(&["logs", name]);
            ready.contains('\n')
        });
        let ready: Value = serde_json::from_str(ready.lines().next().unwrap()).unwrap();
        let mut plan: Plan = Preset::AsrRq.plan();
        plan.target.url = ready["url"].as_str().unwrap().to_string();
        let plan = super::plan(plan, name, &self.socket(), &self.home.path().join("results"));
        Suite::new(plan).leak_check().await.unwrap_or_else(|error| panic!("{}", error.render()))
    }

    /// Watches the container while `act` does something to it, until `is_told` is true of what has been told so far.
    fn watched(&self, name: &str, act: impl FnOnce(), is_told: impl Fn(&[ProcessEvent]) -> bool) {
        let mut source = source_of(&self.role(name)).unwrap();
        let found = find_processes(&self.role(name), &mut *source).unwrap();
        found.check().unwrap_or_else(|error| panic!("{}", error.render()));
        let sampler = Sampler::start(SamplerOptions::new(self.role(name)), source).unwrap();
        let mut events = sampler.client().subscribe();
        act();
        let mut told = Vec::new();
        until("it is told", || {
            while let Ok(event) = events.try_recv() {
                told.push(event);
            }
            is_told(&told)
        });
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["rm", "--force", "--all", "--time", "0"]).output();
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

#[tokio::test]
#[ignore = "needs root, podman and runc"]
async fn a_real_container_that_leaks_is_found_and_a_clean_one_passes() {
    let podman = Podman::start();
    let leaking = podman.check("asr-leaking", &["--leak", "5MB"]).await;
    let growth = leaking.assessment.judgement.criterion("leak.growth").unwrap();
    assert_eq!(growth.verdict, Verdict::Fail, "{}", growth.detail);
    let clean = podman.check("asr-clean", &[]).await;
    let growth = clean.assessment.judgement.criterion("leak.growth").unwrap();
    assert_eq!(growth.verdict, Verdict::Pass, "{}", growth.detail);
    // Its processes can be seen from here, and each is watched as such.
    let tasks = crate::support::runs::json_lines(&clean.paths.tasks);
    assert!(tasks.iter().all(|task| task["worker_after"]["fds"].is_u64()), "{tasks:?}");
    let pid = podman.does(&["inspect", "--format", "{{.State.Pid}}", "asr-clean"]);
    let events = std::fs::read_to_string(&clean.paths.events).unwrap();
    assert!(events.contains(&format!("\"pid\":{}", pid.trim())), "{events}");
}

#[test]
#[ignore = "needs root, podman and runc"]
fn a_restart_of_a_real_container_is_told_and_so_is_its_kill_for_want_of_memory() {
    let podman = Podman::start();
    // Its child grows beyond the limit when it is told to. Signals that the first process of a container does not handle
    // are ignored.
    let child = "trap 'x=$(head -c 300M /dev/zero | tr \"\\0\" x)' USR1; echo $$ >/tmp/child; \
                 while :; do sleep 0.05; done";
    let script = "rm -f /tmp/child; dash -c \"$1\" & trap 'exit 7' TERM; while :; do sleep 0.05; done";
    podman.runs("asr-worker", &["--memory", "64m"], &["/usr/bin/dash", "-c", script, "worker", child]);
    let ended = |event: &ProcessEvent, as_told: ExitKind| event.kind == EventKind::Exited { how: as_told };
    podman.watched(
        "asr-worker",
        || drop(podman.does(&["restart", "asr-worker"])),
        |told| {
            // Children come and go all the time.
            let mut roots = told.iter().filter(|event| event.is_root);
            let first = roots.next().inspect(|end| assert!(ended(end, ExitKind::Code(7)), "{end:?}"));
            first.is_some()
                && matches!(roots.next().map(|event| &event.kind), Some(EventKind::Appeared { .. }))
        },
    );
    let in_it = |script: &str| drop(podman.does(&["exec", "asr-worker", "/usr/bin/dash", "-c", script]));
    in_it("until [ -s /tmp/child ]; do sleep 0.05; done");
    podman.watched(
        "asr-worker",
        || in_it("kill -USR1 $(cat /tmp/child)"),
        |told| told.iter().any(|event| !event.is_root && ended(event, ExitKind::OutOfMemory)),
    );
    podman.watched(
        "asr-worker",
        || drop(podman.does(&["kill", "asr-worker"])),
        |told| told.iter().any(|event| event.is_root && ended(event, ExitKind::Signal(9))),
    );
    let role = podman.role("asr-worker");
    let error = find_processes(&role, &mut *source_of(&role).unwrap()).unwrap().check().unwrap_err();
    assert!(error.to_string().contains("does not run (`asr-worker`: it was killed, signal 9)"), "{error}");
}
