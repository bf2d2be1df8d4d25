//! Markdown tables that are also readable as plain text.

/// A table with its columns padded; all columns but the first are numbers, to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    line(&mut text, &widths, header.iter().map(ToString::to_string));
    let rule = widths.iter().enumerate().map(|(column, width)| {
        if column == 0 { "-".repeat(*width) } else { format!("{}:", "-".repeat(width - 1)) }
    });
    line(&mut text, &widths, rule);
    for row in rows {
        // A pipe would end the cell.
        line(&mut text, &widths, row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")));
    }
    text
}

fn line(text: &mut String, widths: &[usize], cells: impl Iterator<Item = String>) {
    text.push('|');
    for (column, (cell, &width)) in cells.zip(widths).enumerate() {
        let padded = if column == 0 { format!(" {cell:<width$} |") } else { format!(" {cell:>width$} |") };
        text.push_str(&padded);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_a_pipe_does_not_end_a_cell() {
        let rows = vec![vec!["a|b".to_string(), "1".to_string()], vec!["c".to_string(), "-22.5".to_string()]];
        let text = table(&["name", "MB"], &rows);
        assert_eq!(text, "| name |    MB |\n| ---- | ----: |\n| a\\|b |     1 |\n| c    | -22.5 |\n");
    }
}
