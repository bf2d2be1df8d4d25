//! Whose rows are whose: a table of several processes, containers or series is several recordings. Pure.

use std::collections::HashMap;

use super::columns::{self, Names};
use super::table::{Row, Table};

/// The rows of one process, container or series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// What it is called; none where the table has only one.
    pub(super) name: Option<String>,
    /// The role or the command that it has in common with others, if the table says one.
    pub(super) family: Option<String>,
    /// The rows, by their indices.
    pub(super) rows: Vec<usize>,
}

/// A column is of names only if each of them comes so many times on average.
const LOOKS: usize = 4;

/// The groups of rows in `table`, in the order of their first rows.
pub(super) fn groups(table: &Table) -> Vec<Group> {
    let all = || vec![Group { name: None, family: None, rows: (0..table.rows.len()).collect() }];
    let of = |wanted: Names| -> Vec<usize> {
        (0..table.columns.len())
            .filter(|index| columns::names(&table.columns[*index]) == Some(wanted))
            .collect()
    };
    let repeats = |column: &usize| distinct(table, *column) * LOOKS <= table.rows.len().max(LOOKS);
    let varies = |column: &usize| distinct(table, *column) > 1;
    let file = table
        .columns
        .iter()
        .position(|name| name == "file" || name == "process")
        .filter(|file| table.memory != Some(*file));
    let pid = of(Names::Pid).into_iter().find(|pid| table.rows.iter().any(|row| !row.cell(*pid).is_empty()));
    let role = of(Names::Role).into_iter().find(repeats);
    let mut names: Vec<usize> = of(Names::Name).into_iter().filter(repeats).collect();
    let by: Vec<usize> = match pid {
        Some(pid) if varies(&pid) && (table.looks || repeats(&pid)) => vec![pid],
        // One process, whatever it is called meanwhile.
        Some(pid) if !varies(&pid) => return all(),
        _ => {
            let mut by: Vec<usize> = names
                .iter()
                .copied()
                .chain(table.names.iter().copied())
                .chain(of(Names::Series))
                .chain(role)
                .chain(file)
                .filter(varies)
                .filter(repeats)
                .collect();
            // A number beside a name says the same.
            let numbered = |column: usize| {
                columns::words(&table.columns[column]).iter().any(|word| word == "id" || word == "uuid")
            };
            if by.iter().any(|column| !numbered(*column)) {
                by.retain(|column| !numbered(*column));
            }
            by.sort_unstable();
            by.dedup();
            by
        }
    };
    if by.is_empty() {
        return all();
    }
    names.retain(|name| !by.contains(name));
    let family = role.or(if pid.is_some() { names.last().copied() } else { None });
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<Vec<&str>, usize> = HashMap::new();
    for (index, row) in table.rows.iter().enumerate() {
        let key: Vec<&str> = by.iter().map(|column| row.cell(*column)).collect();
        let group = *known.entry(key.clone()).or_insert_with(|| {
            let family = family.map(|column| short(row.cell(column))).filter(|family| !family.is_empty());
            groups.push(Group {
                name: Some(name(table, row, &by, family.as_deref())),
                family,
                rows: Vec::new(),
            });
            groups.len() - 1
        });
        groups[group].rows.push(index);
    }
    groups
}

/// True if the rows are of so many processes that none of them is a recording: a process for each task.
pub(super) fn of_many(table: &Table) -> Option<&Row> {
    let pid = table.columns.iter().position(|name| columns::names(name) == Some(Names::Pid))?;
    let distinct = distinct(table, pid);
    let first = table.rows.first()?.cell(pid);
    let other = table.rows.iter().find(|row| row.cell(pid) != first)?;
    // A look at all processes has some that live for that look only.
    (!table.looks && distinct * LOOKS > table.rows.len().max(LOOKS)).then_some(other)
}

fn distinct(table: &Table, column: usize) -> usize {
    let mut cells: Vec<&str> = table.rows.iter().map(|row| row.cell(column)).collect();
    cells.sort_unstable();
    cells.dedup();
    cells.len()
}

/// `python3 (pid 4711)`, `svc-0`.
fn name(table: &Table, row: &Row, by: &[usize], family: Option<&str>) -> String {
    let is_pid = |column: usize| columns::names(&table.columns[column]) == Some(Names::Pid);
    let parts: Vec<String> = by
        .iter()
        .map(|column| match (is_pid(*column), family) {
            (true, Some(family)) => format!("{family} (pid {})", row.cell(*column)),
            (true, None) => format!("pid {}", row.cell(*column)),
            _ => short(row.cell(*column)),
        })
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() { "without a name".to_string() } else { parts.join(" ") }
}

/// A command without most of its arguments.
fn short(name: &str) -> String {
    const MOST: usize = 60;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", name[..end].trim_end()),
        None => name.to_string(),
    }
}

/// The sum of a family's members at each look, and the index of a row of each look: `members` has for each
/// its readings with the index of their rows.
///
/// A look is over where a time changes, or, without times, where a member comes again. What a member held at a look
/// that lacks it is what it held before, as long as it comes again later. None where no two members ever lived together.
pub(super) fn sum(
    members: &[Vec<(usize, f64)>],
    look_of: impl Fn(usize) -> Option<String>,
) -> Option<Vec<(usize, f64)>> {
    let mut rows: Vec<(usize, usize, f64)> = members
        .iter()
        .enumerate()
        .flat_map(|(member, readings)| readings.iter().map(move |(row, mb)| (*row, member, *mb)))
        .collect();
    rows.sort_by_key(|(row, ..)| *row);
    let timed: Option<Vec<String>> = rows.iter().map(|(row, ..)| look_of(*row)).collect();
    // Where members never share a time, their clocks differ by a little.
    let timed = timed.filter(|times| {
        let mut distinct = times.clone();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.len() * 10 <= times.len() * 9
    });
    let mut looks: Vec<(usize, Vec<Option<f64>>)> = Vec::new();
    let mut by_time: HashMap<&str, usize> = HashMap::new();
    for (index, (row, member, mb)) in rows.iter().enumerate() {
        let empty = || (*row, vec![None; members.len()]);
        let look = match &timed {
            Some(times) => *by_time.entry(times[index].as_str()).or_insert_with(|| {
                looks.push(empty());
                looks.len() - 1
            }),
            None => {
                if looks.last().is_none_or(|(_, held)| held[*member].is_some()) {
                    looks.push(empty());
                }
                looks.len() - 1
            }
        };
        looks[look].1[*member] = Some(*mb);
    }
    for member in 0..members.len() {
        let last = looks.iter().rposition(|(_, held)| held[member].is_some())?;
        let mut before = None;
        for (_, held) in &mut looks[..=last] {
            before = held[member].or(before);
            held[member] = before;
        }
    }
    // Where one follows the other, a look without a time of its own can seem to hold both.
    let together = looks.iter().filter(|(_, held)| held.iter().flatten().count() > 1).count();
    (together * 4 > looks.len())
        .then(|| looks.into_iter().map(|(row, held)| (row, held.into_iter().flatten().sum())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
        let mut table = Table::new("test", columns.iter().map(|name| (*name).to_string()).collect());
        for (index, row) in rows.iter().enumerate() {
            table.push(index + 1, row.iter().map(|cell| (*cell).to_string()).collect());
        }
        table
    }

    fn names(table: &Table) -> Vec<(Option<String>, usize)> {
        groups(table).into_iter().map(|group| (group.name, group.rows.len())).collect()
    }

    #[test]
    fn processes_containers_and_series_are_groups() {
        let rows: Vec<&[&str]> =
            [&["1", "a", "5"][..], &["2", "a", "6"]].into_iter().cycle().take(8).collect();
        assert_eq!(
            names(&table(&["pid", "process_name", "rss"], &rows)),
            [(Some("a (pid 1)".into()), 4), (Some("a (pid 2)".into()), 4)]
        );
        assert_eq!(
            names(&table(&["CONTAINER ID", "NAME", "rss"], &rows)),
            [(Some("1".into()), 4), (Some("2".into()), 4)]
        );
        let rows: Vec<&[&str]> =
            [&["1", "a", "5"][..], &["2", "b", "6"]].into_iter().cycle().take(8).collect();
        assert_eq!(
            names(&table(&["CONTAINER ID", "NAME", "rss"], &rows)),
            [(Some("a".into()), 4), (Some("b".into()), 4)]
        );
        assert_eq!(names(&table(&["n", "m", "rss"], &rows)), [(None, 8)]);
    }

    #[test]
    fn a_number_for_each_row_is_no_name() {
        let rows: Vec<&[&str]> = vec![&["1", "5"], &["2", "6"], &["3", "7"], &["4", "7"], &["5", "7"]];
        assert_eq!(names(&table(&["index", "rss"], &rows)), [(None, 5)]);
        assert_eq!(of_many(&table(&["pid", "rss"], &rows)).map(|row| row.line), Some(2));
        assert!(of_many(&table(&["index", "rss"], &rows)).is_none());
    }

    #[test]
    fn a_family_is_added_up_look_by_look() {
        // The second member ends, the third comes, the first is missing once.
        let members = vec![vec![(0, 10.0), (5, 12.0)], vec![(1, 20.0), (2, 21.0)], vec![(3, 5.0), (6, 6.0)]];
        assert_eq!(sum(&members, |_| None).unwrap(), [(0, 30.0), (2, 38.0), (6, 6.0)]);
        let time = |row: usize| Some(["a", "a", "b", "b", "b", "c", "c"][row].to_string());
        assert_eq!(sum(&members, time).unwrap(), [(0, 30.0), (2, 36.0), (5, 18.0)]);
        // One after the other.
        let one_after_the_other: Vec<Vec<(usize, f64)>> =
            [0..10, 10..20].map(|rows| rows.map(|row| (row, 1.0)).collect()).to_vec();
        assert_eq!(sum(&one_after_the_other, |_| None), None);
    }
}
