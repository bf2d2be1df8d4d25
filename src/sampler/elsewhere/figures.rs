//! The figures of a process that `/proc` does not show, out of what a program exposes. Pure.

use super::Figures;
use super::exposition::{Sample, parse};
use crate::plan::MetricsPlan;
use crate::plan::words::Word;

/// The names that one kind of exporter gives to the figures of a process.
struct Family {
    /// The label by which its processes are told apart; `None` for a program that exposes itself.
    by: Option<&'static str>,
    memory: Figure,
    private: Option<Figure>,
    swap: Option<Figure>,
    peak: Option<Figure>,
    cpu: Figure,
    fds: Figure,
    threads: Option<Figure>,
    started: Figure,
    /// The number of processes; without one there is nothing to read.
    count: Option<Figure>,
}

/// A name, and the label that it must have.
type Figure = (&'static str, Option<(&'static str, &'static str)>);

const fn plain(name: &'static str) -> Figure {
    (name, None)
}

const NAMED: &str = "namedprocess_namegroup_memory_bytes";

const FAMILIES: [Family; 3] = [
    // process-exporter.
    Family {
        by: Some("groupname"),
        memory: (NAMED, Some(("memtype", "resident"))),
        private: None,
        swap: Some((NAMED, Some(("memtype", "swapped")))),
        peak: None,
        cpu: plain("namedprocess_namegroup_cpu_seconds_total"),
        fds: plain("namedprocess_namegroup_open_filedesc"),
        threads: Some(plain("namedprocess_namegroup_num_threads")),
        started: plain("namedprocess_namegroup_oldest_start_time_seconds"),
        count: Some(plain("namedprocess_namegroup_num_procs")),
    },
    // cAdvisor, and the kubelet. The working set leaves out the page cache that the kernel can take back at once.
    Family {
        by: Some("name"),
        memory: plain("container_memory_working_set_bytes"),
        private: Some(plain("container_memory_rss")),
        swap: Some(plain("container_memory_swap")),
        peak: None,
        cpu: plain("container_cpu_usage_seconds_total"),
        fds: plain("container_file_descriptors"),
        threads: Some(plain("container_threads")),
        started: plain("container_start_time_seconds"),
        count: None,
    },
    // Every client library of Prometheus.
    Family {
        by: None,
        memory: plain("process_resident_memory_bytes"),
        private: None,
        swap: None,
        peak: None,
        cpu: plain("process_cpu_seconds_total"),
        fds: plain("process_open_fds"),
        threads: None,
        started: plain("process_start_time_seconds"),
        count: None,
    },
];

/// The labels by which one subject has several figures of a name; they are added up.
const PARTS: [&str; 4] = ["memtype", "mode", "cpu", "ctxswitchtype"];

/// More memory than any machine has: such a figure is wrong.
const MOST_BYTES: f64 = 1e15;

/// A condition on a label.
struct Condition<'a> {
    name: &'a str,
    value: Word,
}

impl Condition<'_> {
    /// The conditions of a validated plan.
    fn all(plan: &MetricsPlan) -> Vec<Condition<'_>> {
        let condition = |text| {
            let (name, value): (&str, &str) = str::split_once(text, '=')?;
            let value = Word::new(value).unwrap_or_else(|_| Word::Exact(value.to_string()));
            Some(Condition { name, value })
        };
        plan.labels.iter().filter_map(|text| condition(text.as_str())).collect()
    }

    fn fits(&self, sample: &Sample<'_>) -> bool {
        sample.label(self.name).is_some_and(|value| self.value.fits(value))
    }
}

/// The processes, or groups of them, that `plan` means in `text`, which was taken at `now_s` (seconds since 1970).
///
/// # Errors
/// A sentence that says why there is none, or why a figure cannot be right, in words that follow the address.
pub(super) fn figures(text: &str, plan: &MetricsPlan, now_s: f64) -> Result<Vec<Figures>, String> {
    let samples = parse(text)?;
    let conditions = Condition::all(plan);
    let meant: Vec<&Sample<'_>> =
        samples.iter().filter(|sample| conditions.iter().all(|condition| condition.fits(sample))).collect();
    match &plan.series {
        Some(series) => judged_series(series, plan, &samples, &meant, now_s).map(|figures| vec![figures]),
        None => processes(plan, &samples, &meant, now_s),
    }
}

fn processes(
    plan: &MetricsPlan,
    samples: &[Sample<'_>],
    meant: &[&Sample<'_>],
    now_s: f64,
) -> Result<Vec<Figures>, String> {
    let present = |family: &&Family| samples.iter().any(|sample| sample.name == family.memory.0);
    let Some(family) = FAMILIES.iter().find(present) else {
        return Err("has no memory of a process: neither `process_resident_memory_bytes` nor that of \
             process-exporter or cAdvisor; `series` names another figure to judge"
            .to_string());
    };
    if let Some(by) = family.by.filter(|_| plan.labels.is_empty()) {
        let mut groups: Vec<&str> =
            samples.iter().filter(|s| s.name == family.memory.0).filter_map(|s| s.label(by)).collect();
        groups.sort_unstable();
        groups.dedup();
        let shown: Vec<String> = groups.iter().take(5).map(|group| format!("\"{by}={group}\"")).collect();
        return Err(format!(
            "has the memory of many processes: name one with `labels`, such as {}",
            shown.join(" or ")
        ));
    }
    let of_memory = meant.iter().filter(|sample| has(sample, family.memory));
    let mut subjects: Vec<Vec<(&str, &str)>> = of_memory.map(|sample| subject(sample)).collect();
    subjects.sort();
    subjects.dedup();
    if subjects.is_empty() {
        return Err(format!("has no `{}` with these labels: {}", family.memory.0, plan.labels.join(", ")));
    }
    let mut found = Vec::new();
    for subject in subjects {
        let one = One { subject: &subject, samples: meant, now_s };
        if family.count.and_then(|count| one.value(count)) == Some(0.0) {
            continue;
        }
        let figures = one.figures(family)?;
        if figures.rss_bytes == 0 {
            return Err(format!("says that the memory of `{}` is 0", figures.name));
        }
        found.push(figures);
    }
    Ok(found)
}

/// The figure that is judged in the place of memory, with what else the program says of itself.
fn judged_series(
    series: &str,
    plan: &MetricsPlan,
    samples: &[Sample<'_>],
    meant: &[&Sample<'_>],
    now_s: f64,
) -> Result<Figures, String> {
    let judged: Vec<&&Sample<'_>> = meant.iter().filter(|sample| sample.name == series).collect();
    if judged.is_empty() {
        return Err(format!(
            "has no `{series}`{}",
            if plan.labels.is_empty() { "" } else { " with these labels" }
        ));
    }
    let sum: f64 = judged.iter().map(|sample| sample.value).sum();
    let rss_bytes = bytes(series, sum * plan.bytes_of_one())?;
    let all: Vec<&Sample<'_>> = samples.iter().collect();
    let own = One { subject: &[], samples: &all, now_s };
    let [_, _, process] = &FAMILIES;
    let own = own.figures(process).ok();
    let taken = judged.iter().filter_map(|sample| sample.taken_s).reduce(f64::min);
    Ok(Figures {
        name: series.to_string(),
        rss_bytes,
        private_bytes: None,
        age_s: taken.map_or(0.0, |taken| (now_s - taken).max(0.0)),
        ..own.unwrap_or_default()
    })
}

/// One subject in the figures of a program.
struct One<'a> {
    subject: &'a [(&'a str, &'a str)],
    samples: &'a [&'a Sample<'a>],
    now_s: f64,
}

impl One<'_> {
    fn of(&self, figure: Figure) -> impl Iterator<Item = &&Sample<'_>> {
        self.samples.iter().filter(move |sample| has(sample, figure) && subject(sample) == self.subject)
    }

    /// The sum of a figure over its parts.
    fn value(&self, figure: Figure) -> Option<f64> {
        self.of(figure).map(|sample| sample.value).reduce(|sum, value| sum + value)
    }

    fn count(&self, figure: Option<Figure>) -> Option<u64> {
        let value = self.value(figure?)?;
        (value.is_finite() && (0.0..MOST_BYTES).contains(&value)).then_some(value as u64)
    }

    fn figures(&self, family: &Family) -> Result<Figures, String> {
        let memory = self.value(family.memory).ok_or_else(|| format!("has no `{}`", family.memory.0))?;
        let rss_bytes = bytes(family.memory.0, memory)?;
        let good = |value: &f64| value.is_finite() && *value >= 0.0;
        let name = self.subject.iter().find(|(label, _)| family.by.is_some_and(|by| by == *label));
        let name = name.or(self.subject.first()).map_or("process", |(_, value)| value);
        let taken = self.of(family.memory).filter_map(|sample| sample.taken_s).reduce(f64::min);
        Ok(Figures {
            name: name.to_string(),
            key: self.subject.iter().map(|(label, value)| format!("{label}={value},")).collect(),
            place: None,
            started_s: self.value(family.started).filter(good).filter(|started| *started > 0.0),
            age_s: taken.map_or(0.0, |taken| (self.now_s - taken).max(0.0)),
            rss_bytes,
            private_bytes: self.count(family.private),
            swap_bytes: self.count(family.swap),
            peak_bytes: self.count(family.peak),
            fds: self.count(Some(family.fds)),
            threads: self.count(family.threads),
            cpu_s: self.value(family.cpu).filter(good),
            oom_kills: None,
        })
    }
}

fn has(sample: &Sample<'_>, (name, label): Figure) -> bool {
    sample.name == name && label.is_none_or(|(label, value)| sample.label(label) == Some(value))
}

/// The labels that say whose a figure is, sorted.
fn subject<'a>(sample: &'a Sample<'_>) -> Vec<(&'a str, &'a str)> {
    let labels = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
    let mut labels: Vec<(&str, &str)> =
        labels.filter(|(name, value)| !PARTS.contains(name) && !value.is_empty()).collect();
    labels.sort_unstable();
    labels
}

fn bytes(name: &str, value: f64) -> Result<u64, String> {
    let possible = value.is_finite() && (0.0..MOST_BYTES).contains(&value);
    if possible { Ok(value as u64) } else { Err(format!("says that `{name}` is {value}, which cannot be")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "process_resident_memory_bytes 1.048576e+08\nprocess_open_fds 12\n\
        process_cpu_seconds_total 1.25\nprocess_start_time_seconds 1.7e9\nkv_blocks_in_use{gpu=\"0\"} 5\n\
        kv_blocks_in_use{gpu=\"1\"} 7\nqueue_bytes 4096\n";

    const GROUPS: &str = "process_resident_memory_bytes 9e6\n\
        namedprocess_namegroup_memory_bytes{groupname=\"asr\",memtype=\"resident\"} 5e8\n\
        namedprocess_namegroup_memory_bytes{groupname=\"asr\",memtype=\"virtual\"} 9e9\n\
        namedprocess_namegroup_memory_bytes{groupname=\"asr\",memtype=\"swapped\"} 1e6\n\
        namedprocess_namegroup_memory_bytes{groupname=\"web\",memtype=\"resident\"} 1e8\n\
        namedprocess_namegroup_cpu_seconds_total{groupname=\"asr\",mode=\"user\"} 3\n\
        namedprocess_namegroup_cpu_seconds_total{groupname=\"asr\",mode=\"system\"} 1\n\
        namedprocess_namegroup_num_procs{groupname=\"asr\"} 2\n\
        namedprocess_namegroup_num_procs{groupname=\"web\"} 0\n\
        namedprocess_namegroup_oldest_start_time_seconds{groupname=\"asr\"} 1.7e9\n";

    fn plan(labels: &[&str], series: Option<&str>) -> MetricsPlan {
        MetricsPlan {
            labels: labels.iter().map(ToString::to_string).collect(),
            series: series.map(str::to_string),
            ..MetricsPlan::default()
        }
    }

    fn read(text: &str, labels: &[&str], series: Option<&str>) -> Result<Vec<Figures>, String> {
        figures(text, &plan(labels, series), 1_700_000_100.0)
    }

    #[test]
    fn a_client_library_tells_of_its_own_process_and_what_it_does_not_tell_is_absent() {
        let found = &read(CLIENT, &[], None).unwrap()[0];
        assert_eq!((found.rss_bytes, found.fds, found.cpu_s), (100 << 20, Some(12), Some(1.25)));
        assert_eq!((found.started_s, found.threads, found.peak_bytes), (Some(1.7e9), None, None));
        let bare = &read("process_resident_memory_bytes 4096\n", &[], None).unwrap()[0];
        assert_eq!((bare.fds, bare.cpu_s, bare.started_s), (None, None, None));
    }

    #[test]
    fn a_group_is_chosen_by_its_labels_and_the_exporter_itself_never_is() {
        let found = &read(GROUPS, &["groupname=asr"], None).unwrap()[0];
        assert_eq!((found.name.as_str(), found.rss_bytes, found.cpu_s), ("asr", 500_000_000, Some(4.0)));
        assert_eq!((found.swap_bytes, found.started_s), (Some(1_000_000), Some(1.7e9)));
        assert_eq!(read(GROUPS, &["groupname=/^w/"], None), Ok(vec![]), "a group without a process");
        let many = read(GROUPS, &[], None).unwrap_err();
        assert!(many.contains("\"groupname=asr\" or \"groupname=web\""), "{many}");
        assert!(read(GROUPS, &["groupname=x"], None).unwrap_err().contains("with these labels: groupname=x"));
    }

    #[test]
    fn a_container_has_its_working_set_and_says_how_old_that_is() {
        let text = "container_memory_working_set_bytes{name=\"a\",id=\"/x\"} 3e8 1700000088000\n\
            container_memory_rss{name=\"a\",id=\"/x\"} 2e8 1700000088000\n\
            container_cpu_usage_seconds_total{name=\"a\",id=\"/x\",cpu=\"total\"} 9 1700000088000\n";
        let found = &read(text, &["name=a"], None).unwrap()[0];
        assert_eq!((found.rss_bytes, found.private_bytes), (300_000_000, Some(200_000_000)));
        assert_eq!((found.age_s, found.cpu_s), (12.0, Some(9.0)));
    }

    #[test]
    fn a_series_of_the_services_own_is_judged_in_the_place_of_memory() {
        let blocks = &read(CLIENT, &[], Some("kv_blocks_in_use")).unwrap()[0];
        assert_eq!((blocks.rss_bytes, blocks.fds), (12 << 20, Some(12)), "a block counts as a megabyte");
        let one = &read(CLIENT, &["gpu=1"], Some("kv_blocks_in_use")).unwrap()[0];
        assert_eq!(one.rss_bytes, 7 << 20);
        assert_eq!(read(CLIENT, &[], Some("queue_bytes")).unwrap()[0].rss_bytes, 4096);
        assert_eq!(read("a 0\n", &[], Some("a")).unwrap()[0].rss_bytes, 0, "nothing may be in use");
        assert_eq!(read(CLIENT, &[], Some("nothing")).unwrap_err(), "has no `nothing`");
    }

    #[test]
    fn a_figure_that_cannot_be_is_no_reading() {
        for wrong in ["NaN", "-1", "+Inf", "0", "1e30"] {
            let text = format!("process_resident_memory_bytes {wrong}\n");
            assert!(read(&text, &[], None).is_err(), "{wrong}");
        }
        assert!(read("up 1\n", &[], None).unwrap_err().contains("no memory of a process"));
    }
}
