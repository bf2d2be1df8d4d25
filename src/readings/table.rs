//! What every form of recording comes to before it is judged: rows of text under named columns. Pure.

use super::amount::MemoryUnit;

/// A recording as rows of text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    /// What the recording is, in words.
    pub(super) form: &'static str,
    /// The columns' names, as the file has them; numbers from 1 on where it has none.
    pub(super) columns: Vec<String>,
    /// The rows, in the order of the file.
    pub(super) rows: Vec<Row>,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
    /// The unit of figures whose name and cell say none, where the tool has one.
    pub(super) unit: Option<MemoryUnit>,
    /// The column that holds memory, where its name does not say it.
    pub(super) memory: Option<usize>,
    /// The column that holds the time, where its name does not say it.
    pub(super) time: Option<usize>,
    /// The columns that say whose a row is, where their names do not say it.
    pub(super) names: Vec<usize>,
    /// True if a row is a look at a fixed time, and not a reading after a task.
    pub(super) looks: bool,
    /// True if a cell that is no amount is an error, and not a line of something else.
    pub(super) strict: bool,
    /// True if rows between those that are here were left out: the number of a row's line says where it stood.
    pub(super) thinned: bool,
    /// True if semicolons separate the columns, as where commas are decimal.
    pub(super) semicolons: bool,
}

/// A row, with the line on which it stands, from 1 on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

impl Row {
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

impl Table {
    /// An empty table of this form.
    pub(super) fn new(form: &'static str, columns: Vec<String>) -> Table {
        Table { form, columns, ..Table::default() }
    }

    pub(super) fn push(&mut self, line: usize, cells: Vec<String>) {
        self.rows.push(Row { line, cells });
    }

    /// The column of this name, or of this number where none is called so.
    pub(super) fn named(&self, column: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|name| name == column);
        let by_name = || self.columns.iter().position(|name| name.eq_ignore_ascii_case(column));
        let by_number =
            || column.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < self.columns.len());
        exact.or_else(by_name).or_else(by_number)
    }

    /// The cells of a column, without those of the rows that lack it.
    pub(super) fn column(&self, index: usize) -> impl Iterator<Item = &str> + Clone {
        self.rows.iter().filter_map(move |row| row.cells.get(index)).map(String::as_str)
    }
}
