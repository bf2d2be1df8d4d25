//! The live state of a run as OpenMetrics text. Pure.

use std::fmt::Write;

use crate::console::{Board, GrowthNow, RoleNow};
use crate::record::{Phase, Verdict};
use crate::units::MB;

/// The text of a scrape.
pub(super) fn text(board: &Board) -> String {
    let mut text = Text(String::new());
    let version = [("version", env!("CARGO_PKG_VERSION")), ("title", board.title.as_str())];
    text.family("highwater", "info", "The program, and what it tests or watches.");
    text.sample("highwater_info", &version, 1.0);
    text.family("highwater_elapsed_seconds", "gauge", "Time since the start of the run.");
    text.sample("highwater_elapsed_seconds", &[], board.elapsed_s);

    text.roles(
        board,
        "highwater_resident_memory_bytes",
        "Resident memory of the processes of a role.",
        |role| role.rss_mb.map(bytes),
    );
    text.roles(
        board,
        "highwater_private_memory_bytes",
        "Private memory of the processes of a role.",
        |role| role.private_mb.map(bytes),
    );
    text.roles(board, "highwater_open_fds", "Open descriptors of a role.", |role| count(role.fds));
    text.roles(board, "highwater_threads", "Threads of a role.", |role| count(role.threads));
    text.roles(board, "highwater_processes", "Live processes of a role.", |role| Some(role.processes as f64));
    text.roles(board, "highwater_cpu_seconds", "CPU time of a role since the start of the run.", |role| {
        Some(role.cpu_s)
    });

    text.family("highwater_tasks", "counter", "Tasks that have ended.");
    let ends = [("success", board.succeeded), ("failed", board.failed), ("timeout", board.timed_out)];
    for (status, tasks) in ends {
        text.sample("highwater_tasks_total", &[("status", status)], tasks as f64);
    }
    text.family("highwater_tasks_outstanding", "gauge", "Tasks that have been sent and have not ended.");
    text.sample("highwater_tasks_outstanding", &[], board.outstanding as f64);

    text.family("highwater_phase", "stateset", "The phase that goes on.");
    for (phase, word) in [(Phase::Leak, "leak"), (Phase::Concurrency, "concurrency"), (Phase::Soak, "soak")] {
        let on = f64::from(u8::from(board.phase == Some(phase)));
        text.sample("highwater_phase", &[("highwater_phase", word)], on);
    }
    text.levels("highwater_ramp_level", "The level of the ramp that is tried.", board.level);
    text.levels("highwater_ramp_level_held", "The highest level of the ramp that has held.", board.held);

    text.growth(board, "highwater_growth_bytes", "Growth of memory so far, per task or per hour.", |found| {
        Some(found.rate_mb)
    });
    let low = "The lower bound of its 98 % interval.";
    text.growth(board, "highwater_growth_low_bytes", low, |found| Some(found.interval_mb?.0));
    let high = "The upper bound of its 98 % interval.";
    text.growth(board, "highwater_growth_high_bytes", high, |found| Some(found.interval_mb?.1));

    text.family("highwater_verdict", "stateset", "The verdict as it would be now.");
    let verdict = board.verdict();
    for (state, word) in
        [(Verdict::Pass, "pass"), (Verdict::Inconclusive, "inconclusive"), (Verdict::Fail, "fail")]
    {
        let on = f64::from(u8::from(verdict == state));
        text.sample("highwater_verdict", &[("highwater_verdict", word)], on);
    }
    text.family("highwater_warnings", "counter", "Warnings of the run.");
    text.sample("highwater_warnings_total", &[], board.warnings as f64);
    text.0.push_str("# EOF\n");
    text.0
}

/// Whole bytes.
fn bytes(mb: f64) -> f64 {
    (mb * MB).round()
}

fn count(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

/// A text that is written family by family.
struct Text(String);

impl Text {
    /// Begins a family; its unit, if it has one, is the end of its name.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
        if let Some(unit) = ["bytes", "seconds"].into_iter().find(|unit| name.ends_with(unit)) {
            let _ = writeln!(self.0, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A family with a sample for each role that has the figure; CPU time is a counter.
    fn roles(&mut self, board: &Board, name: &str, help: &str, figure: impl Fn(&RoleNow) -> Option<f64>) {
        let found: Vec<(&str, f64)> =
            board.roles.iter().filter_map(|(role, now)| Some((role.as_str(), figure(now)?))).collect();
        if found.is_empty() {
            return;
        }
        let (kind, end) = if name.ends_with("_seconds") { ("counter", "_total") } else { ("gauge", "") };
        self.family(name, kind, help);
        for (role, value) in found {
            self.sample(&format!("{name}{end}"), &[("role", role)], value);
        }
    }

    fn levels(&mut self, name: &str, help: &str, level: Option<u32>) {
        if let Some(level) = level {
            self.family(name, "gauge", help);
            self.sample(name, &[], f64::from(level));
        }
    }

    fn growth(&mut self, board: &Board, name: &str, help: &str, mb: impl Fn(&GrowthNow) -> Option<f64>) {
        let found: Vec<(&GrowthNow, f64)> =
            board.growth.iter().filter_map(|found| Some((found, mb(found)?))).collect();
        if found.is_empty() {
            return;
        }
        self.family(name, "gauge", help);
        for (growth, mb) in found {
            self.sample(name, &[("role", &growth.role), ("per", growth.per.word())], bytes(mb));
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::analysis::Answer;
    use crate::readings::Per;

    /// A board on which everything is known.
    fn full() -> Board {
        let worker = RoleNow {
            processes: 2,
            rss_mb: Some(100.5),
            private_mb: Some(80.0),
            cpu_percent: Some(97.0),
            cpu_s: 12.25,
            threads: Some(9),
            fds: Some(21),
            ..RoleNow::default()
        };
        let growth = GrowthNow {
            role: "worker".to_string(),
            per: Per::Task,
            rate_mb: 4.5,
            interval_mb: Some((4.0, 5.0)),
            answer: Answer::Leak,
        };
        Board {
            title: "a \"quoted\" service\\of\ntwo lines".to_string(),
            elapsed_s: 61.5,
            phase: Some(Phase::Concurrency),
            level: Some(3),
            held: Some(2),
            succeeded: 40,
            failed: 2,
            timed_out: 1,
            outstanding: 3,
            roles: [("worker".to_string(), worker)].into(),
            growth: vec![growth],
            warnings: 1,
            ..Board::default()
        }
    }

    /// The names of the samples of a text.
    fn names(text: &str) -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_string()).collect()
    }

    #[test]
    fn everything_that_is_known_is_exposed() {
        let text = text(&full());
        for line in [
            "# TYPE highwater_resident_memory_bytes gauge",
            "# UNIT highwater_resident_memory_bytes bytes",
            "highwater_resident_memory_bytes{role=\"worker\"} 105381888",
            "# TYPE highwater_cpu_seconds counter",
            "highwater_cpu_seconds_total{role=\"worker\"} 12.25",
            "highwater_tasks_total{status=\"failed\"} 2",
            "highwater_ramp_level 3",
            "highwater_growth_bytes{role=\"worker\",per=\"task\"} 4718592",
            "highwater_phase{highwater_phase=\"concurrency\"} 1",
            "highwater_phase{highwater_phase=\"soak\"} 0",
            "highwater_verdict{highwater_verdict=\"fail\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is missing in\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n") && !text.contains("\n\n"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_absent_and_never_0() {
        let text =
            text(&Board { roles: [("worker".to_string(), RoleNow::default())].into(), ..Board::default() });
        for name in ["resident_memory", "private_memory", "open_fds", "growth", "ramp_level"] {
            assert!(!text.contains(name), "{name} in\n{text}");
        }
    }

    /// highwater's own scraper reads all of it.
    #[cfg(feature = "remote")]
    #[test]
    fn highwater_can_read_it_itself() {
        let text = text(&full());
        let read = crate::sampler::read_exposition(&text).unwrap();
        let read: BTreeSet<String> = read.into_iter().map(|(name, _)| name).collect();
        assert_eq!(read, names(&text));
        let quoted = crate::sampler::read_exposition(&text).unwrap();
        let info = quoted.iter().find(|(name, _)| name == "highwater_info").unwrap();
        assert!(info.1.contains(&("title".to_string(), full().title)), "{info:?}");
    }

    #[test]
    fn the_dashboard_asks_for_what_is_exposed_and_for_all_of_it() {
        let dashboard: serde_json::Value =
            serde_json::from_str(include_str!("../../docs/grafana-dashboard.json")).unwrap();
        let mut asked = BTreeSet::new();
        let mut open = vec![&dashboard];
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Array(items) => open.extend(items),
                serde_json::Value::Object(fields) => open.extend(fields.values()),
                serde_json::Value::String(text) => {
                    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    // A label of a set of states has the name of its family.
                    asked.extend(words.filter(|word| word.starts_with("highwater_")).map(String::from));
                }
                _ => {}
            }
        }
        let exposed = names(&text(&full()));
        let left: Vec<&String> = asked.difference(&exposed).collect();
        assert!(left.is_empty(), "the dashboard asks for {left:?}");
        let page = include_str!("../../docs/src/metrics.md");
        let undocumented: Vec<&String> =
            exposed.iter().filter(|name| !page.contains(name.as_str())).collect();
        assert!(undocumented.is_empty(), "docs/src/metrics.md lacks {undocumented:?}");
        assert!(asked.len() > 8, "{asked:?}");
    }
}
