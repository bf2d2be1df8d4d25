//! The labelled recordings of `fixtures/leak-traces`.

use highwater::analysis::Readings;

const RECORDINGS: [&str; 2] = [
    include_str!("../../fixtures/leak-traces/recordings.csv"),
    include_str!("../../fixtures/leak-traces/blind.csv"),
];

/// Memory of a real process after each of its tasks, with what the process did.
pub(crate) struct Recording {
    pub(crate) name: String,
    /// `tuned`, `held-out`, `own` or `blind` (`fixtures/README.md`).
    pub(crate) part: String,
    pub(crate) worker: String,
    pub(crate) mode: String,
    /// The memory that the process keeps on purpose: `warm`, `ring`, `keys`, …
    pub(crate) scenario: String,
    pub(crate) leak: bool,
    /// The memory that the process keeps, in MB per task.
    pub(crate) true_mb_per_task: f64,
    /// The task by which what it keeps on purpose is there.
    pub(crate) plateau_task: usize,
    pub(crate) file_mb: f64,
    pub(crate) after_mb: Vec<f64>,
}

impl Recording {
    /// The first `tasks` readings, as the rule takes them; none if there are fewer.
    pub(crate) fn first(&self, tasks: usize) -> Option<Readings<'_>> {
        let after_mb = self.after_mb.get(..tasks)?;
        Some(Readings { file_mb: Some(self.file_mb), ..Readings::new(after_mb) })
    }

    /// True for workers without a garbage collector.
    pub(crate) fn uncollected(&self) -> bool {
        !matches!(self.worker.as_str(), "node" | "java-g1")
    }

    /// True if the label is what the process keeps, and not merely what the
    /// program asked for: objects of our own workers are larger than their data.
    pub(crate) fn exact(&self) -> bool {
        !matches!(self.part.as_str(), "own" | "blind") || !matches!(self.mode.as_str(), "obj" | "json")
    }
}

/// All of them.
pub(crate) fn recordings() -> Vec<Recording> {
    RECORDINGS.into_iter().flat_map(recordings_in).collect()
}

/// Those in one table.
pub(crate) fn recordings_in(table: &str) -> Vec<Recording> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    reader.records().map(|row| recording(&row.expect("a row is a row"))).collect()
}

fn recording(row: &csv::StringRecord) -> Recording {
    let text = |index: usize| row[index].to_string();
    let number = |text: &str| text.parse::<f64>().expect("a figure is a number");
    Recording {
        name: text(0),
        part: text(1),
        worker: text(2),
        mode: text(3),
        scenario: text(4),
        leak: &row[5] == "true",
        true_mb_per_task: number(&row[7]) / 1024.0,
        plateau_task: number(&row[8]) as usize,
        file_mb: number(&row[9]) / 1024.0,
        after_mb: row[10].split(' ').map(|figure| number(figure) / 1024.0).collect(),
    }
}
