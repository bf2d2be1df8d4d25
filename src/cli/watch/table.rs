//! Rows as text, in columns. Pure.

use std::borrow::Cow;

use super::tally::{Row, Seen, Tally};
use crate::sampler::tally::Extent;

use crate::outside::one_line;
use crate::units::cut;

const ABSENT: &str = "-";

/// The characters of a cell that are shown: a process can give itself a name of any length.
const LONGEST: usize = 100;

/// A table with a header; the first `left` columns are aligned left.
fn aligned(titles: &[&str], rows: &[Vec<String>], left: usize) -> Vec<String> {
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    let head = line(titles.to_vec());
    let body = rows.iter().map(|row| line(row.iter().map(|cell| &**cell).collect()));
    std::iter::once(head).chain(body).collect()
}

/// A cell as one visible line of bounded length.
fn shown(cell: &str) -> Cow<'_, str> {
    match one_line(cell) {
        Cow::Borrowed(cell) => cut(cell, LONGEST),
        Cow::Owned(cell) => cut(&cell, LONGEST).into_owned().into(),
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or(ABSENT.to_string(), |value| format!("{value:.1}"))
}

fn count(value: Option<impl ToString>) -> String {
    value.map_or(ABSENT.to_string(), |value| value.to_string())
}

fn process(name: &str, child: bool) -> String {
    format!("{}{name}", if child { "└ " } else { "" })
}

/// The processes at one reading, at most `most` of them.
pub(super) fn live(rows: &[Row], most: usize) -> Vec<String> {
    let titles =
        ["role", "process", "pid", "CPU %", "RSS MB", "private MB", "peak MB", "fds", "threads", "zombies"];
    let cells = rows.iter().take(most).map(|row| {
        vec![
            row.role.clone(),
            process(&row.name, row.child),
            row.pid.to_string(),
            figure(row.cpu_percent),
            figure(Some(row.rss_mb)),
            figure(row.private_mb),
            figure(row.peak_mb),
            count(row.fds),
            count(row.threads),
            count(row.zombies),
        ]
    });
    let mut lines = aligned(&titles, &cells.collect::<Vec<_>>(), 2);
    if rows.len() > most {
        lines.push(format!("… and {} more", rows.len() - most));
    }
    if rows.is_empty() {
        lines.push("no process is alive".to_string());
    } else if rows.len() > 1 {
        let rss: f64 = rows.iter().map(|row| row.rss_mb).sum();
        let private: Option<f64> = rows.iter().map(|row| row.private_mb).sum();
        let all = rows.len();
        lines.push(format!(
            "all {all}: RSS {rss:.1} MB (shared pages in each), private {} MB",
            figure(private)
        ));
    }
    lines
}

/// The summary of all processes.
pub(super) fn summary(tally: &Tally) -> Vec<String> {
    let titles = [
        "role",
        "process",
        "pid",
        "samples",
        "RSS min",
        "mean",
        "max",
        "peak",
        "private",
        "CPU mean",
        "max",
        "fds",
        "threads",
        "at the end",
    ];
    let cells: Vec<Vec<String>> = tally.processes().iter().map(seen).collect();
    let mut lines = aligned(&titles, &cells, 2);
    if tally.unlisted() > 0 {
        lines.push(format!("{} more children that ended are not listed", tally.unlisted()));
    }
    for (role, restarts) in &tally.restarts {
        lines.push(format!("{role}: {restarts} appeared after the start (restarts, or more of them)"));
    }
    lines
}

fn seen(seen: &Seen) -> Vec<String> {
    let rss = seen.rss_mb;
    let from_to = |span: Option<Extent>, digits: usize| {
        span.map_or(ABSENT.to_string(), |span| format!("{:.digits$} → {:.digits$}", span.first, span.last))
    };
    vec![
        seen.role.clone(),
        process(&seen.name, seen.child),
        seen.pid.to_string(),
        seen.samples.to_string(),
        figure(Some(rss.min)),
        figure(Some(rss.mean)),
        figure(Some(rss.max)),
        figure(seen.peak_mb),
        from_to(seen.private_mb, 1),
        figure(seen.cpu_mean_percent),
        figure(seen.cpu_max_percent),
        from_to(seen.fds, 0),
        from_to(seen.threads, 0),
        seen.end.clone().unwrap_or_else(|| "alive".to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::look;
    use super::*;
    use crate::sampler::ProcessId;

    #[test]
    fn a_look_is_a_table() {
        let mut tally = Tally::default();
        let rows = tally.take(&look(&[(7, true, 100, 0.0, 10), (812, false, 20, 0.0, 3)]), 0.0);
        assert_eq!(
            live(&rows, 10),
            [
                "role    process    pid  CPU %  RSS MB  private MB  peak MB  fds  threads  zombies",
                "worker  python3      7      -   100.0        50.0    200.0   10        3        0",
                "worker  └ python3  812      -    20.0        10.0     40.0    3        3        0",
                "all 2: RSS 120.0 MB (shared pages in each), private 60.0 MB",
            ]
        );
        assert_eq!(live(&rows, 1)[2], "… and 1 more");
        assert_eq!(live(&[], 1)[1], "no process is alive");
    }

    #[test]
    fn a_name_of_any_length_is_cut() {
        let lines = aligned(&["process"], &[vec!["x".repeat(100_000)]], 1);
        assert_eq!(lines[1], format!("{}…", "x".repeat(LONGEST)));
    }

    #[test]
    fn the_summary_tells_first_and_last_and_the_end() {
        let mut tally = Tally::default();
        tally.take(&look(&[(7, true, 100, 0.0, 10)]), 0.0);
        tally.take(&look(&[(7, true, 300, 0.5, 14)]), 1.0);
        tally.ended(ProcessId { pid: 7, start_ticks: 1 }, "exited, code 3");
        tally.restarted("worker");
        let lines = summary(&tally);
        assert_eq!(
            lines[1],
            "worker  python3    7        2    100.0  200.0  300.0  600.0  50.0 → 150.0      50.0  50.0  10 → 14    \
             3 → 3  exited, code 3"
        );
        assert_eq!(lines[2], "worker: 1 appeared after the start (restarts, or more of them)");
    }
}
