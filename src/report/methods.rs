//! The paragraph on methods that a paper needs: what was measured how, with which units, intervals and versions.

use crate::analysis::{Growth, WORKER};
use crate::assessment::Assessment;
use crate::plan::Plan;
use crate::record::{Event, RunData, Verdict};
use crate::units::span;

/// The paragraph, and how highwater is cited.
pub fn methods(run: &RunData, report: &Assessment) -> String {
    let parts = [
        Some(instrument(run, report)),
        leak_check(report),
        ramp(report),
        soak(report),
        Some(verdict(report)),
        machine(report),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let version = report.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"));
    format!("{text}\n\nCite as: highwater, version {version} (CITATION.cff in its repository).\n")
}

fn plan(run: &RunData) -> Option<Plan> {
    match run.start() {
        Some(Event::RunStarted { plan, .. }) => serde_json::from_value(plan.clone()).ok(),
        _ => None,
    }
}

fn instrument(run: &RunData, report: &Assessment) -> String {
    let version = report.version.as_deref().map_or(String::new(), |version| format!(" {version}"));
    let interval = plan(run).map_or(String::new(), |plan| format!(" every {} s", plan.sampler.interval_s));
    let rows: u64 = run.samples.iter().map(crate::record::Samples::rows).sum();
    format!(
        "Memory and CPU were recorded with highwater{version}, which reads the processes of the service from outside \
         (on Linux from /proc). Resident memory and CPU time of every process were sampled{interval} ({rows} readings); \
         memory of a role is the sum over its process tree, in MB of 1,048,576 bytes."
    )
}

fn leak_check(report: &Assessment) -> Option<String> {
    let tasks = report.leak_check.len();
    let growth = report.growth.as_ref().filter(|_| tasks > 0)?;
    Some(format!(
        "In the leak check {tasks} tasks were sent one at a time, and the memory of the {WORKER} was read before and after \
         each, when it had been quiet. The first task of each input is warm-up. {}",
        rate(growth)
    ))
}

fn rate(growth: &Growth) -> String {
    let Some(((rate, low), high)) = growth.rate_mb_per_task.zip(growth.low).zip(growth.high) else {
        return format!("Growth per task could not be estimated: {}.", growth.reason);
    };
    format!(
        "Growth is that of the memory which was never given back, over {} readings: {rate:.3} MB per task (98 % confidence \
         interval {low:.3} to {high:.3}, Student's t); the verdict is {}.",
        growth.tasks,
        growth.answer.word()
    )
}

fn ramp(report: &Assessment) -> Option<String> {
    let spent = report.ramp_spent.as_ref()?;
    let law = report.scalability.as_ref().map_or(String::new(), |law| {
        format!(
            " The universal scalability law was fitted to the throughput of {} levels (contention {:.4}, coherency {:.6}, \
             relative residual {:.1} %; intervals by bootstrap of the residuals, 95 %).",
            law.levels,
            law.contention,
            law.coherency,
            100.0 * law.residual
        )
    });
    Some(format!(
        "In the ramp so many tasks were outstanding at once, in {} attempts at levels with {} tasks over {}. Percentiles are \
         by nearest rank. Result: {}.{law}",
        spent.levels,
        spent.tasks,
        span(spent.seconds),
        report.judgement.limit
    ))
}

fn soak(report: &Assessment) -> Option<String> {
    let soak = report.soak.as_ref()?;
    let rate = soak.mb_per_hour.map_or(String::new(), |rate| {
        let interval = soak
            .mb_per_hour_low
            .zip(soak.mb_per_hour_high)
            .map_or(String::new(), |(low, high)| format!(" (98 % interval {low:.2} to {high:.2})"));
        format!(" The floors grow by {rate:.2} MB per hour{interval}.")
    });
    Some(format!(
        "In the soak {} tasks were outstanding at once for {} ({} tasks, {} failed); of each of {} rounds the least and the \
         most private memory was read.{rate}",
        soak.concurrency,
        span(soak.seconds),
        soak.tasks,
        soak.failed,
        soak.rounds.len()
    ))
}

fn verdict(report: &Assessment) -> String {
    let criteria = &report.judgement.criteria;
    let of = |verdict: Verdict| criteria.iter().filter(|found| found.verdict == verdict).count();
    format!(
        "Of {} criteria {} passed, {} failed and {} were not decided.",
        criteria.len(),
        of(Verdict::Pass),
        of(Verdict::Fail),
        of(Verdict::Inconclusive)
    )
}

fn machine(report: &Assessment) -> Option<String> {
    let machine = report.machine.as_ref()?;
    let when = report
        .started
        .as_ref()
        .map_or(String::new(), |time| format!(" on {}", time.chars().take(10).collect::<String>()));
    Some(format!(
        "The measurements were made{when} on a machine with {} logical CPUs and {:.1} GB of memory ({}, kernel {}).",
        machine.cpus,
        machine.memory_mb / 1024.0,
        machine.os,
        machine.kernel
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::assess;

    #[test]
    fn what_was_not_measured_is_not_described() {
        let run = RunData::default();
        let text = methods(&run, &assess(&run, &Plan::default()));
        assert!(!text.contains("leak check") && !text.contains("soak") && !text.contains("ramp"), "{text}");
        assert!(text.contains("CITATION.cff") && text.contains("1,048,576 bytes"), "{text}");
    }
}
