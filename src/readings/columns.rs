//! Which column of a table holds memory after a task, and in which unit. Pure.

/// Bytes in a megabyte, as everywhere in highwater.
const MB: f64 = 1_048_576.0;

/// What a column holds, from the best to judge to the worst that will do.
///
/// Anonymous memory comes first, since a leak is in it and the page cache is
/// not. RSS comes before PSS, which drifts when other processes come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    /// Anonymous or private memory.
    Private,
    /// The anonymous part of the PSS.
    PssAnonymous,
    /// Resident memory when it was quiet after the task.
    Settled,
    /// Resident memory right after the task.
    After,
    /// Resident memory.
    Resident,
    /// Proportional memory.
    Pss,
    /// Memory, of which the name does not say more.
    Memory,
}

/// Words of columns that are about memory, and not what was held after a task.
const OTHER: [&str; 22] = [
    "before", "delta", "peak", "hwm", "max", "min", "percent", "pct", "limit", "swap", "swapped", "ws",
    "leak", "true", "event", "audio", "late", "free", "baseline", "cache", "virtual", "vms",
];

/// What a column of this name holds, if it is memory after a task.
pub(super) fn holds(name: &str) -> Option<Holds> {
    let words = words(name);
    let has = |word: &str| words.iter().any(|found| found == word);
    if OTHER.iter().any(|other| has(other)) {
        return None;
    }
    let anonymous = has("anon") || has("anonymous") || has("rssanon");
    if has("pss") {
        return Some(if anonymous { Holds::PssAnonymous } else { Holds::Pss });
    }
    if anonymous || has("private") || has("uss") {
        return Some(Holds::Private);
    }
    let memory = has("rss") || has("vmrss") || has("memory") || has("mem") || has("resident");
    let sized = memory || unit_bytes(name).is_some();
    if sized && has("settled") {
        Some(Holds::Settled)
    } else if sized && has("after") {
        Some(Holds::After)
    } else if has("rss") || has("vmrss") || has("resident") || (has("real") && sized) {
        Some(Holds::Resident)
    } else if memory {
        Some(Holds::Memory)
    } else {
        None
    }
}

/// The factor from a column's figures to megabytes, if its name says the unit.
pub(super) fn to_mb(name: &str) -> Option<f64> {
    unit_bytes(name).map(|bytes| bytes / MB)
}

/// The same of figures whose unit nobody says, by their size; with the unit's name.
///
/// A process holds between a megabyte and a terabyte: its size is above four
/// million in bytes, and from some thousands on in kilobytes.
pub(super) fn guessed(figures: &[f64]) -> (f64, &'static str) {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.get(sorted.len() / 2).copied().unwrap_or_default() {
        median if median >= 4e6 => (1.0 / MB, "bytes"),
        median if median >= 20_000.0 => (1024.0 / MB, "kilobytes"),
        _ => (1.0, "megabytes"),
    }
}

fn unit_bytes(name: &str) -> Option<f64> {
    words(name).iter().rev().find_map(|word| match word.as_str() {
        "bytes" | "byte" => Some(1.0),
        "kb" | "kib" | "k" => Some(1024.0),
        "mb" | "mib" | "m" => Some(MB),
        "gb" | "gib" | "g" => Some(1024.0 * MB),
        _ => None,
    })
}

/// The words of a name, in lower case: `workerRss_after-MB` has four.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            let last = words.len() - 1;
            words[last].extend(character.to_lowercase());
        }
        lower_before = character.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_column_holds() {
        for (name, expected) in [
            ("anon_kb", Some(Holds::Private)),
            ("RssAnon (kB)", Some(Holds::Private)),
            ("private_mb", Some(Holds::Private)),
            ("pss_anon_kb", Some(Holds::PssAnonymous)),
            ("pss_kb", Some(Holds::Pss)),
            ("settled_kb", Some(Holds::Settled)),
            ("after_kb", Some(Holds::After)),
            ("worker_rss_after_mb", Some(Holds::After)),
            ("rss_mb", Some(Holds::Resident)),
            ("rss", Some(Holds::Resident)),
            ("memory_rss_mb", Some(Holds::Resident)),
            ("memory_mb", Some(Holds::Memory)),
            ("Real (MB)", Some(Holds::Resident)),
            ("real_time", None),
            ("memoryUsage", Some(Holds::Memory)),
            ("before_kb", None),
            ("worker_rss_delta_mb", None),
            ("hwm_kb", None),
            ("memory_percent", None),
            ("ws_kb", None),
            ("task_ms", None),
            ("task_index", None),
            ("time_after", None),
        ] {
            assert_eq!(holds(name), expected, "{name}");
        }
    }

    #[test]
    fn names_say_the_unit() {
        assert_eq!(to_mb("rss_mb"), Some(1.0));
        assert_eq!(to_mb("anon_kb"), Some(1.0 / 1024.0));
        assert_eq!(to_mb("rss (bytes)"), Some(1.0 / MB));
        assert_eq!(to_mb("rss"), None);
    }

    #[test]
    fn figures_without_a_unit_are_of_a_size() {
        assert_eq!(guessed(&[655_674_368.0]).1, "bytes");
        assert_eq!(guessed(&[640_307.0]).1, "kilobytes");
        assert_eq!(guessed(&[625.3]).1, "megabytes");
    }
}
