//! Loops over files of `/proc` and of control groups, in which each line has a key and an amount: `VmRSS:  36084 kB` of
//! `status`, `Rss:` of `smaps_rollup`, `anon 38002491` of `memory.stat`. Pure.
//!
//! A row ends where a key comes again.

use super::lines;
use crate::readings::amount::{self, Cell, Decimal, MemoryUnit};
use crate::readings::table::{Row, Table};
use crate::readings::{clock, columns};

/// A row that is being gathered, for each file (`grep VmRSS /proc/*/status` names it).
#[derive(Default)]
struct Gathered {
    source: String,
    row: Row,
    seen: Vec<usize>,
}

pub(super) fn table(text: &str) -> Option<Table> {
    let mut table = Table {
        looks: true,
        time: Some(0),
        ..Table::new("key and value", vec!["time".into(), "file".into()])
    };
    let mut open: Vec<Gathered> = Vec::new();
    let (mut keyed, mut others) = (0, 0);
    let mut now = "";
    for (number, line) in lines(text) {
        let Some(Keyed { source, key, value }) = keyed_line(line) else {
            match clock::leading(line) {
                Some((moment, "")) => now = moment,
                // The mapping that `smaps_rollup` begins with.
                _ if line.ends_with("[rollup]") => {}
                _ => others += 1,
            }
            continue;
        };
        keyed += 1;
        let column = table.columns.iter().position(|name| name == key).unwrap_or_else(|| {
            table.columns.push(key.to_string());
            table.columns.len() - 1
        });
        let index = open.iter().position(|gathered| gathered.source == source).unwrap_or_else(|| {
            open.push(Gathered { source: source.to_string(), ..Gathered::default() });
            open.len() - 1
        });
        let gathered = &mut open[index];
        if gathered.seen.contains(&column) {
            table.rows.push(std::mem::take(&mut gathered.row));
            gathered.seen.clear();
        }
        if gathered.seen.is_empty() {
            gathered.row = Row { line: number, cells: vec![now.to_string(), source.to_string()] };
        }
        gathered.seen.push(column);
        let cells = &mut gathered.row.cells;
        cells.resize(cells.len().max(column + 1), String::new());
        cells[column] = value.to_string();
    }
    table
        .rows
        .extend(open.into_iter().filter(|gathered| !gathered.seen.is_empty()).map(|gathered| gathered.row));
    table.rows.sort_by_key(|row| row.line);
    let memory = table.columns.iter().any(|column| columns::holds(column).is_some());
    // What `/proc` counts is in kB, what a control group counts in bytes.
    let bytes =
        table.columns.iter().any(|column| column == "inactive_file" || column == "slab" || column == "anon");
    table.unit = bytes.then_some(MemoryUnit::Bytes);
    (memory && keyed > others && table.rows.len() >= 3).then_some(table)
}

struct Keyed<'a> {
    source: &'a str,
    key: &'a str,
    value: &'a str,
}

fn keyed_line(line: &str) -> Option<Keyed<'_>> {
    let line = line.trim();
    let (left, value) = match line.rsplit_once(':') {
        Some((left, value)) => (left, value.trim()),
        // `memory.stat` has a space.
        None => line.split_once(' ').filter(|(_, value)| value.bytes().all(|byte| byte.is_ascii_digit()))?,
    };
    let (source, key) = left.rsplit_once(':').unwrap_or(("", left));
    let word = !key.is_empty()
        && key.chars().all(|character| character.is_alphanumeric() || "_().-".contains(character));
    let known = word && key.starts_with(char::is_alphabetic);
    let amount = matches!(amount::read(value, Decimal::Point), Cell::Amount(..)) && !value.contains('/');
    // Of a whole `status` only these tell whose it is.
    let name = matches!(key, "Name" | "Pid") && !value.is_empty();
    (known && (amount || name)).then_some(Keyed { source, key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_ends_where_a_key_comes_again() {
        let text = "VmRSS:\t   36084 kB\nVmSwap:\t       0 kB\nVmRSS:\t   38140 kB\nVmSwap:\t       4 kB\nVmRSS:\t1 kB\n";
        let table = table(text).unwrap();
        assert_eq!(table.columns, ["time", "file", "VmRSS", "VmSwap"]);
        assert_eq!(table.rows.len(), 3);
        assert_eq!(table.rows[1].cells, ["", "", "38140 kB", "4 kB"]);
    }

    #[test]
    fn files_are_told_apart_and_dates_between_rows_are_their_times() {
        let text = "18:00:00\n/proc/1/status:VmRSS:\t1000 kB\n/proc/2/status:VmRSS:\t2000 kB\n18:00:05\n\
                    /proc/1/status:VmRSS:\t1001 kB\n/proc/2/status:VmRSS:\t2001 kB\n";
        let table = table(text).unwrap();
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[2].cells, ["18:00:05", "/proc/1/status", "1001 kB"]);
    }

    #[test]
    fn the_statistics_of_a_control_group_are_bytes() {
        let table = table(&"anon 38002491\nfile 4096\ninactive_file 4096\n".repeat(3)).unwrap();
        assert_eq!((table.unit, table.rows.len()), (Some(MemoryUnit::Bytes), 3));
        assert!(super::table("worker 1\nworker 2\nworker 3\n").is_none());
    }
}
