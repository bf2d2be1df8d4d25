//! The criteria by name, and the conditions of the probes.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::phase::Phase;

/// Which criterion: a stable name for machines, `leak.delta`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CriterionId {
    /// `leak.tasks`: every task of the leak check succeeds.
    LeakTasks,
    /// `leak.delta`: what memory retains of one task.
    LeakDelta,
    /// `leak.baseline`: memory returns to its baseline.
    LeakBaseline,
    /// `leak.growth`: nothing accumulates.
    LeakGrowth,
    /// `leak.growth.` and the role: nothing accumulates in a role other than the worker.
    LeakGrowthOf(String),
    /// `leak.fds`: no file descriptors accumulate.
    LeakFds,
    /// `leak.threads`: no threads accumulate.
    LeakThreads,
    /// `leak.processes`: no processes accumulate.
    LeakProcesses,
    /// `leak.gpu`: no memory of GPUs accumulates.
    LeakGpu,
    /// `worker.works`: the worker that is watched does the work.
    WorkerWorks,
    /// `worker.alive`: no worker ended or was replaced.
    WorkerAlive,
    /// `worker.children`: no child of a worker was killed.
    WorkerChildren,
    /// `sampler.complete`: the sampler saw every role at every tick.
    SamplerComplete,
    /// `probe.` and the condition: nothing leaks under it.
    Probe(Condition),
    /// `compare.growth`: growth is no worse than the baseline's.
    CompareGrowth,
    /// `soak.tasks`: every task of the soak succeeds.
    SoakTasks,
    /// `soak.growth`: nothing accumulates under load.
    SoakGrowth,
    /// `soak.cap`: memory stays below its cap.
    SoakCap,
    /// `ramp.required`: the required concurrency holds.
    RampRequired,
    /// `ramp.growth`: what the levels retain does not accumulate.
    RampGrowth,
    /// `ramp.rtf`: RTF stays below its bound.
    RampRtf,
    /// `ramp.useful`: throughput rises up to the level that is required.
    RampUseful,
    /// One of another version.
    Other(String),
}

/// The condition under which a task was sent: a probe's, or the task that asks whether the service has recovered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Condition {
    /// `repeat`: one input again and again.
    Repeat,
    /// `new`: inputs that were never sent before.
    New,
    /// `pause`: nothing is sent.
    Pause,
    /// `alternate`: short and long in turn.
    Alternate,
    /// `parallel`: several tasks at once.
    Parallel,
    /// `error`: what the service fails on.
    Error,
    /// `recovery`: after a level of the ramp that broke; no probe.
    Recovery,
    /// One of another version.
    Other(String),
}

/// How the name of a role's criterion on growth begins.
const OF_ROLE: &str = "leak.growth.";

/// The names of the criteria, but for those of the probes.
const NAMES: [(CriterionId, &str); 20] = [
    (CriterionId::LeakTasks, "leak.tasks"),
    (CriterionId::LeakDelta, "leak.delta"),
    (CriterionId::LeakBaseline, "leak.baseline"),
    (CriterionId::LeakGrowth, "leak.growth"),
    (CriterionId::LeakFds, "leak.fds"),
    (CriterionId::LeakThreads, "leak.threads"),
    (CriterionId::LeakProcesses, "leak.processes"),
    (CriterionId::LeakGpu, "leak.gpu"),
    (CriterionId::WorkerWorks, "worker.works"),
    (CriterionId::WorkerAlive, "worker.alive"),
    (CriterionId::WorkerChildren, "worker.children"),
    (CriterionId::SamplerComplete, "sampler.complete"),
    (CriterionId::CompareGrowth, "compare.growth"),
    (CriterionId::SoakTasks, "soak.tasks"),
    (CriterionId::SoakGrowth, "soak.growth"),
    (CriterionId::SoakCap, "soak.cap"),
    (CriterionId::RampRequired, "ramp.required"),
    (CriterionId::RampGrowth, "ramp.growth"),
    (CriterionId::RampRtf, "ramp.rtf"),
    (CriterionId::RampUseful, "ramp.useful"),
];

impl CriterionId {
    /// The name in files: `leak.delta`, `probe.parallel`.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            CriterionId::Probe(condition) => format!("probe.{}", condition.name()).into(),
            CriterionId::LeakGrowthOf(role) => format!("{OF_ROLE}{role}").into(),
            CriterionId::Other(name) => name.into(),
            known => NAMES.iter().find(|(id, _)| id == known).map_or("", |(_, name)| name).into(),
        }
    }

    /// The phase that answers it; the probes belong to none, and neither does a worker's end.
    pub fn phase(&self) -> Option<Phase> {
        match self {
            CriterionId::LeakTasks
            | CriterionId::LeakDelta
            | CriterionId::LeakBaseline
            | CriterionId::LeakGrowth
            | CriterionId::LeakGrowthOf(_)
            | CriterionId::LeakFds
            | CriterionId::LeakThreads
            | CriterionId::LeakProcesses
            | CriterionId::LeakGpu
            | CriterionId::WorkerWorks
            | CriterionId::CompareGrowth => Some(Phase::Leak),
            CriterionId::RampRequired
            | CriterionId::RampGrowth
            | CriterionId::RampRtf
            | CriterionId::RampUseful => Some(Phase::Concurrency),
            CriterionId::SoakTasks | CriterionId::SoakGrowth | CriterionId::SoakCap => Some(Phase::Soak),
            CriterionId::WorkerAlive
            | CriterionId::WorkerChildren
            | CriterionId::SamplerComplete
            | CriterionId::Probe(_)
            | CriterionId::Other(_) => None,
        }
    }

    /// True for what the leak check asks of the worker's memory, and of descriptors, threads and processes.
    pub fn asks_what_is_retained(&self) -> bool {
        matches!(
            self,
            CriterionId::LeakDelta
                | CriterionId::LeakBaseline
                | CriterionId::LeakGrowth
                | CriterionId::LeakFds
                | CriterionId::LeakThreads
                | CriterionId::LeakProcesses
                | CriterionId::LeakGpu
        )
    }

    /// True for a probe's.
    pub fn is_probe(&self) -> bool {
        matches!(self, CriterionId::Probe(_))
    }
}

impl fmt::Display for CriterionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl From<CriterionId> for String {
    fn from(id: CriterionId) -> String {
        id.name().into_owned()
    }
}

impl From<String> for CriterionId {
    fn from(name: String) -> CriterionId {
        if let Some((id, _)) = NAMES.iter().find(|(_, known)| *known == name) {
            return id.clone();
        }
        match (name.strip_prefix("probe."), name.strip_prefix(OF_ROLE)) {
            (Some(condition), _) => CriterionId::Probe(condition.to_string().into()),
            (None, Some(role)) => CriterionId::LeakGrowthOf(role.to_string()),
            (None, None) => CriterionId::Other(name),
        }
    }
}

impl Condition {
    /// The name in files and in `leak.probes`.
    pub fn name(&self) -> &str {
        match self {
            Condition::Repeat => "repeat",
            Condition::New => "new",
            Condition::Pause => "pause",
            Condition::Alternate => "alternate",
            Condition::Parallel => "parallel",
            Condition::Error => "error",
            Condition::Recovery => "recovery",
            Condition::Other(name) => name,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> String {
        condition.name().to_string()
    }
}

impl From<String> for Condition {
    fn from(name: String) -> Condition {
        match name.as_str() {
            "repeat" => Condition::Repeat,
            "new" => Condition::New,
            "pause" => Condition::Pause,
            "alternate" => Condition::Alternate,
            "parallel" => Condition::Parallel,
            "error" => Condition::Error,
            "recovery" => Condition::Recovery,
            _ => Condition::Other(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_unknown_ones_are_kept() {
        let names: Vec<String> = NAMES.iter().map(|(_, name)| (*name).to_string()).collect();
        let more =
            ["probe.parallel", "probe.upside_down", "leak.growth.api", "leak.future"].map(String::from);
        for name in names.into_iter().chain(more) {
            assert_eq!(CriterionId::from(name.clone()).name(), name);
        }
        assert_eq!(CriterionId::from("probe.error".to_string()), CriterionId::Probe(Condition::Error));
        assert_eq!(
            CriterionId::from("leak.future".to_string()),
            CriterionId::Other("leak.future".to_string())
        );
    }
}
