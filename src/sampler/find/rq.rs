//! Recognises a worker of RQ by its command line, its title or its entry in Redis.

use super::program::base_name;
use crate::sampler::process::Clock;
use crate::sampler::process::{ProcessId, ProcessInfo};

/// A process that is part of RQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RqProcess {
    /// A worker, or the master of a pool, of these queues.
    Worker(Vec<String>),
    /// A worker whose title does not show its queues at the moment.
    UnknownQueues,
}

/// Reads the command line of a worker, or the title that setproctitle gave it.
/// `None` for any other process.
pub(super) fn read(process: &ProcessInfo) -> Option<RqProcess> {
    match process.argv.as_slice() {
        [title] if title.starts_with("rq:worker") => Some(read_title(title)),
        argv => read_command(argv).map(RqProcess::Worker),
    }
}

/// `rq:worker:NAME: Listening on QUEUES` while it waits, `… Processing FUNCTION
/// from QUEUE since TIME` in a work-horse or a SimpleWorker, `… Forked PID at
/// TIME` in the parent of a work-horse.
fn read_title(title: &str) -> RqProcess {
    let word_after = |mark: &str| {
        let rest = title.split_once(mark)?.1;
        rest.split(' ').next().map(|word| word.trim_end_matches(['.', ','])).filter(|word| !word.is_empty())
    };
    let queues = match word_after(": Listening on ") {
        Some(queues) => Some(queues),
        None if title.contains(": Processing ") => word_after(" from "),
        None => None,
    };
    queues.map_or(RqProcess::UnknownQueues, |queues| {
        RqProcess::Worker(queues.split(',').map(|queue| queue.trim().to_string()).collect())
    })
}

/// Options of `rq worker` and `rq worker-pool` that take a value.
const WITH_VALUE: [&str; 33] = [
    "-u",
    "--url",
    "-c",
    "--config",
    "-P",
    "--path",
    "-w",
    "--worker-class",
    "-n",
    "--name",
    "--num-workers",
    "-j",
    "--job-class",
    "--queue-class",
    "--connection-class",
    "-S",
    "--serializer",
    "--results-ttl",
    "--worker-ttl",
    "--maintenance-interval",
    "--job-monitoring-interval",
    "--logging-level",
    "-l",
    "--log-format",
    "--date-format",
    "--exception-handler",
    "--pid",
    "--max-jobs",
    "--max-idle-time",
    "--dequeue-strategy",
    "-ds",
    "--sentry-dsn",
    "--sentry-ca-certs",
];

/// The queues after `rq worker`, `rq worker-pool` or `rqworker`.
fn read_command(argv: &[String]) -> Option<Vec<String>> {
    let is = |argument: &String, word: &str| base_name(argument) == word;
    let command = argv.iter().enumerate().find_map(|(index, argument)| {
        if is(argument, "rqworker") {
            return Some(index);
        }
        let next = argv.get(index + 1)?;
        let runs_rq =
            is(argument, "rq") || is(argument, "rq.cli") && argv.get(index.checked_sub(1)?)? == "-m";
        (runs_rq && (next == "worker" || next == "worker-pool")).then_some(index + 1)
    })?;
    let mut queues = Vec::new();
    let mut arguments = argv[command + 1..].iter();
    while let Some(argument) = arguments.next() {
        if WITH_VALUE.contains(&argument.as_str()) {
            arguments.next();
        } else if !argument.starts_with('-') {
            queues.push(argument.clone());
        }
    }
    if queues.is_empty() {
        // RQ's own default.
        queues.push("default".to_string());
    }
    Some(queues)
}

/// A worker as RQ's registry knows it: `rq:worker:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RqWorker {
    /// Its name.
    pub name: String,
    /// The pid of the worker itself, never of a work-horse.
    pub pid: u32,
    /// The machine on which it runs.
    pub hostname: String,
    /// When it registered, which is after its start.
    pub birth: Option<jiff::Timestamp>,
}

/// The tolerance for clocks and their rounding, in seconds.
const SLACK_S: f64 = 2.0;

/// Checks that `worker` is the process `id` of this machine; the error says why it is not. The
/// entry of a killed worker stays for minutes, and another process may have got its pid by then.
pub(super) fn is_registered(
    worker: &RqWorker,
    id: ProcessId,
    hostname: &str,
    clock: Option<&Clock>,
) -> Result<(), String> {
    if worker.hostname != hostname {
        return Err(format!("its worker `{}` runs on the machine `{}`", worker.name, worker.hostname));
    }
    if let (Some(birth), Some(clock)) = (worker.birth, clock) {
        let started = clock.started_at_s(id);
        if started > birth.as_second() as f64 + f64::from(birth.subsec_nanosecond()) / 1e9 + SLACK_S {
            let message = format!("the process is younger than the registered worker `{}`", worker.name);
            return Err(message);
        }
    }
    Ok(())
}

/// The live workers of a queue, or why they are not known.
pub(super) type Registry = Result<Vec<RqWorker>, String>;

/// The address in a URL, without user and password.
pub(super) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "the given URL".to_string() };
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split(['?', '#']).next().unwrap_or(place);
    format!("`{scheme}://{place}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(argv: &[&str]) -> ProcessInfo {
        ProcessInfo {
            id: ProcessId { pid: 7, start_ticks: 1000 },
            parent: 1,
            name: "rq".to_string(),
            argv: argv.iter().map(ToString::to_string).collect(),
        }
    }

    fn queues(argv: &[&str]) -> Option<String> {
        read(&process(argv)).map(|rq| match rq {
            RqProcess::Worker(queues) => queues.join("+"),
            RqProcess::UnknownQueues => "?".to_string(),
        })
    }

    #[test]
    fn command_lines_name_their_queues() {
        let line = |line: &str| queues(&line.split(' ').collect::<Vec<_>>());
        for (text, expected) in [
            ("python3 /venv/bin/rq worker asr-queue --url redis://localhost:6379/0", Some("asr-queue")),
            (
                "python3 /venv/bin/rq worker -w rq.SimpleWorker --name x high asr-queue -b",
                Some("high+asr-queue"),
            ),
            ("python3 -m rq.cli worker asr-queue", Some("asr-queue")),
            ("python3 /venv/bin/rq worker-pool asr-queue -n 2", Some("asr-queue")),
            ("python manage.py rqworker asr-queue", Some("asr-queue")),
            ("flask rq worker asr-queue", Some("asr-queue")),
            ("rq worker -u redis://h", Some("default")),
            ("rq worker --name asr-queue mail-queue", Some("mail-queue")),
            ("rq info asr-queue", None),
            ("vim rq.py worker asr-queue", None),
            ("python worker.py", None),
        ] {
            assert_eq!(line(text).as_deref(), expected, "{text}");
        }
        assert_eq!(queues(&["sh", "-c", "rq worker asr-queue"]), None, "one argument is no command line");
    }

    #[test]
    fn titles_name_them_unless_the_worker_waits_for_its_work_horse() {
        let title = |title: &str| queues(&[title]);
        assert_eq!(title("rq:worker:ab12: Listening on asr-queue...").as_deref(), Some("asr-queue"));
        assert_eq!(title("rq:worker:ab12: Listening on high,asr-queue").as_deref(), Some("high+asr-queue"));
        let busy = "rq:worker:ab12: Processing jobs.transcribe from asr-queue since 1700000000.5";
        assert_eq!(title(busy).as_deref(), Some("asr-queue"));
        assert_eq!(title("rq:worker:ab12: Forked 4711 at 1700000000").as_deref(), Some("?"));
        assert_eq!(title("gunicorn: master [rq:worker]"), None);
    }

    #[test]
    fn the_registry_is_believed_for_this_machine_and_this_process_only() {
        let worker = |hostname: &str, birth: &str| RqWorker {
            name: "ab12".to_string(),
            pid: 7,
            hostname: hostname.to_string(),
            birth: Some(birth.parse().expect("a time stamp")),
        };
        // Booted at 1970-01-01T00:01:40Z; the process started 10 s later.
        let clock = Clock { booted_at_s: 100.0, ticks_per_second: 100.0, now_ticks: 5000.0 };
        let id = ProcessId { pid: 7, start_ticks: 1000 };
        let check = |worker: &RqWorker| is_registered(worker, id, "here", Some(&clock));
        assert_eq!(check(&worker("here", "1970-01-01T00:01:51Z")), Ok(()));
        assert!(check(&worker("there", "1970-01-01T00:01:51Z")).unwrap_err().contains("machine `there`"));
        assert!(check(&worker("here", "1970-01-01T00:01:45Z")).unwrap_err().contains("younger"));
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, expected) in [
            ("redis://user:se@cret@host:6379/0", "`redis://host:6379/0`"),
            ("redis://:secret@host", "`redis://host`"),
            ("redis://host/1?password=secret", "`redis://host/1`"),
            ("unix:///run/redis.sock?pass=secret", "`unix:///run/redis.sock`"),
            ("secret", "the given URL"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
