//! The samples of a run, of which there may be millions: summed up row by row, in memory that does not depend on their number.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::times::Times;

/// The header of the CSV of samples, exactly as the script before highwater wrote it.
pub(crate) const SAMPLES_HEADER: &str =
    "timestamp,elapsed_seconds,process_name,pid,cpu_percent,memory_rss_mb,memory_percent";

/// Processes that are summed up one by one; those that appear later share a summary with their namesakes.
const PROCESSES: usize = 4000;

/// Names under which later processes are summed up, and roles that have a series.
const NAMES: usize = 100;

/// The summary of everything else.
const OTHERS: &str = "others";

/// Points of a series that are kept, at most.
const POINTS: usize = 16_384;

/// Stretches of time of which a series keeps the first and the last point and the extremes, when it has more than
/// [`POINTS`]: more than a picture has pixels.
const STRETCHES: usize = 2048;

/// One row of `system_resources_<stamp>.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// Local time of the sample.
    pub timestamp: String,
    /// Seconds since the sampler started.
    pub elapsed_seconds: f64,
    /// Name of the process.
    pub process_name: String,
    /// Its process id.
    pub pid: u32,
    /// CPU use since its previous sample, in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MB.
    pub memory_rss_mb: f64,
    /// Resident memory in percent of the machine's.
    pub memory_percent: f64,
}

/// The samples of one part of a run, or of a watch.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    rows: u64,
    processes: Vec<SampledProcess>,
    series: Vec<RoleSeries>,
    places: HashMap<u32, Vec<usize>>,
    names: HashMap<String, usize>,
    /// The process of the row before.
    before: usize,
}

/// The samples of one process.
#[derive(Debug, Clone)]
pub struct SampledProcess {
    /// Its process id; 0 for the later ones of many, which are summed up together.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// How many samples there are.
    pub samples: u64,
    /// CPU in percent of one core, without the first sample, which has no earlier one to compare with.
    pub cpu_percent: Times,
    /// RSS in MB.
    pub rss_mb: Times,
    /// RSS of the last sample in MB.
    pub rss_last_mb: f64,
    /// When that was, in seconds since the sampler started.
    pub last_s: f64,
    /// The series of its role.
    series: usize,
    /// The process whose row followed the last time.
    next: usize,
}

/// Memory and CPU of one role, tick by tick. Of a long one, each short stretch of time keeps its first and last point and
/// its extremes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoleSeries {
    /// The role; the name of the process where the run's log does not tell.
    pub role: String,
    /// Seconds since the sampler started, RSS in MB, CPU in percent of one core.
    pub points: Vec<(f64, f64, f64)>,
}

/// The figures of one row that are summed up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) elapsed_s: f64,
    pub(crate) name: &'a str,
    pub(crate) pid: u32,
    pub(crate) cpu_percent: f64,
    pub(crate) rss_mb: f64,
}

impl SampledProcess {
    /// Adds the samples of `other`, a later part of the same process.
    pub(crate) fn merge(&mut self, other: &SampledProcess) {
        self.samples += other.samples;
        self.cpu_percent.merge(&other.cpu_percent);
        self.rss_mb.merge(&other.rss_mb);
        (self.rss_last_mb, self.last_s) = (other.rss_last_mb, other.last_s);
    }
}

impl Samples {
    /// Takes a row; `role_of` says which role a process plays, by its pid.
    pub fn take(&mut self, row: &ResourceRow, role_of: &HashMap<u32, String>) {
        let sample = Sample {
            elapsed_s: row.elapsed_seconds,
            name: &row.process_name,
            pid: row.pid,
            cpu_percent: row.cpu_percent,
            rss_mb: row.memory_rss_mb,
        };
        self.add(&sample, role_of);
    }

    /// Takes the figures of a row.
    pub(crate) fn add(&mut self, sample: &Sample<'_>, role_of: &HashMap<u32, String>) {
        self.rows += 1;
        let place = self.place(sample, role_of);
        let process = &mut self.processes[place];
        if process.samples > 0 {
            process.cpu_percent.add(sample.cpu_percent);
        }
        process.samples += 1;
        process.rss_mb.add(sample.rss_mb);
        (process.rss_last_mb, process.last_s) = (sample.rss_mb, sample.elapsed_s);
        let series = process.series;
        self.series[series].add((sample.elapsed_s, sample.rss_mb, sample.cpu_percent));
    }

    /// The place of the process of `sample`. At each tick the rows have the same order.
    fn place(&mut self, sample: &Sample<'_>, role_of: &HashMap<u32, String>) -> usize {
        let is = |process: &SampledProcess| process.pid == sample.pid && process.name == sample.name;
        if let Some(before) = self.processes.get(self.before)
            && self.processes.get(before.next).is_some_and(is)
        {
            self.before = before.next;
            return self.before;
        }
        let known = self.places.get(&sample.pid).into_iter().flatten().copied();
        let found = known.into_iter().find(|place| is(&self.processes[*place]));
        let place = found.unwrap_or_else(|| self.adopt(sample, role_of));
        if let Some(before) = self.processes.get_mut(self.before) {
            before.next = place;
        }
        self.before = place;
        place
    }

    fn adopt(&mut self, sample: &Sample<'_>, role_of: &HashMap<u32, String>) -> usize {
        let role = role_of.get(&sample.pid).map_or(sample.name, String::as_str);
        if self.processes.len() < PROCESSES {
            let place = self.push(sample.pid, sample.name, role);
            self.places.entry(sample.pid).or_default().push(place);
            return place;
        }
        let name = if self.names.len() < NAMES || self.names.contains_key(sample.name) {
            sample.name
        } else {
            OTHERS
        };
        if let Some(place) = self.names.get(name) {
            return *place;
        }
        let place = self.push(0, &format!("{name}, later processes"), role);
        self.names.insert(name.to_string(), place);
        place
    }

    fn push(&mut self, pid: u32, name: &str, role: &str) -> usize {
        let role = if self.series.len() < NAMES { role } else { OTHERS };
        let series = self.series.iter().position(|series| series.role == role).unwrap_or_else(|| {
            self.series.push(RoleSeries { role: role.to_string(), points: Vec::new() });
            self.series.len() - 1
        });
        self.processes.push(SampledProcess {
            pid,
            name: name.to_string(),
            samples: 0,
            cpu_percent: Times::default(),
            rss_mb: Times::default(),
            rss_last_mb: 0.0,
            last_s: 0.0,
            series,
            next: 0,
        });
        self.processes.len() - 1
    }

    /// How many rows there were.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The processes, in the order of their first samples.
    pub fn processes(&self) -> &[SampledProcess] {
        &self.processes
    }

    /// Memory and CPU of each role.
    pub fn series(&self) -> &[RoleSeries] {
        &self.series
    }
}

impl RoleSeries {
    /// Adds the figures of a process: those of one tick are summed up.
    fn add(&mut self, (at, mb, cpu): (f64, f64, f64)) {
        match self.points.last_mut() {
            Some(point) if point.0 == at => {
                point.1 += mb;
                point.2 += cpu;
            }
            _ => {
                if self.points.len() >= POINTS {
                    self.thin();
                }
                self.points.push((at, mb, cpu));
            }
        }
    }

    /// Keeps the ends and the extremes of each stretch of time.
    fn thin(&mut self) {
        let ends = self.points.first().zip(self.points.last());
        let Some((from, to)) = ends.map(|(first, last)| (first.0, last.0)) else { return };
        let length = ((to - from) / STRETCHES as f64).max(f64::MIN_POSITIVE);
        let stretch = |point: &(f64, f64, f64)| ((point.0 - from) / length) as i64;
        let mut kept = Vec::new();
        for points in self.points.chunk_by(|left, right| stretch(left) == stretch(right)) {
            let extreme = |of: fn(&(f64, f64, f64)) -> f64, sign: f64| {
                let numbered = points.iter().enumerate();
                let order = |point: &(f64, f64, f64)| sign * of(point);
                numbered.max_by(|left, right| order(left.1).total_cmp(&order(right.1))).map(|found| found.0)
            };
            let mb = |point: &(f64, f64, f64)| point.1;
            let cpu = |point: &(f64, f64, f64)| point.2;
            let found = [extreme(mb, 1.0), extreme(mb, -1.0), extreme(cpu, 1.0), extreme(cpu, -1.0)];
            let mut places: Vec<usize> = found.into_iter().flatten().chain([0, points.len() - 1]).collect();
            places.sort_unstable();
            places.dedup();
            kept.extend(places.into_iter().map(|place| points[place]));
        }
        // Times that go back and forth, which no sampler writes, must not fill memory either.
        kept.truncate(POINTS - 1);
        self.points = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(elapsed_s: f64, name: &str, pid: u32, rss_mb: f64) -> Sample<'_> {
        Sample { elapsed_s, name, pid, cpu_percent: 1.0, rss_mb }
    }

    #[test]
    fn a_series_of_any_length_is_bounded_and_keeps_its_peak_and_its_ends() {
        let mut samples = Samples::default();
        let roles = HashMap::from([(7, "worker".to_string()), (8, "worker".to_string())]);
        for second in 0..200_000 {
            let mb = if second == 77_777 { 4000.0 } else { 100.0 + f64::from(second % 10) };
            samples.add(&sample(f64::from(second), "rq", 7, mb), &roles);
            samples.add(&sample(f64::from(second), "horse", 8, 50.0), &roles);
        }
        let [series] = samples.series() else { panic!("one role") };
        assert!(series.points.len() <= POINTS, "{}", series.points.len());
        let highest = series.points.iter().max_by(|left, right| left.1.total_cmp(&right.1)).unwrap();
        assert_eq!((highest.0, highest.1), (77_777.0, 4050.0), "both processes of the tick");
        assert_eq!((series.points[0].0, series.points.last().unwrap().0), (0.0, 199_999.0));
        assert!(series.points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let process = &samples.processes()[0];
        assert_eq!(
            (samples.rows(), process.samples, process.cpu_percent.count()),
            (400_000, 200_000, 199_999)
        );
        assert_eq!((process.rss_mb.ends(), process.rss_last_mb), (Some((100.0, 4000.0)), 109.0));
    }

    #[test]
    fn a_child_for_each_of_many_tasks_is_counted_and_not_kept() {
        let mut samples = Samples::default();
        for pid in 0..50_000 {
            let name = ["horse", "worker", "x"][pid as usize % 3];
            samples.add(&sample(f64::from(pid), name, pid + 1, 50.0), &HashMap::new());
        }
        assert_eq!((samples.rows(), samples.processes().len()), (50_000, PROCESSES + 3));
        let counted: u64 = samples.processes().iter().map(|process| process.samples).sum();
        assert_eq!(counted, 50_000, "none is lost");
        assert_eq!(samples.processes()[PROCESSES].name, "worker, later processes");
        for pid in 0..50_000 {
            samples.add(&sample(0.0, &format!("name {pid}"), pid + 1, 50.0), &HashMap::new());
        }
        assert!(samples.processes().len() <= PROCESSES + NAMES + 1 && samples.series().len() <= NAMES + 1);
    }
}
