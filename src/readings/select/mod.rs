//! From a table to the readings in it: which column, in which unit, of whom, and when. Pure.

mod choose;
mod refuse;

use crate::readings::amount::{self, Cell, Decimal, MemoryUnit};
use crate::readings::columns::{self, Holds};
use crate::readings::groups::{self, Group};
use crate::readings::table::{Row, Table};
use crate::readings::{Axis, MemoryRecording, Per, Selection, Series, clock};

pub(super) use refuse::unknown;

use crate::error::{Error, ErrorKind, Result};

/// Names of columns that say what was sent, the most exact first.
const INPUTS: [&str; 5] = ["audio_file", "input", "file", "task_kind", "kind"];

/// More than any machine has, in MB: a petabyte.
const MOST_MB: f64 = 1e9;

/// Fewer readings than this are judged by nobody, where others are longer.
const LEAST: usize = 8;

/// So many rows are asked which decimal sign they use.
const SAMPLE: usize = 2_000;

/// The recording in `table`; `name` is the file's, for messages.
///
/// # Errors
/// [`ErrorKind::Data`] if it holds no readings, with the columns that it has.
pub(super) fn recording(name: &str, table: &Table, wanted: &Selection) -> Result<MemoryRecording> {
    let select = Select { name, table, wanted, decimal: decimal(table), time: choose::time(table) };
    let columns = select.columns()?;
    if let Some(row) = groups::of_many(table) {
        return Err(Error::new(
            ErrorKind::Data,
            format!("`{name}` has rows of several processes (line {}), not one reading per task", row.line),
        )
        .hint("judge the run's results file (memory_leak_stress_test_….jsonl) instead"));
    }
    let groups = groups::groups(table);
    let mut all: Vec<Series> = Vec::new();
    for column in &columns {
        let unit = select.unit(*column)?;
        let mut gathered: Vec<(&Group, Gathered)> = Vec::new();
        for group in &groups {
            gathered.push((group, select.gathered(*column, unit, &group.rows)?));
        }
        if gathered.iter().all(|(_, gathered)| gathered.readings.is_empty()) {
            return Err(select.no_reading(*column));
        }
        all.extend(select.sums(*column, unit, &gathered)?);
        for (group, gathered) in gathered.into_iter().filter(|(_, gathered)| !gathered.readings.is_empty()) {
            let wide = (columns.len() > 1).then(|| table.columns[*column].clone());
            let parts: Vec<String> = group.name.clone().into_iter().chain(wide).collect();
            let label = (!parts.is_empty()).then(|| parts.join(" "));
            all.push(select.series(*column, unit, label, gathered)?);
        }
    }
    let short = |series: &Series| series.after_mb.len() < LEAST;
    let left_out = all.iter().filter(|series| short(series)).count();
    if left_out > 0 && left_out < all.len() {
        all.retain(|series| !short(series));
        let what = if left_out == 1 { "1 series".to_string() } else { format!("{left_out} series") };
        all[0].notes.push(format!("left out: {what} of fewer than {LEAST} readings"));
    }
    if let Some(series) = all.first_mut() {
        series.notes.splice(0..0, table.notes.iter().cloned());
    }
    Ok(MemoryRecording { form: table.form, series: all })
}

/// The column of memory in `table`, that of times, and the decimal sign; nothing where several columns are judged, or none.
pub(super) fn chosen(
    name: &str,
    table: &Table,
    wanted: &Selection,
) -> Option<(usize, Option<usize>, Decimal)> {
    let select = Select { name, table, wanted, decimal: decimal(table), time: choose::time(table) };
    match select.columns().ok()?[..] {
        [memory] => Some((memory, select.time, select.decimal)),
        _ => None,
    }
}

fn decimal(table: &Table) -> Decimal {
    let rows = table.rows.iter().take(SAMPLE);
    amount::decimal(rows.flat_map(|row| row.cells.iter().map(String::as_str)), table.semicolons)
}

/// The readings of one group, with the rows on which they stand.
#[derive(Debug, Default)]
struct Gathered {
    /// The index of the row, and what was held in MB.
    readings: Vec<(usize, f64)>,
    notes: Vec<String>,
}

struct Select<'a> {
    name: &'a str,
    table: &'a Table,
    wanted: &'a Selection,
    decimal: Decimal,
    /// The column of times.
    time: Option<usize>,
}

impl Select<'_> {
    fn cell(&self, row: &Row, column: usize) -> Cell {
        amount::read(row.cell(column), self.decimal)
    }

    /// The unit of a column's figures where its cells say none, and whether it was guessed.
    fn unit(&self, column: usize) -> Result<(MemoryUnit, bool)> {
        let title = &self.table.columns[column];
        let known = self.wanted.unit.or_else(|| columns::unit(title)).or(self.table.unit);
        if let Some(unit) = known {
            return Ok((unit, false));
        }
        let figure = |row: &Row| match self.cell(row, column) {
            Cell::Amount(figure, None) if figure > 0.0 => Some(figure),
            _ => None,
        };
        let figures: Vec<f64> = self.table.rows.iter().filter_map(figure).collect();
        let words = columns::words(title);
        let resident = words.iter().any(|word| matches!(word.as_str(), "rss" | "vmrss" | "rssanon" | "res"));
        // Resident sizes in bytes are whole pages; in kilobytes none of this size is, each time.
        let pages = figures.iter().all(|figure| figure % 4096.0 == 0.0);
        // `36.0` is whole, and not as `ps` writes it.
        let sign = if self.decimal == Decimal::Comma { ',' } else { '.' };
        let whole = figures.iter().all(|figure| figure.fract() == 0.0)
            && !self.table.column(column).any(|cell| cell.contains(sign));
        if columns::is_kilobytes(title) && whole && !pages && !figures.is_empty() {
            return Ok((MemoryUnit::Kilobytes, false));
        }
        Ok((columns::guessed(&figures, resident && whole), !figures.is_empty()))
    }

    /// The readings of `column` in these rows.
    fn gathered(
        &self,
        column: usize,
        (unit, guessed): (MemoryUnit, bool),
        rows: &[usize],
    ) -> Result<Gathered> {
        let table = self.table;
        let mut gathered = Gathered::default();
        let (mut zeros, mut empties) = (0, 0);
        let swap = self.swap(column);
        let mut swapped = false;
        for index in rows {
            let row = &table.rows[*index];
            match self.cell(row, column) {
                Cell::Amount(0.0, _) => zeros += 1,
                Cell::Amount(figure, own) if figure >= 0.0 && figure.is_finite() => {
                    let mb = figure * self.wanted.unit.or(own).unwrap_or(unit).to_mb();
                    if mb > MOST_MB {
                        let title = &table.columns[column];
                        return Err(self.error(format!(
                            "`{}` column `{title}`: {figure:e} is no amount of memory, no machine has that much",
                            self.name
                        )));
                    }
                    let beside = swap.and_then(|swap| self.amount_mb(row, swap, unit)).unwrap_or_default();
                    swapped |= beside > 0.0;
                    gathered.readings.push((*index, mb + beside));
                }
                Cell::Empty => empties += 1,
                _ if !table.strict => empties += 1,
                _ => {
                    return Err(self.error(format!(
                        "`{}` line {}, column `{}`: `{}` is no amount of memory",
                        self.name,
                        row.line,
                        table.columns[column],
                        row.cell(column)
                    )));
                }
            }
        }
        let title = &table.columns[column];
        if table.looks
            && let [.., (_, before), (_, last)] = gathered.readings[..]
            && last < before / 2.0
        {
            gathered.readings.pop();
            gathered.notes.push("left out: the last reading, of a process that was ending".to_string());
        }
        if guessed {
            gathered
                .notes
                .push(format!("`{title}` names no unit; its figures were taken for {}", unit.name()));
        }
        if empties > 0 {
            gathered.notes.push(format!("left out: {} without a reading", counted(empties)));
        }
        if zeros > 0 {
            gathered.notes.push(format!("left out: {} with 0, which is no process's memory", counted(zeros)));
        }
        if let Some(swap) = swap.filter(|_| swapped) {
            gathered.notes.push(format!("what was swapped out (`{}`) is added", table.columns[swap]));
        }
        Ok(gathered)
    }

    /// The column of swap that belongs to the column that is judged.
    fn swap(&self, column: usize) -> Option<usize> {
        let title = &self.table.columns[column];
        let resident = matches!(
            columns::holds(title),
            Some(
                Holds::Private
                    | Holds::Settled
                    | Holds::After
                    | Holds::Resident
                    | Holds::Memory
                    | Holds::PrivateDirty
            )
        );
        let inclusive = columns::words(title).iter().any(|word| word == "swap");
        let swaps: Vec<usize> = (0..self.table.columns.len())
            .filter(|index| columns::is_swap(&self.table.columns[*index]))
            .collect();
        match swaps[..] {
            [swap] if resident && !inclusive => Some(swap),
            _ => None,
        }
    }

    /// The amount in a cell, in MB; figures without a unit have that of the column, or else `unit`.
    fn amount_mb(&self, row: &Row, column: usize, unit: MemoryUnit) -> Option<f64> {
        let Cell::Amount(figure, own) = self.cell(row, column) else { return None };
        let unit = own.or_else(|| columns::unit(&self.table.columns[column])).unwrap_or(unit);
        Some(figure * unit.to_mb())
    }

    /// The sums of the families of which several members lived together.
    fn sums(
        &self,
        column: usize,
        unit: (MemoryUnit, bool),
        gathered: &[(&Group, Gathered)],
    ) -> Result<Vec<Series>> {
        let mut families: Vec<&str> =
            gathered.iter().filter_map(|(group, _)| group.family.as_deref()).collect();
        families.sort_unstable();
        families.dedup();
        let time = self.time;
        let mut sums = Vec::new();
        for family in families {
            let members: Vec<Vec<(usize, f64)>> = gathered
                .iter()
                .filter(|(group, _)| group.family.as_deref() == Some(family))
                .map(|(_, gathered)| gathered.readings.clone())
                .filter(|readings| !readings.is_empty())
                .collect();
            let look = |row: usize| {
                let cell = self.table.rows[row].cell(time?);
                (!cell.is_empty()).then(|| cell.to_string())
            };
            let Some(readings) = groups::sum(&members, look).filter(|_| members.len() > 1) else { continue };
            let label = format!("{family}: all {} processes", members.len());
            let added = Gathered { readings, notes: Vec::new() };
            sums.push(Series { sum: true, ..self.series(column, unit, Some(label), added)? });
        }
        Ok(sums)
    }

    fn series(
        &self,
        column: usize,
        (unit, _): (MemoryUnit, bool),
        name: Option<String>,
        gathered: Gathered,
    ) -> Result<Series> {
        let Gathered { mut readings, notes } = gathered;
        let mut at = self.axis(column, &readings)?;
        if at == Axis::Rows {
            // The newest may come first.
            let backwards: Vec<(usize, f64)> = readings.iter().rev().copied().collect();
            if let Axis::Seconds(seconds) = self.axis(column, &backwards)? {
                (at, readings) = (Axis::Seconds(seconds), backwards);
            }
        }
        if at == Axis::Rows && self.table.thinned {
            at = Axis::Tasks(readings.iter().map(|(row, _)| self.table.rows[*row].line as f64).collect());
        }
        let single = name.is_none();
        let beside_mb = if single { self.beside_mb(column, unit, &readings) } else { Vec::new() };
        let own = readings.first().and_then(|(row, _)| match self.cell(&self.table.rows[*row], column) {
            Cell::Amount(_, own) => own,
            _ => None,
        });
        Ok(Series {
            name,
            after_mb: readings.iter().map(|(_, mb)| *mb).collect(),
            at,
            // Early in the series, since what is mapped hardly changes there.
            file_mb: beside_mb.get(5).or(beside_mb.last()).copied(),
            beside_mb,
            column: self.table.columns[column].clone(),
            unit: Some(self.wanted.unit.or(own).unwrap_or(unit)),
            inputs: if single { self.inputs(&readings) } else { Vec::new() },
            notes,
            ..Series::default()
        })
    }

    /// Where the readings stand: at times, after so many tasks, or a row apart.
    fn axis(&self, column: usize, readings: &[(usize, f64)]) -> Result<Axis> {
        let table = self.table;
        let cells = |column: usize| readings.iter().map(move |(row, _)| table.rows[*row].cell(column));
        let rising = |positions: &Vec<f64>| positions.first() < positions.last();
        let seconds = || {
            let time = self.time?;
            clock::seconds(&table.columns[time], cells(time)).filter(rising)
        };
        let counted = || {
            let count = (0..table.columns.len())
                .find(|index| *index != column && columns::is_count(&table.columns[*index]))?;
            let positions = cells(count).map(|cell| match amount::read(cell, self.decimal) {
                Cell::Amount(figure, None) => Some(figure),
                _ => None,
            });
            let positions = positions.collect::<Option<Vec<f64>>>()?;
            positions.windows(2).all(|pair| pair[0] < pair[1]).then_some(positions)
        };
        let tasks = || match counted() {
            Some(positions) if positions.windows(2).any(|pair| pair[1] - pair[0] != 1.0) => {
                Axis::Tasks(positions)
            }
            _ => Axis::Rows,
        };
        match self.wanted.per {
            Some(Per::Task) => Ok(tasks()),
            Some(Per::Hour) => seconds().map(Axis::Seconds).ok_or_else(|| {
                Error::new(
                    ErrorKind::Data,
                    format!("`{}` has no column of times for a rate per hour", self.name),
                )
                .hint(format!(
                    "it has {}; a column such as `timestamp` or `elapsed_seconds` tells when",
                    self.seen()
                ))
            }),
            None => {
                let after_task =
                    matches!(columns::holds(&table.columns[column]), Some(Holds::Settled | Holds::After))
                        || self.input_column().is_some();
                let per_task = !table.looks && (after_task || counted().is_some());
                Ok(if per_task { tasks() } else { seconds().map_or_else(tasks, Axis::Seconds) })
            }
        }
    }

    fn input_column(&self) -> Option<usize> {
        let named =
            |wanted: &str| self.table.columns.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        INPUTS.into_iter().find_map(named)
    }

    /// What was sent with each task that has a reading, if a column of the table says it.
    fn inputs(&self, readings: &[(usize, f64)]) -> Vec<String> {
        let Some(input) = self.input_column().filter(|_| !self.table.looks) else { return Vec::new() };
        readings.iter().map(|(row, _)| self.table.rows[*row].cell(input).to_string()).collect()
    }

    /// What is resident beside private memory, in MB, where that is judged and each of its readings has the other.
    fn beside_mb(&self, judged: usize, unit: MemoryUnit, readings: &[(usize, f64)]) -> Vec<f64> {
        let table = self.table;
        if columns::holds(&table.columns[judged]) != Some(Holds::Private) {
            return Vec::new();
        }
        let column = |holds| table.columns.iter().position(|name| columns::holds(name) == Some(holds));
        let Some(resident) = [Holds::Settled, Holds::After, Holds::Resident].into_iter().find_map(column)
        else {
            return Vec::new();
        };
        let beside = readings.iter().map(|(row, _)| {
            let row = &table.rows[*row];
            let held = self.amount_mb(row, judged, unit)?;
            Some((self.amount_mb(row, resident, unit)? - held).max(0.0))
        });
        beside.collect::<Option<Vec<f64>>>().unwrap_or_default()
    }
}

fn counted(rows: usize) -> String {
    if rows == 1 { "1 row".to_string() } else { format!("{rows} rows") }
}
