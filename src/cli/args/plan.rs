//! Flags that several commands share, and the keys of the plan that they stand for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::plan::{Override, Preset};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PresetArg {
    /// Submit a recording, then ask for the result; an RQ worker
    #[value(alias = "asr")]
    AsrRq,
    /// POST /v1/audio/transcriptions, as OpenAI and many speech servers have it
    Openai,
    /// One request is one task (`[target.http]`)
    Http,
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Preset {
        match preset {
            PresetArg::AsrRq => Preset::AsrRq,
            PresetArg::Openai => Preset::Openai,
            PresetArg::Http => Preset::Http,
        }
    }
}

/// Where the plan comes from; each rises above the one before:
/// highwater.toml, HIGHWATER_… variables, flags.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct PlanArgs {
    /// The configuration file [default: highwater.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "HIGHWATER_CONFIG", help_heading = "Configuration")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Sets any key of the configuration, e.g. `--set settle.max_s=20`
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment, help_heading = "Configuration")]
    #[arg(long_help = crate::plan::help_of_set())]
    pub(in crate::cli) set: Vec<Override>,

    /// Directory for the data files and the report [default: results]
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    pub(in crate::cli) results: Option<String>,

    /// Base URL of the service [default: http://localhost:8000]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    pub(in crate::cli) url: Option<String>,

    /// The kind of service, with its usual endpoints and processes [default: asr-rq]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Service")]
    pub(in crate::cli) preset: Option<PresetArg>,

    /// The path that a plain HTTP service takes tasks at (--preset http) [default: /]
    #[arg(long, value_name = "PATH", help_heading = "Service")]
    pub(in crate::cli) path: Option<String>,

    /// The JSON that is sent to it; `{{uuid}}` and `{{random 200}}` in it make every request a new one
    #[arg(long, value_name = "JSON", value_parser = json, help_heading = "Service")]
    pub(in crate::cli) json_body: Option<serde_json::Value>,

    /// The path that answers 2xx while the service is healthy; '' if there is none
    #[arg(long, value_name = "PATH", help_heading = "Service")]
    pub(in crate::cli) health: Option<String>,

    /// The worker process, instead of finding it by its command line
    #[arg(long, value_name = "PID", help_heading = "Service", group = "worker")]
    pub(in crate::cli) worker_pid: Option<u32>,

    /// The worker process is the one whose pid is in this file
    #[arg(long, value_name = "FILE", help_heading = "Service", group = "worker")]
    pub(in crate::cli) worker_pidfile: Option<String>,

    /// The worker process is the one that listens on this TCP port
    #[arg(long, value_name = "PORT", help_heading = "Service", group = "worker")]
    pub(in crate::cli) worker_port: Option<u16>,

    /// A short recording of your own [default: 147 s, made on first use]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(in crate::cli) short: Option<String>,

    /// A long recording of your own [default: 734 s, made on first use]
    #[arg(long, value_name = "FILE", help_heading = "Service")]
    pub(in crate::cli) long: Option<String>,
}

/// What decides the verdict.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct ThresholdArgs {
    /// Most that a long task may add to worker memory, in MB [default: 200]
    #[arg(long, value_name = "MB", allow_negative_numbers = true, help_heading = "Criteria")]
    pub(in crate::cli) max_delta_mb: Option<f64>,

    /// Memory has returned within this many MB of its baseline [default: 50]
    #[arg(long, value_name = "MB", allow_negative_numbers = true, help_heading = "Criteria")]
    pub(in crate::cli) tolerance_mb: Option<f64>,

    /// Concurrency that must hold [default: 3]
    #[arg(long, value_name = "N", help_heading = "Criteria")]
    pub(in crate::cli) required: Option<u32>,

    /// RTF must stay below this [default: 1.0]
    #[arg(long, value_name = "RTF", allow_negative_numbers = true, help_heading = "Criteria")]
    pub(in crate::cli) max_rtf: Option<f64>,

    /// Also end the ramp at the first level whose RTF is not below --max-rtf
    #[arg(long, help_heading = "Criteria")]
    pub(in crate::cli) stop_at_rtf: bool,
}

pub(super) fn assignment(text: &str) -> Result<Override, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(Override::text(key.trim(), value.trim())),
        _ => Err("expected KEY=VALUE, e.g. `leak.repeats=8`".to_string()),
    }
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON: {error}, e.g. `{{\"text\": \"hello\"}}`"))
}

/// The overrides that flags stand for.
pub(in crate::cli) type Overrides = Vec<Override>;

pub(in crate::cli) fn put(overrides: &mut Overrides, key: &str, value: Option<impl Serialize>) {
    overrides.extend(value.map(|value| Override::value(key, value)));
}

impl PlanArgs {
    pub(in crate::cli) fn overrides(&self) -> Overrides {
        let mut overrides = self.set.clone();
        put(&mut overrides, "results", self.results.as_ref());
        put(&mut overrides, "target.url", self.url.as_ref());
        put(&mut overrides, "preset", self.preset.map(Preset::from));
        put(&mut overrides, "target.http.path", self.path.as_ref());
        put(&mut overrides, "target.http.json", self.json_body.as_ref());
        put(&mut overrides, "target.health", self.health.as_ref());
        put(&mut overrides, "processes.worker.pid", self.worker_pid);
        put(&mut overrides, "processes.worker.pidfile", self.worker_pidfile.as_ref());
        put(&mut overrides, "processes.worker.port", self.worker_port);
        put(&mut overrides, "audio.short", self.short.as_ref());
        put(&mut overrides, "audio.long", self.long.as_ref());
        overrides
    }
}

impl ThresholdArgs {
    pub(in crate::cli) fn overrides(&self) -> Overrides {
        let mut overrides = Vec::new();
        put(&mut overrides, "leak.max_delta_mb", self.max_delta_mb);
        put(&mut overrides, "leak.baseline_tolerance_mb", self.tolerance_mb);
        put(&mut overrides, "ramp.required", self.required);
        put(&mut overrides, "ramp.max_rtf", self.max_rtf);
        put(&mut overrides, "ramp.stop_at_rtf", self.stop_at_rtf.then_some(true));
        overrides
    }
}
