//! Tables that are too large to be held: read a line at a time, in memory that does not depend on their length. Pure.
//!
//! The verdict counts floors. So of each stretch of looks (rows of one moment) the one with the least memory is kept, and
//! stretches become longer as the table does. The first and the last look are always kept.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::amount::{self, Cell, Decimal, MemoryUnit};
use super::forms::{self, Delimited};
use super::table::Table;
use super::{Selection, columns, select};

/// Rows that are kept at most.
const KEPT: usize = 16_384;

/// Rows of one moment at most; more are a table of something else.
const OF_A_LOOK: usize = 1000;

/// Processes, or sets of them, that are told apart at most.
const SETS: usize = 256;

/// Rows whose memory is no amount, at most: they are kept for what is said of them.
const ODD: usize = 100;

/// The line does not fit a table that can be read a line at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

/// Lines of one moment, with their numbers.
#[derive(Debug, Clone, Default)]
struct Look {
    /// Its place among all looks.
    number: u64,
    /// Whose rows they are.
    set: u64,
    lines: Vec<(usize, String)>,
    /// The sum of their memory, in whatever unit; infinite where none has any.
    held: f64,
}

/// A table that is being read.
pub(super) struct Streamed {
    table: Table,
    form: Delimited,
    memory: usize,
    time: Option<usize>,
    names: Vec<usize>,
    decimal: Decimal,
    /// The look that is being read, and its moment.
    look: Look,
    moment: String,
    looks: u64,
    rows: u64,
    /// Looks of a stretch.
    width: u64,
    /// The least look of each stretch and set, in no order.
    least: HashMap<(u64, u64), Look>,
    kept: usize,
    /// Rows that are kept at most.
    most: usize,
    /// The first and the last of each set.
    ends: HashMap<u64, [Option<Look>; 2]>,
    odd: Vec<(usize, String)>,
}

impl Streamed {
    /// The table that begins with `head`, which ends with a whole line; nothing if it has to be read as a whole.
    pub(super) fn of(name: &str, head: &str, wanted: &Selection) -> Option<Streamed> {
        let form = Delimited::of(head)?;
        let table = forms::table(head).filter(|table| form.is_plain(table))?;
        let (memory, time, decimal) = select::chosen(name, &table, wanted)?;
        let named = |index: &usize| {
            let name = &table.columns[*index];
            columns::names(name).is_some() || name == "file"
        };
        let names: Vec<usize> = (0..table.columns.len()).filter(named).collect();
        // Without times, nothing says which rows of several processes belong together.
        if time.is_none() && !names.is_empty() {
            return None;
        }
        let mut streamed = Streamed {
            table: Table { rows: Vec::new(), thinned: true, ..table },
            form,
            memory,
            time,
            names,
            decimal,
            look: Look::default(),
            moment: String::new(),
            looks: 0,
            rows: 0,
            width: 1,
            least: HashMap::new(),
            kept: 0,
            most: KEPT,
            ends: HashMap::new(),
            odd: Vec::new(),
        };
        for (index, line) in head.lines().enumerate() {
            streamed.push(index + 1, line).ok()?;
        }
        Some(streamed)
    }

    /// Takes the line with this number, from 1.
    pub(super) fn push(&mut self, number: usize, line: &str) -> Result<(), Unfit> {
        if line.contains('\u{1b}') || line.matches('"').count() % 2 == 1 {
            return Err(Unfit);
        }
        if !self.form.is_row(number, line) {
            return Ok(());
        }
        let mut wanted = Wanted { moment: "", held: Cell::Empty, set: DefaultHasher::new() };
        let width = self.form.cells(line, |column, cell| {
            if Some(column) == self.time {
                wanted.moment = cell;
            }
            if column == self.memory {
                wanted.held = amount::read(cell, self.decimal);
            }
            if self.names.contains(&column) {
                cell.hash(&mut wanted.set);
            }
        });
        if width != self.table.columns.len() || matches!(wanted.held, Cell::Text | Cell::Percent) {
            self.odd.push((number, line.to_string()));
            return if self.odd.len() > ODD { Err(Unfit) } else { Ok(()) };
        }
        self.rows += 1;
        if self.time.is_none() || wanted.moment != self.moment {
            self.close()?;
            self.moment = wanted.moment.to_string();
        }
        if self.look.lines.len() == OF_A_LOOK {
            return Err(Unfit);
        }
        if self.look.lines.is_empty() {
            self.look.held = f64::INFINITY;
        }
        // In whatever order the processes of a moment come.
        self.look.set = self.look.set.wrapping_add(wanted.set.finish());
        if let Cell::Amount(figure, unit) = wanted.held
            && figure > 0.0
        {
            let held = figure * unit.map_or(1.0, MemoryUnit::to_mb);
            self.look.held = if self.look.held.is_finite() { self.look.held + held } else { held };
        }
        self.look.lines.push((number, line.to_string()));
        Ok(())
    }

    /// Takes the last line, which has no end: one that lacks cells was cut off.
    pub(super) fn push_last(&mut self, number: usize, line: &str) -> Result<(), Unfit> {
        if self.form.is_row(number, line) && self.form.cells(line, |_, _| ()) < self.table.columns.len() {
            self.table.notes.push(format!("line {number} is torn and was left out"));
            return Ok(());
        }
        self.push(number, line)
    }

    /// The look that was being read is over.
    fn close(&mut self) -> Result<(), Unfit> {
        if self.look.lines.is_empty() {
            return Ok(());
        }
        let look = Look { number: self.looks, ..std::mem::take(&mut self.look) };
        self.looks += 1;
        let full = self.ends.len() == SETS;
        match self.ends.get_mut(&look.set) {
            Some([_, last]) => {
                if let Some(before) = last.replace(look) {
                    self.keep(before);
                }
            }
            None if full => return Err(Unfit),
            None => drop(self.ends.insert(look.set, [Some(look), None])),
        }
        while self.kept > self.most {
            if self.width > self.looks {
                return Err(Unfit);
            }
            self.width *= 2;
            self.kept = 0;
            for (_, look) in std::mem::take(&mut self.least) {
                self.keep(look);
            }
        }
        Ok(())
    }

    fn keep(&mut self, look: Look) {
        let place = (look.number / self.width, look.set);
        match self.least.get_mut(&place) {
            // Of equals the later, so that the result does not depend on the order.
            Some(least)
                if (look.held, std::cmp::Reverse(look.number))
                    < (least.held, std::cmp::Reverse(least.number)) =>
            {
                self.kept += look.lines.len();
                self.kept -= least.lines.len();
                *least = look;
            }
            Some(_) => {}
            None => {
                self.kept += look.lines.len();
                self.least.insert(place, look);
            }
        }
    }

    /// The table with the rows that were kept.
    pub(super) fn end(mut self) -> Result<Table, Unfit> {
        self.close()?;
        let ends = std::mem::take(&mut self.ends).into_values().flatten().flatten();
        let looks = std::mem::take(&mut self.least).into_values().chain(ends);
        let mut lines: Vec<(usize, String)> = looks.flat_map(|look| look.lines).collect();
        lines.extend(std::mem::take(&mut self.odd));
        lines.sort_by_key(|(number, _)| *number);
        for (number, line) in lines {
            let mut cells = Vec::with_capacity(self.table.columns.len());
            self.form.cells(&line, |_, cell| cells.push(cell.to_string()));
            self.table.push(number, cells);
        }
        if (self.table.rows.len() as u64) < self.rows {
            let note = format!(
                "of {} rows, {} were judged: in each stretch those with the least memory",
                self.rows,
                self.table.rows.len()
            );
            self.table.notes.push(note);
        } else {
            self.table.thinned = false;
        }
        Ok(self.table)
    }
}

/// What is looked at in a line.
struct Wanted<'a> {
    moment: &'a str,
    held: Cell,
    set: DefaultHasher,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Answer, growth};
    use crate::readings::{MemoryRecording, Series, of_bytes};

    const ROWS: u32 = 20_000;
    const MOST: usize = 4000;

    fn thinned(text: &str) -> Option<Table> {
        let end = text.char_indices().filter(|(_, character)| *character == '\n').nth(500)?.0 + 1;
        let mut table = Streamed::of("a.csv", &text[..end], &Selection::default())?;
        table.most = MOST;
        for (number, line) in (text[..end].lines().count() + 1..).zip(text[end..].lines()) {
            table.push(number, line).ok()?;
        }
        table.end().ok()
    }

    fn both(text: &str) -> [MemoryRecording; 2] {
        let table = thinned(text).expect("it is plain");
        assert!(table.thinned && table.rows.len() <= MOST + 100, "{}", table.rows.len());
        let thin = select::recording("a.csv", &table, &Selection::default()).unwrap();
        [of_bytes("a.csv", text.as_bytes(), &Selection::default()).unwrap(), thin]
    }

    /// The answer, and growth in MB for each step of 1,000 on the axis.
    fn verdict(series: &Series) -> (Answer, f64) {
        let steps = series.steps(None);
        let floors = steps.as_ref().map_or(&series.after_mb, |steps| &steps.floors_mb);
        let width = steps.as_ref().map_or(1.0, |steps| steps.width);
        let found = growth(&crate::analysis::Readings::new(floors));
        (found.answer, found.rate_mb_per_task.unwrap_or_default() / width * 1000.0)
    }

    fn alike(text: &str) {
        let [whole, thin] = both(text);
        assert_eq!(whole.series.len(), thin.series.len());
        for (whole, thin) in whole.series.iter().zip(&thin.series) {
            let (whole_told, thin_told) = (verdict(whole), verdict(thin));
            assert_eq!(whole_told.0, thin_told.0, "{:?}: {whole_told:?} {thin_told:?}", whole.name);
            assert!(
                (whole_told.1 - thin_told.1).abs() < 0.02 + 0.05 * whole_told.1.abs(),
                "{whole_told:?} {thin_told:?}"
            );
            let least = |series: &Series| series.after_mb.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(least(whole), least(thin), "the least is kept");
            assert_eq!((whole.after_mb[0], whole.after_mb.last()), (thin.after_mb[0], thin.after_mb.last()));
            assert_eq!((&whole.name, &whole.column, whole.unit), (&thin.name, &thin.column, thin.unit));
        }
    }

    #[test]
    fn a_large_table_has_the_verdict_of_all_of_its_rows() {
        let saw = |row: u32| f64::from(row % 140) / 10.0;
        for rate in [0.0, 0.005] {
            let timed: String = (0..ROWS)
                .map(|row| format!("{row}.0,{:.2}\n", 200.0 + saw(row) + rate * f64::from(row)))
                .collect();
            alike(&format!("elapsed_seconds,rss_mb\n{timed}"));
            let plain: String =
                (0..ROWS).map(|row| format!("{:.2};x\n", 200.0 + saw(row) + rate * f64::from(row))).collect();
            let [_, thin] = both(&format!("rss_after_mb;note\n{plain}"));
            let expected = if rate == 0.0 { Answer::Clean } else { Answer::Leak };
            let (answer, per_thousand) = verdict(&thin.series[0]);
            assert_eq!(answer, expected, "{rate}: {per_thousand}");
            assert!((per_thousand - 1000.0 * rate).abs() < 0.03, "{rate}: {per_thousand}");
        }
    }

    #[test]
    fn processes_of_one_moment_stay_together() {
        let mut text = "timestamp,process_name,pid,memory_rss_mb\n".to_string();
        for second in 0..ROWS / 4 {
            let time = format!("2025-12-09T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            for (pid, rate) in [(11, 0.01), (12, 0.0), (13, 0.02)] {
                let mb = 100.0 + rate * f64::from(second) + f64::from(second * pid % 13);
                text += &format!("{time},python,{pid},{mb:.1}\n");
            }
            // One of another name, not at each look.
            if second % 3 == 0 {
                text += &format!("{time},uvicorn,14,{}.0\n", 88 + second % 2);
            }
        }
        alike(&text);
    }

    #[test]
    fn what_is_no_plain_table_is_read_as_a_whole() {
        let rows = |row: &str| row.repeat(3000);
        assert!(thinned(&rows("{\"rss\": 5}\n")).is_none());
        assert!(thinned(&format!("pid,rss_mb\n{}", rows("1,5\n2,6\n"))).is_none(), "no times");
        assert!(thinned(&format!("time,a_mb,rss_mb\n{}\"x\n", rows("1,2,3\n"))).is_none(), "a quote");
        let units =
            format!("time,rss\ns,MB\n{}", (0..9_000).map(|row| format!("{row},5\n")).collect::<String>());
        assert_eq!(thinned(&units).unwrap().columns, ["time [s]", "rss [MB]"]);
        // A row that cannot be is one of those that are kept.
        let odd = format!(
            "time,rss_mb\n{}7,many\n",
            (0..9_000).map(|row| format!("{row},5\n")).collect::<String>()
        );
        let error = select::recording("a.csv", &thinned(&odd).unwrap(), &Selection::default()).unwrap_err();
        assert!(error.to_string().contains("line 9002"), "{error}");
    }
}
