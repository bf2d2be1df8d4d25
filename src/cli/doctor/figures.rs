//! Where the figures of a role come from, how old they may be, and what they lack.

use crate::plan::ProcessPlan;
use crate::sampler::{ProcessId, ProcessSource, Wanted};

/// One line about the process `id` of a role: `figures of /proc, of the moment they are asked for; nothing is missing`.
pub(super) fn line(plan: &ProcessPlan, id: ProcessId, source: &mut dyn ProcessSource) -> String {
    let place = match (&plan.metrics.url, &plan.prometheus.url, &plan.group.path, &plan.container) {
        _ if !id.is_elsewhere() => "/proc".to_string(),
        (Some(url), ..) | (_, Some(url), ..) | (_, _, Some(url), _) => url.clone(),
        (.., Some(container)) => {
            format!("the container `{container}`, whose processes cannot be seen from here")
        }
        _ => "elsewhere".to_string(),
    };
    let missing = missing(id, source);
    let age_s = source.age_s(id);
    let age = match plan.oldest_s() {
        0.0 => "of the moment they are asked for".to_string(),
        oldest_s => format!("now {age_s:.0} s old, and at most {oldest_s:.0} s"),
    };
    let lacks = match missing.as_slice() {
        [] => "nothing is missing".to_string(),
        some => format!("without {}: what needs them is not judged", some.join(", ")),
    };
    format!("figures of {place}, {age}; {lacks}")
}

/// The figures that a reading of `id` does not have.
fn missing(id: ProcessId, source: &mut dyn ProcessSource) -> Vec<&'static str> {
    let reading = source.read(id, Wanted { cpu: true, peak: true }).ok();
    let details = source.details(id).ok();
    let pss = source.pss(id).ok().flatten();
    let peak =
        reading.and_then(|reading| reading.peak_bytes).or(details.and_then(|details| details.peak_bytes));
    let has = [
        ("memory", reading.is_some()),
        ("private memory", reading.is_some_and(|reading| reading.private_bytes.is_some())),
        ("peaks", peak.is_some()),
        ("CPU time", reading.is_some_and(|reading| reading.cpu.is_some())),
        ("threads", reading.is_some_and(|reading| reading.threads.is_some())),
        ("descriptors", details.is_some_and(|details| details.fds.is_some())),
        ("PSS", pss.is_some()),
    ];
    has.into_iter().filter(|(_, has)| !has).map(|(figure, _)| figure).collect()
}
