//! JSON: one document, or a document per line or per moment. Pure.
//!
//! The known shapes are Prometheus (`query_range`, instant queries, exports), k6's points and Grafana's frames. Of any
//! other document, the rows are the objects in it; fields of objects within them are named `outer.inner`.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Deserializer, Value};

use super::bare;
use super::long::{self, Point};
use crate::readings::clock;
use crate::readings::table::Table;

pub(super) fn table(text: &str) -> Option<Table> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let Documents { values, notes } = documents(text)?;
    let points: Vec<Point> = values.iter().flat_map(|(line, value)| points(*line, value)).collect();
    if !points.is_empty() {
        let k6 = values.iter().any(|(_, value)| value["type"] == "Point");
        let mut table = long::table(if k6 { "k6" } else { "Prometheus" }, points)?;
        table.notes.extend(notes);
        return Some(table);
    }
    let mut rows =
        Rows { table: Table { strict: true, ..Table::new("JSON", Vec::new()) }, ..Rows::default() };
    for (line, value) in &values {
        rows.add(*line, value);
    }
    let mut table = rows.table;
    table.notes.extend(notes);
    // Of arrays and bare figures the cells tell what the names do not.
    if !table.columns.is_empty() && table.columns.iter().all(|name| name.parse::<usize>().is_ok()) {
        bare::assign(&mut table);
    }
    Some(table)
}

/// The documents of a text, each with the line on which it begins or of which it is.
struct Documents {
    values: Vec<(usize, Value)>,
    notes: Vec<String>,
}

/// `[` may begin a line of a log just as well: nothing where no line is JSON.
fn documents(text: &str) -> Option<Documents> {
    let whole: Result<Vec<Value>, _> = Deserializer::from_str(text).into_iter::<Value>().collect();
    if let Ok(values) = whole {
        return Some(Documents {
            values: values.into_iter().enumerate().map(|(n, value)| (n + 1, value)).collect(),
            notes: Vec::new(),
        });
    }
    let mut documents = Documents { values: Vec::new(), notes: Vec::new() };
    let (mut bad, mut now) = (0, None);
    let last = text.lines().count();
    for (line, content) in super::lines(text) {
        match serde_json::from_str::<Value>(content) {
            Ok(mut value) if value.is_object() || value.is_array() => {
                if let (Some(moment), Some(object)) = (&now, value.as_object_mut()) {
                    object.entry("time").or_insert_with(|| Value::String(String::clone(moment)));
                }
                documents.values.push((line, value));
            }
            Ok(_) => bad += 1,
            Err(_) if clock::leading(content).is_some_and(|(_, rest)| rest.is_empty()) => {
                now = Some(content.trim().to_string());
            }
            // What follows the last newline was not finished.
            Err(_) if line == last && !text.ends_with('\n') => {
                documents.notes.push(format!("line {line} is torn and was left out"));
            }
            Err(error) => {
                bad += 1;
                documents.notes.push(format!("line {line} is no JSON ({error}) and was left out"));
            }
        }
    }
    let more = documents.notes.len().saturating_sub(3);
    if more > 0 {
        documents.notes.truncate(3);
        documents.notes.push(format!("{more} more lines were left out"));
    }
    (documents.values.len() > bad || (documents.values.is_empty() && bad <= 1)).then_some(documents)
}

/// The points in a document of a known shape.
fn points(line: usize, value: &Value) -> Vec<Point> {
    // k6: the name and the labels of a point.
    if value["type"] == "Point" && value["data"].is_object() {
        let data = &value["data"];
        return vec![Point {
            line,
            name: text(&value["metric"]),
            labels: labels(&data["tags"]),
            time: text(&data["time"]),
            value: text(&data["value"]),
        }];
    }
    if value["type"] == "Metric" && value["metric"].is_string() {
        return Vec::new();
    }
    // Prometheus: the answer of its API, `promtool`'s array, VictoriaMetrics' lines.
    let result = if value["data"]["result"].is_array() { &value["data"]["result"] } else { value };
    let one = std::slice::from_ref(result);
    let series = result.as_array().map_or(one, Vec::as_slice);
    let known = |series: &Value| {
        series["metric"].is_object() && (series["values"].is_array() || series["value"].is_array())
    };
    if !series.iter().any(known) {
        return frames(line, value);
    }
    series.iter().filter(|series| known(series)).flat_map(|series| of_series(line, series)).collect()
}

fn of_series(line: usize, series: &Value) -> Vec<Point> {
    let mut labels = labels(&series["metric"]);
    let name = labels.remove("__name__").unwrap_or_default();
    let point = |time: &Value, value: &Value| Point {
        line,
        name: name.clone(),
        labels: labels.clone(),
        time: text(time),
        value: text(value),
    };
    let pair = |pair: &Value| Some(point(pair.get(0)?, pair.get(1)?));
    if let (Some(values), Some(times)) = (series["values"].as_array(), series["timestamps"].as_array()) {
        return times.iter().zip(values).map(|(time, value)| point(time, value)).collect();
    }
    match series["values"].as_array() {
        Some(values) => values.iter().filter_map(pair).collect(),
        None => pair(&series["value"]).into_iter().collect(),
    }
}

/// The points in the frames of Grafana's data source API.
fn frames(line: usize, value: &Value) -> Vec<Point> {
    let Some(results) = value["results"].as_object() else { return Vec::new() };
    let frames = results.values().filter_map(|result| result["frames"].as_array()).flatten();
    let mut points = Vec::new();
    for frame in frames {
        let (Some(fields), Some(values)) =
            (frame["schema"]["fields"].as_array(), frame["data"]["values"].as_array())
        else {
            continue;
        };
        let Some(time) = fields.iter().position(|field| field["type"] == "time") else { continue };
        for (index, field) in fields.iter().enumerate().filter(|(index, _)| *index != time) {
            let mut labels = labels(&field["labels"]);
            let name = labels.remove("__name__").unwrap_or_else(|| text(&field["name"]));
            let column = values[index].as_array().into_iter().flatten();
            for (time, value) in values[time].as_array().into_iter().flatten().zip(column) {
                points.push(Point {
                    line,
                    name: name.clone(),
                    labels: labels.clone(),
                    time: text(time),
                    value: text(value),
                });
            }
        }
    }
    points
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let object = value.as_object().into_iter().flatten();
    object.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// A scalar as it is written; nothing for `null`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Rows out of documents of no known shape.
#[derive(Default)]
struct Rows {
    table: Table,
    columns: HashMap<String, usize>,
}

/// From so many elements on, an array within an object is a list of rows, and not a part of its row.
const ROWS: usize = 3;

impl Rows {
    fn add(&mut self, line: usize, value: &Value) {
        match value {
            Value::Array(array) => {
                for element in array {
                    self.element(line, element);
                }
            }
            Value::Object(object) => {
                let arrays = || object.iter().filter_map(|(name, value)| Some((name, value.as_array()?)));
                let series =
                    |array: &Vec<Value>| array.len() >= ROWS && array.iter().all(|value| !value.is_object());
                let columns: Vec<(&String, &Vec<Value>)> =
                    arrays().filter(|(_, array)| series(array)).collect();
                if !columns.is_empty()
                    && columns.iter().all(|(_, array)| array.iter().all(|value| !value.is_array()))
                {
                    self.columns_of(line, &columns);
                } else if let Some(rows) = nested(value) {
                    self.add(line, rows);
                } else {
                    self.element(line, value);
                }
            }
            _ => {}
        }
    }

    /// Columns as arrays: `{"time": [0, 1, 2], "rss": [5, 6, 7]}`.
    fn columns_of(&mut self, line: usize, columns: &[(&String, &Vec<Value>)]) {
        let length = columns.iter().map(|(_, array)| array.len()).max().unwrap_or_default();
        for index in 0..length {
            let cells =
                columns.iter().filter_map(|(name, array)| Some((name.to_string(), text(array.get(index)?))));
            self.row(line, cells.collect());
        }
    }

    /// A row: an object, an array of cells, or a figure alone.
    fn element(&mut self, line: usize, element: &Value) {
        let mut cells = Vec::new();
        match element {
            Value::Object(_) => flatten("", element, &mut cells),
            Value::Array(array) => {
                cells =
                    array.iter().enumerate().map(|(n, value)| ((n + 1).to_string(), text(value))).collect();
            }
            other => cells.push(("1".to_string(), text(other))),
        }
        self.row(line, cells);
    }

    fn row(&mut self, line: usize, cells: Vec<(String, String)>) {
        let mut row = vec![String::new(); self.table.columns.len()];
        for (name, value) in cells {
            match self.columns.get(&name) {
                Some(column) => row[*column] = value,
                None => {
                    self.columns.insert(name.clone(), self.table.columns.len());
                    self.table.columns.push(name);
                    row.push(value);
                }
            }
        }
        self.table.push(line, row);
    }
}

/// The longest list of rows within a document that is nothing but their envelope.
fn nested(value: &Value) -> Option<&Value> {
    let within: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(object) => Box::new(object.values()),
        _ => return None,
    };
    let length = |value: &&Value| value.as_array().map_or(0, Vec::len);
    let list = |value: &&Value| {
        value.as_array().is_some_and(|array| {
            array.len() >= ROWS && array.iter().all(|row| row.is_object() || row.is_array())
        })
    };
    within.filter_map(|value| if list(&value) { Some(value) } else { nested(value) }).max_by_key(length)
}

fn flatten(prefix: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let named = |key: &str| if prefix.is_empty() { key.to_string() } else { format!("{prefix}.{key}") };
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                flatten(&named(key), value, fields);
            }
        }
        Value::Array(array) if array.len() < 8 => {
            for (index, value) in array.iter().enumerate() {
                flatten(&named(&index.to_string()), value, fields);
            }
        }
        Value::Array(_) => {}
        scalar => fields.push((prefix.to_string(), text(scalar))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let table = table(text).unwrap();
        (table.columns, table.rows.into_iter().map(|row| row.cells).collect())
    }

    #[test]
    fn rows_are_objects_arrays_or_columns() {
        let expected =
            (vec!["t".to_string(), "rss".to_string()], vec![vec!["0".to_string(), "5".to_string()]; 3]);
        for text in [
            "{\"t\": 0, \"rss\": 5}\n{\"t\": 0, \"rss\": 5}\n{\"t\": 0, \"rss\": 5}\n",
            "[{\"t\": 0, \"rss\": 5}, {\"t\": 0, \"rss\": 5}, {\"t\": 0, \"rss\": 5}]",
            "{\"samples\": [{\"t\": 0, \"rss\": 5}, {\"t\": 0, \"rss\": 5}, {\"t\": 0, \"rss\": 5}]}",
            "{\"t\": [0, 0, 0], \"rss\": [5, 5, 5]}",
            "{\n \"t\": 0,\n \"rss\": 5\n}\n{\"t\": 0, \"rss\": 5} {\"t\": 0, \"rss\": 5}",
        ] {
            assert_eq!(cells(text), expected, "{text}");
        }
        assert_eq!(cells("[1.5, 2.5, 3.5]").1, [["1.5"], ["2.5"], ["3.5"]]);
        assert_eq!(cells("[[0, 5], [1, 6], [2, 7]]").1[1], ["1", "6"]);
    }

    #[test]
    fn objects_within_objects_have_names_of_both() {
        let (columns, rows) = cells("{\"n\": 1, \"worker\": {\"rss_mb\": 5.5, \"parts\": [{\"a\": 1}]}}\n");
        assert_eq!(columns, ["n", "worker.rss_mb", "worker.parts.0.a"]);
        assert_eq!(rows[0], ["1", "5.5", "1"]);
    }

    #[test]
    fn a_torn_line_is_left_out_and_told_and_a_date_is_the_time_of_what_follows() {
        let table = table("{\"rss\": 5}\n18:00:00\n{\"rss\": 6}\n{\"rs").unwrap();
        assert_eq!(table.notes, ["line 4 is torn and was left out"]);
        assert_eq!(table.rows[1].cells, ["6", "18:00:00"]);
        assert!(super::table("[info] hello\n[info] world\n").is_none());
    }

    #[test]
    fn all_shapes_of_prometheus_come_to_the_same() {
        let range = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"rss_bytes"},"values":[[1,"5"],[2,"6"]]}]}}"#;
        let instant = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"rss_bytes"},"value":[1,"5"]}]}}
{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"rss_bytes"},"value":[2,"6"]}]}}"#;
        let promtool = r#"[{"metric":{"__name__":"rss_bytes"},"values":[[1,"5"],[2,"6"]]}]"#;
        let export = r#"{"metric":{"__name__":"rss_bytes"},"values":[5,6],"timestamps":[1,2]}"#;
        let grafana = r#"{"results":{"A":{"frames":[{"schema":{"fields":[{"name":"Time","type":"time"},{"name":"rss_bytes","type":"number"}]},"data":{"values":[[1,2],[5,6]]}}]}}}"#;
        for text in [range, instant, promtool, export, grafana] {
            let (columns, rows) = cells(text);
            assert_eq!(columns, ["time", "series", "rss_bytes"], "{text}");
            assert_eq!(rows, [["1", "", "5"], ["2", "", "6"]], "{text}");
        }
    }
}
