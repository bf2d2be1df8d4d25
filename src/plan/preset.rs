//! Named starts of a plan: what fits one kind of service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Plan, ProcessPlan, RqPlan, SuccessPlan, TargetKind};

/// A kind of service, with the roles and endpoints that it usually has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// A speech recogniser that takes a recording and is asked for the result, at `/api/v1/asr/…`, with health at
    /// `/api/v1/health`. Its worker is RQ's, of the queue `asr-queue`; a `uvicorn` (role `api`) and an
    /// `asr-backend` (role `backend`) are watched where they run.
    AsrRq,
    /// A speech server with the interface of OpenAI's transcriptions; it is healthy where `/v1/models` answers, and
    /// an empty text is no success.
    Openai,
    /// A service that does one task per HTTP request, without a health endpoint.
    Http,
}

impl Preset {
    /// The plan that this preset stands for.
    ///
    /// `openai` and `http` have no process to watch yet: [`Plan::worker_pid`] or `plan.processes` names one.
    pub fn plan(self) -> Plan {
        let mut plan = Plan { preset: Some(self), ..Plan::default() };
        let target = &mut plan.target;
        match self {
            Preset::AsrRq => {
                target.kind = TargetKind::Asr;
                target.health = "/api/v1/health".to_string();
                target.asr.submit = "/api/v1/asr/submit".to_string();
                target.asr.result = "/api/v1/asr/result/{task_id}".to_string();
                plan.processes = asr_rq_roles();
            }
            Preset::Openai => {
                target.kind = TargetKind::Openai;
                target.health = "/v1/models".to_string();
                // A recording with speech has words: an empty text is a failure under another name.
                target.success =
                    SuccessPlan { pointer: "/text".to_string(), not_empty: true, ..SuccessPlan::default() };
            }
            Preset::Http => target.kind = TargetKind::Http,
        }
        plan
    }

    /// The preset of a plan that only says how its service is addressed.
    pub(super) fn of_kind(kind: TargetKind) -> Preset {
        match kind {
            TargetKind::Asr => Preset::AsrRq,
            TargetKind::Openai => Preset::Openai,
            // It has neither endpoints nor roles.
            TargetKind::Http | TargetKind::Command | TargetKind::Websocket => Preset::Http,
        }
    }

    /// The few lines that a configuration of such a service needs.
    pub(super) fn first_lines(self) -> &'static str {
        match self {
            Preset::AsrRq => include_str!("init/asr-rq.toml"),
            Preset::Openai => include_str!("init/openai.toml"),
            Preset::Http => include_str!("init/http.toml"),
        }
    }
}

fn asr_rq_roles() -> BTreeMap<String, ProcessPlan> {
    let worker = ProcessPlan {
        rq: RqPlan { queue: Some("asr-queue".to_string()), url: None },
        ..ProcessPlan::default()
    };
    let optional = |program: &str| ProcessPlan {
        program: Some(program.to_string()),
        optional: true,
        ..ProcessPlan::default()
    };
    BTreeMap::from([
        ("worker".to_string(), worker),
        ("api".to_string(), optional("uvicorn")),
        ("backend".to_string(), optional("asr-backend")),
    ])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plan::{layer, validate};

    #[test]
    fn the_plan_of_a_preset_lacks_at_most_a_worker() {
        assert!(validate(&Preset::AsrRq.plan()).is_ok());
        for preset in [Preset::Openai, Preset::Http] {
            assert!(preset.plan().processes.is_empty(), "{preset:?}");
            assert!(validate(&preset.plan().worker_pid(7)).is_ok(), "{preset:?}");
        }
    }

    #[test]
    fn the_first_lines_make_a_plan_of_their_preset() {
        for preset in [Preset::AsrRq, Preset::Openai, Preset::Http] {
            let lines = preset.first_lines();
            let plan = layer(Some((Path::new("a.toml"), lines)), [], &[]).unwrap();
            assert_eq!(plan.preset, Some(preset));
            assert!(lines.lines().count() <= 30, "{preset:?}");
            let matter = lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            assert!(preset != Preset::Http || matter <= 10, "{matter} lines");
            // What is commented out is valid as well; a comment in words has a space after the `#`.
            let shown = |line: &str| match line.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') => format!("{key}\n"),
                _ => format!("{line}\n"),
            };
            let whole: String = lines.lines().map(shown).collect();
            assert!(whole != lines, "{preset:?}");
            layer(Some((Path::new("a.toml"), &whole)), [], &[])
                .unwrap_or_else(|error| panic!("{}", error.render()));
        }
    }
}
