//! Recordings in which each figure stands alone, with its time and the name and labels of its series:
//! Prometheus, k6, Grafana's older export. Pure.

use std::collections::BTreeMap;

use crate::readings::columns;
use crate::readings::table::Table;

/// A figure of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Point {
    pub(super) line: usize,
    /// The metric.
    pub(super) name: String,
    /// What else is known of the series.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) time: String,
    pub(super) value: String,
}

/// The table of those `points` whose metric is the best to judge, a row each.
///
/// Where no metric's name says that it is memory, a metric that is alone is taken; of several
/// all are columns, so that one can be chosen.
pub(super) fn table(form: &'static str, points: Vec<Point>) -> Option<Table> {
    let mut names: Vec<&str> = Vec::new();
    for point in &points {
        if !names.contains(&point.name.as_str()) {
            names.push(&point.name);
        }
    }
    let best = names.iter().filter_map(|name| Some((columns::holds(name)?, *name))).min();
    let chosen: Vec<String> = match (best, &names[..]) {
        (Some((_, name)), _) => vec![name.to_string()],
        (None, names) => names.iter().map(ToString::to_string).collect(),
    };
    // A single metric that is a share is refused as one, not taken for an amount.
    let alone = chosen.len() == 1 && !columns::is_share_of_memory(&chosen[0]);
    let others = names.len() - chosen.len();
    let mut table = Table::new(form, vec!["time".to_string(), "series".to_string()]);
    table
        .columns
        .extend(chosen.iter().map(|name| if name.is_empty() { "value".to_string() } else { name.clone() }));
    table.time = Some(0);
    table.looks = true;
    table.memory = alone.then_some(2);
    if best.is_some() && others > 0 {
        table.notes.push(format!("{others} other metrics were left out"));
    }
    let differing = differing(points.iter().filter(|point| chosen.contains(&point.name)));
    for point in points {
        let Some(column) = chosen.iter().position(|name| *name == point.name) else { continue };
        let labels: Vec<String> =
            differing.iter().filter_map(|key| Some(format!("{key}={}", point.labels.get(key)?))).collect();
        let mut cells = vec![point.time, labels.join(", ")];
        cells.resize(column + 2, String::new());
        cells.push(point.value);
        table.push(point.line, cells);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// The labels that tell one series from another.
fn differing<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<String> {
    let mut values: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    let mut labels: Vec<&BTreeMap<String, String>> = points.map(|point| &point.labels).collect();
    labels.dedup();
    for set in &labels {
        for key in set.keys() {
            values.entry(key).or_default();
        }
    }
    for (key, seen) in &mut values {
        for set in &labels {
            let value = set.get(*key).map(String::as_str);
            if !seen.contains(&value) && seen.len() < 2 {
                seen.push(value);
            }
        }
    }
    values.into_iter().filter(|(_, seen)| seen.len() > 1).map(|(key, _)| key.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(name: &str, pod: &str, time: &str, value: &str) -> Point {
        let labels = [("job", "svc"), ("pod", pod)].map(|(key, value)| (key.to_string(), value.to_string()));
        Point { line: 1, name: name.into(), labels: labels.into(), time: time.into(), value: value.into() }
    }

    #[test]
    fn the_metric_that_holds_memory_is_taken_and_series_have_what_tells_them_apart() {
        let points = vec![
            point("http_requests_total", "a", "1", "5"),
            point("process_resident_memory_bytes", "a", "1", "100"),
            point("process_resident_memory_bytes", "b", "1", "200"),
        ];
        let table = table("points", points).unwrap();
        assert_eq!(table.columns, ["time", "series", "process_resident_memory_bytes"]);
        assert_eq!(table.rows[1].cells, ["1", "pod=b", "200"]);
        assert_eq!(table.notes, ["1 other metrics were left out"]);
    }

    #[test]
    fn a_metric_that_is_alone_needs_no_name() {
        let table = table("points", vec![point("", "a", "1", "100"), point("", "a", "2", "101")]).unwrap();
        assert_eq!((table.memory, table.columns[2].as_str()), (Some(2), "value"));
        assert_eq!(table.rows[0].cells, ["1", "", "100"]);
    }
}
