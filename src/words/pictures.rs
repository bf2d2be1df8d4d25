//! What pictures say: their messages, how they are read, and what a pointer is told.

use super::headline::leak_told;
use super::numbers::{count, mb, sentence_case, signed_mb};
pub(crate) use super::numbers::{per_hour, per_task};
use crate::analysis::{
    Answer, Attribution, Change, Comparison, GrownMemory, Growth, Level, Scalability, Signal, Soak, Summary,
};
use crate::record::{BlockReading, Condition, Limit, Phase, TaskRecord};
use crate::units::{round, significant, span, time};

/// The message of memory task by task.
pub(crate) fn memory_title(growth: Option<&Growth>) -> String {
    match growth {
        Some(growth @ Growth { answer: Answer::Leak, rate_mb_per_task: Some(rate), .. }) => {
            leak_told(growth, *rate)
        }
        Some(growth) => sentence_case(&growth.reason.to_string()),
        None => "Worker memory, task by task".to_string(),
    }
}

/// How it is read.
pub(crate) fn memory_caption(blocks: bool, dense: bool, growth: bool) -> String {
    let each = match (dense, blocks) {
        (true, _) => {
            "The line is resident memory after each task, at rest; the surface reaches up to the peaks."
        }
        (false, true) => "Each mark is resident memory at rest, after a task or after a block of tasks.",
        (false, false) => {
            "Each mark is resident memory after a task, at rest; the bar above it reaches up to the peak."
        }
    };
    if !growth {
        return each.to_string();
    }
    format!("{each} The growth line is that of the verdict, drawn through the marks that were judged.")
}

/// The same for somebody who does not see it.
pub(crate) fn memory_alt([first, last]: &[(f64, f64); 2], growth: Option<&Growth>) -> String {
    let ends = format!(
        "Worker memory is {} after task {} and {} after task {}",
        mb(first.1),
        first.0,
        mb(last.1),
        last.0
    );
    match growth {
        Some(growth) => format!("{ends}. {}", growth.sentence(None)),
        None => ends,
    }
}

/// `task 12, long: 55.5 to 60.3 MB, peak 73.0 MB, 1.2 s`.
pub(crate) fn task_told(number: usize, task: &TaskRecord, warm_up: bool) -> String {
    let input = task.kind.map_or_else(|| task.audio_file.clone(), |kind| kind.word().to_string());
    let mut told = format!("task {number}");
    if !input.is_empty() {
        told.push_str(&format!(", {input}"));
    }
    if warm_up {
        told.push_str(", warm-up");
    }
    if task.new_input {
        told.push_str(", new input");
    }
    if let Some((before, after)) = task.worker_rss_before_mb.zip(task.worker_rss_after_mb) {
        told.push_str(&format!(": {before:.1} to {after:.1} MB ({})", signed_mb(after - before)));
    }
    if let Some(peak) = task.worker_rss_peak_mb {
        told.push_str(&format!(", peak {}", mb(peak)));
    }
    if let Some(seconds) = task.processing_time {
        told.push_str(&format!(", {}", time(seconds)));
    }
    if let Some(late) = task.late_free_mb {
        told.push_str(&format!(", {} freed late", mb(late)));
    }
    if let Some(error) = task.error.as_ref().filter(|_| !task.succeeded()) {
        told.push_str(&format!(", failed: {error}"));
    }
    told
}

/// `after task 400 (block 7 of 50 tasks): 61.2 MB`.
pub(crate) fn block_told(number: f64, block: &BlockReading, after: f64) -> String {
    format!(
        "after task {number} (block {}, {}): {}",
        block.block,
        count(block.tasks as usize, "task"),
        mb(after)
    )
}

/// `baseline + 50 MB`.
pub(crate) fn tolerance(tolerance_mb: f64) -> String {
    format!("baseline + {tolerance_mb} MB")
}

/// The name of a probe's condition, for a stretch of a picture.
pub(crate) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Repeat => "one input",
        Condition::New => "new inputs",
        Condition::Pause => "pause",
        Condition::Alternate => "alternating",
        Condition::Parallel => "parallel",
        Condition::Error => "errors",
        Condition::Recovery => "recovery",
        Condition::Other(name) => name,
    }
    .to_string()
}

/// The name of a phase, for a stretch of a picture.
pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Leak => "leak check",
        Phase::Concurrency => "ramp",
        Phase::Soak => "soak",
    }
}

/// The message of the timeline.
pub(crate) fn timeline_title(peak_mb: Option<f64>, phase: Option<&str>) -> String {
    match (peak_mb, phase) {
        (Some(peak), Some(phase)) => format!("Memory peaks at {peak:.0} MB, in the {phase}"),
        (Some(peak), None) => format!("Memory peaks at {peak:.0} MB"),
        (None, _) => "Memory and CPU of every role".to_string(),
    }
}

/// How it is read; `ended` are the processes that ended and were not expected to.
pub(crate) fn timeline_caption(ended: &[String]) -> String {
    let sums = "Memory and CPU of each role, all its processes together, at every tick of the sampler.";
    match ended {
        [] => format!("{sums} No process that was looked for ended."),
        [only] => format!("{sums} {}.", sentence_case(only)),
        [first, rest @ ..] => {
            format!(
                "{sums} {}; {} more ended.",
                sentence_case(first),
                count(rest.len(), "process").replace("processs", "processes")
            )
        }
    }
}

/// The same for somebody who does not see it.
pub(crate) fn timeline_alt(peaks: &[(String, f64)]) -> String {
    let peaks: Vec<String> =
        peaks.iter().map(|(role, peak)| format!("{role} at most {}", mb(*peak))).collect();
    format!("Memory and CPU over time: {}", peaks.join("; "))
}

/// How far a time axis of `seconds` goes in its unit, and the unit.
pub(crate) fn time_axis(seconds: f64) -> (f64, &'static str) {
    match seconds {
        s if s <= 300.0 => (s, "seconds"),
        s if s <= 3.0 * 3600.0 => (s / 60.0, "minutes"),
        s => (s / 3600.0, "hours"),
    }
}

/// `at 31.2 s`, `at 12 min`.
pub(crate) fn at_seconds(seconds: f64) -> String {
    if seconds < 120.0 { format!("at {seconds:.1} s") } else { format!("at {}", span(seconds)) }
}

/// The message of the ramp.
pub(crate) fn ramp_title(limit: &Limit) -> String {
    match limit {
        Limit::Found { max_stable: 0, broke_at, broke, .. } => {
            format!("Not even {broke_at} at once holds: {}", broke.detail)
        }
        Limit::Found { max_stable, broke_at, broke, .. } => {
            format!("{max_stable} at once hold; at {broke_at}: {}", broke.detail)
        }
        limit => sentence_case(&limit.to_string()),
    }
}

/// How it is read.
pub(crate) fn ramp_caption(law: Option<&Scalability>) -> String {
    let read =
        "So many tasks are outstanding at once at each level. The lines between dots are a help to the eye.";
    match law.map(|law| law.peak) {
        None => read.to_string(),
        Some(None) => format!("{read} The fitted law predicts no level at which throughput falls."),
        Some(Some(peak)) => format!(
            "{read} The fitted law predicts the highest throughput at {:.0} at once; it knows of no crash and no refusal.",
            peak.at
        ),
    }
}

/// Throughput for somebody who does not see it.
pub(crate) fn throughput_alt(means: &[(f64, f64)]) -> String {
    let levels: Vec<String> =
        means.iter().map(|(level, rate)| format!("{level} at once: {}", significant(*rate))).collect();
    format!("Tasks per second by level. {}", listed(&levels))
}

/// A figure by level for somebody who does not see it.
pub(crate) fn levels_alt(title: &str, figures: &[(u32, f64)]) -> String {
    let levels: Vec<String> =
        figures.iter().map(|(level, figure)| format!("{level} at once: {}", significant(*figure))).collect();
    format!("{} by level. {}", sentence_case(title), listed(&levels))
}

/// At most 24 of them.
fn listed(entries: &[String]) -> String {
    const MOST: usize = 24;
    let mut text = entries.iter().take(MOST).cloned().collect::<Vec<_>>().join("; ");
    if entries.len() > MOST {
        text.push_str(&format!("; and {} more", entries.len() - MOST));
    }
    text
}

/// `c=6: seconds median 1.20, p95 2.10, 0.310 to 2.20`.
pub(crate) fn spread_told(level: &Level, name: &str, median: f64, spread: Option<Summary>) -> String {
    let rest = spread.map_or(String::new(), |spread| {
        format!(
            ", p95 {}, {} to {}",
            significant(spread.p95),
            significant(spread.min),
            significant(spread.max)
        )
    });
    format!("c={}: {name} median {}{rest}", level.concurrency, significant(median))
}

/// `c=6: peak 503.1 MB, 207.8 MB before`.
pub(crate) fn level_memory(level: &Level, peak: f64) -> String {
    let before = level.memory.before_mb.map_or(String::new(), |before| format!(", {} before", mb(before)));
    format!("c={}: peak {}{before}", level.concurrency, mb(peak))
}

/// The message of a soak.
pub(crate) fn soak_title(soak: &Soak) -> String {
    match (soak.over_cap_s, soak.hours_to_cap) {
        (Some(after), _) => format!("Memory is over its cap after {}", span(after)),
        (None, Some(hours)) => {
            format!("At this rate memory meets its cap in {}", span(hours * 3600.0))
        }
        (None, None) => sentence_case(&soak.detail),
    }
}

/// How it is read.
pub(crate) fn soak_caption(soak: &Soak) -> String {
    format!(
        "{} at once for {}: {}, {} of them without success. Each round has the least and the most private memory that \
         was seen in it; the first is warm-up.",
        soak.concurrency,
        span(soak.seconds),
        count(soak.tasks as usize, "task"),
        soak.failed
    )
}

/// The same for somebody who does not see it.
pub(crate) fn soak_alt(soak: &Soak) -> String {
    let floor = |round: Option<f64>| round.map_or("not read".to_string(), mb);
    format!(
        "Private memory over {}: at least {} in the first round and {} in the last",
        span(soak.seconds),
        floor(soak.rounds.first().and_then(|round| round.floor_mb)),
        floor(soak.rounds.last().and_then(|round| round.floor_mb))
    )
}

/// `at 12 min: 502.1 to 560.0 MB`.
pub(crate) fn round_told(at: f64, floor: f64, peak: f64) -> String {
    format!("round until {}: {floor:.1} to {peak:.1} MB", at_seconds(at).trim_start_matches("at "))
}

/// `cap 4000 MB`.
pub(crate) fn cap(mb: f64) -> String {
    format!("cap {mb} MB")
}

/// The message of where the worker grew.
pub(crate) fn grew_title(attribution: &Attribution) -> String {
    match (attribution.memory.first(), attribution.counts.first()) {
        (Some(memory), _) => {
            let share = if memory.percent >= 99.5 {
                "all of the growth".to_string()
            } else {
                format!("{:.0} % of the growth", memory.percent)
            };
            format!("{} grew by {:.0} MB, {share}", sentence_case(&place_name(memory)), memory.mb)
        }
        (None, Some(counted)) => sentence_case(&counted.to_string()),
        (None, None) => "Nothing grew".to_string(),
    }
}

/// How it is read.
pub(crate) const GREW_CAPTION: &str = "What the worker's processes consisted of at the end of the leak check, less what they consisted of after warm-up.";

/// `anonymous mappings, most of it in mappings of 1 to 16 MB`.
pub(crate) fn place_name(grown: &GrownMemory) -> String {
    grown.to_string().split(':').next().unwrap_or_default().to_string()
}

/// `+181 MB, 98 %`.
pub(crate) fn grown_figure(grown: &GrownMemory) -> String {
    format!("+{:.1} MB", grown.mb)
}

/// The message of a comparison.
pub(crate) fn compare_title(comparison: &Comparison) -> String {
    let word = match comparison.verdict {
        Change::Fixed => "Fixed",
        Change::Better => "Better",
        Change::NoChange => "No change",
        Change::Worse => "Worse",
        Change::NotEnoughData => "Not enough data",
    };
    format!("{word}: {}", comparison.reason)
}

/// The title of the picture: the message is that of the page.
pub(crate) const COMPARED: &str = "Memory of both versions, task by task";

/// How it is read.
pub(crate) const COMPARE_CAPTION: &str = "Resident memory after each task, above that after warm-up. Below: the difference \
     in growth with its 98 % interval; within the shaded stretch a rate counts as none.";

/// The same for somebody who does not see it.
pub(crate) fn compare_alt(comparison: &Comparison) -> String {
    let figures: Vec<String> = comparison
        .signals
        .iter()
        .filter_map(|found| {
            let difference = found.difference?;
            Some(self::difference(found.signal, difference.per_task, difference.low, difference.high))
        })
        .collect();
    format!("{}. {}", compare_title(comparison), figures.join("; "))
}

/// `difference in memory, MB per task: -4.77 (98 % interval -4.80 to -4.70)`.
pub(crate) fn difference(signal: Signal, value: f64, low: f64, high: f64) -> String {
    let what = match signal {
        Signal::Memory => "memory, MB",
        Signal::Shared => "shared memory, MB",
        Signal::Descriptors => "descriptors",
        Signal::Threads => "threads",
    };
    let [value, low, high] = [value, low, high].map(|figure| round(figure, 2));
    format!("difference in {what} per task: {value:+.2} (98 % interval {low:+.2} to {high:+.2})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_axis_has_the_unit_of_its_length() {
        assert_eq!(
            [60.0, 1800.0, 86_400.0].map(|seconds| time_axis(seconds).1),
            ["seconds", "minutes", "hours"]
        );
        assert_eq!(time_axis(86_400.0).0, 24.0);
    }

    #[test]
    fn a_long_list_is_cut() {
        let figures: Vec<(u32, f64)> = (1..=30).map(|level| (level, 1.0)).collect();
        assert!(levels_alt("memory", &figures).ends_with("24 at once: 1.00; and 6 more"));
    }
}
