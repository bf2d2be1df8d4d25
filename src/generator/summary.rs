//! What load generators say of the load that they made: k6, Locust, oha, ghz, and a form for scripts. Pure.

use serde_json::Value;

/// The figures of a load; what the generator does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Summary {
    pub(super) tool: &'static str,
    pub(super) requests: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) per_s: Option<f64>,
    pub(super) p50_s: Option<f64>,
    pub(super) p95_s: Option<f64>,
}

/// The summary that `text` is; absent if it is none that is known.
pub(super) fn summary(text: &str) -> Option<Summary> {
    let text = text.trim();
    // A script may print other things before it, and oha its progress.
    let json = text.find('{').and_then(|from| serde_json::from_str::<Value>(&text[from..]).ok());
    let last = || serde_json::from_str::<Value>(text.lines().last()?).ok();
    let json = json.or_else(last);
    let forms = [k6, oha, ghz, script];
    json.and_then(|json| forms.into_iter().find_map(|form| form(&json))).or_else(|| locust(text))
}

/// `k6 run --summary-export FILE`, and what `handleSummary` is given.
fn k6(json: &Value) -> Option<Summary> {
    let metrics = json.get("metrics")?;
    let figure = |metric: &str, name: &str| {
        let metric = metrics.get(metric)?;
        metric.get("values").unwrap_or(metric).get(name)?.as_f64()
    };
    // Other protocols than HTTP have iterations only.
    let requests = figure("http_reqs", "count").or_else(|| figure("iterations", "count"))?;
    let share = figure("http_req_failed", "value").or_else(|| figure("http_req_failed", "rate"));
    let failed = share.map(|share| share * requests).or_else(|| figure("checks", "fails"));
    let times =
        if figure("http_req_duration", "med").is_some() { "http_req_duration" } else { "iteration_duration" };
    Some(Summary {
        tool: "k6",
        requests: count(requests),
        failed: failed.and_then(count),
        per_s: figure("http_reqs", "rate").or_else(|| figure("iterations", "rate")),
        p50_s: figure(times, "med").map(|ms| ms / 1000.0),
        p95_s: figure(times, "p(95)").map(|ms| ms / 1000.0),
    })
}

/// `oha --output-format json`.
fn oha(json: &Value) -> Option<Summary> {
    let summary = json.get("summary")?;
    let per_s = summary.get("requestsPerSec")?.as_f64();
    let counts = |of: &str| json.get(of).and_then(Value::as_object).into_iter().flatten();
    let answered: f64 = counts("statusCodeDistribution").filter_map(|(_, count)| count.as_f64()).sum();
    let good: f64 = counts("statusCodeDistribution")
        .filter(|(status, _)| status.starts_with(['1', '2', '3']))
        .filter_map(|(_, count)| count.as_f64())
        .sum();
    let broken: f64 = counts("errorDistribution").filter_map(|(_, count)| count.as_f64()).sum();
    let time = |name: &str| json.pointer(&format!("/latencyPercentiles/{name}"))?.as_f64();
    Some(Summary {
        tool: "oha",
        requests: count(answered + broken),
        failed: count(answered - good + broken),
        per_s,
        p50_s: time("p50"),
        p95_s: time("p95"),
    })
}

/// `ghz --format json`. Its times are nanoseconds.
fn ghz(json: &Value) -> Option<Summary> {
    let statuses = json.get("statusCodeDistribution")?.as_object()?;
    let requests = json.get("count")?.as_f64()?;
    let good = statuses.get("OK").and_then(Value::as_f64).unwrap_or(0.0);
    let time = |percent: u64| {
        let all = json.get("latencyDistribution")?.as_array()?;
        let one = all.iter().find(|one| one.get("percentage").and_then(Value::as_u64) == Some(percent))?;
        Some(one.get("latency")?.as_f64()? / 1e9)
    };
    Some(Summary {
        tool: "ghz",
        requests: count(requests),
        failed: count(requests - good),
        per_s: json.get("rps").and_then(Value::as_f64),
        p50_s: time(50),
        p95_s: time(95),
    })
}

/// `{"requests": 400, "failed": 2, "per_s": 13.3, "p50_s": 0.1, "p95_s": 0.4}`: for scripts; only `requests` is needed.
fn script(json: &Value) -> Option<Summary> {
    let figure = |name: &str| json.get(name).and_then(Value::as_f64);
    Some(Summary {
        tool: "script",
        requests: Some(count(figure("requests")?)?),
        failed: figure("failed").and_then(count),
        per_s: figure("per_s"),
        p50_s: figure("p50_s"),
        p95_s: figure("p95_s"),
    })
}

/// `locust --csv PREFIX`: `PREFIX_stats.csv`, whose last row is the sum. Its times are milliseconds.
fn locust(text: &str) -> Option<Summary> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let titles = reader.headers().ok()?.clone();
    let column = |name: &str| titles.iter().position(|title| title == name);
    let (requests, failures, name) = (column("Request Count")?, column("Failure Count")?, column("Name")?);
    let rows: Vec<csv::StringRecord> = reader.records().filter_map(Result::ok).collect();
    let row = rows.iter().rfind(|row| row.get(name) == Some("Aggregated"))?;
    let figure = |column: Option<usize>| row.get(column?)?.parse::<f64>().ok();
    Some(Summary {
        tool: "Locust",
        requests: figure(Some(requests)).and_then(count),
        failed: figure(Some(failures)).and_then(count),
        per_s: figure(column("Requests/s")),
        p50_s: figure(column("50%")).map(|ms| ms / 1000.0),
        p95_s: figure(column("95%")).map(|ms| ms / 1000.0),
    })
}

fn count(value: f64) -> Option<u64> {
    (value.is_finite() && (0.0..1e15).contains(&value)).then(|| value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Summary {
        summary(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn expected(
        tool: &'static str,
        requests: u64,
        failed: u64,
        per_s: f64,
        p50_s: f64,
        p95_s: f64,
    ) -> Summary {
        Summary {
            tool,
            requests: Some(requests),
            failed: Some(failed),
            per_s: Some(per_s),
            p50_s: Some(p50_s),
            p95_s: Some(p95_s),
        }
    }

    #[test]
    fn each_tool_has_its_form() {
        let k6 = r#"{"metrics": {"http_reqs": {"count": 400, "rate": 13.5},
            "http_req_failed": {"passes": 4, "fails": 396, "value": 0.01},
            "http_req_duration": {"med": 120.0, "p(95)": 480.0}}}"#;
        assert_eq!(read(k6), expected("k6", 400, 4, 13.5, 0.12, 0.48));
        let newer = r#"{"metrics": {"http_reqs": {"values": {"count": 10, "rate": 2}},
            "http_req_failed": {"values": {"rate": 0.5}},
            "http_req_duration": {"values": {"med": 1, "p(95)": 2}}}}"#;
        assert_eq!(read(newer), expected("k6", 10, 5, 2.0, 0.001, 0.002));
        let oha = r#"{"summary": {"successRate": 0.9, "requestsPerSec": 50.0},
            "latencyPercentiles": {"p50": 0.1, "p95": 0.4},
            "statusCodeDistribution": {"200": 90, "503": 6}, "errorDistribution": {"refused": 4}}"#;
        assert_eq!(read(oha), expected("oha", 100, 10, 50.0, 0.1, 0.4));
        let ghz = r#"{"count": 200, "rps": 99.5, "statusCodeDistribution": {"OK": 199, "Unavailable": 1},
            "latencyDistribution": [{"percentage": 50, "latency": 10000000}, {"percentage": 95, "latency": 20000000}]}"#;
        assert_eq!(read(ghz), expected("ghz", 200, 1, 99.5, 0.01, 0.02));
        let locust = "Type,Name,Request Count,Failure Count,Requests/s,50%,95%\n\
            POST,/task,300,3,10.0,100,400\n,Aggregated,301,3,10.1,110,410\n";
        assert_eq!(read(locust), expected("Locust", 301, 3, 10.1, 0.11, 0.41));
    }

    #[test]
    fn a_script_tells_what_it_knows() {
        let told = read("warming up\n{\"requests\": 7, \"failed\": 1}");
        assert_eq!((told.tool, told.requests, told.failed, told.p95_s), ("script", Some(7), Some(1), None));
        assert_eq!(read("{ progress }\n{\"requests\": 2}").requests, Some(2));
    }

    #[test]
    fn what_is_no_summary_is_none() {
        for text in
            ["", "done", "{}", "{\"requests\": \"many\"}", "Name,Request Count\n", "{\"metrics\": {}}"]
        {
            assert_eq!(summary(text), None, "{text}");
        }
    }
}
