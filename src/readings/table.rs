//! A table with one row per task, and the readings in it. Pure.

use serde_json::Value;

use super::Series;
use super::columns::{self, Holds};
use crate::error::{Error, ErrorKind, Result};

/// Rows of text, with the lines on which they stand.
#[derive(Debug)]
pub(super) struct Table<'a> {
    name: &'a str,
    columns: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
    notes: Vec<String>,
}

impl<'a> Table<'a> {
    /// The table in a CSV with a header; `name` is the file's, for messages.
    pub(super) fn of_csv(name: &'a str, bytes: &[u8]) -> Result<Table<'a>> {
        let text = String::from_utf8_lossy(bytes);
        let header = text.lines().next().unwrap_or_default();
        if let Some(titles) = header.strip_prefix('#').filter(|titles| !titles.contains([',', ';', '\t'])) {
            return Ok(Table::of_words(name, titles, &text));
        }
        let semicolons = header.matches(';').count() > header.matches(',').count();
        let delimiter = if semicolons {
            b';'
        } else if header.contains('\t') && !header.contains(',') {
            b'\t'
        } else {
            b','
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let unreadable = |error: csv::Error| {
            Error::new(ErrorKind::Data, format!("`{name}` is no table")).source(error).hint(HINT)
        };
        let columns: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_string).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            let line = record.position().map_or(0, |position| position.line() as usize);
            rows.push((line, record.iter().map(str::to_string).collect()));
        }
        let mut table = Table { name, columns, rows, notes: Vec::new() };
        // A last row without its newline can be a number cut short, which reads and is wrong;
        // only one that also lacks fields is known to be cut.
        if !text.ends_with('\n')
            && let Some((line, last)) = table.rows.last()
            && last.len() < table.columns.len()
        {
            table.notes.push(format!("line {line} is torn and was left out"));
            table.rows.pop();
        }
        Ok(table)
    }

    /// The table of a tool such as psrecord: a header behind `#`, whose `titles` stand two spaces or more apart, and
    /// rows of numbers with spaces between them.
    fn of_words(name: &'a str, titles: &str, text: &str) -> Table<'a> {
        let columns = titles.split("  ").map(str::trim).filter(|title| !title.is_empty());
        let columns: Vec<String> = columns.map(str::to_string).collect();
        let mut notes = Vec::new();
        if columns.first().is_some_and(|first| first.to_lowercase().ends_with("time")) {
            notes.push("its rows are looks at fixed times, not readings after tasks".to_string());
        }
        let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<String>>();
        let lines = text.lines().enumerate().skip(1).map(|(index, line)| (index + 1, line.trim()));
        let mut rows: Vec<(usize, Vec<String>)> = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(line, text)| (line, words(text)))
            .collect();
        if let Some((line, _)) = rows.pop_if(|(_, row)| !text.ends_with('\n') && row.len() < columns.len()) {
            notes.push(format!("line {line} is torn and was left out"));
        }
        Table { name, columns, rows, notes }
    }

    /// The table in lines of JSON objects, whose fields are the columns; those of
    /// objects within them are named `outer.inner`.
    pub(super) fn of_lines(name: &'a str, bytes: &[u8]) -> Result<Table<'a>> {
        let (objects, damage) = crate::journal::parse_lines::<Value>(name, bytes);
        let mut table = Table { name, columns: Vec::new(), rows: Vec::new(), notes: Vec::new() };
        table.notes.extend(damage.iter().map(ToString::to_string));
        for (index, object) in objects.iter().enumerate() {
            let mut fields = Vec::new();
            flatten("", object, &mut fields);
            let mut row = vec![String::new(); table.columns.len()];
            for (field, value) in fields {
                match table.columns.iter().position(|column| *column == field) {
                    Some(column) => row[column] = value,
                    None => {
                        table.columns.push(field);
                        row.push(value);
                    }
                }
            }
            table.rows.push((index + 1, row));
        }
        Ok(table)
    }

    /// The readings in `column`, or in the one that is best to judge.
    pub(super) fn series(mut self, column: Option<&str>) -> Result<Series> {
        let index = match column {
            Some(column) => self.named(column)?,
            None => self.best()?,
        };
        self.one_process()?;
        let name = &self.columns[index];
        let namesakes = self.columns.iter().filter(|other| other.eq_ignore_ascii_case(name)).count();
        if namesakes > 1 {
            return Err(Error::new(
                ErrorKind::Data,
                format!("`{}` has {namesakes} columns called `{name}`", self.name),
            )
            .hint("which of them is meant cannot be known: give each a name of its own"));
        }
        let figures = self.figures(index)?;
        if figures.is_empty() {
            return Err(self.no_reading(index));
        }
        let (factor, unit) = match columns::to_mb(&self.columns[index]) {
            Some(factor) => (factor, None),
            None => {
                let (factor, unit) = columns::guessed(&figures);
                (factor, Some(unit))
            }
        };
        if let Some(unit) = unit {
            self.notes
                .push(format!("`{}` names no unit; its figures were taken for {unit}", self.columns[index]));
        }
        if let Some(figure) = figures.iter().find(|figure| **figure * factor > MOST_MB) {
            let name = &self.columns[index];
            return Err(self.error(format!(
                "`{}` column `{name}`: {figure:e} is no amount of memory, no machine has that much",
                self.name
            )));
        }
        let beside_mb = self.beside_mb(index);
        Ok(Series {
            after_mb: figures.iter().map(|figure| figure * factor).collect(),
            // Early in the series, since what is mapped hardly changes there.
            file_mb: beside_mb.get(5).or(beside_mb.last()).copied(),
            beside_mb,
            column: self.columns[index].clone(),
            inputs: self.inputs(index),
            notes: self.notes,
            incomparable: None,
        })
    }

    fn named(&self, column: &str) -> Result<usize> {
        self.columns.iter().position(|found| found.eq_ignore_ascii_case(column)).ok_or_else(|| {
            let names = self.columns.join("`, `");
            Error::new(ErrorKind::Data, format!("`{}` has no column `{column}`", self.name))
                .hint(format!("it has `{names}`"))
        })
    }

    fn best(&self) -> Result<usize> {
        let known = self.columns.iter().enumerate();
        let known: Vec<(Holds, usize)> =
            known.filter_map(|(index, name)| Some((columns::holds(name)?, index))).collect();
        // A column without a reading comes after all that have one; where it is the only one, it is named as such.
        let filled =
            |&(_, index): &(Holds, usize)| self.rows.iter().any(|(_, row)| reading(row, index).is_some());
        let best = known.iter().copied().filter(filled).min().or(known.iter().copied().min());
        best.map(|(_, index)| index).ok_or_else(|| {
            self.error(format!("no column of `{}` is known to hold memory after a task", self.name))
        })
    }

    /// Samples of several processes are no readings after tasks.
    fn one_process(&self) -> Result<()> {
        let Some(pid) = self.columns.iter().position(|name| name.eq_ignore_ascii_case("pid")) else {
            return Ok(());
        };
        let first = self.rows.first().and_then(|(_, row)| row.get(pid));
        match self.rows.iter().find(|(_, row)| row.get(pid) != first) {
            None => Ok(()),
            Some((line, _)) => Err(Error::new(
                ErrorKind::Data,
                format!(
                    "`{}` has rows of several processes (line {line}), not one reading per task",
                    self.name
                ),
            )
            .hint("judge the run's results file (memory_leak_stress_test_….jsonl) instead")),
        }
    }

    fn figures(&mut self, column: usize) -> Result<Vec<f64>> {
        let mut figures = Vec::new();
        let mut zeros = 0;
        for (line, row) in &self.rows {
            let Some(cell) = reading(row, column) else {
                zeros += usize::from(row.get(column).is_some_and(|cell| is_zero(cell)));
                continue;
            };
            match cell.parse::<f64>() {
                Ok(figure) if figure.is_finite() && figure >= 0.0 => figures.push(figure),
                _ => {
                    return Err(self.error(format!(
                        "`{}` line {line}, column `{}`: `{cell}` is no amount of memory",
                        self.name, self.columns[column]
                    )));
                }
            }
        }
        let empties = self.rows.len() - figures.len() - zeros;
        if empties > 0 {
            self.notes.push(format!("left out: {} without a reading", rows(empties)));
        }
        if zeros > 0 {
            self.notes.push(format!("left out: {} with 0, which is no process's memory", rows(zeros)));
        }
        Ok(figures)
    }

    /// What was sent with each task that has a reading in `column`, if a column of the table says it.
    fn inputs(&self, column: usize) -> Vec<String> {
        let named = |wanted: &str| self.columns.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let Some(input) = INPUTS.into_iter().find_map(named) else { return Vec::new() };
        let cell = |row: &[String], index: usize| row.get(index).cloned().unwrap_or_default();
        let read = self.rows.iter().filter(|(_, row)| reading(row, column).is_some());
        read.map(|(_, row)| cell(row, input)).collect()
    }

    /// What is resident beside private memory, in MB, where that is judged and each of its readings has the other.
    fn beside_mb(&self, judged: usize) -> Vec<f64> {
        if columns::holds(&self.columns[judged]) != Some(Holds::Private) {
            return Vec::new();
        }
        let column = |holds| self.columns.iter().position(|name| columns::holds(name) == Some(holds));
        let Some(resident) = [Holds::Settled, Holds::After, Holds::Resident].into_iter().find_map(column)
        else {
            return Vec::new();
        };
        let mb = |row: &[String], index: usize| -> Option<f64> {
            Some(row.get(index)?.parse::<f64>().ok()? * columns::to_mb(&self.columns[index])?)
        };
        let read = self.rows.iter().filter(|(_, row)| reading(row, judged).is_some());
        let beside = read.map(|(_, row)| Some((mb(row, resident)? - mb(row, judged)?).max(0.0)));
        beside.collect::<Option<Vec<f64>>>().unwrap_or_default()
    }

    /// What is wrong with a column that is known and has no reading.
    fn no_reading(&self, column: usize) -> Error {
        let (table, name) = (self.name, &self.columns[column]);
        let zero = self.rows.iter().any(|(_, row)| row.get(column).is_some_and(|cell| is_zero(cell)));
        let what = match (self.rows.is_empty(), zero) {
            (true, _) => format!("`{table}` has a header and no rows"),
            (_, true) => format!("column `{name}` of `{table}` is 0 throughout: 0 is no process's memory"),
            _ => format!("column `{name}` of `{table}` is empty throughout"),
        };
        self.error(what)
    }

    fn error(&self, message: String) -> Error {
        let hint = if self.columns.is_empty() {
            HINT.to_string()
        } else {
            format!("{HINT}; it has `{}`, of which `--column` chooses one", self.columns.join("`, `"))
        };
        Error::new(ErrorKind::Data, message).hint(hint)
    }
}

/// Names of columns that say what was sent, the most exact first.
const INPUTS: [&str; 5] = ["audio_file", "input", "file", "task_kind", "kind"];

/// More than any machine has, in MB: a petabyte.
const MOST_MB: f64 = 1e9;

const HINT: &str = "a table has a header and a row per task, with memory in a column such as `rss_mb`, `anon_kb` or \
                    `worker_rss_after_mb`";

/// The cell of `row` in `column`, if it may be a reading.
///
/// No process that runs holds no memory: 0 is what a tool writes that could not read it.
fn reading(row: &[String], column: usize) -> Option<&str> {
    let cell = row.get(column)?;
    let empty = cell.is_empty() || matches!(cell.to_ascii_lowercase().as_str(), "null" | "na" | "nan" | "-");
    (!empty && !is_zero(cell)).then_some(cell)
}

fn is_zero(cell: &str) -> bool {
    cell.parse::<f64>() == Ok(0.0)
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_string() } else { format!("{count} rows") }
}

fn flatten(prefix: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&name, value, fields);
            }
        }
        Value::String(text) => fields.push((prefix.to_string(), text.clone())),
        other => fields.push((prefix.to_string(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<Series> {
        Table::of_csv("t.csv", text.as_bytes())?.series(None)
    }

    #[test]
    fn the_best_column_is_judged_in_megabytes() {
        let series =
            csv("task_index,before_kb,settled_kb,anon_kb\n0,1,43008,2048\n1,2,43008,3072\n").unwrap();
        assert_eq!(series.after_mb, [2.0, 3.0]);
        assert_eq!((series.column.as_str(), series.beside_mb), ("anon_kb", vec![40.0, 39.0]));
    }

    #[test]
    fn what_was_sent_stands_beside_what_was_read() {
        let series = csv("kind,rss_mb\nshort,1\nlong,\nlong,3\n").unwrap();
        assert_eq!(
            (series.inputs, series.after_mb),
            (vec!["short".to_string(), "long".to_string()], vec![1.0, 3.0])
        );
        assert!(csv("rss_mb\n1\n").unwrap().inputs.is_empty());
    }

    #[test]
    fn any_column_can_be_chosen() {
        let table = Table::of_csv("t.csv", b"x;y\n1;5\n2;6\n").unwrap();
        let series = table.series(Some("Y")).unwrap();
        assert_eq!(series.after_mb, [5.0, 6.0]);
        assert!(series.notes[0].contains("megabytes"), "{:?}", series.notes);
        let error = Table::of_csv("t.csv", b"x\n1\n").unwrap().series(Some("z")).unwrap_err();
        assert_eq!(error.hint_text(), Some("it has `x`"));
    }

    #[test]
    fn a_cell_that_is_no_number_is_named_by_line_and_column() {
        let error = csv("rss_mb\n1\nmany\n").unwrap_err();
        assert_eq!(error.to_string(), "`t.csv` line 3, column `rss_mb`: `many` is no amount of memory");
        assert!(csv("rss_mb\n1\n-4\n").is_err());
        let error = csv("rss_mb\n1\n2e300\n").unwrap_err();
        assert!(error.to_string().contains("`rss_mb`: 2e300 is no amount of memory"), "{error}");
    }

    #[test]
    fn what_has_no_reading_is_left_out_and_told() {
        let series = csv("rss_mb,ok\n1,y\n,y\n3,y\n4").unwrap();
        assert_eq!(series.after_mb, [1.0, 3.0]);
        assert_eq!(series.notes.len(), 2, "{:?}", series.notes);
    }

    #[test]
    fn a_table_of_something_else_is_refused_with_a_hint() {
        for text in ["file,worker\nd1,c\n", "", "hello\n"] {
            let error = csv(text).unwrap_err();
            assert!(error.hint_text().unwrap().contains("rss_mb"), "{error:?}");
        }
        let error = csv("pid,rss_mb\n1,5\n2,6\n").unwrap_err();
        assert!(error.to_string().contains("several processes (line 3)"), "{error}");
    }

    #[test]
    fn zero_is_no_reading() {
        let error = csv("rss_mb,t\n0,1\n0.0,2\n0,3\n").unwrap_err();
        let expected = "column `rss_mb` of `t.csv` is 0 throughout: 0 is no process's memory";
        assert_eq!(error.to_string(), expected);
        let series = csv("rss_mb\n5\n0\n7\n").unwrap();
        assert_eq!(series.after_mb, [5.0, 7.0]);
        assert_eq!(series.notes, ["left out: 1 row with 0, which is no process's memory"]);
        // The better column is of no use where it was not read.
        let series = csv("anon_kb,rss_mb\n0,5\n0,6\n").unwrap();
        assert_eq!((series.column.as_str(), series.after_mb), ("rss_mb", vec![5.0, 6.0]));
        assert!(csv("rss_mb\nNaN\nnan\n").unwrap_err().to_string().ends_with("is empty throughout"));
        assert!(csv("rss_mb\n").unwrap_err().to_string().ends_with("has a header and no rows"));
    }

    #[test]
    fn two_columns_of_one_name_are_refused() {
        let error = csv("rss_mb,rss_mb\n5,6\n5,6\n").unwrap_err();
        assert_eq!(error.to_string(), "`t.csv` has 2 columns called `rss_mb`");
    }

    #[test]
    fn the_log_of_psrecord_is_a_table() {
        let text = "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)\n       \
                    0.000        0.000       12.500      100.125\n       1.000        3.000       13.500      100.125\n";
        let series = csv(text).unwrap();
        assert_eq!((series.column.as_str(), series.after_mb), ("Real (MB)", vec![12.5, 13.5]));
        assert_eq!(series.notes, ["its rows are looks at fixed times, not readings after tasks"]);
    }

    #[test]
    fn lines_of_json_are_a_table() {
        let text = "{\"n\": 1, \"worker\": {\"rss_mb\": 5.5}}\n{\"n\": 2, \"worker\": {\"rss_mb\": 6}}\n";
        let series = Table::of_lines("t.jsonl", text.as_bytes()).unwrap().series(None).unwrap();
        assert_eq!(series.after_mb, [5.5, 6.0]);
        assert_eq!(series.column, "worker.rss_mb");
    }
}
