//! Reads the CSV of samples, a row at a time.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use crate::record::{Damage, ResourceRow, SAMPLES_HEADER, Sample, Samples};

/// The longest row that is read, in bytes; what is longer is no row.
const LONGEST: u64 = 1 << 20;

/// Rows that are named one by one, of those that cannot be read.
const NAMED: usize = 1000;

/// Sums up the rows in `reader`, one of them in memory at a time; returns what could not be read, too.
///
/// # Errors
/// Those of the reader.
pub(super) fn samples(
    file: &str,
    mut reader: impl BufRead,
    role_of: &HashMap<u32, String>,
) -> io::Result<(Samples, Vec<Damage>)> {
    let (mut samples, mut damage) = (Samples::default(), Vec::new());
    let mut row = Vec::new();
    if !next_row(&mut reader, &mut row)? {
        return Ok((samples, damage));
    }
    let header = csv::StringRecord::from(fields(&row).iter().collect::<Vec<_>>());
    let usual = row.trim_ascii_end() == SAMPLES_HEADER.as_bytes();
    let mut number = 1;
    while next_row(&mut reader, &mut row)? {
        let line = row.strip_suffix(b"\n").unwrap_or(&row);
        if line.is_empty() || line == b"\r" {
            continue;
        }
        number += 1;
        let whole = line.len() < row.len();
        let reason = if !whole {
            // A last row without a newline may end in a number cut short, which would parse and be wrong.
            "the row does not end".to_string()
        } else if let Some(sample) = usual.then(|| plain(line)).flatten() {
            samples.add(&sample, role_of);
            continue;
        } else {
            match fields(line).deserialize::<ResourceRow>(Some(&header)) {
                Ok(row) => {
                    samples.take(&row, role_of);
                    continue;
                }
                Err(error) => error.to_string(),
            }
        };
        if damage.len() < NAMED {
            damage.push(Damage { file: file.to_string(), line: number, torn: !whole, reason });
        }
    }
    Ok((samples, damage))
}

/// Reads the next row into `row`, with its newline: more than a line where a quoted name has several. False at the end.
fn next_row(reader: &mut impl BufRead, row: &mut Vec<u8>) -> io::Result<bool> {
    row.clear();
    loop {
        let room = LONGEST.saturating_sub(row.len() as u64);
        if reader.by_ref().take(room).read_until(b'\n', row)? == 0 {
            if room == 0 {
                reader.skip_until(b'\n')?;
                row.push(b'\n');
            }
            return Ok(!row.is_empty());
        }
        let quotes = || row.iter().filter(|byte| **byte == b'"').count();
        if row.last() == Some(&b'\n') && (!row.contains(&b'"') || quotes().is_multiple_of(2)) {
            return Ok(true);
        }
    }
}

/// The fields of a row of any form; none where it has no text.
fn fields(row: &[u8]) -> csv::StringRecord {
    let mut record = csv::StringRecord::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(row);
    match reader.read_record(&mut record) {
        Ok(true) => record,
        _ => csv::StringRecord::new(),
    }
}

/// Parses a row as the sampler writes it, without quotes. Nearly all rows have this form, and it is some ten times as
/// fast as general CSV.
fn plain(line: &[u8]) -> Option<Sample<'_>> {
    let mut fields = line.split(|byte| *byte == b',');
    let mut next = || fields.next();
    next()?;
    let (elapsed, name, pid) = (next()?, next()?, next()?);
    let (cpu, rss, percent) = (next()?, next()?, next()?);
    if next().is_some() || name.contains(&b'"') || percent.is_empty() {
        return None;
    }
    decimal(percent)?;
    Some(Sample {
        elapsed_s: decimal(elapsed)?,
        name: std::str::from_utf8(name).ok()?,
        pid: u32::try_from(digits(pid)?).ok()?,
        cpu_percent: decimal(cpu)?,
        rss_mb: decimal(rss)?,
    })
}

/// A number of at most 15 digits, which a float holds exactly: divided by a power of ten below 10²² it is rounded correctly
/// (Clinger, "How to Read Floating Point Numbers Accurately", 1990).
fn decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
    let Some(point) = text.iter().position(|byte| *byte == b'.') else { return Some(digits(text)? as f64) };
    let (whole, rest) = (&text[..point], &text[point + 1..]);
    let power = POWERS.get(rest.len())?;
    let mantissa = digits(whole)? as f64 * power + digits(rest)? as f64;
    (whole.len() + rest.len() <= 15).then_some(mantissa / power)
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

/// Reads any bytes, for tests that change them.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_bytes(bytes: &[u8]) {
    drop(samples("a.csv", bytes, &HashMap::new()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "timestamp,elapsed_seconds,process_name,pid,cpu_percent,memory_rss_mb,memory_percent\n\
                       2025-12-09T23:30:15,0.0,python,12345,15.2,625.3,2.1\n";

    fn read(text: &[u8]) -> (Samples, Vec<Damage>) {
        samples("a.csv", text, &HashMap::new()).unwrap()
    }

    fn named(text: &str) -> Vec<(String, u32, f64)> {
        let (samples, damage) = read(text.as_bytes());
        assert_eq!(damage, []);
        let of = |process: &crate::record::SampledProcess| {
            (process.name.clone(), process.pid, process.rss_last_mb)
        };
        samples.processes().iter().map(of).collect()
    }

    #[test]
    fn a_row_of_the_python_script_reads() {
        assert_eq!(named(CSV), [("python".to_string(), 12345, 625.3)]);
        assert_eq!(named(&CSV.replace('\n', "\r\n")), [("python".to_string(), 12345, 625.3)]);
    }

    #[test]
    fn a_row_of_any_form_reads() {
        let text = format!("{CSV}t,1.5,\"two\nlines, \"\"x\"\"\",7,-1e1,2.25e2,1\n\nt,1.5,z,8,0,.5,0,more\n");
        let expected = [("python", 12345, 625.3), ("two\nlines, \"x\"", 7, 225.0), ("z", 8, 0.5)];
        assert_eq!(named(&text), expected.map(|(name, pid, mb)| (name.to_string(), pid, mb)));
        let other = "pid,process_name,elapsed_seconds,timestamp,memory_percent,memory_rss_mb,cpu_percent\n\
                     9,node,0,t,1,77.5,3\n";
        assert_eq!(named(other), [("node".to_string(), 9, 77.5)]);
    }

    #[test]
    fn both_ways_to_read_a_row_agree() {
        for value in ["0.0", "0.1", "625.3", "1048576.5", "99999999999.9", "12", "0.0625", "3.14159"] {
            let line = format!("t,{value},python,7,{value},{value},0.1");
            let slow: ResourceRow = fields(line.as_bytes()).deserialize(None).unwrap();
            let Some(fast) = plain(line.as_bytes()) else {
                assert_eq!(value, "3.14159", "more digits than the sampler writes");
                continue;
            };
            let slow = (slow.elapsed_seconds, slow.cpu_percent, slow.memory_rss_mb);
            assert_eq!((fast.elapsed_s, fast.cpu_percent, fast.rss_mb), slow);
        }
        for line in
            ["t,1,a,-1,1,1,1", "t,1,a,4294967296,1,1,1", "t,,a,1,1,1,1", "t,1,a,1,1,1", "t,1.,a,1,1,1,1"]
        {
            assert!(plain(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn any_bytes_are_rows_or_damage() {
        crate::mutation_tests::survives(&[CSV.as_bytes()], any_bytes);
    }

    #[test]
    fn a_number_cut_short_is_not_taken_for_a_smaller_one() {
        let (samples, damage) = read(&CSV.as_bytes()[..CSV.len() - 3]);
        assert_eq!(samples.rows(), 0);
        assert!(damage[0].torn, "{damage:?}");
    }

    #[test]
    fn a_damaged_row_is_named_and_the_others_count() {
        let text = format!("{CSV}t,1.0,python,many,1,1,1\nt,2.0,python,12345,1,700.0,1\n");
        let (samples, damage) = read(text.as_bytes());
        assert_eq!((samples.rows(), damage.len(), damage[0].line, damage[0].torn), (2, 1, 3, false));
    }

    #[test]
    fn a_row_without_an_end_takes_no_memory_to_speak_of() {
        let mut text = CSV.as_bytes().to_vec();
        text.resize(text.len() + 3 * LONGEST as usize, b'"');
        let (samples, damage) = read(&text);
        assert!(samples.rows() == 1 && !damage.is_empty(), "{damage:?}");
    }
}
