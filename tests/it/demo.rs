//! The embedded service, seen from outside: its contract, its processes, and
//! every fault that can be planted in it.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use highwater::demo::{Embedded, Role, ServiceEvent};
use rstest::rstest;
use rustix::process::Signal;
use serial_test::parallel;

use crate::support::demo_client::{Client, Held, wav, wav_at};
use crate::support::demo_service::*;
use crate::support::runs::copy_program;

#[test]
#[parallel(machine)]
fn a_program_of_another_name_holds_the_service_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let renamed = directory.path().join("hw-1.0");
    copy_program(&renamed);
    let arguments = ["run", "--demo", "--only", "concurrency", "--max-concurrency", "1", "--required", "1"];
    let mut command = Command::new(&renamed);
    command.args(arguments).arg("--results").arg(directory.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("c=1 held"), "{said}");
}

#[test]
fn a_task_goes_from_queued_to_done_with_duration_and_segments() {
    let service = Service::start("");
    let (status, health) = service.client.get("/api/v1/health");
    assert_eq!((status, health["status"].as_str()), (200, Some("ok")));

    let (status, answer) = service.client.post_audio("audio", &wav(3.0));
    assert_eq!(status, 200);
    assert_eq!(answer["status"], "queued");
    assert!(answer["position"].is_u64() && answer["estimated_wait"].is_number(), "{answer}");

    let result = service.client.ended(answer["task_id"].as_str().unwrap());
    assert_eq!(result["status"], "done");
    assert_eq!(result["duration"], 3.0);
    assert!(result["error"].is_null());
    let segments = result["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 2, "a tone at each end, silence between: {result}");
}

#[test]
fn what_is_wrong_is_refused_in_json() {
    let service = Service::start("");
    let (status, answer) = service.client.get("/api/v1/asr/result/nothing");
    assert_eq!((status, answer["detail"].as_str()), (404, Some("task `nothing` not found")));
    let (status, answer) = service.client.post_audio("sound", &wav(0.1));
    assert_eq!((status, answer["detail"].as_str()), (422, Some("field `audio` is missing")));
    let (status, answer) = service.client.get("/nowhere");
    assert_eq!((status, answer["detail"].as_str()), (404, Some("Not Found")));

    let id = service.client.submit(b"no WAV at all");
    let result = service.client.ended(&id);
    assert_eq!(result["status"], "failed");
    assert!(result["error"].as_str().unwrap().contains("WAV"), "{result}");
}

#[test]
fn the_broker_speaks_to_no_stranger() {
    use std::io::{Read, Write};
    let service = Service::start("");
    // The only other port that the api listens on is the broker's.
    let api = service.embedded.ready().pids(Role::Api)[0];
    let broker = listening_ports(api)
        .into_iter()
        .find(|&port| port != service.client.address().port())
        .expect("the api listens for workers");
    let mut stranger = std::net::TcpStream::connect(("127.0.0.1", broker)).unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stranger.write_all(b"{\"token\":\"guess\",\"wish\":{\"work\":{\"pid\":1}}}\n").unwrap();
    let mut said = Vec::new();
    // A reset is as good a goodbye as an orderly end.
    let _ = stranger.read_to_end(&mut said);
    assert!(said.is_empty());
    assert_eq!(service.task(&wav(0.5)), "done");
}

#[test]
fn a_healthy_worker_goes_back_to_where_it_was() {
    let service = Service::start("");
    let (short, long) = (wav(30.0), wav(120.0));
    service.task(&short);
    service.task(&long);
    let growth = service.growth(|| {
        for _ in 0..4 {
            assert_eq!(service.task(&short), "done");
            assert_eq!(service.task(&long), "done");
        }
    });
    assert!(growth.abs() <= NOISE, "{growth} bytes");
}

#[test]
fn a_leak_grows_the_worker_by_its_size_each_task() {
    let service = Service::start("--leak 20MB").warmed();
    for _ in 0..3 {
        let growth = service.growth(|| assert_eq!(service.task(&wav(1.0)), "done"));
        assert!((growth - 20 * MB).abs() <= 20 * MB / 50 + 500_000, "{growth} bytes for a leak of 20 MB");
    }
}

#[test]
fn a_leak_every_third_task_is_seen_every_third_task() {
    let service = Service::start("--leak 20MB --leak-every 3");
    let grown: Vec<bool> =
        (0..6).map(|_| service.growth(|| assert_eq!(service.task(&wav(1.0)), "done")) > 15 * MB).collect();
    assert_eq!(grown, [false, false, true, false, false, true]);
}

#[test]
fn a_leak_on_long_audio_spares_the_short() {
    let service = Service::start("--leak 20MB --leak-when long").warmed();
    // 8 kHz, so that 301 s are small.
    let long = wav_at(301.0, 8_000);
    assert_near(service.growth(|| assert_eq!(service.task(&wav(2.0)), "done")), 0);
    assert_near(service.growth(|| assert_eq!(service.task(&long), "done")), 20 * MB);
}

#[test]
fn a_leak_on_the_error_path_spares_the_successful() {
    let service = Service::start("--leak 20MB --leak-when failed").warmed();
    assert_near(service.growth(|| assert_eq!(service.task(&wav(1.0)), "done")), 0);
    assert_near(service.growth(|| assert_eq!(service.task(b"no WAV"), "failed")), 20 * MB);
}

#[test]
fn a_leak_under_parallel_tasks_spares_the_lonely() {
    let service = Service::start("--leak 20MB --leak-when parallel").warmed();
    assert_near(service.growth(|| assert_eq!(service.task(&wav(1.0)), "done")), 0);
    let _other = Held::open(&service.client);
    assert_near(service.growth(|| assert_eq!(service.task(&wav(1.0)), "done")), 20 * MB);
}

#[test]
fn a_cache_fills_and_is_flat_from_then_on() {
    let service = Service::start("--cache 3x20MB");
    let start = service.rss();
    let sizes: Vec<i64> = (0..5)
        .map(|_| {
            assert_eq!(service.task(&wav(1.0)), "done");
            (service.rss() - start + 10 * MB) / (20 * MB)
        })
        .collect();
    assert_eq!(sizes, [1, 2, 3, 3, 3]);
}

#[test]
fn a_warm_up_happens_at_the_first_task_only() {
    let service = Service::start("--warmup 60MB");
    let growth = service.growth(|| assert_eq!(service.task(&wav(1.0)), "done"));
    assert!((55 * MB..75 * MB).contains(&growth), "{growth} bytes");
    assert_near(service.growth(|| assert_eq!(service.task(&wav(1.0)), "done")), 0);
}

#[test]
fn a_late_free_is_high_when_done_and_comes_down() {
    let service = Service::start("--late-free 2s --late-free-size 60MB").warmed();
    // The warming task's memory comes down too; what is measured begins after that.
    let low = eventually("the first task's memory is freed", || {
        let before = service.rss();
        std::thread::sleep(Duration::from_millis(100));
        (service.rss() == before && before < 60 * MB).then_some(before)
    });
    assert_eq!(service.task(&wav(1.0)), "done");
    let high = service.rss() - low;
    assert!(high > 55 * MB, "{high} bytes");
    eventually("memory comes down", || ((service.rss() - low).abs() < NOISE).then_some(()));
}

#[test]
fn a_crash_kills_the_worker_and_nothing_says_so_but_the_process() {
    let service = Service::start("--crash-at 3");
    let worker = service.worker();
    let _first = Held::open(&service.client);
    assert_eq!(service.task(&wav(1.0)), "done", "two outstanding are fine");
    let _second = Held::open(&service.client);
    assert!(lives(worker));
    let id = service.client.submit(&wav(1.0));
    eventually("the worker dies", || (!lives(worker)).then_some(()));
    let exited = ServiceEvent::Exited { role: Role::Worker, pid: worker, signal: Some(9), code: None };
    eventually("the supervisor tells", || (service.embedded.events() == [exited.clone()]).then_some(()));
    assert_eq!(service.client.get("/api/v1/health").0, 200);
    let status = service.client.result(&id)["status"].clone();
    assert!(status == "queued" || status == "processing", "{status}");
    assert!(lives(service.embedded.pid()) && lives(service.embedded.ready().pids(Role::Api)[0]));
}

#[test]
fn tasks_fail_beyond_the_capacity() {
    let service = Service::start("--fail-at 2");
    assert_eq!(service.task(&wav(1.0)), "done");
    let held = Held::open(&service.client);
    let id = service.client.submit(&wav(1.0));
    let result = service.client.ended(&id);
    assert_eq!(result["status"], "failed");
    assert!(result["error"].as_str().unwrap().contains("out of capacity"), "{result}");
    drop(held);
    eventually("there is room again", || (service.task(&wav(0.2)) == "done").then_some(()));
}

#[test]
fn submissions_beyond_the_limit_are_refused_after_the_upload() {
    let service = Service::start("--reject-at 2");
    assert_eq!(service.task(&wav(1.0)), "done");
    let held = Held::open(&service.client);
    // Large enough to fill every buffer between client and service.
    let (status, answer) = service.client.post_audio("audio", &wav(300.0));
    assert_eq!(status, 503);
    assert!(answer["detail"].is_string(), "{answer}");
    drop(held);
    eventually("there is room again", || {
        (service.client.post_audio("audio", &wav(0.2)).0 == 200).then_some(())
    });
}

#[test]
fn a_hanging_task_never_ends_and_blocks_the_one_behind_it() {
    let service = Service::start("--hang 2");
    assert_eq!(service.task(&wav(1.0)), "done", "below the count nothing hangs");
    let _held = Held::open(&service.client);
    let hung = service.client.submit(&wav(1.0));
    let behind = service.client.submit(&wav(1.0));
    let status = |id: &str| service.client.result(id)["status"].as_str().unwrap().to_string();
    eventually("it starts", || (status(&hung) == "processing").then_some(()));
    // A hang is known by the worker's doing nothing: no CPU time passes in it.
    eventually("the worker idles", || {
        let before = cpu_ticks(service.worker());
        std::thread::sleep(Duration::from_millis(200));
        (cpu_ticks(service.worker()) == before).then_some(())
    });
    assert_eq!((status(&hung), status(&behind)), ("processing".to_string(), "queued".to_string()));
    assert!(lives(service.worker()));
}

#[test]
fn slow_costs_cpu_time() {
    let audio = wav(20.0);
    let ticks = |args: &str| {
        let service = Service::start(args).warmed();
        let before = cpu_ticks(service.worker());
        assert_eq!(service.task(&audio), "done");
        cpu_ticks(service.worker()) - before
    };
    let (once, often) = (ticks(""), ticks("--slow 20.5"));
    assert!(often >= 5 * once.max(1), "{once} ticks once, {often} at 20.5 times the work");
}

#[test]
fn descriptors_and_threads_pile_up() {
    let service = Service::start("--leak-fds 3 --leak-threads").warmed();
    let worker = service.worker();
    let (fds, threads) = (count(worker, "fd"), count(worker, "task"));
    for _ in 0..4 {
        assert_eq!(service.task(&wav(0.5)), "done");
    }
    assert_eq!(count(worker, "fd"), fds + 12);
    assert_eq!(count(worker, "task"), threads + 4);
}

#[test]
fn a_healthy_worker_piles_up_neither() {
    let service = Service::start("").warmed();
    let worker = service.worker();
    let before = (count(worker, "fd"), count(worker, "task"));
    for _ in 0..4 {
        assert_eq!(service.task(&wav(0.5)), "done");
    }
    assert_eq!((count(worker, "fd"), count(worker, "task")), before);
}

#[test]
fn a_forking_worker_stays_small_while_its_children_grow() {
    let service = Service::start("--fork --leak 60MB --slow 30");
    let worker = service.worker();
    let before = service.rss();
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let id = service.client.submit(&wav(3.0));
        let (child, _) = eventually("a child appears", || Some((*children(worker).first()?, ())));
        seen.insert(child);
        assert_eq!(service.client.ended(&id)["status"], "done");
        // It is reaped before the result is reported.
        assert_eq!(children(worker), [0_u32; 0]);
    }
    assert_eq!(seen.len(), 2, "a process for each task");
    assert_near(service.rss(), before);
}

#[test]
fn a_killed_child_fails_its_task_and_the_worker_lives() {
    let service = Service::start("--fork --hang");
    let id = service.client.submit(&wav(1.0));
    let child = eventually("a child appears", || children(service.worker()).first().copied());
    kill(child, Signal::KILL);
    let result = service.client.ended(&id);
    assert_eq!(result["status"], "failed");
    assert!(result["error"].as_str().unwrap().contains("signal 9"), "{result}");
    assert!(lives(service.worker()));
}

#[test]
fn respawn_puts_a_new_worker_in_the_place_of_a_dead_one() {
    let service = Service::start("--respawn --workers 2");
    let worker = service.worker();
    kill(worker, Signal::KILL);
    let successor = eventually("a successor is started", || {
        service.embedded.events().iter().find_map(|event| match event {
            ServiceEvent::Started { role: Role::Worker, pid } => Some(*pid),
            _ => None,
        })
    });
    assert!(successor != worker && lives(successor));
    for _ in 0..4 {
        assert_eq!(service.task(&wav(0.5)), "done");
    }
}

#[test]
fn a_successor_does_not_crash_over_what_it_finds() {
    let service = Service::start("--respawn --crash-at 2");
    let held = Held::open(&service.client);
    let id = service.client.submit(&wav(0.5));
    eventually("a successor is started", || (service.embedded.events().len() >= 2).then_some(()));
    drop(held);
    // The task was queued or lost, as the worker had it or not; the next one is done.
    let status = eventually("the queue settles", || {
        let status = service.client.result(&id)["status"].as_str().unwrap().to_string();
        (status != "queued").then_some(status)
    });
    assert!(status == "done" || status == "processing", "{status}");
    assert_eq!(service.task(&wav(0.5)), "done");
}

#[rstest]
#[case::sigterm(Signal::TERM)]
#[case::sigint(Signal::INT)]
fn a_signal_stops_everything_with_exit_code_0(#[case] signal: Signal) {
    let (mut supervisor, ready) = by_hand("--workers 2");
    kill(supervisor.0.id(), signal);
    assert_eq!(supervisor.0.wait().unwrap().code(), Some(0));
    for process in ready.processes {
        assert!(!lives(process.pid), "{process:?}");
    }
}

#[test]
fn sigkill_of_the_supervisor_leaves_no_process() {
    let (mut supervisor, ready) = by_hand("--workers 2 --fork --hang");
    let client = Client::new(&ready.url);
    client.submit(&wav(0.5));
    let mut pids: Vec<u32> = ready.processes.iter().map(|process| process.pid).collect();
    let workers = ready.pids(Role::Worker);
    // The forked child is the hardest to take along: it has no pipe to its parent.
    pids.push(eventually("a child appears", || workers.iter().flat_map(|&pid| children(pid)).next()));
    kill(supervisor.0.id(), Signal::KILL);
    supervisor.0.wait().unwrap();
    eventually("all processes end", || pids.iter().all(|&pid| !lives(pid)).then_some(()));
}

#[test]
fn dropping_the_embedded_service_leaves_no_process() {
    let service = Service::start("--workers 2 --hang");
    service.client.submit(&wav(0.5));
    let mut pids: Vec<u32> = service.embedded.ready().processes.iter().map(|process| process.pid).collect();
    pids.push(service.embedded.pid());
    drop(service);
    assert_eq!(pids.iter().filter(|&&pid| lives(pid)).count(), 0);
}

#[test]
fn wrong_switches_are_told_with_their_reason() {
    let error = Embedded::start(program(), &["--leak".to_string(), "lots".to_string()]).unwrap_err();
    let text = highwater::Error::from(error).render();
    assert!(text.contains("ended before it was ready") && text.contains("--leak <SIZE>"), "{text}");
}

#[test]
fn a_role_without_its_supervisor_says_how_to_start_the_service() {
    let output =
        Command::new(program()).args(["demo", "--role", "worker"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("hint: start the service with `highwater demo`"), "{text}");
}

#[test]
fn the_end_of_the_api_ends_the_service_with_exit_code_3() {
    let (mut supervisor, ready) = by_hand("");
    kill(ready.pids(Role::Api)[0], Signal::KILL);
    assert_eq!(supervisor.0.wait().unwrap().code(), Some(3));
    assert!(ready.processes.iter().all(|process| !lives(process.pid)));
}

#[test]
fn the_program_is_found_beside_the_test() {
    assert_eq!(Embedded::program().unwrap().file_name(), program().file_name());
}
