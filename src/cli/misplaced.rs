//! Refuses flags that would have no effect. Pure.

use super::args::{PhaseArg, PlanArgs, RunArgs, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Override, Plan, TargetKind};

/// Keys that say which service is tested and how it is found. The embedded service says that itself.
const OF_A_SERVICE: [&str; 13] = [
    "preset",
    "target.url",
    "target.kind",
    "target.health",
    "target.health_pointer",
    "target.health_equals",
    "target.success.",
    "target.auth_env",
    "target.auth_header",
    "target.asr.",
    "target.openai.",
    "target.http.",
    "processes.",
];

/// Refuses flags that name a service together with `--demo`, and arguments for the embedded service without it.
pub(super) fn misplaced(target: &Target<'_>, plan: &PlanArgs) -> Result<()> {
    if !target.demo {
        return match target.demo_args {
            [] => Ok(()),
            _ => Err(Error::new(ErrorKind::Config, "arguments after `--` are for the embedded service")
                .hint("add `--demo`, or leave them out")),
        };
    }
    let flags = [
        ("--url", plan.url.is_some()),
        ("--preset", plan.preset.is_some()),
        ("--path", plan.path.is_some()),
        ("--json-body", plan.json_body.is_some()),
        ("--health", plan.health.is_some()),
        ("--worker-pid", plan.worker_pid.is_some()),
        ("--worker-pidfile", plan.worker_pidfile.is_some()),
        ("--worker-port", plan.worker_port.is_some()),
    ];
    let flag = flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag.to_string());
    let set = || plan.set.iter().map(Override::key).find(|key| of_a_service(key));
    match flag.or_else(|| set().map(|key| format!("--set {key}"))) {
        None => Ok(()),
        Some(flag) => Err(Error::new(
            ErrorKind::Config,
            format!("`--demo` tests the embedded service, and `{flag}` is for another"),
        )
        .hint(format!("leave out `--demo` to test your service, or `{flag}` to test the embedded one"))),
    }
}

fn of_a_service(key: &str) -> bool {
    OF_A_SERVICE.iter().any(|of| key == *of || (of.ends_with('.') && key.starts_with(of)))
}

/// Refuses flags for a plain HTTP service where the plan is one of another kind: they would be passed over, and
/// recordings uploaded.
pub(super) fn of_http(args: &PlanArgs, plan: &Plan) -> Result<()> {
    let flags = [("--path", args.path.is_some()), ("--json-body", args.json_body.is_some())];
    match flags.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) if plan.target.kind != TargetKind::Http => Err(Error::new(
            ErrorKind::Config,
            format!("`{flag}` is for a plain HTTP service, and this one is addressed in another way"),
        )
        .hint(format!("add `--preset http`, or leave out `{flag}`"))),
        _ => Ok(()),
    }
}

/// Refuses flags for a phase that is left out, and a bad input that no probe sends.
pub(super) fn unused(args: &RunArgs, plan: &Plan) -> Result<()> {
    let refused = |what: String, hint: &str| Err(Error::new(ErrorKind::Config, what).hint(hint));
    let thresholds = &args.thresholds;
    let (phase, flags) = match args.only {
        None => ("", Vec::new()),
        Some(PhaseArg::Concurrency) => (
            "concurrency",
            vec![
                ("--probe", args.probe.is_some()),
                ("--bad-input", args.bad_input.is_some()),
                ("--repeats", args.repeats.is_some()),
            ],
        ),
        Some(PhaseArg::Leak) => (
            "leak",
            vec![
                ("--max-concurrency", args.max_concurrency.is_some()),
                ("--search", args.search.is_some()),
                ("--required", thresholds.required.is_some()),
                ("--max-rtf", thresholds.max_rtf.is_some()),
                ("--stop-at-rtf", thresholds.stop_at_rtf),
            ],
        ),
    };
    if let Some((flag, _)) = flags.into_iter().find(|(_, given)| *given) {
        let what = format!("`--only {phase}` leaves out the phase that `{flag}` is for");
        return refused(what, "leave out one of the two");
    }
    let sent = plan.leak.probes.iter().any(|probe| probe == "error" || probe == "standard");
    if args.bad_input.is_some() && !sent {
        return refused(
            "`--bad-input` names a file that only the probe `error` sends".to_string(),
            "add `--probe` (all the usual conditions) or `--probe error`",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::plan;

    /// What is wrong with `highwater run` and these arguments.
    fn wrong(arguments: &str) -> Option<String> {
        let words = ["highwater", "run"].into_iter().chain(arguments.split_whitespace());
        let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { panic!("run was meant") };
        let target = args.target();
        let plan = || plan::layer(None, [], &args.overrides()).unwrap();
        let checked = misplaced(&target, &args.plan)
            .and_then(|()| of_http(&args.plan, &plan()))
            .and_then(|()| unused(&args, &plan()));
        checked.err().map(|error| {
            assert!(error.hint_text().is_some(), "{error}");
            error.to_string()
        })
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (arguments, named) in [
            ("--demo --worker-pid 1", "`--worker-pid`"),
            ("--demo --worker-pidfile f", "`--worker-pidfile`"),
            ("--demo --worker-port 80", "`--worker-port`"),
            ("--demo --set processes.worker.pid=1", "`--set processes.worker.pid`"),
            ("--demo --set target.kind=http", "`--set target.kind`"),
            ("--path /embed", "`--path`"),
            ("--preset openai --worker-pid 1 --json-body {}", "`--json-body`"),
            ("--bad-input x", "`--bad-input`"),
            ("--bad-input x --probe pause", "`--bad-input`"),
            ("--only concurrency --probe", "`--probe`"),
            ("--only concurrency --repeats 3", "`--repeats`"),
            ("--only leak --required 3", "`--required`"),
        ] {
            let told = wrong(arguments).unwrap_or_default();
            assert!(told.contains(named), "{arguments}: {told}");
        }
    }

    #[test]
    fn what_counts_is_taken() {
        for arguments in [
            "--demo --set target.timeout_s=9 --only leak --repeats 2 --max-delta-mb 5",
            "--bad-input x --probe",
            "--bad-input x --probe error,pause",
            "--worker-pid 1 --only concurrency --required 2",
        ] {
            assert_eq!(wrong(arguments), None, "{arguments}");
        }
    }
}
