//! The plan of a run: everything a user can configure, as plain data.
//!
//! Times are seconds, memory is megabytes of 1,048,576 bytes
//! ([`crate::units::MB`]), and both say so in their names. A plan can be made in
//! code ([`Plan::http`], [`Plan::asr`], [`Preset::plan`]) or of texts: [`layer()`] does
//! that and is pure; only [`load()`] reads the file and the environment, and only
//! [`write_template`] writes. [`Plan::default`] fits no service in particular: it has no role
//! and no endpoint.
//!
//! A field is the one place of its key: its comment, default, range and example are what the template of
//! `highwater init`, the page `docs/src/configuration.md`, the help of `--set`, the environment's names
//! and the check of every value are made from (`keys`).

mod build;
mod env;
mod file;
mod fill;
mod generator;
mod key;
mod keys;
mod layer;
mod leak;
mod load;
mod nearest;
mod page;
mod preset;
mod process;
mod ramp;
mod roles;
mod sampling;
mod setting;
mod soak;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod texts;
mod unknown;
mod validate;
pub(crate) mod words;
mod written;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

pub use env::CONFIG_VARIABLE;
pub(crate) use fill::{Filled, from_environment};
pub use generator::LoadPlan;
pub use layer::layer;
pub use leak::LeakPlan;
pub use load::{DEFAULT_FILE, Loaded, load, load_with_origin};
#[cfg(feature = "cli")]
pub(crate) use page::help_of_set;
pub use page::page;
pub use preset::Preset;
pub use process::{Count, GroupPlan, MetricsPlan, ProcessPlan, PrometheusPlan, RqPlan};
pub(crate) use process::{REDIS, judge_as_asked, watch_local_redis};
pub use ramp::{Figure, RampPlan, SearchKind, StablePlan};
pub use sampling::{CollectKind, GuardPlan, SamplerPlan, SettlePlan};
pub use setting::Override;
pub use soak::SoakPlan;
pub use target::{
    AsrPlan, CommandPlan, HttpPlan, OpenAiPlan, SuccessPlan, TargetKind, TargetPlan, WebSocketPlan,
};
pub use template::{template, write_preset, write_template};
pub use validate::validate;
pub(crate) use written::{hidden_key, shown_url};

/// The longest time that may be configured: a week, in seconds.
const WEEK_S: f64 = 604_800.0;

/// The most memory that may be configured: 10 TB, in megabytes.
const MOST_MB: f64 = 10_000_000.0;

/// Everything that decides what a run does; the data of `highwater.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The kind of service that the other keys start from. Where no preset is given, `target.kind` decides: `asr-rq`
    /// for `asr`, which is also the default, `openai` for `openai`, `http` for every other.
    #[schemars(example = &"asr-rq")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The directory that receives the data files and the report.
    #[default(PathBuf::from("results"))]
    pub results: PathBuf,
    /// Results of an earlier run: a file, or a directory of them. With it, memory fails the run only where
    /// it grows more than it did there.
    #[schemars(example = "baseline.jsonl")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<PathBuf>,
    /// The service under test.
    pub target: TargetPlan,
    /// The recordings that are sent. Without paths, highwater makes speech of 147 s (4.7 MB) and 734 s
    /// (23.5 MB) on first use and keeps it in the user's cache directory, or where `HIGHWATER_CACHE_DIR`
    /// says. WAV, MP3, FLAC, Ogg and M4A files are accepted.
    pub audio: AudioPlan,
    /// The monitored processes, by role. `worker` is the role whose memory is judged; other roles, of any
    /// name, are watched as well.
    ///
    /// A role is a process with all its descendants. Every condition that is given must be met. A text must
    /// be equal, or, between slashes, be a regular expression: `"/^worker-[0-9]+$/"`. highwater itself,
    /// shells, launchers, editors, pagers and test runners never match.
    pub processes: BTreeMap<String, ProcessPlan>,
    /// How the processes are sampled.
    pub sampler: SamplerPlan,
    /// When memory counts as quiet, before and after a task.
    pub settle: SettlePlan,
    /// The leak check: short and long recordings, one task at a time.
    pub leak: LeakPlan,
    /// The concurrency ramp: levels of tasks outstanding at once.
    pub ramp: RampPlan,
    /// Load that another program makes, for the ramp and the soak.
    pub load: LoadPlan,
    /// The soak: one level, held for a time. `highwater soak` does only this.
    pub soak: SoakPlan,
    /// When highwater stops for the sake of the machine.
    pub guard: GuardPlan,
}

/// The recordings that are sent. Without paths highwater makes its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AudioPlan {
    /// A short recording.
    #[schemars(example = "recordings/short.wav")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<PathBuf>,
    /// A long recording.
    #[schemars(example = "recordings/long.wav")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<PathBuf>,
}

/// Which recording the ramp sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
