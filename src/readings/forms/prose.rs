//! The last resort, for logs: a figure with its name (`rss=38002491`, `memory: 36.2 MB`), or else the first figure with a
//! unit, on each line. Pure.

use std::sync::LazyLock;

use regex::Regex;

use super::lines;
use crate::readings::table::Table;
use crate::readings::{clock, columns};

/// Units of memory that are not the beginning of a word.
const UNITS: &str = "[KMGT]i?[Bb]|k[Bb]|kiB|[KMGT]i|[KMG]o|[MGk]|[Bb]ytes";

/// `name=figure`, `name: figure unit`, `"name":figure`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r#"([A-Za-z_][\w.\-]*)["']?\s*[=:]\s*["']?(\d[\d.,]*\d|\d)(?:\s?({UNITS}|%)(?:[^\w=]|$))?"#
    ))
});

/// A figure with a unit of memory that is not part of a word.
static SIZED: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"(?:^|[^\w.])(\d[\d.,]*\d|\d)\s?({UNITS})\b")));

#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests build each")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is valid")
}

pub(super) fn table(text: &str) -> Option<Table> {
    let all = lines(text).count();
    [named(text), sized(text)]
        .into_iter()
        .flatten()
        .find(|table| table.rows.len() >= 3 && table.rows.len() * 3 >= all)
}

/// The moment that a line begins with, or that is the value of its first key (`time=2026-…`).
fn moment(line: &str) -> &str {
    let start = line.trim_start().trim_start_matches(['[', '(']);
    let value = start
        .split_once('=')
        .filter(|(key, _)| columns::is_time(key))
        .map(|(_, value)| value.trim_matches('"'));
    let first = value.unwrap_or(start).split(['"', ']', ')', '|']).next().unwrap_or_default();
    clock::leading(first).map_or("", |(moment, _)| moment)
}

fn named(text: &str) -> Option<Table> {
    let mut table = Table { time: Some(0), ..Table::new("figures by name", vec!["time".to_string()]) };
    for (number, line) in lines(text) {
        let mut cells = vec![moment(line).to_string()];
        let mut held = false;
        for pair in NAMED.captures_iter(line) {
            let (name, figure) = (&pair[1], &pair[2]);
            let memory = columns::holds(name).is_some() || columns::is_swap(name);
            if !memory && columns::names(name).is_none() && !columns::is_share_of_memory(name) {
                continue;
            }
            held |= columns::holds(name).is_some() || columns::is_share_of_memory(name);
            let column = table.columns.iter().position(|column| column == name).unwrap_or_else(|| {
                table.columns.push(name.to_string());
                table.columns.len() - 1
            });
            cells.resize(cells.len().max(column + 1), String::new());
            if cells[column].is_empty() {
                cells[column] = format!("{figure}{}", pair.get(3).map_or("", |unit| unit.as_str()));
            }
        }
        if held {
            table.push(number, cells);
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

fn sized(text: &str) -> Option<Table> {
    let columns = ["time", "name", "first figure with a unit"].map(str::to_string).to_vec();
    let mut table = Table {
        time: Some(0),
        memory: Some(2),
        ..Table::new("first figure with a unit on each line", columns)
    };
    for (number, line) in lines(text) {
        let Some(found) = SIZED.captures(line) else { continue };
        let before = &line[..found.get(1).map_or(0, |figure| figure.start())];
        table.push(
            number,
            vec![moment(line).to_string(), label(before), format!("{} {}", &found[1], &found[2])],
        );
    }
    // What stands before the figure is a name if it comes again and again.
    let mut names: Vec<&str> = table.column(1).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() * 4 > table.rows.len() {
        table.rows.iter_mut().for_each(|row| row.cells[1].clear());
    }
    table.notes.push(
        "judged is the first figure with a unit on each line; a column of its own leaves no doubt"
            .to_string(),
    );
    (!table.rows.is_empty()).then_some(table)
}

/// The words before a figure, without its moment.
fn label(before: &str) -> String {
    let rest = clock::leading(before).map_or(before, |(_, rest)| rest);
    rest.trim_matches(|character: char| !character.is_alphanumeric()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Vec<String>, Vec<String>) {
        let table = table(&format!("{line}\n").repeat(4)).unwrap();
        (table.columns, table.rows[3].cells.clone())
    }

    #[test]
    fn a_figure_with_its_name_is_found_in_a_log() {
        let (columns, cells) =
            read("time=2026-11-27T18:00:00Z level=info msg=\"tick 5\" pid=4711 rss=38002491 swap=0");
        assert_eq!(columns, ["time", "pid", "rss", "swap"]);
        assert_eq!(cells, ["2026-11-27T18:00:00Z", "4711", "38002491", "0"]);
        let (_, cells) = read("2026-11-27 18:00:00,123 INFO memory_usage: 36.2 MB of 512 MB");
        assert_eq!(cells, ["2026-11-27 18:00:00,123", "36.2MB"]);
    }

    #[test]
    fn the_first_figure_with_a_unit_is_the_last_resort() {
        let (_, cells) = read("[18:00:00] after 3 requests the worker holds 36.2 MB (limit 512 MB)");
        assert_eq!(cells, ["18:00:00", "after 3 requests the worker holds", "36.2 MB"]);
    }

    #[test]
    fn a_text_without_amounts_is_none() {
        for text in ["hello world\nhello\nhello\n", "took 5 ms\ntook 6 ms\ntook 7 ms\n", ""] {
            assert!(table(text).is_none(), "{text}");
        }
    }
}
