//! The forms in which tools write memory over time, each read into a [`Table`]. Pure.
//!
//! A recogniser takes the whole text and answers with a table, or with nothing where the
//! text is of another form. They are tried in the order of [`FORMS`]: those that nothing
//! else can be taken for come first, the guesses last.

mod bare;
mod delimited;
mod gc;
mod json;
mod keyed;
mod long;
mod massif;
mod mprof;
mod prose;
mod words;

pub(super) use delimited::Delimited;

use super::table::Table;

/// Reads a text of one form, and nothing else.
type Recogniser = fn(&str) -> Option<Table>;

/// The recognisers, in the order in which they are tried.
const FORMS: [Recogniser; 9] = [
    // JSON: Prometheus, k6, Node, the engines' own statistics, and whatever has a row per object.
    json::table,
    // Files of one tool with keywords of their own.
    mprof::table,
    massif::table,
    gc::table,
    // `VmRSS:  36084 kB`: /proc, smaps_rollup, memory.stat.
    keyed::table,
    // CSV and its relatives, with a header or without.
    delimited::table,
    // Columns with spaces between them under a header: ps, top, pidstat, sar, docker, kubectl.
    words::table,
    // The same without a header.
    bare::table,
    // A figure with its name or its unit somewhere on each line.
    prose::table,
];

/// The table in `text`, by the first recogniser that knows its form.
pub(super) fn table(text: &str) -> Option<Table> {
    FORMS.iter().find_map(|form| form(text))
}

/// The words of `text` under numbers, for one who says which column holds memory.
pub(super) fn plain(text: &str) -> Option<Table> {
    bare::plain(text)
}

/// Lines that hold something, with their numbers from 1 on.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim().is_empty())
}
