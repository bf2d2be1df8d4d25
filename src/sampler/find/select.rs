//! Decides whether one process by itself matches a role.

use std::collections::BTreeSet;

use super::evidence::SearchEvidence;
use super::program::{Program, base_name};
use super::rq::{self, RqProcess};
use crate::plan::ProcessPlan;
use crate::plan::words::Word;
use crate::sampler::process::ProcessInfo;

/// A role's plan, compiled for comparing it with processes.
pub(super) struct Selector<'a> {
    pub(super) plan: &'a ProcessPlan,
    evidence: &'a SearchEvidence,
    argv: Vec<Word>,
    program: Option<Word>,
    exe: Option<Word>,
    name: Option<Word>,
    unit: Option<Word>,
    cgroup: Option<Word>,
}

/// Why a process does not match a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    /// In words that follow the process in a message.
    pub(super) reason: String,
    /// How nearly it matched; 0 is not worth reporting.
    pub(super) nearness: u32,
}

fn rejected(nearness: u32, reason: impl Into<String>) -> Result<(), Rejection> {
    Err(Rejection { reason: reason.into(), nearness })
}

impl<'a> Selector<'a> {
    /// Compiles `plan`. Text that is not a valid regular expression is compared literally;
    /// a validated plan contains none.
    pub(super) fn new(plan: &'a ProcessPlan, evidence: &'a SearchEvidence) -> Selector<'a> {
        let word = |text: &str| Word::new(text).unwrap_or_else(|_| Word::Exact(text.to_string()));
        let optional = |text: &Option<String>| text.as_deref().map(word);
        Selector {
            plan,
            evidence,
            argv: plan.argv.iter().map(|text| word(text)).collect(),
            program: optional(&plan.program),
            exe: optional(&plan.exe),
            name: optional(&plan.name),
            unit: optional(&plan.unit),
            cgroup: optional(&plan.cgroup),
        }
    }

    /// The programs that highwater has started itself, which with all that they start play no role.
    pub(super) fn started(&self) -> &BTreeSet<u32> {
        &self.evidence.started
    }

    /// True if words in the arguments decide, so that programs which merely carry the words must
    /// be excluded.
    pub(super) fn by_words(&self) -> bool {
        let words = !self.plan.patterns.is_empty() || !self.argv.is_empty();
        let rq_by_words = self.plan.rq.queue.is_some() && self.plan.rq.url.is_none();
        let named = self.program.is_some() || self.exe.is_some() || self.name.is_some();
        words && !named || rq_by_words
    }

    /// True if the plan names its processes exactly, so that it may also mean one that
    /// highwater has started.
    pub(super) fn is_exact(&self) -> bool {
        let plan = self.plan;
        plan.pidfile.is_some() || plan.port.is_some() || plan.rq.url.is_some()
    }

    /// Compares one process with all conditions.
    pub(super) fn check(&self, process: &ProcessInfo) -> Result<(), Rejection> {
        // Conditions that name a process come first: a process that fails them is no near miss.
        self.check_exact(process)?;
        self.check_group(process)?;
        self.check_rq(process)?;
        self.check_program(process)?;
        self.check_words(process)
    }

    fn check_exact(&self, process: &ProcessInfo) -> Result<(), Rejection> {
        let pid = process.id.pid;
        if let Some(path) = &self.plan.pidfile {
            let named = self.evidence.pidfiles.get(path).and_then(|found| found.as_ref().ok());
            if named != Some(&pid) {
                return rejected(0, format!("`{path}` does not name it"));
            }
        }
        if let Some(port) = self.plan.port {
            let held = self.evidence.facts.listeners.get(&port).and_then(|found| found.as_ref().ok());
            if !held.is_some_and(|pids| pids.contains(&pid)) {
                return rejected(0, format!("it does not listen on port {port}"));
            }
        }
        Ok(())
    }

    fn check_group(&self, process: &ProcessInfo) -> Result<(), Rejection> {
        if self.unit.is_none() && self.cgroup.is_none() {
            return Ok(());
        }
        let group = self.evidence.facts.cgroup.get(&process.id.pid).map_or("", String::as_str);
        if let Some(wanted) = &self.unit {
            // A unit without a suffix is a service, as for systemctl.
            let fits = |part: &str| {
                wanted.fits(part) || part.strip_suffix(".service").is_some_and(|part| wanted.fits(part))
            };
            if !group.split('/').any(fits) {
                return rejected(0, "it belongs to another unit");
            }
        }
        if let Some(wanted) = &self.cgroup {
            let fits = match wanted {
                Word::Regex(_) => wanted.fits(group),
                Word::Exact(path) => {
                    let path = path.trim_end_matches('/');
                    group.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                }
            };
            if !fits {
                return rejected(0, format!("it is in the control group `{group}`"));
            }
        }
        Ok(())
    }

    fn check_rq(&self, process: &ProcessInfo) -> Result<(), Rejection> {
        let Some(queue) = &self.plan.rq.queue else { return Ok(()) };
        if let Some(url) = &self.plan.rq.url {
            let registry = self.evidence.registries.get(&(url.clone(), queue.clone()));
            let workers = registry.and_then(|found| found.as_ref().ok()).map_or(&[][..], Vec::as_slice);
            let (hostname, clock) = (&self.evidence.hostname, self.evidence.clock.as_ref());
            // Workers of several machines can have the same pid: it is enough if one of them is this process.
            let of_pid = workers.iter().filter(|worker| worker.pid == process.id.pid);
            let answers = of_pid.map(|worker| rq::is_registered(worker, process.id, hostname, clock));
            return match answers.reduce(Result::or) {
                Some(answer) => answer.or_else(|reason| rejected(10, reason)),
                None => {
                    let nearness = u32::from(rq::read(process).is_some()) * 5;
                    rejected(nearness, format!("the registry has no worker of `{queue}` with its pid"))
                }
            };
        }
        match rq::read(process) {
            Some(RqProcess::Worker(queues)) if queues.contains(queue) => Ok(()),
            Some(RqProcess::Worker(queues)) => {
                rejected(8, format!("it is an RQ worker of `{}`", queues.join("`, `")))
            }
            Some(RqProcess::UnknownQueues) => rejected(
                9,
                "it is an RQ worker whose title shows no queue while it is busy: \
                 search when it is idle, or give `rq.url`",
            ),
            None => {
                let line = process.command_line();
                let words = u32::from(line.contains(queue.as_str())) * 3 + u32::from(names_rq(process)) * 2;
                let runs = Program::of(&process.argv).name;
                rejected(words, format!("it runs `{runs}`, which is no RQ worker by its command line"))
            }
        }
    }

    fn check_program(&self, process: &ProcessInfo) -> Result<(), Rejection> {
        if let Some(wanted) = &self.program {
            let program = Program::of(&process.argv);
            let of_kernel = process.argv.is_empty();
            if of_kernel || !(wanted.fits(program.name) || wanted.fits(program.package())) {
                let carries = self.plan.program.as_ref().is_some_and(|word| mentions(process, word));
                return rejected(u32::from(carries) * 4, format!("it runs `{}`", program.name));
            }
        }
        if let Some(wanted) = &self.name
            && !wanted.fits(&process.name)
        {
            let carries = self.plan.name.as_ref().is_some_and(|word| mentions(process, word));
            return rejected(u32::from(carries) * 3, format!("its name is `{}`", process.name));
        }
        if let Some(wanted) = &self.exe {
            let exe = self.evidence.facts.exe.get(&process.id.pid).map_or("", String::as_str);
            if !(wanted.fits(exe) || wanted.fits(base_name(exe))) || exe.is_empty() {
                let carries = self.plan.exe.as_ref().is_some_and(|word| mentions(process, word));
                let reason = if exe.is_empty() {
                    "its executable may not be read"
                } else {
                    "its executable is another"
                };
                return rejected(u32::from(carries) * 3, reason);
            }
        }
        Ok(())
    }

    fn check_words(&self, process: &ProcessInfo) -> Result<(), Rejection> {
        if self.argv.is_empty() && self.plan.patterns.is_empty() {
            return Ok(());
        }
        if process.argv.is_empty() {
            return rejected(0, "it has no command line");
        }
        let mut missing: Vec<&str> = Vec::new();
        let mut nearness = 0;
        for (word, text) in self.argv.iter().zip(&self.plan.argv) {
            if process.argv.iter().any(|argument| word.fits(argument)) {
                nearness += 10;
            } else {
                nearness += u32::from(mentions(process, text)) * 4;
                missing.push(text);
            }
        }
        let line = process.command_line();
        let lower = line.to_lowercase();
        for pattern in self.plan.patterns.iter().filter(|pattern| !pattern.is_empty()) {
            if line.contains(pattern.as_str()) {
                nearness += 10;
            } else {
                nearness += 8 * u32::from(lower.contains(&pattern.to_lowercase()));
                missing.push(pattern);
            }
            // A word of a pattern says less than the whole pattern, and a short word says nothing.
            let words = pattern.split_whitespace().filter(|word| word.len() >= 4);
            nearness += words.filter(|word| lower.contains(&word.to_lowercase())).count() as u32;
        }
        if missing.is_empty() {
            return Ok(());
        }
        rejected(nearness, format!("its command line lacks `{}`", missing.join("`, `")))
    }
}

fn names_rq(process: &ProcessInfo) -> bool {
    process.argv.iter().any(|argument| argument.split([' ', '/', ':']).any(|word| word == "rq"))
}

/// True if the command line contains the word, or the letters of the expression.
fn mentions(process: &ProcessInfo, word: &str) -> bool {
    let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
    !plain.is_empty() && process.command_line().to_lowercase().contains(&plain.to_lowercase())
}
