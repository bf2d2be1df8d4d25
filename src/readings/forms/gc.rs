//! Logs of collections: what the heap holds after each. Java (`-Xlog:gc`, `-verbose:gc`), Go (`gctrace=1`) and
//! Node (`--trace-gc`). Pure.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::lines;
use crate::readings::clock;
use crate::readings::table::Table;

/// `gc 1 @0.012s 2%: … 4->4->1 MB, 5 MB goal`
static GO: LazyLock<Regex> = LazyLock::new(|| regex(r"^gc \d+ @([\d.]+)s .*?\d+->\d+->(\d+) MB"));
/// `[4711:0x5581]      123 ms: Scavenge 2.3 (3.0) -> 1.9 (4.0) MB, 0.8 / 0.0 ms`
static NODE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\[\d+:.*?\]\s+(\d+) ms: .*?[\d.]+ \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB"));
/// `[0.123s][info][gc] GC(0) Pause Young (Normal) 24M->4M(256M) 3.456ms`, and `…: [GC … 65536K->10736K(251392K), …]`
static JAVA: LazyLock<Regex> = LazyLock::new(|| regex(r"\d+[KMG]B?->(\d+[KMG])B?\(\d+[KMG]B?\)"));
/// The time since its start that Java writes before a collection.
static JAVA_TIME: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:.*?[: \[])?(\d+[.,]\d+)s?[\]:]"));

#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests build each")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is valid")
}

pub(super) fn table(text: &str) -> Option<Table> {
    let of = |captures: Captures<'_>, unit: &str| {
        let (_, [time, after]) = captures.extract();
        (time.to_string(), format!("{after} {unit}"))
    };
    let collection = |line: &str| -> Option<(String, String)> {
        let line = line.trim_start();
        if let Some(captures) = GO.captures(line).or(None) {
            return Some(of(captures, "MB"));
        }
        if let Some(captures) = NODE.captures(line) {
            let (ms, after) = of(captures, "MB");
            return Some((format!("{:.3}", ms.parse::<f64>().ok()? / 1000.0), after));
        }
        java(line)
    };
    let mut table = Table {
        memory: Some(1),
        time: Some(0),
        ..Table::new("log of collections", vec!["time".into(), "heap after".into()])
    };
    let mut others = 0;
    for (number, line) in lines(text) {
        match collection(line) {
            Some((time, after)) => table.push(number, vec![time, after]),
            None => others += 1,
        }
        if table.rows.is_empty() && others > 1_000 {
            return None;
        }
    }
    table.looks = true;
    table.notes.push("judged is what the heap holds after each collection".to_string());
    (table.rows.len() >= 3).then_some(table)
}

fn java(line: &str) -> Option<(String, String)> {
    let collection = (line.contains("GC") || line.contains("Pause")) && !line.contains("etaspace:");
    let after = JAVA.captures_iter(line).last().filter(|_| collection)?;
    // Where no time stands on the line, its place has to do.
    let time = match clock::leading(line.split(']').next().unwrap_or_default().trim_start_matches('[')) {
        Some((moment, _)) => moment.to_string(),
        None => JAVA_TIME.captures(line).map_or(String::new(), |time| time[1].replace(',', ".")),
    };
    Some((time, after[1].to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(String, String)> {
        let table = table(text).unwrap();
        table.rows.iter().map(|row| (row.cell(0).to_string(), row.cell(1).to_string())).collect()
    }

    #[test]
    fn the_heap_after_each_collection_is_read() {
        let go =
            "gc 1 @0.012s 2%: 0.018+1.2+0.003 ms clock, 0.1+0/0.3/0+0.2 ms cpu, 4->5->1 MB, 5 MB goal, 4 P\n";
        assert_eq!(rows(&go.repeat(3))[0], ("0.012".into(), "1 MB".into()));
        let node =
            "[4711:0x5581]      1234 ms: Scavenge 2.3 (3.0) -> 1.9 (4.0) MB, 0.8 / 0.0 ms  (average) task\n";
        assert_eq!(rows(&node.repeat(3))[0], ("1.234".into(), "1.9 MB".into()));
        let java =
            "[0.123s][info][gc] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->4M(256M) 3.456ms\n";
        assert_eq!(rows(&java.repeat(3))[0], ("0.123".into(), "4M".into()));
        let old = "2026-11-27T18:00:00.123+0000: 0.123: [GC (Allocation Failure) [PSYoungGen: \
                   65536K->10720K(76288K)] 65536K->10736K(251392K), 0.01 secs]\n";
        assert_eq!(rows(&old.repeat(3))[0], ("2026-11-27T18:00:00.123+0000".into(), "10736K".into()));
    }

    #[test]
    fn other_logs_are_none() {
        assert!(table("24M 4M\n24M->4M\n1\n").is_none());
    }
}
