//! The sections of a report as folded parts of a page.

use maud::{Markup, html};

use super::{absent, coded};
use crate::report::doc::{Block, Doc, Table};

/// Sections with fewer rows than this are printed, too.
const PRINTED: usize = 60;

/// A section: its heading, and what stands below it.
#[derive(Default)]
struct Section<'a> {
    title: String,
    blocks: Vec<Part<'a>>,
}

enum Part<'a> {
    Paragraph(String),
    /// Items with their depth.
    List(Vec<(usize, String)>),
    Table(&'a Table),
}

/// Each section of a report, folded under its heading; notes have their place above.
pub(super) fn folded(doc: &Doc) -> Markup {
    let sections = split(doc);
    let shown = |section: &&Section<'_>| !section.title.is_empty() && section.title != "Notes";
    html! {
        @for section in sections.iter().filter(shown) {
            details class=(if rows(section) <= PRINTED { "small" } else { "long" }) {
                summary { (section.title) }
                (body(section))
            }
        }
    }
}

/// The same with nothing folded.
pub(super) fn plain(doc: &Doc) -> Markup {
    html! {
        @for section in split(doc) {
            @if !section.title.is_empty() { h2 { (section.title) } }
            (body(&section))
        }
    }
}

fn rows(section: &Section<'_>) -> usize {
    let of = |part: &Part<'_>| match part {
        Part::Table(table) => table.rows.len(),
        Part::List(items) => items.len(),
        Part::Paragraph(_) => 1,
    };
    section.blocks.iter().map(of).sum()
}

fn split(doc: &Doc) -> Vec<Section<'_>> {
    let mut sections = vec![Section::default()];
    for block in doc.blocks() {
        match block {
            Block::Table(table) => last(&mut sections).push(Part::Table(table)),
            Block::Lines(lines) => {
                for line in lines.lines() {
                    add(&mut sections, line);
                }
            }
        }
    }
    sections
}

fn last<'a, 'b>(sections: &'b mut [Section<'a>]) -> &'b mut Vec<Part<'a>> {
    &mut sections.last_mut().expect("there is one from the start").blocks
}

fn add(sections: &mut Vec<Section<'_>>, line: &str) {
    if let Some(title) = line.strip_prefix("## ") {
        sections.push(Section { title: title.to_string(), blocks: Vec::new() });
        return;
    }
    let blocks = last(sections);
    let depth = (line.len() - line.trim_start().len()) / 2;
    if let Some(item) = line.trim_start().strip_prefix("- ") {
        match blocks.last_mut() {
            Some(Part::List(items)) => items.push((depth, item.to_string())),
            _ => blocks.push(Part::List(vec![(depth, item.to_string())])),
        }
        return;
    }
    match blocks.last_mut() {
        // An empty line ends a paragraph; the next line begins another.
        _ if line.trim().is_empty() => blocks.push(Part::Paragraph(String::new())),
        Some(Part::Paragraph(text)) => {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(line.trim());
        }
        Some(Part::List(items)) if depth > 0 => {
            if let Some((_, item)) = items.last_mut() {
                item.push(' ');
                item.push_str(line.trim());
            }
        }
        _ => blocks.push(Part::Paragraph(line.trim().to_string())),
    }
}

fn body(section: &Section<'_>) -> Markup {
    html! {
        @for part in &section.blocks {
            @match part {
                Part::Paragraph(text) => { @if !text.is_empty() { p { (coded(text)) } } },
                Part::List(items) => {
                    ul class="notes" {
                        @for (depth, item) in items { li style=[(*depth > 0).then(|| format!("margin-left:{}em", 1.4 * *depth as f64))] { (coded(item)) } }
                    }
                },
                Part::Table(found) => { (table(found)) },
            }
        }
    }
}

/// A table without the columns that hold no figure.
fn table(table: &Table) -> Markup {
    let shown: Vec<usize> = (0..table.columns.len())
        .filter(|place| table.rows.is_empty() || table.rows.iter().any(|row| !absent(&row[*place])))
        .collect();
    let long = |cell: &str| cell.chars().count() > 60;
    let class = |place: usize, cell: &str| match (table.columns[place].1, long(cell)) {
        (true, _) => Some("n"),
        (false, true) => Some("wrap"),
        (false, false) => None,
    };
    html! {
        div class="scroll" tabindex="0" {
            table {
                thead { tr { @for place in &shown { th class=[table.columns[*place].1.then_some("n")] scope="col" { (table.columns[*place].0) } } } }
                tbody {
                    @for row in &table.rows {
                        tr id=[table.named.map(|name| format!("{name}-{}", row[0]))] {
                            @for place in &shown { td class=[class(*place, &row[*place])] { (coded(&row[*place])) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::report::table::Column::{Left, Right};

    #[test]
    fn a_section_is_folded_and_its_cells_are_text() {
        let mut doc = Doc::default();
        writeln!(doc, "## Tasks\n\nSee `a<b`.\n").expect("into memory");
        doc.named_table("task", &[Right("#"), Left("error")], &[vec!["7".into(), "<img src=x>".into()]]);
        let text = folded(&doc).into_string();
        assert!(text.contains("<summary>Tasks</summary>") && text.contains("<code>a&lt;b</code>"), "{text}");
        assert!(text.contains("id=\"task-7\"") && text.contains("&lt;img src=x&gt;"), "{text}");
        assert!(!text.contains("<img"), "{text}");
    }

    #[test]
    fn items_keep_their_depth_and_go_on_over_lines() {
        let mut doc = Doc::default();
        writeln!(doc, "## Trees\n\n- worker\n  - child\n    and its line\n").expect("into memory");
        let text = folded(&doc).into_string();
        assert!(text.contains("<li>worker</li>") && text.contains("child and its line"), "{text}");
    }
}
