//! Which columns of a table hold memory, and which the time. Pure.

use super::Select;
use crate::error::{Error, ErrorKind, Result};
use crate::readings::amount::Cell;
use crate::readings::clock;
use crate::readings::columns::{self, Holds};
use crate::readings::table::{Row, Table};

impl Select<'_> {
    /// The columns that are judged: the one that is wanted, or the best, with all that are as good and of others.
    pub(super) fn columns(&self) -> Result<Vec<usize>> {
        let table = self.table;
        let chosen = match &self.wanted.column {
            Some(column) => vec![table.named(column).ok_or_else(|| {
                Error::new(ErrorKind::Data, format!("`{}` has no column `{column}`", self.name))
                    .hint(format!("it has {}", self.seen()))
            })?],
            None => match table.memory {
                Some(memory) => vec![memory],
                None => self.best()?,
            },
        };
        for column in &chosen {
            let title = &table.columns[*column];
            let namesakes = table.columns.iter().filter(|other| other.eq_ignore_ascii_case(title)).count();
            if namesakes > 1 {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!("`{}` has {namesakes} columns called `{title}`", self.name),
                )
                .hint("which of them is meant cannot be known: give each a name of its own"));
            }
            let share = |row: &Row| self.cell(row, *column) == Cell::Percent;
            if (columns::is_share_of_memory(title) && self.wanted.unit.is_none())
                || table.rows.iter().any(share)
            {
                return Err(self.share(*column));
            }
        }
        Ok(chosen)
    }

    pub(super) fn best(&self) -> Result<Vec<usize>> {
        let table = self.table;
        let known = table.columns.iter().enumerate();
        let known: Vec<(Holds, usize)> =
            known.filter_map(|(index, name)| Some((columns::holds(name)?, index))).collect();
        // A column without a reading comes after all that have one; where it is the only one, it is named as such.
        let filled = |&(_, index): &(Holds, usize)| {
            table
                .rows
                .iter()
                .any(|row| matches!(self.cell(row, index), Cell::Amount(figure, _) if figure != 0.0))
        };
        let best = known.iter().copied().filter(filled).min().or(known.iter().copied().min());
        if let Some((holds, first)) = best {
            let equals: Vec<usize> = known
                .iter()
                .filter(|found| found.0 == holds && filled(found))
                .map(|(_, index)| *index)
                .collect();
            return Ok(if self.of_several(&equals) { equals } else { vec![first] });
        }
        if let Some(share) = table.columns.iter().position(|name| columns::is_share_of_memory(name)) {
            return Err(self.share(share));
        }
        let unnamed = self.unnamed();
        if unnamed.is_empty() {
            return Err(
                self.error(format!("no column of `{}` is known to hold memory after a task", self.name))
            );
        }
        Ok(unnamed)
    }

    /// True if columns of the same kind are of several processes: each has a word of its own.
    pub(super) fn of_several(&self, equals: &[usize]) -> bool {
        const OF_MEMORY: [&str; 26] = [
            "rss",
            "vmrss",
            "mem",
            "memory",
            "used",
            "usage",
            "resident",
            "anon",
            "private",
            "uss",
            "pss",
            "after",
            "settled",
            "kb",
            "mb",
            "gb",
            "kib",
            "mib",
            "gib",
            "bytes",
            "process",
            "container",
            "working",
            "set",
            "res",
            "real",
        ];
        let own = |column: &usize| -> Vec<String> {
            let words = columns::words(&self.table.columns[*column]);
            words.into_iter().filter(|word| !OF_MEMORY.contains(&word.as_str())).collect()
        };
        let mut names: Vec<Vec<String>> = equals.iter().map(own).collect();
        let without = names.iter().filter(|words| words.is_empty()).count();
        names.sort();
        names.dedup();
        equals.len() > 1 && names.len() == equals.len() && without == 0
    }

    /// Columns that no name gives away: cells with a unit, or the only figures beside a time, if they are of the size
    /// of bytes (an exported panel has the name of its series) or their name is as good as none.
    pub(super) fn unnamed(&self) -> Vec<usize> {
        const NEUTRAL: [&str; 10] =
            ["value", "val", "v", "size", "usage", "used", "bytes", "reading", "amount", "1"];
        let table = self.table;
        let other = |column: &usize| {
            let words = columns::words(&table.columns[*column]);
            let says = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
            says(&[
                "net", "block", "io", "network", "disk", "read", "write", "limit", "total", "cpu", "swap",
                "virtual", "vsz", "cache",
            ])
        };
        let free = || (0..table.columns.len()).filter(|column| !other(column));
        let share = |column: usize, is: &dyn Fn(Cell) -> bool| {
            let cells: Vec<Cell> = table
                .rows
                .iter()
                .map(|row| self.cell(row, column))
                .filter(|cell| *cell != Cell::Empty)
                .collect();
            !cells.is_empty() && cells.iter().filter(|cell| is(**cell)).count() * 10 >= cells.len() * 9
        };
        let time = self.time;
        let sized: Vec<usize> = free()
            .filter(|column| share(*column, &|cell| matches!(cell, Cell::Amount(_, Some(_)))))
            .collect();
        if let Some(first) = sized.first() {
            // A panel that was exported has a column for each of its series.
            return if time == Some(0) && sized.len() + 1 == table.columns.len() {
                sized
            } else {
                vec![*first]
            };
        }
        let figures: Vec<usize> = free()
            .filter(|column| Some(*column) != time && !columns::is_time(&table.columns[*column]))
            .filter(|column| share(*column, &|cell| matches!(cell, Cell::Amount(..))))
            .collect();
        let large = |column: &usize| {
            share(*column, &|cell| matches!(cell, Cell::Amount(figure, _) if figure >= 1e6 || figure == 0.0))
        };
        let neutral = |column: &usize| NEUTRAL.contains(&table.columns[*column].to_lowercase().as_str());
        match figures[..] {
            [only] if neutral(&only) || (time.is_some() && large(&only)) => vec![only],
            [_, _, ..]
                if time == Some(0)
                    && figures.iter().all(large)
                    && figures.len() + 1 == table.columns.len() =>
            {
                figures
            }
            _ => Vec::new(),
        }
    }
}

/// The column of times, by its name, or by its cells where no name says it.
pub(super) fn time(table: &Table) -> Option<usize> {
    let named = table.columns.iter().position(|name| columns::is_time(name));
    let sample = || table.rows.iter().take(50);
    let moments =
        |column: &usize| sample().next().is_some() && sample().all(|row| clock::is_moment(row.cell(*column)));
    table.time.or(named).or_else(|| (0..table.columns.len()).find(moments))
}
