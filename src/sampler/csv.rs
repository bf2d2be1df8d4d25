//! The CSV of the sampler: a row per process and tick.

use std::io::Write;
use std::time::Duration;

use jiff::civil::DateTime;

/// The header, exactly as the older script wrote it.
pub const HEADER: &str =
    "timestamp,elapsed_seconds,process_name,pid,cpu_percent,memory_rss_mb,memory_percent";

/// One process at one tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Local time.
    pub timestamp: DateTime,
    /// Since the sampler's start.
    pub elapsed_seconds: f64,
    /// The process's name.
    pub process_name: String,
    /// Its pid.
    pub pid: u32,
    /// CPU use since its previous sample, in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory, in [`crate::units::MB`].
    pub memory_rss_mb: f64,
    /// Resident memory in percent of the machine's memory.
    pub memory_percent: f64,
}

/// The rows as CSV, a line each. Times have milliseconds where `interval` is
/// below one second, since rows could not be told apart otherwise.
pub(crate) fn format(rows: &[Row], interval: Duration) -> Vec<u8> {
    let fine = interval < Duration::from_secs(1);
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in rows {
        let fields = [
            row.timestamp
                .strftime(if fine { "%Y-%m-%dT%H:%M:%S.%3f" } else { "%Y-%m-%dT%H:%M:%S" })
                .to_string(),
            format!("{:.*}", if fine { 3 } else { 1 }, row.elapsed_seconds),
            row.process_name.clone(),
            row.pid.to_string(),
            format!("{:.1}", row.cpu_percent),
            format!("{:.1}", row.memory_rss_mb),
            format!("{:.1}", row.memory_percent),
        ];
        writer.write_record(&fields).expect("rows of equal length go into memory");
    }
    writer.into_inner().expect("a flush into memory")
}

/// Writes ticks to the file, and goes on when that fails.
///
/// A full disk must not end the sampling, nor go unsaid: the first error is
/// kept, all are counted.
pub(crate) struct CsvFile<W> {
    output: W,
    interval: Duration,
    /// A write failed, perhaps half-way: the next one starts a new line.
    torn: bool,
    pub(crate) rows: u64,
    pub(crate) failed_writes: u64,
    pub(crate) first_error: Option<String>,
}

impl<W: Write> CsvFile<W> {
    /// Writes the header to `output`.
    pub(crate) fn new(mut output: W, interval: Duration) -> std::io::Result<CsvFile<W>> {
        output.write_all(format!("{HEADER}\n").as_bytes())?;
        Ok(CsvFile { output, interval, torn: false, rows: 0, failed_writes: 0, first_error: None })
    }

    /// Writes the rows of one tick, in one write.
    pub(crate) fn write(&mut self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        let mut bytes = format(rows, self.interval);
        if self.torn {
            bytes.insert(0, b'\n');
        }
        match self.output.write_all(&bytes).and_then(|()| self.output.flush()) {
            Ok(()) => {
                self.torn = false;
                self.rows += rows.len() as u64;
            }
            Err(error) => {
                self.torn = true;
                self.failed_writes += 1;
                self.first_error.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            timestamp: jiff::civil::date(2025, 12, 9).at(23, 30, 15, 120_000_000),
            elapsed_seconds: 0.0,
            process_name: "python".to_string(),
            pid: 12345,
            cpu_percent: 15.2,
            memory_rss_mb: 625.3,
            memory_percent: 2.1,
        }
    }

    #[test]
    fn a_row_has_the_documented_form() {
        let bytes = format(&[row()], Duration::from_secs(1));
        assert_eq!(String::from_utf8_lossy(&bytes), "2025-12-09T23:30:15,0.0,python,12345,15.2,625.3,2.1\n");
    }

    #[test]
    fn below_a_second_times_have_milliseconds() {
        let row = Row { elapsed_seconds: 1.0204, cpu_percent: 200.0, ..row() };
        let bytes = format(&[row], Duration::from_millis(999));
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "2025-12-09T23:30:15.120,1.020,python,12345,200.0,625.3,2.1\n"
        );
    }

    #[test]
    fn a_name_may_hold_anything() {
        let row = Row { process_name: "a,\"b\"".to_string(), ..row() };
        let text = format(&[row], Duration::from_secs(1));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&text[..]);
        let record = reader.records().next().expect("a row").expect("a valid row");
        assert_eq!(&record[2], "a,\"b\"");
    }

    /// Takes 10 bytes of every second write, then says that the disk is full.
    struct HalfFull {
        text: Vec<u8>,
        writes: u32,
    }

    impl Write for &mut HalfFull {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.writes += 1;
            match self.writes {
                2 => {
                    self.text.extend(&bytes[..10]);
                    Ok(10)
                }
                3 => Err(std::io::Error::other("no space left")),
                _ => {
                    self.text.extend(bytes);
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failed_write_is_counted_and_tears_one_line_only() {
        let mut disk = HalfFull { text: Vec::new(), writes: 0 };
        let mut file = CsvFile::new(&mut disk, Duration::from_secs(1)).expect("the header fits");
        file.write(&[row()]);
        file.write(&[row()]);
        assert_eq!((file.rows, file.failed_writes), (1, 1));
        assert_eq!(file.first_error.as_deref(), Some("no space left"));
        let text = String::from_utf8_lossy(&disk.text);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines, [HEADER, "2025-12-09", "2025-12-09T23:30:15,0.0,python,12345,15.2,625.3,2.1"]);
    }
}
