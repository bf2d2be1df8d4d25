//! CSV and its relatives: columns separated by `,`, `;`, tabs or `|`, with a header or without, after a preamble
//! or none; and a single column under its name. Pure.

use super::{bare, lines};
use crate::readings::amount::{self, Cell, Decimal};
use crate::readings::table::Table;
use crate::readings::{clock, columns};

/// The separators, in the order in which they are tried: a comma may be decimal.
const DELIMITERS: [char; 4] = [';', '\t', ',', '|'];

/// So many lines are looked at for the separator.
const SNIFFED: usize = 200;

pub(super) fn table(text: &str) -> Option<Table> {
    let Some((delimiter, begin)) = sniffed(text) else { return single_column(text) };
    let mut table = Table { semicolons: delimiter == ';', ..Table::new("delimited columns", Vec::new()) };
    let mut header = None;
    let width = cells(text.lines().nth(begin - 1)?, delimiter).len();
    for (number, line) in records(text, begin, delimiter) {
        let commented = line.trim_start().starts_with('#');
        let row = cells(line.trim_start().trim_start_matches('#'), delimiter);
        if row.len() == 1 && width > 1 && (commented || row[0].is_empty()) {
            continue;
        }
        if table.columns.is_empty() {
            if is_header(&row) {
                header = Some(row.clone());
                table.columns = row;
                table.strict = true;
                continue;
            }
            table.columns = (1..=width).map(|column| column.to_string()).collect();
        }
        // Files that were put together repeat it, and so does a loop.
        let rule = line.chars().all(|character| "-+:|= ".contains(character));
        if header.as_ref() == Some(&row) || rule || commented {
            continue;
        }
        table.push(number, row);
    }
    if let Some(units) = table.rows.first().filter(|row| is_units(&row.cells)).cloned() {
        for (column, unit) in table.columns.iter_mut().zip(&units.cells).filter(|(_, unit)| !unit.is_empty())
        {
            *column = format!("{column} [{}]", unit.trim_matches(['[', ']', '(', ')']));
        }
        table.rows.remove(0);
    }
    without_torn(&mut table, text);
    if header.is_none() && !bare::assign(&mut table) {
        return None;
    }
    Some(joined_date(long(table)))
}

/// How the lines of a table are separated, for one that is read a line at a time.
pub(in crate::readings) struct Delimited {
    delimiter: char,
    begin: usize,
    /// The header, and the row of units below it.
    heads: Vec<Vec<String>>,
}

impl Delimited {
    /// That of the table that begins with `head`; nothing if it is no plain one under a header.
    pub(in crate::readings) fn of(head: &str) -> Option<Delimited> {
        let (delimiter, begin) = sniffed(head)?;
        let mut rows = records(head, begin, delimiter)
            .map(|(_, line)| cells(line.trim_start().trim_start_matches('#'), delimiter));
        let header = rows.next().filter(|row| is_header(row))?;
        let units = rows.next().filter(|row| is_units(row));
        Some(Delimited { delimiter, begin, heads: std::iter::once(header).chain(units).collect() })
    }

    /// True if `table` has the rows of the text as they are, and no others.
    pub(in crate::readings) fn is_plain(&self, table: &Table) -> bool {
        let plain = table.strict && !table.looks && table.time.is_none() && self.delimiter != '|';
        plain && table.columns.len() == self.heads[0].len()
    }

    /// True if the line with this number is a row.
    pub(in crate::readings) fn is_row(&self, number: usize, line: &str) -> bool {
        let line = line.trim();
        if number < self.begin || line.is_empty() || line.starts_with('#') {
            return false;
        }
        if line.starts_with(|first: char| first.is_ascii_digit()) && self.heads.len() == 1 {
            return true;
        }
        let rule = line.chars().all(|character| "-+:|= ".contains(character));
        !rule && !self.heads.contains(&cells(line, self.delimiter))
    }

    /// Passes each cell of a line with its number, from 0; returns how many there are.
    pub(in crate::readings) fn cells<'a>(
        &self,
        line: &'a str,
        mut take: impl FnMut(usize, &'a str),
    ) -> usize {
        // Quotes around a whole cell hold no separator where there are as many cells as columns.
        let mut count = 0;
        for cell in line.split(self.delimiter) {
            take(count, cell.trim().trim_matches('"'));
            count += 1;
        }
        count
    }
}

/// The separator, and the line from which on it separates as many columns as nearly everywhere.
fn sniffed(text: &str) -> Option<(char, usize)> {
    let sample: Vec<(usize, &str)> =
        lines(text).filter(|(_, line)| !line.starts_with("sep=")).take(SNIFFED).collect();
    // A decimal comma separates nothing.
    let (_, first) = sample.first()?;
    DELIMITERS.into_iter().find_map(|delimiter| {
        let counts: Vec<usize> = sample.iter().map(|(_, line)| count(line, delimiter)).collect();
        let usual = counts
            .iter()
            .copied()
            .max_by_key(|count| counts.iter().filter(|other| *other == count).count())?;
        let share = counts.iter().filter(|count| **count == usual).count();
        let begin = counts.iter().position(|count| *count == usual)?;
        let row = cells(sample[begin].1, delimiter);
        // Below lines of something else stands a header.
        let headed = begin == 0 || is_header(&row);
        let named = delimiter == ','
            && (usual == 1 && begin > 0 && is_title(first) || row.iter().any(|cell| is_torn(cell)));
        (usual > 0 && share * 10 >= counts.len() * 7 && headed && !named)
            .then(|| (delimiter, sample[begin].0))
    })
}

/// True for the end of a number and the beginning of the next: a decimal comma was taken for a separator.
fn is_torn(cell: &str) -> bool {
    let rest = cell.trim_start_matches(|character: char| character.is_ascii_digit());
    let next = rest.trim_start_matches(' ');
    rest.len() < cell.len() && next.len() < rest.len() && next.starts_with(|next: char| next.is_ascii_digit())
}

/// How often `delimiter` stands in `line` outside of quotes.
fn count(line: &str, delimiter: char) -> usize {
    let mut quoted = false;
    let separates = |character: &char| {
        quoted ^= *character == '"';
        !quoted && *character == delimiter
    };
    bordered(line, delimiter).chars().filter(separates).count()
}

/// A line of a table whose rows begin and end with `|`, without these.
fn bordered(line: &str, delimiter: char) -> &str {
    if delimiter != '|' {
        return line;
    }
    let line = line.trim();
    line.strip_prefix('|').and_then(|line| line.strip_suffix('|')).unwrap_or(line)
}

/// The lines from `begin` on, with their numbers; a quoted cell may go over several.
fn records(text: &str, begin: usize, delimiter: char) -> impl Iterator<Item = (usize, String)> {
    let mut open: Option<(usize, String)> = None;
    let quotes = |line: &str| line.matches('"').count() % 2 == 1;
    let _ = delimiter;
    lines(text).filter(move |(number, _)| *number >= begin).filter_map(move |(number, line)| {
        match open.take() {
            Some((start, before)) => {
                let whole = format!("{before}\n{line}");
                if quotes(line) {
                    Some((start, whole))
                } else {
                    open = Some((start, whole));
                    None
                }
            }
            None if quotes(line)
                && line.contains('"')
                && count(line, delimiter) > 0
                && text.matches('"').count().is_multiple_of(2) =>
            {
                open = Some((number, line.to_string()));
                None
            }
            None => Some((number, line.to_string())),
        }
    })
}

/// The cells of a line.
fn cells(line: &str, delimiter: char) -> Vec<String> {
    let line = bordered(line, delimiter);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter as u8)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    // A quote that begins within a cell, behind a space, is a quote too.
    record.iter().map(|cell| cell.trim().trim_matches('"').to_string()).collect()
}

/// True for a row of names: none of its cells is a figure or a moment.
fn is_header(row: &[String]) -> bool {
    let named = row.iter().any(|cell| {
        columns::holds(cell).is_some() || columns::is_share_of_memory(cell) || columns::is_time(cell)
    });
    let figure = |cell: &String| {
        matches!(amount::read(cell, Decimal::Point), Cell::Amount(..) | Cell::Percent)
            || clock::is_moment(cell)
    };
    // `rss: 5` is no name.
    let text = |cell: &String| !cell.is_empty() && !cell.contains(": ");
    // `{ rss: 5` and `rss=5` are figures, too.
    let pair = |cell: &String| {
        let value = cell.split_once(": ").or_else(|| cell.split_once('='));
        value.is_some_and(|(_, value)| value.starts_with(|first: char| first.is_ascii_digit()))
    };
    (named && row.iter().all(|cell| !clock::is_moment(cell) && !pair(cell)))
        || (!row.iter().any(figure) && row.iter().any(text))
}

/// True for a row that says the unit of each column: `s;MB`.
fn is_units(row: &[String]) -> bool {
    let unit = |cell: &String| {
        let word = cell.trim_matches(['[', ']', '(', ')']);
        matches!(word, "" | "s" | "ms" | "%" | "#") || amount::MemoryUnit::named(word).is_some()
    };
    row.iter().all(unit) && row.iter().any(|cell| !cell.is_empty())
}

fn is_title(line: &str) -> bool {
    let line = line.trim().trim_matches('"');
    columns::holds(line).is_some() || columns::is_share_of_memory(line)
}

/// One name, and a figure on each of the other lines.
fn single_column(text: &str) -> Option<Table> {
    let mut all = lines(text);
    let (_, title) = all.next()?;
    let title = title.trim().trim_start_matches('#').trim();
    let one = |line: &str| line.split_whitespace().count() == 1;
    let named = is_header(&[title.to_string()]) && (one(title) || is_title(title));
    if !named || title.ends_with(':') || !all.clone().all(|(_, line)| one(line) || is_amount(line)) {
        return None;
    }
    let mut table =
        Table { strict: true, ..Table::new("one column", vec![title.trim_matches('"').to_string()]) };
    for (number, line) in all.filter(|(_, line)| line.trim() != title) {
        table.push(number, vec![line.trim().trim_matches('"').to_string()]);
    }
    Some(table)
}

fn is_amount(line: &str) -> bool {
    matches!(amount::read(line, Decimal::Point), Cell::Amount(..) | Cell::Percent)
}

/// A last row without its newline can be a number cut short, which reads and is wrong;
/// only one that also lacks fields is known to be cut.
fn without_torn(table: &mut Table, text: &str) {
    let width = table.columns.len();
    if !text.ends_with('\n')
        && let Some(row) = table.rows.pop_if(|row| row.cells.len() < width)
    {
        table.notes.push(format!("line {} is torn and was left out", row.line));
    }
}

/// Files with a row per figure: k6's CSV (`metric_name,timestamp,metric_value`) and Grafana's older export
/// (`Series;Time;Value`).
fn long(table: Table) -> Table {
    let find = |names: &[&str]| {
        table.columns.iter().position(|column| names.iter().any(|name| column.eq_ignore_ascii_case(name)))
    };
    let metric = find(&["metric_name", "metric", "series", "measurement", "counter"]);
    let value = find(&["metric_value", "value", "_value"]);
    let (Some(metric), Some(value)) = (metric, value) else { return table };
    let held = table.columns.iter().any(|column| columns::holds(column).is_some());
    let metrics: Vec<&str> = table.column(metric).collect();
    let memory = metrics.iter().any(|name| columns::holds(name).is_some());
    if held || !memory {
        return table;
    }
    let mut best: Vec<(columns::Holds, &str)> =
        metrics.iter().filter_map(|name| Some((columns::holds(name)?, *name))).collect();
    best.sort_unstable();
    best.dedup();
    // Series of one metric are told apart by the labels in their names.
    let family = |name: &str| name.split('{').next().unwrap_or(name).to_string();
    let Some(chosen) = best.first().map(|(_, name)| family(name)) else { return table };
    let mut columns = table.columns.clone();
    columns[value] = chosen.clone();
    columns[metric] = "series".to_string();
    let rows = table.rows.iter().filter(|row| family(row.cell(metric)) == chosen).cloned().collect();
    Table { columns, rows, looks: true, ..table }
}

/// A date and a time in columns of their own are one moment.
fn joined_date(mut table: Table) -> Table {
    let find = |wanted: &str| table.columns.iter().position(|column| column.eq_ignore_ascii_case(wanted));
    let pairs = [("date", "time"), ("datum", "zeit"), ("datum", "uhrzeit")];
    let Some((date, time)) = pairs.iter().find_map(|(date, time)| find(date).zip(find(time))) else {
        return table;
    };
    let dated = |cell: &str| clock::is_moment(cell) && cell.contains(':');
    if table.column(date).any(dated) || table.column(time).any(|cell| cell.contains(['-', '/'])) {
        return table;
    }
    for row in &mut table.rows {
        if let (Some(day), Some(cell)) = (row.cells.get(date).cloned(), row.cells.get_mut(time)) {
            *cell = format!("{day} {cell}");
        }
    }
    table.time = Some(time);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let table = table(text).unwrap();
        (table.columns, table.rows.into_iter().map(|row| row.cells).collect())
    }

    #[test]
    fn separators_are_found_out() {
        for text in [
            "t,rss\n0,5\n1,6\n",
            "t;rss\n0;5\n1;6\n",
            "t\trss\n0\t5\n1\t6\n",
            "| t | rss |\n|---|---|\n| 0 | 5 |\n| 1 | 6 |\n",
            " t | rss\n---+---\n 0 | 5\n 1 | 6\n",
        ] {
            let (columns, rows) = read(text);
            assert_eq!(
                (columns, rows),
                (
                    vec!["t".into(), "rss".into()],
                    vec![vec!["0".into(), "5".into()], vec!["1".into(), "6".into()]]
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn a_decimal_comma_separates_nothing() {
        assert_eq!(read("t;rss_mb\n0,5;36,2\n1,0;38,2\n").1[0], ["0,5", "36,2"]);
        assert_eq!(read("rss_mb\n36,2\n38,2\n40,2\n").1[0], ["36,2"]);
    }

    #[test]
    fn quotes_hold_separators() {
        let (columns, rows) = read("\"Time\",\"rss{a=\"\"1\"\", b=\"\"2\"\"}\"\n\"x\",5\n\"y\",6\n");
        assert_eq!(columns[1], "rss{a=\"1\", b=\"2\"}");
        assert_eq!(rows[1], ["y", "6"]);
    }

    #[test]
    fn preambles_comments_and_repeated_headers_are_no_rows() {
        let text = "sep=;\n\n# made by x\nt;rss_mb\n0;5\n\nt;rss_mb\n1;6\n2;7\n3;8\n4;9\n";
        assert_eq!(read(text).1.len(), 5);
        let text = "# hostname;interval;timestamp;kbmemused\nvm;1;2026-11-27 18:00:00 UTC;5\n# hostname;interval;timestamp;kbmemused\nvm;1;2026-11-27 18:00:01 UTC;6\n";
        let (columns, rows) = read(text);
        assert_eq!((columns[3].as_str(), rows.len()), ("kbmemused", 2));
    }

    #[test]
    fn a_row_of_units_belongs_to_the_header() {
        let (columns, rows) = read("t,rss\ns,MB\n0,5\n1,6\n");
        assert_eq!((columns, rows.len()), (vec!["t [s]".to_string(), "rss [MB]".to_string()], 2));
    }

    #[test]
    fn a_metric_per_row_is_a_series() {
        let text = "metric_name,timestamp,metric_value\nvus,1,5\nserver_rss,1,38002491\nvus,2,5\nserver_rss,2,38002492\n";
        let (columns, rows) = read(text);
        assert_eq!(columns, ["series", "timestamp", "server_rss"]);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_date_and_a_time_are_one_moment() {
        let (_, rows) = read("Date,Time,rss_mb\n11/27/2026,18:00:00,5\n11/27/2026,18:00:01,6\n");
        assert_eq!(rows[0][1], "11/27/2026 18:00:00");
    }

    #[test]
    fn words_with_spaces_between_them_are_none() {
        assert!(table("  PID   RSS COMMAND\n4711 5 /usr/bin/x a,b\n4711 5 /usr/bin/x a,b\n").is_none());
        assert!(
            table("Linux 6.18 (vm) \t11/27/26 \t_x86_64_\n\n18:19:07 UID PID RSS\n18:19:08 0 1 5\n")
                .is_none()
        );
    }
}
