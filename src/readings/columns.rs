//! What the name of a column says: which memory it holds, in which unit, or when, and of whom. Pure.

use super::amount::MemoryUnit;

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
    /// The part of private memory that was written to.
    PrivateDirty,
    /// Memory, of which the name does not say more.
    Memory,
    /// The heap of a runtime.
    Heap,
    /// The used memory of a whole machine.
    Machine,
}

/// Words of columns that are about memory, and not what was held after a task.
const OTHER: [&str; 56] = [
    "before",
    "delta",
    "peak",
    "hwm",
    "max",
    "min",
    "limit",
    "swap",
    "swapped",
    "ws",
    "leak",
    "true",
    "event",
    "audio",
    "late",
    "free",
    "baseline",
    "cache",
    "cached",
    "virtual",
    "vms",
    "total",
    "avail",
    "available",
    "huge",
    "thp",
    "hugetlb",
    "inactive",
    "active",
    "shmem",
    "mapped",
    "file",
    "shared",
    "shr",
    "clean",
    "locked",
    "mlocked",
    "buffers",
    "failcnt",
    "faults",
    "fault",
    "requests",
    "request",
    "req",
    "reserved",
    "maxrss",
    "vmem",
    "bandwidth",
    "clock",
    "temperature",
    "slab",
    "dirty",
    "lock",
    "pressure",
    "count",
    "freq",
];

/// Words of a share, which is no amount.
const SHARE: [&str; 10] =
    ["percent", "pct", "perc", "percentage", "ratio", "pmem", "util", "utilization", "fraction", "share"];

/// What a column of this name holds, if it is memory after a task.
pub(super) fn holds(name: &str) -> Option<Holds> {
    let words = words(name);
    let has = |word: &str| words.iter().any(|found| found == word);
    if is_share(name) {
        return None;
    }
    let anonymous = has("anon") || has("anonymous") || has("rssanon") || has("kbanonpg");
    let resident = has("rss") || has("vmrss") || has("resident") || has("pss") || has("uss");
    // `anon_plus_swap_kb` is the sum that is wanted; `SwapPss` is swap.
    let inclusive = (anonymous || resident || has("private"))
        && has("swap")
        && !matches!(words.first().map(String::as_str), Some("swap"));
    let other = |word: &str| OTHER.contains(&word) && !(inclusive && word == "swap");
    if has("private") && has("dirty") {
        return Some(Holds::PrivateDirty);
    }
    // `MEM USAGE / LIMIT` has both in one cell.
    let of_limit = name.contains('/') && has("usage") && words.last().is_some_and(|last| last == "limit");
    if words.iter().any(|word| other(word) && !(of_limit && word == "limit")) {
        return None;
    }
    if has("pss") {
        return Some(if anonymous { Holds::PssAnonymous } else { Holds::Pss });
    }
    if anonymous || has("private") || has("uss") || has("phys_footprint") {
        return Some(Holds::Private);
    }
    let memory =
        resident || has("memory") || has("mem") || has("memusage") || has("memoryusage") || has("fb");
    let sized = memory || unit(name).is_some();
    if sized && has("settled") {
        Some(Holds::Settled)
    } else if sized && has("after") {
        Some(Holds::After)
    } else if resident || has("res") || has("rsize") || (has("real") && sized) {
        Some(Holds::Resident)
    } else if memory {
        Some(Holds::Memory)
    } else if has("kbmemused") {
        Some(Holds::Machine)
    } else if words.iter().any(|word| word.starts_with("heap"))
        && (has("used") || has("inuse") || has("alloc"))
    {
        Some(Holds::Heap)
    } else {
        None
    }
}

/// True for a column that says which share of the memory is used.
pub(super) fn is_share_of_memory(name: &str) -> bool {
    let words = words(name);
    let memory = words.iter().any(|word| {
        matches!(
            word.as_str(),
            "mem" | "memory" | "pmem" | "memperc" | "memused" | "rss" | "memutil" | "commit"
        )
    });
    is_share(name) && memory
}

fn is_share(name: &str) -> bool {
    let words = words(name);
    name.contains('%') || words.iter().any(|word| SHARE.contains(&word.as_str()) || word == "memperc")
}

/// True for a column that holds what of a process is swapped out.
pub(super) fn is_swap(name: &str) -> bool {
    let words = words(name);
    let has = |word: &str| words.iter().any(|found| found == word);
    let swap = has("swap") || has("vmswap") || has("swapped");
    let inclusive = holds(name).is_some();
    let other =
        ["free", "total", "cached", "limit", "max", "in", "out", "peak", "before", "delta", "pss", "events"];
    swap && !inclusive && !is_share(name) && !words.iter().any(|word| other.contains(&word.as_str()))
}

/// True for a name under which only memory in kilobytes is known: that of `ps`, `pidstat`, `/proc` and `sar`.
pub(super) fn is_kilobytes(name: &str) -> bool {
    let proc = ["VmRSS", "RssAnon", "VmSwap", "RSS", "RssShmem", "Rss", "Pss"];
    proc.contains(&name) || name.to_lowercase().starts_with("kb")
}

/// The unit of a column's figures, if its name says it.
pub(super) fn unit(name: &str) -> Option<MemoryUnit> {
    words(name).iter().rev().find_map(|word| match word.as_str() {
        // `t` is a time, and `b` and `o` are names.
        "t" | "b" | "o" | "to" | "go" | "mi" | "ki" | "gi" | "ti" => None,
        word => MemoryUnit::named(word),
    })
}

/// The unit of figures that nobody names, by their size.
///
/// A process holds between a megabyte and a terabyte: its size is above four
/// million in bytes, and from some thousands on in kilobytes. What `ps` and
/// `/proc` print (`whole_kb`: its name is theirs) is kilobytes at any size, if it is whole.
pub(super) fn guessed(figures: &[f64], whole_kb: bool) -> MemoryUnit {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let whole = figures.iter().all(|figure| figure.fract() == 0.0);
    // Pages have 4 kB: so has every resident size, and no other whole number in a row of eight.
    let paged = figures.len() >= 8 && figures.iter().all(|figure| figure % 4.0 == 0.0) && median >= 1_000.0;
    if median >= 4e6 {
        MemoryUnit::Bytes
    } else if median >= 20_000.0 || (whole && (whole_kb || paged)) {
        MemoryUnit::Kilobytes
    } else {
        MemoryUnit::Megabytes
    }
}

/// True for a column of times, as far as its name can say it.
pub(super) fn is_time(name: &str) -> bool {
    const TIMES: [&str; 20] = [
        "time",
        "timestamp",
        "ts",
        "datetime",
        "date",
        "elapsed",
        "epoch",
        "uptime",
        "unix",
        "unixtime",
        "clock",
        "when",
        "zeit",
        "uhrzeit",
        "heure",
        "hora",
        "temps",
        "wall",
        "walltime",
        "etimes",
    ];
    const BESIDE: [&str; 27] = [
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "ms",
        "millis",
        "milliseconds",
        "us",
        "ns",
        "min",
        "mins",
        "minutes",
        "h",
        "hours",
        "utc",
        "local",
        "stamp",
        "since",
        "start",
        "iso",
        "at",
        "time",
        "unix",
        "epoch",
        "timestamp",
        "elapsed",
    ];
    let words = words(name);
    let Some((first, rest)) = words.split_first() else { return false };
    // In capitals these are what `top` and `ps` call a state.
    if matches!(name, "t" | "s") {
        return true;
    }
    let alone = rest.is_empty();
    if alone && matches!(first.as_str(), "sec" | "secs" | "seconds" | "minutes" | "hours" | "read" | "etime")
    {
        return true;
    }
    if TIMES.contains(&first.as_str()) || (first == "t" && rest.len() == 1) {
        return rest.iter().all(|word| BESIDE.contains(&word.as_str()));
    }
    // `sample_time`, `recorded_at`, `collectedTimestamp`; a `cpu_time` or a `task_time` is a duration.
    let last = words.last().map(String::as_str);
    matches!(last, Some("timestamp" | "datetime" | "at"))
        || (last == Some("time")
            && matches!(first.as_str(), "sample" | "elapsed" | "wall" | "log" | "local" | "utc"))
}

/// True for a column that counts tasks.
pub(super) fn is_count(name: &str) -> bool {
    let words = words(name);
    let task = |word: &str| {
        matches!(
            word,
            "task"
                | "tasks"
                | "request"
                | "requests"
                | "req"
                | "iteration"
                | "iterations"
                | "iter"
                | "job"
                | "jobs"
                | "message"
                | "messages"
        )
    };
    let beside = |word: &str| {
        matches!(word, "index" | "number" | "no" | "nr" | "n" | "count" | "id" | "done" | "sent")
    };
    words.iter().any(|word| task(word)) && words.iter().all(|word| task(word) || beside(word))
}

/// How a column tells one process (container, pod, role) from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Names {
    /// The role that processes have together.
    Role,
    /// What a process, a container or a pod is called.
    Name,
    /// The number of a process.
    Pid,
    /// What an exporter says of a series.
    Series,
}

/// Of whom a column of this name says whose row it is.
pub(super) fn names(name: &str) -> Option<Names> {
    let name = words(name).join(" ");
    Some(match name.as_str() {
        "role" | "tree" | "service" => Names::Role,
        "pid" | "tgid" | "process id" | "processid" => Names::Pid,
        "name" | "names" | "container" | "container name" | "container id" | "id" | "pod" | "pod name"
        | "process" | "process name" | "processname" | "command" | "cmd" | "comm" | "ucmd" | "befehl"
        | "com" | "worker" | "gpu" | "index" | "gpu uuid" | "uuid" | "host" | "hostname" | "instance"
        | "node" => Names::Name,
        "series" | "labels" | "metric" => Names::Series,
        _ => return None,
    })
}

/// The words of a name, in lower case: `workerRss_after-MB` has four.
pub(super) fn words(name: &str) -> Vec<String> {
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
            ("RES", Some(Holds::Resident)),
            ("memory_rss_mb", Some(Holds::Resident)),
            ("memory_mb", Some(Holds::Memory)),
            ("Real (MB)", Some(Holds::Resident)),
            ("real_time", None),
            ("memoryUsage", Some(Holds::Memory)),
            ("MemUsage", Some(Holds::Memory)),
            ("MEM USAGE / LIMIT", Some(Holds::Memory)),
            ("MEMORY(bytes)", Some(Holds::Memory)),
            ("used_gpu_memory [MiB]", Some(Holds::Memory)),
            ("memory.used [MiB]", Some(Holds::Memory)),
            ("memory.total [MiB]", None),
            ("process_resident_memory_bytes{instance=\"a\", job=\"b\"}", Some(Holds::Resident)),
            ("process_virtual_memory_bytes", None),
            ("memory_stats.usage", Some(Holds::Memory)),
            ("memory_stats.limit", None),
            ("memory_stats.stats.inactive_anon", None),
            ("heapUsed", Some(Holds::Heap)),
            ("heapTotal", None),
            ("anon_plus_swap_kb", Some(Holds::Private)),
            ("rss_swap_mb", Some(Holds::Resident)),
            ("Private_Clean", None),
            ("Private_Dirty", Some(Holds::PrivateDirty)),
            ("SwapPss", None),
            ("RssFile", None),
            ("kbmemused", Some(Holds::Machine)),
            ("before_kb", None),
            ("worker_rss_delta_mb", None),
            ("hwm_kb", None),
            ("memory_percent", None),
            ("%MEM", None),
            ("MemPerc", None),
            ("pmem", None),
            ("MEM %", None),
            ("ws_kb", None),
            ("task_ms", None),
            ("task_index", None),
            ("time_after", None),
        ] {
            assert_eq!(holds(name), expected, "{name}");
        }
    }

    #[test]
    fn shares_and_swap_are_known_as_such() {
        for name in ["%MEM", "MemPerc", "pmem", "memory_percent", "MEM %", "mem_pct", "MEMORY%"] {
            assert!(is_share_of_memory(name), "{name}");
        }
        assert!(!is_share_of_memory("%CPU") && !is_share_of_memory("MemUsage"));
        for name in ["VmSwap", "VmSwap_kB", "swap_mb", "Swap", "SWAP", "memory.swap.current"] {
            assert!(is_swap(name), "{name}");
        }
        for name in ["swap_free", "SwapPss", "anon_plus_swap_kb", "SwapCached", "rss"] {
            assert!(!is_swap(name), "{name}");
        }
    }

    #[test]
    fn names_say_the_unit() {
        assert_eq!(unit("rss_mb"), Some(MemoryUnit::Megabytes));
        assert_eq!(unit("anon_kb"), Some(MemoryUnit::Kilobytes));
        assert_eq!(unit("rss (bytes)"), Some(MemoryUnit::Bytes));
        assert_eq!(unit("VmRSS_kB"), Some(MemoryUnit::Kilobytes));
        assert_eq!(unit("rss"), None);
    }

    #[test]
    fn figures_without_a_unit_are_of_a_size() {
        assert_eq!(guessed(&[655_674_368.0], false), MemoryUnit::Bytes);
        assert_eq!(guessed(&[640_307.0], false), MemoryUnit::Kilobytes);
        assert_eq!(guessed(&[625.3], false), MemoryUnit::Megabytes);
        assert_eq!(guessed(&[15_272.0], false), MemoryUnit::Megabytes);
        assert_eq!(guessed(&[15_272.0], true), MemoryUnit::Kilobytes);
        assert_eq!(guessed(&[15_272.5], true), MemoryUnit::Megabytes);
        assert_eq!(guessed(&[15_272.0; 8], false), MemoryUnit::Kilobytes);
    }

    #[test]
    fn names_say_what_is_a_time_and_what_counts_tasks() {
        for name in
            ["time", "# Time", "timestamp", "Elapsed time", "elapsed_seconds", "ts_ms", "t", "recorded_at"]
        {
            assert!(is_time(name), "{name}");
        }
        for name in ["task_ms", "cpu_time", "real_time", "processing_time", "time_after_mb", "rss"] {
            assert!(!is_time(name), "{name}");
        }
        for name in ["task", "task_index", "request", "requests_done", "iteration"] {
            assert!(is_count(name), "{name}");
        }
        assert!(!is_count("index") && !is_count("task_ms") && !is_count("requests_per_s"));
    }
}
