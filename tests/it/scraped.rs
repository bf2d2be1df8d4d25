//! A real Prometheus scrapes a soak, and the dashboard's queries find data in it.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use serial_test::parallel;

use crate::live::{get, interrupt, served};
use crate::support::runs::{Place, eventually};

/// `query` as a part of a URL.
fn encoded(query: &str) -> String {
    query
        .bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// What the server at `address` answers to `query`: the values of the series.
fn values(address: &str, query: &str) -> Vec<f64> {
    let url = format!("http://{address}/api/v1/query?query={}", encoded(query));
    let Ok((200, body)) = get(&url, None, "Connection: close\r\n") else { return Vec::new() };
    // The body may be in chunks.
    let json = body.find('{').zip(body.rfind('}')).map(|(from, to)| &body[from..=to]);
    let answer: Value = json.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    series.iter().filter_map(|one| one["value"][1].as_str()?.parse().ok()).collect()
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let board: Value = serde_json::from_str(include_str!("../../docs/grafana-dashboard.json")).unwrap();
    let targets = board["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    targets.flatten().map(|target| target["expr"].as_str().unwrap().to_string()).collect()
}

#[test]
#[ignore = "needs Prometheus, a Debian package"]
#[parallel(machine)]
fn every_query_of_the_dashboard_finds_a_soak_in_prometheus() {
    let place = Place::new(1, 1);
    let (running, urls) = served(&place, "--metrics 0");
    let target = urls[0].strip_prefix("http://").unwrap().split('/').next().unwrap().to_string();
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: highwater, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    fs::write(place.path("prometheus.yml"), configuration).unwrap();
    let said = fs::File::create(place.path("prometheus.log")).unwrap();
    let mut prometheus = Command::new("prometheus");
    prometheus.current_dir(place.path(".")).stderr(said).args([
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--web.listen-address=127.0.0.1:0",
    ]);
    let mut server = prometheus.stdout(Stdio::null()).spawn().expect("prometheus is installed");
    let address = eventually("Prometheus listens", || {
        let said = fs::read_to_string(place.path("prometheus.log")).unwrap();
        let address =
            said.lines().filter_map(|line| line.split_once("address=127.0.0.1:")?.1.split(' ').next());
        address.map(str::to_string).find(|port| port != "0").map(|port| format!("127.0.0.1:{port}"))
    });
    // A soak has no levels of a ramp.
    let queries: Vec<String> = queries().into_iter().filter(|query| !query.contains("_ramp_")).collect();
    assert!(queries.len() > 10, "{queries:?}");
    for query in &queries {
        eventually(query, || (!values(&address, query).is_empty()).then_some(()));
    }
    let worker = values(&address, "highwater_resident_memory_bytes{role=\"worker\"}");
    assert!(worker.iter().all(|bytes| *bytes > 1e6) && worker.len() == 1, "{worker:?}");
    assert!(values(&address, "highwater_no_such_name").is_empty());
    assert_eq!(interrupt(running), Some(130));
    // A run that has ended is gone, and its series with it.
    eventually("the target is down", || (values(&address, "up") == [0.0]).then_some(()));
    server.kill().unwrap();
    server.wait().unwrap();
}
