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
mod template;
mod unknown;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use env::CONFIG_VARIABLE;
pub use layer::layer;
pub use load::{DEFAULT_FILE, Loaded, load, load_with_origin};
pub use template::{TEMPLATE, write_template};
pub use validate::validate;

/// Everything that decides what a run does; the data of `highwater.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The directory that receives the data files and the report.
    pub results: PathBuf,
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
    /// What makes highwater stop for the sake of the machine.
    pub guard: GuardPlan,
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// Submit a multipart file, then poll for the result.
    Asr,
    /// One synchronous request is one task.
    Http,
}

/// The service that is driven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetPlan {
    /// How the service is spoken to.
    pub kind: TargetKind,
    /// Base URL, without a path.
    pub url: String,
    /// Path of the health endpoint; empty if the service has none.
    pub health: String,
    /// The most a task may take from submission to result, in seconds.
    pub timeout_s: f64,
    /// The most a connection may take to open, in seconds.
    pub connect_timeout_s: f64,
    /// Details of `kind = "asr"`.
    pub asr: AsrPlan,
    /// Details of `kind = "http"`.
    pub http: HttpPlan,
}

/// The submit-and-poll contract of a speech-recognition service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AsrPlan {
    /// Path that takes the multipart upload.
    pub submit: String,
    /// Path of the result, with `{task_id}` where the task's id goes.
    pub result: String,
    /// Name of the multipart field that carries the audio.
    pub field: String,
    /// Name of the answer's field that holds the task's id.
    pub id_field: String,
    /// Name of the result's field that holds the status.
    pub status_field: String,
    /// Name of the result's field that holds the audio's length in seconds.
    pub duration_field: String,
    /// Name of the result's field that holds the service's error message.
    pub error_field: String,
    /// Status words that mean "not finished yet".
    pub pending: Vec<String>,
    /// Status words that mean "finished well".
    pub done: Vec<String>,
    /// Status words that mean "finished badly".
    pub failed: Vec<String>,
}

/// One synchronous request that is one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpPlan {
    /// The request's method.
    pub method: String,
    /// The request's path, appended to the base URL.
    pub path: String,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// A JSON body. Leave both bodies out for a request without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// Name of the multipart field that carries the audio file; empty for none.
    pub multipart_field: String,
    /// Status codes that count as success.
    pub success_status: Vec<u16>,
    /// A JSON pointer that the answer's body must have (`/result/text`); empty for none.
    pub success_pointer: String,
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

/// How the processes of one role are found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessPlan {
    /// Words that must all stand in the process's command line.
    pub patterns: Vec<String>,
    /// An explicit process, instead of patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Further explicit processes, for programs that know several; not part of the file.
    #[serde(skip)]
    pub pids: Vec<u32>,
    /// True if the run may go on without such a process.
    pub optional: bool,
}

/// How the processes are sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerPlan {
    /// Time between two rows of a process in the CSV, in seconds (0.01 or more).
    pub interval_s: f64,
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
    /// The most that worker memory may rise over one long task, in megabytes.
    pub max_delta_mb: f64,
    /// A delta above this is called out as severe, in megabytes.
    pub severe_delta_mb: f64,
    /// Memory has returned when it is within this many megabytes of its baseline.
    pub baseline_tolerance_mb: f64,
}

impl ProcessPlan {
    /// The processes that are named outright; patterns count only where there are none.
    pub fn explicit_pids(&self) -> Vec<u32> {
        self.pid.iter().chain(&self.pids).copied().collect()
    }
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

/// The concurrency ramp: levels of tasks submitted at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RampPlan {
    /// False leaves the phase out.
    pub enabled: bool,
    /// Concurrency of the first level.
    pub start: u32,
    /// Difference between two levels.
    pub step: u32,
    /// The bound: no level goes above it.
    pub max: u32,
    /// What every task of the ramp sends.
    pub audio: AudioKind,
    /// The service must hold at least this level for the run to pass.
    pub required: u32,
    /// RTF (processing time / audio time) must stay below this.
    pub max_rtf: f64,
    /// True makes RTF part of "the level holds", so that the ramp stops where it is exceeded.
    pub stop_at_rtf: bool,
    /// When a worker has exited, its unfinished tasks get this long to end otherwise, in seconds.
    pub exit_grace_s: f64,
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
        let words = |words: &[&str], optional| ProcessPlan {
            patterns: words.iter().map(ToString::to_string).collect(),
            optional,
            ..ProcessPlan::default()
        };
        Plan {
            results: PathBuf::from("results"),
            target: TargetPlan::default(),
            audio: AudioPlan::default(),
            processes: BTreeMap::from([
                ("worker".to_string(), words(&["rq worker", "asr-queue"], false)),
                ("api".to_string(), words(&["uvicorn"], true)),
                ("backend".to_string(), words(&["asr-backend"], true)),
            ]),
            sampler: SamplerPlan::default(),
            settle: SettlePlan::default(),
            leak: LeakPlan::default(),
            ramp: RampPlan::default(),
            guard: GuardPlan::default(),
        }
    }
}

impl Default for TargetPlan {
    fn default() -> TargetPlan {
        TargetPlan {
            kind: TargetKind::Asr,
            url: "http://localhost:8000".to_string(),
            health: "/api/v1/health".to_string(),
            timeout_s: 600.0,
            connect_timeout_s: 10.0,
            asr: AsrPlan::default(),
            http: HttpPlan::default(),
        }
    }
}

impl Default for AsrPlan {
    fn default() -> AsrPlan {
        AsrPlan {
            submit: "/api/v1/asr/submit".to_string(),
            result: "/api/v1/asr/result/{task_id}".to_string(),
            field: "audio".to_string(),
            id_field: "task_id".to_string(),
            status_field: "status".to_string(),
            duration_field: "duration".to_string(),
            error_field: "error".to_string(),
            pending: vec!["queued".to_string(), "processing".to_string()],
            done: vec!["done".to_string()],
            failed: vec!["failed".to_string()],
        }
    }
}

impl Default for HttpPlan {
    fn default() -> HttpPlan {
        HttpPlan {
            method: "POST".to_string(),
            path: "/".to_string(),
            headers: BTreeMap::new(),
            json: None,
            multipart_field: String::new(),
            success_status: vec![200],
            success_pointer: String::new(),
        }
    }
}

impl Default for SamplerPlan {
    fn default() -> SamplerPlan {
        SamplerPlan { interval_s: 1.0 }
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
            max_repeats: 20,
            max_delta_mb: 200.0,
            severe_delta_mb: 500.0,
            baseline_tolerance_mb: 50.0,
        }
    }
}

impl Default for RampPlan {
    fn default() -> RampPlan {
        RampPlan {
            enabled: true,
            start: 1,
            step: 1,
            max: 10,
            audio: AudioKind::Short,
            required: 3,
            max_rtf: 1.0,
            stop_at_rtf: false,
            exit_grace_s: 2.0,
        }
    }
}

impl Default for GuardPlan {
    fn default() -> GuardPlan {
        GuardPlan { min_available_percent: 10.0 }
    }
}
