//! Columns without a header: bare figures, `ps -o rss=`, lines of `ps aux` or `top` that went through `grep`, a moment and
//! a figure, `docker stats --format`. Pure.
//!
//! What a column holds is known by the shape of the rows, or else by its cells.

use super::lines;
use crate::readings::amount::{self, Cell, Decimal, MemoryUnit};
use crate::readings::clock;
use crate::readings::table::Table;

/// A test on the cells of a row, and the columns of a table whose rows pass it.
type Shape = (fn(&[String]) -> bool, &'static [&'static str]);

/// The columns of tools whose lines are known without their header.
const SHAPES: [Shape; 4] = [
    (is_aux, &["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "CPU TIME", "COMMAND"]),
    (is_top, &["PID", "USER", "PR", "NI", "VIRT", "RES", "SHR", "S", "%CPU", "%MEM", "CPU TIME", "COMMAND"]),
    (is_pidstat, &["Time", "UID", "PID", "minflt/s", "majflt/s", "VSZ", "RSS", "%MEM", "Command"]),
    (is_statm, &["size", "resident", "shared", "text", "lib", "data", "dt"]),
];

/// The table in lines of words without a header.
pub(super) fn table(text: &str) -> Option<Table> {
    let mut table = plain(text)?;
    // Two words are no table.
    (assign(&mut table) && table.rows.len() >= 2).then_some(table)
}

/// The same without knowing what the columns hold.
pub(super) fn plain(text: &str) -> Option<Table> {
    let mut table = Table::new("columns without a header", Vec::new());
    let all: Vec<(usize, &str)> = lines(text).collect();
    // `date +%s` before each figure.
    let epochs = all.len() > 2
        && all.iter().enumerate().all(|(index, (_, line))| clock::is_epoch(line.trim()) == (index % 2 == 0));
    let mut now = None;
    for (number, line) in all {
        let alone = clock::is_moment(line.trim()) || (epochs && clock::is_epoch(line.trim()));
        if alone {
            now = Some(line.trim());
        } else {
            table.push(number, now.map(str::to_string).into_iter().chain(split(line)).collect());
        }
    }
    let mut widths: Vec<usize> = table.rows.iter().map(|row| row.cells.len()).collect();
    widths.sort_unstable();
    let width = widths.get(widths.len() / 2).copied()?;
    // Lines of another width are of something else, unless a command ends them.
    if table.rows.first().is_none_or(|row| shape(&row.cells).is_none()) {
        let before = table.rows.len();
        table.rows.retain(|row| row.cells.len() == width);
        if (before - table.rows.len()) * 5 > before {
            return None;
        }
    }
    table.columns = (1..=width).map(|column| column.to_string()).collect();
    Some(table)
}

/// A line's words, the moment that it begins with as one, and an amount with its unit and its limit as one.
fn split(line: &str) -> Vec<String> {
    let (moment, rest) = clock::leading(line).map_or((None, line), |(moment, rest)| (Some(moment), rest));
    // A number that counts since 1970 may be all that there is.
    let (moment, rest) = if rest.is_empty() { (None, line) } else { (moment, rest) };
    let mut cells: Vec<String> = moment.map(str::to_string).into_iter().collect();
    let mut joins = false;
    let first = cells.len();
    for word in rest.split_whitespace() {
        let number = |cell: &String| matches!(amount::read(cell, Decimal::Point), Cell::Amount(_, None));
        let unit = word.len() >= 2 && MemoryUnit::named(word).is_some();
        let goes_on = word == "/" || joins || (unit && cells.last().is_some_and(number));
        match cells.last_mut() {
            Some(last) if goes_on && last_is_own(first, last) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => cells.push(word.trim_end_matches([':', ',', ';']).to_string()),
        }
        joins = word == "/";
    }
    cells
}

fn last_is_own(first: usize, last: &str) -> bool {
    first == 0 || !clock::is_moment(last)
}

/// True for a cell that is a figure, with or without a unit.
pub(super) fn figure(cell: &str) -> bool {
    matches!(amount::read(cell, Decimal::Point), Cell::Amount(..))
}

fn shape(row: &[String]) -> Option<&'static [&'static str]> {
    SHAPES.iter().find(|(is, _)| is(row)).map(|(_, columns)| *columns)
}

/// Says which of the numbered columns of `table` hold memory and time, if that can be known.
pub(super) fn assign(table: &mut Table) -> bool {
    let Some(first) = table.rows.first() else { return false };
    if let Some(columns) = shape(&first.cells) {
        table.columns = columns.iter().map(|column| (*column).to_string()).collect();
        let width = columns.len();
        table.rows.retain(|row| shape(&row.cells) == Some(columns));
        for row in table.rows.iter_mut().filter(|row| row.cells.len() > width) {
            let rest = row.cells.split_off(width - 1);
            row.cells.push(rest.join(" "));
        }
        table.unit = Some(if columns[0] == "size" { MemoryUnit::Pages } else { MemoryUnit::Kilobytes });
        table.memory = table.named(if columns[0] == "size" {
            "resident"
        } else if columns[1] == "USER" {
            "RES"
        } else {
            "RSS"
        });
        table.looks = true;
        return true;
    }
    let kinds: Vec<Kind> = (0..table.columns.len()).map(|column| kind(table, column)).collect();
    table.time = kinds.iter().position(|kind| *kind == Kind::Moment);
    let of = |wanted: fn(&Kind) -> bool| -> Vec<usize> {
        kinds.iter().enumerate().filter(|(_, kind)| wanted(kind)).map(|(index, _)| index).collect()
    };
    // `1m` is a thousandth of a CPU as `kubectl` writes it, and nothing else is written with one letter beside one of two.
    let amounts = of(|kind| matches!(kind, Kind::Amount { letters: 2.. }));
    let short = of(|kind| matches!(kind, Kind::Amount { .. }));
    if let Some(memory) = amounts.first().or(short.first()) {
        table.memory = Some(*memory);
    } else {
        // A pid stands still, or is one of a few; what counts rows goes up by one.
        let all = of(|kind| *kind == Kind::Number);
        let (pids, numbers): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|index| all.len() > 1 && is_few(table, **index));
        if numbers.len() == 1 {
            table.names.extend(pids);
        }
        // A share, or the load of a CPU, stands beside kilobytes.
        let large = |column: &usize| table.column(*column).all(|cell| whole(cell) && cell.len() >= 4);
        let sized: Vec<usize> = numbers.iter().copied().filter(large).collect();
        let shares = |column: &usize| sized.contains(column) || table.column(*column).all(fraction);
        let numbers = if sized.len() == 1 && numbers.iter().all(shares) && !is_axis(table, numbers[0]) {
            sized
        } else {
            numbers
        };
        match numbers[..] {
            [memory] => table.memory = Some(memory),
            // Nothing moves: what is largest is memory, a pid less so.
            [] => table.memory = of(|kind| *kind == Kind::Number).last().copied(),
            [index, memory] if index == 0 && is_axis(table, index) => {
                table.memory = Some(memory);
                if !is_counter(table, index) && table.time.is_none() {
                    table.time = Some(index);
                }
            }
            _ => return false,
        }
    }
    table.names.extend(of(|kind| *kind == Kind::Other));
    if let Some(memory) = table.memory {
        // Rows that lack the figure are of something else.
        table.rows.retain(|row| figure(row.cell(memory)) || amount::is_empty(row.cell(memory)));
    }
    table.memory.is_some()
}

/// What the cells of a column are, nearly all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moment,
    /// A figure with a unit of so many letters.
    Amount {
        letters: usize,
    },
    Number,
    Other,
}

fn kind(table: &Table, column: usize) -> Kind {
    let cells: Vec<&str> = table.column(column).filter(|cell| !amount::is_empty(cell)).collect();
    let mostly = |is: &dyn Fn(&str) -> bool| {
        !cells.is_empty() && cells.iter().filter(|cell| is(cell)).count() * 10 >= cells.len() * 9
    };
    let unit = |cell: &str| matches!(amount::read(cell, Decimal::Point), Cell::Amount(_, Some(_)));
    let letters = |cell: &str| {
        let first = cell.split('/').next().unwrap_or(cell);
        first.chars().filter(|character| character.is_alphabetic()).count()
    };
    // Bytes since 1970: only the first column counts time.
    if mostly(&clock::is_moment) || (column == 0 && table.columns.len() > 1 && mostly(&clock::is_epoch)) {
        Kind::Moment
    } else if mostly(&unit) {
        Kind::Amount { letters: cells.iter().map(|cell| letters(cell)).max().unwrap_or_default() }
    } else if mostly(&|cell| figure(cell)) {
        Kind::Number
    } else {
        Kind::Other
    }
}

/// True for a column of whole numbers that come again and again.
fn is_few(table: &Table, column: usize) -> bool {
    let mut cells: Vec<&str> = table.column(column).collect();
    let rows = cells.len();
    cells.sort_unstable();
    cells.dedup();
    cells.iter().all(|cell| whole(cell)) && (cells.len() == 1 || cells.len() * 4 <= rows)
}

fn numbers(table: &Table, column: usize) -> Vec<f64> {
    table.column(column).filter_map(|cell| cell.replace(',', ".").parse().ok()).collect()
}

/// True for a column that begins near nothing and goes up by equal steps.
fn is_axis(table: &Table, column: usize) -> bool {
    let numbers = numbers(table, column);
    let steps: Vec<f64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (Some(first), Some(mean)) =
        (numbers.first(), (!steps.is_empty()).then(|| steps.iter().sum::<f64>() / steps.len() as f64))
    else {
        return false;
    };
    *first <= 2.0 * mean && steps.iter().all(|step| *step > 0.0 && *step < 3.0 * mean)
}

/// True for a column that goes up by one.
fn is_counter(table: &Table, column: usize) -> bool {
    table.column(column).all(whole) && numbers(table, column).windows(2).all(|pair| pair[1] - pair[0] == 1.0)
}

fn whole(cell: &str) -> bool {
    !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit())
}

fn fraction(cell: &str) -> bool {
    cell.contains(['.', ',']) && figure(cell)
}

/// `root 20748 4.5 0.1 40132 37112 ? SN 18:19 0:00 /usr/bin/python3 …`
fn is_aux(row: &[String]) -> bool {
    row.len() >= 11
        && whole(&row[1])
        && fraction(&row[2])
        && fraction(&row[3])
        && whole(&row[4])
        && whole(&row[5])
        && row[7].starts_with(|state: char| state.is_ascii_uppercase())
}

/// `20748 root 30 10 40132 37112 6652 S 0.0 0.2 0:00.05 python3`
fn is_top(row: &[String]) -> bool {
    row.len() >= 12
        && whole(&row[0])
        && !figure(&row[1])
        && [4, 5, 6].iter().all(|index| figure(&row[*index]))
        && row[7].len() == 1
        && fraction(&row[8])
        && fraction(&row[9])
        && row[10].contains(':')
}

/// `18:19:08 0 20748 514.00 0.00 41160 38100 0.15 python3`
fn is_pidstat(row: &[String]) -> bool {
    row.len() >= 9
        && (clock::is_moment(&row[0]) || clock::is_epoch(&row[0]))
        && [1, 2, 5, 6].iter().all(|index| whole(&row[*index]))
        && [3, 4, 7].iter().all(|index| fraction(&row[*index]))
}

/// `10033 9278 1663 1 0 7615 0`: the libraries and the dirty pages are 0 since Linux 2.6.
fn is_statm(row: &[String]) -> bool {
    row.len() == 7
        && row.iter().all(|cell| whole(cell))
        && row[4] == "0"
        && row[6] == "0"
        && row[0].len() >= row[1].len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells of time and memory of the second row, with the unit of the form.
    fn read(text: &str) -> Option<(String, String, Option<MemoryUnit>)> {
        let table = table(text)?;
        let cell = |column: Option<usize>| {
            column.map_or(String::new(), |column| table.rows[1].cell(column).to_string())
        };
        Some((cell(table.time), cell(table.memory), table.unit))
    }

    #[test]
    fn shapes_are_known_without_a_header() {
        for (text, time, memory, unit) in [
            ("36084\n38140\n", "", "38140", None),
            ("2026-11-27T18:00:00 37111\n2026-11-27T18:00:01 39168\n", "2026-11-27T18:00:01", "39168", None),
            ("1795803548 37111\n1795803549 39168\n", "1795803549", "39168", None),
            (
                "Fri Nov 27 20:55:19 UTC 2026 37111\nFri Nov 27 20:55:20 UTC 2026 39168\n",
                "Fri Nov 27 20:55:20 UTC 2026",
                "39168",
                None,
            ),
            ("20748 37112\n20748 39168\n", "", "39168", None),
            ("1 37112\n2 39168\n", "", "39168", None),
            ("0.0 36.2\n1.5 38.2\n3.0 40.1\n", "1.5", "38.2", None),
            ("svc-0   1m   36Mi\nsvc-0   1m   38Mi\n", "", "38Mi", None),
            ("svc: 36.2MiB / 23.5GiB\nsvc: 38.2MiB / 23.5GiB\n", "", "38.2MiB / 23.5GiB", None),
            ("10033 9278 1663 1 0 7615 0\n10033 9279 1663 1 0 7615 0\n", "", "9279", Some(MemoryUnit::Pages)),
            (
                "root 20748 4.5 0.1 40132 37112 ? SN 18:19 0:00 /usr/bin/python3 a b\nroot 20748 4.5 0.1 40132 39168 ? SN 18:19 0:00 /usr/bin/python3 a b\n",
                "",
                "39168",
                Some(MemoryUnit::Kilobytes),
            ),
            (
                "20748 root 30 10 40132 37112 6652 S 0.0 0.2 0:00.05 python3\n20748 root 30 10 40132 39168 6652 S 0.0 0.2 0:00.05 python3\n",
                "",
                "39168",
                Some(MemoryUnit::Kilobytes),
            ),
        ] {
            let expected = Some((time.to_string(), memory.to_string(), unit));
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn several_columns_of_numbers_are_not_guessed_at() {
        assert_eq!(read("5 9 3\n6 8 4\n7 9 5\n"), None);
        assert_eq!(read("hello world\nhello you\n"), None);
    }
}
