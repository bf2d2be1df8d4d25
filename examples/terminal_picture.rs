//! Pictures for the README, as SVG: a moment of a run in a terminal, and the summary of a CI job.
//!
//! ```sh
//! script -qec 'stty rows 40 cols 110; highwater run --demo --only leak -- --leak 5MB' typescript
//! cargo run --example terminal_picture -- terminal 'about 2 s left: waiting' 15 < typescript > docs/src/live.svg
//! GITHUB_STEP_SUMMARY=summary.md GITHUB_ACTIONS=true highwater run --demo --only leak -- --leak 5MB
//! cargo run --example terminal_picture -- summary < summary.md > docs/src/summary.svg
//! ```

use std::io::Read;

/// Columns of the picture.
const COLUMNS: usize = 110;

fn main() -> std::io::Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let picture = match words[..] {
        ["terminal", pattern, lines] => {
            let most = lines.parse().map_err(std::io::Error::other)?;
            let screen = last_with(&input, pattern);
            svg(&screen[screen.len().saturating_sub(most)..], "A run in a terminal", true)
        }
        ["summary"] => svg(&summary(&input), "The summary of a CI job", false),
        _ => return Err(std::io::Error::other("terminal PATTERN LINES, or summary")),
    };
    print!("{picture}");
    Ok(())
}

/// The last screen of a recorded terminal that shows `pattern`.
fn last_with(recorded: &str, pattern: &str) -> Vec<String> {
    let (mut screen, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut found = Vec::new();
    let mut letters = recorded.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                letters.next_if_eq(&'[');
                let mut count = String::new();
                while let Some(digit) = letters.next_if(|letter| letter.is_ascii_digit() || *letter == ';') {
                    count.push(digit);
                }
                let count = count.parse().unwrap_or(1);
                match letters.next() {
                    Some('A') => {
                        // The cursor goes up to redraw the block, so the previous block is complete.
                        let lines: Vec<String> = screen.iter().map(|line: &Vec<char>| text(line)).collect();
                        if lines.iter().any(|line| line.contains(pattern)) {
                            found = lines;
                        }
                        row = row.saturating_sub(count);
                    }
                    Some('B') => row += count,
                    Some('K') => screen[row].clear(),
                    _ => {}
                }
            }
            '\r' => column = 0,
            '\n' => (row, column) = (row + 1, 0),
            letter => {
                if column == COLUMNS {
                    (row, column) = (row + 1, 0);
                }
                if screen.len() <= row {
                    screen.resize(row + 1, Vec::new());
                }
                let line = &mut screen[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = letter;
                column += 1;
            }
        }
        if screen.len() <= row {
            screen.resize(row + 1, Vec::new());
        }
    }
    while found.last().is_some_and(String::is_empty) {
        found.pop();
    }
    found
}

fn text(line: &[char]) -> String {
    line.iter().collect::<String>().trim_end().to_string()
}

/// The lines of a summary, with its tables in columns.
fn summary(markdown: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    for line in markdown.lines().chain([""]) {
        if let Some(row) = line.strip_prefix('|') {
            let cells = row.trim_end_matches('|').split(" |").map(|cell| cell.trim().to_string());
            table.push(cells.collect());
            continue;
        }
        let columns = table.iter().map(Vec::len).max().unwrap_or_default();
        let is_rule =
            |row: &Vec<String>| row.iter().all(|cell| cell.chars().all(|letter| "-: |".contains(letter)));
        table.retain(|row| !is_rule(row));
        let width = |at: usize| table.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max();
        let widths: Vec<usize> = (0..columns).filter_map(width).collect();
        for row in table.drain(..) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_string());
        }
        // A link says nothing in a picture.
        lines.push(line.split(" ([").next().unwrap_or_default().replace('`', ""));
    }
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn svg(lines: &[String], title: &str, dark: bool) -> String {
    let (ground, ink) = if dark { ("#0d1117", "#e6edf3") } else { ("#ffffff", "#1b1f24") };
    let (width, height) = (COLUMNS * 8 + 32, lines.len() * 20 + 32);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{ground}\" stroke=\"#8b949e\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" fill=\"{ink}\">\n"
    );
    for (at, line) in lines.iter().enumerate() {
        let (bold, line) = match line.strip_prefix("### ") {
            Some(head) => (" font-weight=\"bold\"", head),
            None => ("", line.as_str()),
        };
        let shown: String = match line.chars().count() > COLUMNS {
            true => line.chars().take(COLUMNS - 1).chain(['…']).collect(),
            false => line.to_string(),
        };
        let shown = shown.replace('&', "&amp;").replace('<', "&lt;");
        if !shown.is_empty() {
            let y = 32 + at * 20;
            picture
                .push_str(&format!("<text x=\"16\" y=\"{y}\" xml:space=\"preserve\"{bold}>{shown}</text>\n"));
        }
    }
    picture + "</g>\n</svg>\n"
}
