//! The CSV of the sampler: a row per process and tick.

use std::io::Write;
use std::time::Duration;

use jiff::civil::DateTime;

/// The header, exactly as the script before highwater wrote it.
pub const HEADER: &str = crate::record::SAMPLES_HEADER;

/// One process at one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row<'a> {
    /// The process's name.
    pub(crate) process_name: &'a str,
    /// Its pid.
    pub(crate) pid: u32,
    /// CPU use since its previous sample, in percent of one core.
    pub(crate) cpu_percent: f64,
    /// Resident memory, in [`crate::units::MB`].
    pub(crate) memory_rss_mb: f64,
    /// Resident memory in percent of the machine's memory.
    pub(crate) memory_percent: f64,
}

/// The first two fields of a tick's rows, made once a tick: local time, and seconds since the
/// sampler's start. They have milliseconds if `interval` is below one second; otherwise two
/// ticks could carry the same time.
pub(super) fn moment(at: DateTime, elapsed_s: f64, interval: Duration) -> String {
    let fine = interval < Duration::from_secs(1);
    let stamp = at.strftime(if fine { "%Y-%m-%dT%H:%M:%S.%3f" } else { "%Y-%m-%dT%H:%M:%S" });
    format!("{stamp},{elapsed_s:.*}", if fine { 3 } else { 1 })
}

/// Appends the row as a line of CSV. Not with a CSV writer, since this runs for each process
/// at each tick; a test compares the result with that of a writer.
fn append(bytes: &mut Vec<u8>, moment: &str, row: &Row<'_>) {
    bytes.extend(moment.as_bytes());
    bytes.push(b',');
    text(bytes, row.process_name);
    bytes.push(b',');
    integer(bytes, u64::from(row.pid));
    for value in [row.cpu_percent, row.memory_rss_mb, row.memory_percent] {
        bytes.push(b',');
        tenths(bytes, value);
    }
    bytes.push(b'\n');
}

/// A text field, quoted where necessary (RFC 4180).
pub(super) fn text(bytes: &mut Vec<u8>, text: &str) {
    if !text.contains(['"', ',', '\n', '\r']) {
        bytes.extend(text.as_bytes());
        return;
    }
    bytes.push(b'"');
    bytes.extend(text.replace('"', "\"\"").as_bytes());
    bytes.push(b'"');
}

/// `value`, which is not negative, with one decimal.
pub(super) fn tenths(bytes: &mut Vec<u8>, value: f64) {
    let tenths = (value * 10.0).round_ties_even() as u64;
    integer(bytes, tenths / 10);
    bytes.extend([b'.', b'0' + (tenths % 10) as u8]);
}

fn integer(bytes: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    bytes.extend(&digits[first..]);
}

/// Writes ticks to the file, and continues after a failed write.
///
/// A full disk must neither end the sampling nor go unreported: the first error is
/// kept, and all are counted.
pub(crate) struct CsvFile<W> {
    output: W,
    interval: Duration,
    /// The rows of the tick that is being written.
    bytes: Vec<u8>,
    /// The last write failed, perhaps half-way: the next one starts a new line.
    torn: bool,
    pub(crate) rows: u64,
    pub(crate) failed_writes: u64,
    pub(crate) first_error: Option<String>,
}

impl<W: Write> CsvFile<W> {
    /// Writes the header to `output`.
    pub(crate) fn new(mut output: W, interval: Duration) -> std::io::Result<CsvFile<W>> {
        output.write_all(format!("{HEADER}\n").as_bytes())?;
        Ok(CsvFile {
            output,
            interval,
            bytes: Vec::new(),
            torn: false,
            rows: 0,
            failed_writes: 0,
            first_error: None,
        })
    }

    /// Writes the rows of one tick, in one write.
    pub(crate) fn write<'a>(&mut self, at: DateTime, elapsed_s: f64, rows: impl Iterator<Item = Row<'a>>) {
        self.bytes.clear();
        if self.torn {
            self.bytes.push(b'\n');
        }
        let moment = moment(at, elapsed_s, self.interval);
        let mut count = 0;
        for row in rows {
            append(&mut self.bytes, &moment, &row);
            count += 1;
        }
        if count == 0 {
            return;
        }
        match self.output.write_all(&self.bytes).and_then(|()| self.output.flush()) {
            Ok(()) => {
                self.torn = false;
                self.rows += count;
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

    const ROW: Row<'_> = Row {
        process_name: "python",
        pid: 12345,
        cpu_percent: 15.2,
        memory_rss_mb: 625.3,
        memory_percent: 2.1,
    };

    fn at() -> DateTime {
        jiff::civil::date(2025, 12, 9).at(23, 30, 15, 120_000_000)
    }

    fn line(row: &Row<'_>, elapsed_s: f64, interval: Duration) -> String {
        let mut bytes = Vec::new();
        append(&mut bytes, &moment(at(), elapsed_s, interval), row);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_row_has_the_documented_form() {
        let line = line(&ROW, 0.0, Duration::from_secs(1));
        assert_eq!(line, "2025-12-09T23:30:15,0.0,python,12345,15.2,625.3,2.1\n");
    }

    #[test]
    fn below_a_second_times_have_milliseconds() {
        let row = Row { cpu_percent: 200.0, ..ROW };
        let line = line(&row, 1.0204, Duration::from_millis(999));
        assert_eq!(line, "2025-12-09T23:30:15.120,1.020,python,12345,200.0,625.3,2.1\n");
    }

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["python", "a,\"b\"", "two\nlines", "\r", "ä ö"] {
            let text = line(&Row { process_name: name, ..ROW }, 0.0, Duration::from_secs(1));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let record = reader.records().next().expect("a row").expect("a valid row");
            assert_eq!(&record[2], name);
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(&record).expect("into memory");
            assert_eq!(writer.into_inner().expect("a flush into memory"), text.as_bytes());
        }
    }

    #[test]
    fn a_figure_has_one_decimal() {
        let text = |value| {
            let mut bytes = Vec::new();
            tenths(&mut bytes, value);
            String::from_utf8(bytes).expect("digits")
        };
        for value in [0.0, 0.04, 0.06, 0.25, 0.96, 1.0, 9.99, 12.34, 99.95, 625.3, 1_048_576.5] {
            assert_eq!(text(value), format!("{value:.1}"));
        }
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
        file.write(at(), 0.0, [ROW].into_iter());
        file.write(at(), 0.0, [ROW].into_iter());
        assert_eq!((file.rows, file.failed_writes), (1, 1));
        assert_eq!(file.first_error.as_deref(), Some("no space left"));
        let text = String::from_utf8_lossy(&disk.text);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines, [HEADER, "2025-12-09", "2025-12-09T23:30:15,0.0,python,12345,15.2,625.3,2.1"]);
    }
}
