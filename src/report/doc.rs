//! A report on its way to Markdown or to a page: lines and tables, in their order.

use std::fmt;

use super::table::{Column, table};

/// How much a report tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// A table for each phase; long ones with the first, the last and the worst.
    Short,
    /// Everything.
    Full,
}

/// What has been written so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Doc {
    blocks: Vec<Block>,
}

/// A piece of a report.
#[derive(Debug, Clone)]
pub(super) enum Block {
    /// Lines: `## ` begins a heading, `- ` an item of a list.
    Lines(String),
    /// A table.
    Table(Table),
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// The titles, and to which side the cells go.
    pub(super) columns: Vec<(String, bool)>,
    /// The cells.
    pub(super) rows: Vec<Vec<String>>,
    /// Rows are linked to by this name and their first cell.
    #[cfg_attr(not(feature = "html"), expect(dead_code, reason = "only a page has links to rows"))]
    pub(super) named: Option<&'static str>,
}

impl fmt::Write for Doc {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.blocks.last_mut() {
            Some(Block::Lines(lines)) => lines.push_str(text),
            _ => self.blocks.push(Block::Lines(text.to_string())),
        }
        Ok(())
    }
}

impl Doc {
    /// Adds a table.
    pub(super) fn table(&mut self, columns: &[Column<'_>], rows: &[Vec<String>]) {
        self.push(columns, rows, None);
    }

    /// Adds a table whose rows can be linked to: `#task-7` is the one whose first cell is 7.
    pub(super) fn named_table(&mut self, name: &'static str, columns: &[Column<'_>], rows: &[Vec<String>]) {
        self.push(columns, rows, Some(name));
    }

    fn push(&mut self, columns: &[Column<'_>], rows: &[Vec<String>], named: Option<&'static str>) {
        let columns = columns
            .iter()
            .map(|column| match column {
                Column::Left(title) => ((*title).to_string(), false),
                Column::Right(title) => ((*title).to_string(), true),
            })
            .collect();
        self.blocks.push(Block::Table(Table { columns, rows: rows.to_vec(), named }));
    }

    /// The pieces, for a page.
    #[cfg(feature = "html")]
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The whole as Markdown.
    pub(super) fn markdown(&self) -> String {
        let block = |block: &Block| match block {
            Block::Lines(lines) => lines.clone(),
            Block::Table(found) => {
                let columns: Vec<Column<'_>> = found
                    .columns
                    .iter()
                    .map(|(title, right)| if *right { Column::Right(title) } else { Column::Left(title) })
                    .collect();
                format!("{}\n", table(&columns, &found.rows))
            }
        };
        self.blocks.iter().map(block).collect()
    }
}

/// The places of at most `most` of `count` rows: the first, the last, and those that `weight` makes the heaviest.
pub(super) fn chosen(count: usize, most: usize, weight: impl Fn(usize) -> f64) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let third = most / 3;
    let mut middle: Vec<usize> = (third..count - third).collect();
    middle.sort_by(|left, right| weight(*right).total_cmp(&weight(*left)));
    let mut places: Vec<usize> =
        (0..third).chain(middle.into_iter().take(most - 2 * third)).chain(count - third..count).collect();
    places.sort_unstable();
    places
}

/// The most rows of a table in the short report.
const SHORT: usize = 12;
/// The most rows of a table in a page: a day's tasks would make it too large to open.
const FULL: usize = 1_500;

impl Extent {
    /// The places of the rows that are shown of `count`, by their `weight`.
    pub(super) fn rows(self, count: usize, weight: impl Fn(usize) -> f64) -> Vec<usize> {
        chosen(count, if self == Extent::Short { SHORT } else { FULL }, weight)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::report::table::Column::Left;

    #[test]
    fn of_many_rows_the_first_the_last_and_the_heaviest_are_shown() {
        let weight = |place: usize| if place == 50 || place == 61 { 9.0 } else { 0.0 };
        assert_eq!(chosen(100, 6, weight), [0, 1, 50, 61, 98, 99]);
        assert_eq!(chosen(3, 6, weight), [0, 1, 2]);
        assert_eq!(Extent::Short.rows(100_000, weight).len(), 12);
    }

    #[test]
    fn lines_and_tables_stand_in_their_order() {
        let mut doc = Doc::default();
        writeln!(doc, "## One").expect("into memory");
        doc.table(&[Left("a")], &[vec!["1".to_string()]]);
        writeln!(doc, "after").expect("into memory");
        assert_eq!(doc.markdown(), "## One\n| a   |\n| --- |\n| 1   |\n\nafter\n");
    }
}
