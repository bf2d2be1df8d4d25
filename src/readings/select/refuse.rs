//! Why a table cannot be judged, with what it has and what to do. Pure.

use super::Select;
use crate::error::{Error, ErrorKind};
use crate::readings::amount::Cell;
use crate::readings::columns;
use crate::readings::table::Row;

const HINT: &str = "a table has a header and a row per task, with memory in a column such as `rss_mb`, `anon_kb` or \
                    `worker_rss_after_mb`";

/// Why a text of no known form cannot be judged, with what it begins with.
pub(in crate::readings) fn unknown(name: &str, text: &str) -> Error {
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else {
        return Error::new(ErrorKind::Data, format!("`{name}` is empty")).hint(HINT);
    };
    let shown: String = first.trim().chars().take(100).collect();
    Error::new(
        ErrorKind::Data,
        format!(
            "`{name}` is of no form that is known: nothing in it is named as memory, or has a unit of memory"
        ),
    )
    .hint(format!("{HINT}; this begins with `{shown}`, and `--column 2 --unit kB` judges its second column"))
}

impl Select<'_> {
    /// What is wrong with a column that is known and has no reading.
    pub(super) fn no_reading(&self, column: usize) -> Error {
        let (file, table) = (self.name, self.table);
        let name = &table.columns[column];
        let zero = table.rows.iter().any(|row| matches!(self.cell(row, column), Cell::Amount(0.0, _)));
        let what = match (table.rows.is_empty(), zero) {
            (true, _) => format!("`{file}` has a header and no rows"),
            (_, true) => format!("column `{name}` of `{file}` is 0 throughout: 0 is no process's memory"),
            _ => format!("column `{name}` of `{file}` is empty throughout"),
        };
        self.error(what)
    }

    /// Why a share is not judged.
    pub(super) fn share(&self, column: usize) -> Error {
        let title = &self.table.columns[column];
        let message = format!(
            "`{title}` of `{}` is a share of the memory of a machine (percent), not an amount: growth in MB cannot be \
             told from it",
            self.name
        );
        let hint = format!(
            "record the amount beside it: `ps -o pid,rss`, `docker stats --format '{{{{.MemUsage}}}}'`; this file has {}",
            self.seen()
        );
        Error::new(ErrorKind::Data, message).hint(hint)
    }

    /// The columns as a reader sees them.
    pub(super) fn seen(&self) -> String {
        let names: Vec<String> = self.table.columns.iter().map(|name| format!("`{name}`")).collect();
        let without = self.table.columns.first().is_some_and(|name| name == "1");
        let what = if without { "columns without names: " } else { "" };
        format!("{what}{}", names.join(", "))
    }

    pub(super) fn error(&self, message: String) -> Error {
        if self.table.columns.is_empty() {
            return Error::new(ErrorKind::Data, message).hint(HINT);
        }
        // The first column of figures that is neither a time nor a number of a process.
        let figures = |column: &usize| {
            let title = &self.table.columns[*column];
            let figure = |row: &Row| matches!(self.cell(row, *column), Cell::Amount(..));
            columns::names(title).is_none()
                && !columns::is_time(title)
                && !columns::is_share_of_memory(title)
                && self.table.rows.first().is_some_and(figure)
        };
        let nearest =
            (0..self.table.columns.len()).find(figures).or(Some(0)).map(|column| &self.table.columns[column]);
        let judged =
            nearest.map_or(String::new(), |name| format!("; `--column {name} --unit kB` judges one of them"));
        Error::new(ErrorKind::Data, message).hint(format!("{HINT}; this one has {}{judged}", self.seen()))
    }
}
