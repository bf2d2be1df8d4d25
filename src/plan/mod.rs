//! The plan of a run: everything a user can configure, as plain data.
//!
//! Times are seconds, memory is megabytes of 1,048,576 bytes
//! ([`crate::units::MB`]), and both say so in their names. A plan can be made in
//! code ([`Plan::http`], [`Plan::asr`]) or of texts: [`layer()`] does that and is
//! pure; only [`load()`] reads the file and the environment, and only
//! [`write_template`] writes.

mod assignment;
mod bounds;
mod build;
mod env;
mod file;
mod keys;
mod layer;
mod load;
mod nearest;
mod process;
mod ramp;
mod roles;
mod soak;
mod target;
mod template;
mod unknown;
mod validate;
pub(crate) mod words;
mod written;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use env::CONFIG_VARIABLE;
pub use layer::layer;
pub use load::{DEFAULT_FILE, Loaded, load, load_with_origin};
pub use process::{Count, ProcessPlan, RqPlan};
pub use ramp::{Figure, RampPlan, SearchKind, StablePlan};
pub use soak::SoakPlan;
pub use target::{AsrPlan, HttpPlan, OpenAiPlan, TargetKind, TargetPlan};
pub use template::{TEMPLATE, write_template};
pub use validate::validate;

/// Everything that decides what a run does; the data of `highwater.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The directory that receives the data files and the report.
    pub results: PathBuf,
    /// Results of an earlier run (a file, or a directory of them) that memory may not grow more than.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<PathBuf>,
    /// The service that is driven.
    pub target: TargetPlan,
    /// The audio that is sent.
    pub audio: AudioPlan,
    /// The monitored processes, by role (`worker`, `api`, `backend`, …).
    ///
    /// The role `worker` is the one whose memory is judged.
    pub processes: BTreeMap<String, ProcessPlan>,
    /// How the processes are sampled.
    pub sampler: SamplerPlan,
    /// How "memory is quiet" is recognised before and after a task.
    pub settle: SettlePlan,
    /// The leak check.
    pub leak: LeakPlan,
    /// The concurrency ramp.
    pub ramp: RampPlan,
    /// The soak.
    pub soak: SoakPlan,
    /// What makes highwater stop for the sake of the machine.
    pub guard: GuardPlan,
}

/// The audio that is sent. Without paths highwater makes its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioPlan {
    /// A short recording (the one made here: 147 s, 4.7 MB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<PathBuf>,
    /// A long recording (the one made here: 734 s, 23.5 MB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<PathBuf>,
}

/// How the processes are sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerPlan {
    /// Time between two rows of a process in the CSV, in seconds (0.01 or more).
    pub interval_s: f64,
    /// Time between two looks while a task is in flight, in seconds (0.01 or more):
    /// peaks that are shorter than `interval_s` must not be missed.
    pub busy_interval_s: f64,
    /// The most CPU time that these looks may take, in percent of one core; they
    /// become rarer where a look costs more.
    pub busy_cpu_percent: f64,
    /// The most that reading the PSS of a process tree may take at the boundary of
    /// a task, in seconds, since the tree stands still meanwhile; 0 never reads it.
    pub pss_budget_s: f64,
}

/// How "memory is quiet" is recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettlePlan {
    /// Memory must hold still for this long, in seconds.
    pub quiet_s: f64,
    /// "Still" means within this many megabytes.
    pub quiet_mb: f64,
    /// After this many seconds the reading is taken, quiet or not.
    pub max_s: f64,
    /// Memory that is quiet but higher than before by more than
    /// `leak.baseline_tolerance_mb` is watched for this many seconds more,
    /// since services free late.
    pub late_free_s: f64,
}

/// The leak check: short and long audio, one task at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeakPlan {
    /// False leaves the phase out.
    pub enabled: bool,
    /// Repeats of each input after the first, which counts as warm-up.
    pub repeats: u32,
    /// Where the repeats leave open whether memory accumulates, more follow, up to this many.
    pub max_repeats: u32,
    /// The leak check goes on for this many seconds at most to decide; the first `repeats` are done all the same.
    pub max_s: f64,
    /// The most that worker memory may rise over one long task, in megabytes.
    pub max_delta_mb: f64,
    /// A delta above this is called out as severe, in megabytes.
    pub severe_delta_mb: f64,
    /// Memory has returned when it is within this many megabytes of its baseline.
    pub baseline_tolerance_mb: f64,
    /// Conditions to try after the leak check: `repeat`, `pause`, `alternate`, `parallel`, `error`, or
    /// `standard` for the usual ones.
    pub probes: Vec<String>,
    /// Readings under each condition.
    pub probe_steps: u32,
    /// Tasks at once under `parallel`.
    pub probe_concurrency: u32,
    /// How long nothing is sent under `pause`, in seconds.
    pub probe_pause_s: f64,
    /// A file that the service fails on, for `error`: what is sent in the place of audio, or as the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_input: Option<PathBuf>,
    /// False does not judge what else may leak: descriptors, threads, processes.
    pub resources: bool,
    /// The most by which the open descriptors of a role may grow over the repeats.
    pub max_fds_growth: u32,
    /// The most by which its threads may.
    pub max_threads_growth: u32,
    /// The most by which its processes may, zombies among them.
    pub max_processes_growth: u32,
}

/// Which recording the ramp sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioKind {
    /// The short recording.
    Short,
    /// The long recording.
    Long,
}

impl AudioKind {
    /// The word that stands for it in data files and tables.
    pub fn word(self) -> &'static str {
        match self {
            AudioKind::Short => "short",
            AudioKind::Long => "long",
        }
    }
}

/// What makes highwater stop for the sake of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardPlan {
    /// No new task is sent while less than this share of the machine's memory is available, in percent.
    pub min_available_percent: f64,
}

impl Default for Plan {
    fn default() -> Plan {
        let worker = ProcessPlan {
            rq: RqPlan { queue: Some("asr-queue".to_string()), url: None },
            ..ProcessPlan::default()
        };
        let beside = |program: &str| ProcessPlan {
            program: Some(program.to_string()),
            optional: true,
            ..ProcessPlan::default()
        };
        Plan {
            results: PathBuf::from("results"),
            baseline: None,
            target: TargetPlan::default(),
            audio: AudioPlan::default(),
            processes: BTreeMap::from([
                ("worker".to_string(), worker),
                ("api".to_string(), beside("uvicorn")),
                ("backend".to_string(), beside("asr-backend")),
            ]),
            sampler: SamplerPlan::default(),
            settle: SettlePlan::default(),
            leak: LeakPlan::default(),
            ramp: RampPlan::default(),
            soak: SoakPlan::default(),
            guard: GuardPlan::default(),
        }
    }
}

impl Default for SamplerPlan {
    fn default() -> SamplerPlan {
        SamplerPlan { interval_s: 1.0, busy_interval_s: 0.02, busy_cpu_percent: 5.0, pss_budget_s: 0.05 }
    }
}

impl Default for SettlePlan {
    fn default() -> SettlePlan {
        SettlePlan { quiet_s: 0.5, quiet_mb: 1.0, max_s: 10.0, late_free_s: 8.0 }
    }
}

impl Default for LeakPlan {
    fn default() -> LeakPlan {
        LeakPlan {
            enabled: true,
            repeats: 5,
            max_repeats: 50,
            max_s: 3_600.0,
            max_delta_mb: 200.0,
            severe_delta_mb: 500.0,
            baseline_tolerance_mb: 50.0,
            probes: Vec::new(),
            probe_steps: 12,
            probe_concurrency: 4,
            probe_pause_s: 6.0,
            bad_input: None,
            resources: true,
            max_fds_growth: 2,
            max_threads_growth: 2,
            max_processes_growth: 2,
        }
    }
}

impl Default for GuardPlan {
    fn default() -> GuardPlan {
        GuardPlan { min_available_percent: 10.0 }
    }
}
