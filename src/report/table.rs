//! Markdown tables that are also readable as plain text.

use crate::units::within;

/// What stands in a cell for a figure that there is not.
pub(super) const ABSENT: &str = "–";

/// The title of a column, and to which side its cells go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column<'a> {
    /// Words.
    Left(&'a str),
    /// Figures.
    Right(&'a str),
}

impl<'a> Column<'a> {
    fn title(self) -> &'a str {
        match self {
            Column::Left(title) | Column::Right(title) => title,
        }
    }

    fn rule(self, width: usize) -> String {
        match self {
            Column::Left(_) => "-".repeat(width),
            Column::Right(_) => format!("{}:", "-".repeat(width - 1)),
        }
    }

    fn padded(self, cell: &str, width: usize) -> String {
        match self {
            Column::Left(_) => format!(" {cell:<width$} |"),
            Column::Right(_) => format!(" {cell:>width$} |"),
        }
    }
}

/// A table with its columns padded. A column without a single figure is left
/// out: old files have no peaks, services without audio no RTF.
pub(super) fn table(columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let shown: Vec<(usize, Column)> = columns
        .iter()
        .copied()
        .enumerate()
        .filter(|(place, _)| rows.is_empty() || rows.iter().any(|row| row[*place] != ABSENT))
        .collect();
    let width = |place: usize, column: Column| {
        let cells = rows.iter().map(|row| row[place].chars().count());
        cells.chain([column.title().chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = shown.iter().map(|&(place, column)| width(place, column)).collect();
    let line = |cell: &dyn Fn(usize, Column, usize) -> String| {
        let cells = shown
            .iter()
            .zip(&widths)
            .map(|(&(place, column), &width)| column.padded(&cell(place, column, width), width));
        format!("|{}\n", cells.collect::<String>())
    };
    let mut text = line(&|_, column, _| column.title().to_string());
    text.push_str(&line(&|_, column, width| column.rule(width)));
    for row in &rows {
        text.push_str(&line(&|place, _, _| row[place].clone()));
    }
    text
}

/// The most characters of a cell: a longer one makes the whole table unreadable as text.
const LONGEST: usize = 190;

/// A cell as Markdown can hold it: a pipe would end it, a newline the row.
fn one_line(cell: &str) -> String {
    within(cell, LONGEST).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::Column::{Left, Right};
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn columns_line_up_and_a_pipe_does_not_end_a_cell() {
        let text = table(&[Left("name"), Right("MB")], &rows(&[&["a|b", "1"], &["c\nd", "-22.5"]]));
        assert_eq!(text, "| name |    MB |\n| ---- | ----: |\n| a\\|b |     1 |\n| c d  | -22.5 |\n");
    }

    #[test]
    fn a_cell_stays_short() {
        let text = table(&[Left("error")], &rows(&[&[&"long ".repeat(500)]]));
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
        assert!(text.contains('…'), "the cut is shown");
    }

    #[test]
    fn a_column_without_a_figure_is_left_out() {
        let text = table(
            &[Left("name"), Right("RTF"), Right("MB")],
            &rows(&[&["a", ABSENT, ABSENT], &["b", ABSENT, "7"]]),
        );
        assert_eq!(text, "| name |  MB |\n| ---- | --: |\n| a    |   – |\n| b    |   7 |\n");
    }
}
