//! Forms as tools write them, in other versions, locales and options than the recordings in `fixtures/recordings`.

mod systems;
mod tools;

use super::*;

/// Forty readings of a process that holds 36 MB and 2 MB more each second; the cell of a row gets its number
/// and the megabytes.
fn rows(row: impl Fn(usize, f64) -> String) -> String {
    (0..40).map(|n| row(n, 36.0 + 2.0 * n as f64)).collect()
}

/// What a failure shows of a text.
fn begin(text: &str) -> &str {
    text.char_indices().nth(600).map_or(text, |(end, _)| &text[..end])
}

fn recording(text: &str) -> MemoryRecording {
    of_bytes("test", text.as_bytes(), &Selection::default())
        .unwrap_or_else(|error| panic!("{error:?}\n{}", begin(text)))
}

/// The one series of `text`, which rises by 2 MB from reading to reading.
fn rising(text: &str) -> Series {
    let mut recording = recording(text);
    assert_eq!(
        recording.series.len(),
        1,
        "{:?}",
        recording.series.iter().map(|s| &s.name).collect::<Vec<_>>()
    );
    let series = recording.series.remove(0);
    assert_eq!(series.after_mb.len(), 40, "{}", begin(text));
    for (n, mb) in series.after_mb.iter().enumerate() {
        assert!((mb - 36.0 - 2.0 * n as f64).abs() < 0.1, "{n}: {mb}\n{}", begin(text));
    }
    series
}

fn seconds(series: &Series) -> Vec<f64> {
    match &series.at {
        Axis::Seconds(seconds) => seconds.iter().map(|second| (second - seconds[0]).round()).collect(),
        _ => Vec::new(),
    }
}

/// The same, a second apart.
fn rising_in_time(text: &str) -> Series {
    let series = rising(text);
    let expected: Vec<f64> = (0..40).map(f64::from).collect();
    assert_eq!(seconds(&series), expected, "{:?}\n{}", series.at, begin(text));
    series
}

const KB: f64 = 1024.0;
const BYTES: f64 = 1_048_576.0;

fn names(text: &str) -> Vec<String> {
    recording(text).series.into_iter().map(|series| series.name.unwrap_or_default()).collect()
}

#[test]
fn processes_of_one_command_are_judged_each_and_as_their_sum() {
    let text = rows(|n, mb| {
        format!(
            "  PID   RSS COMMAND\n 4711 {:.0} python3\n 4712 20480 python3\n   99 10240 redis-server\n{}",
            mb * KB,
            if n < 3 { " 5000 1000 sh\n" } else { "" }
        )
    });
    let recording = recording(&text);
    let names: Vec<&str> = recording.series.iter().filter_map(|series| series.name.as_deref()).collect();
    assert_eq!(
        names,
        ["python3: all 2 processes", "python3 (pid 4711)", "python3 (pid 4712)", "redis-server (pid 99)"]
    );
    assert_eq!(recording.series[0].after_mb[39], 36.0 + 78.0 + 20.0);
    assert!(
        recording.series[0].notes.iter().any(|note| note.contains("1 series of fewer than 8")),
        "{:?}",
        recording.series[0].notes
    );
}

#[test]
fn several_containers_pods_series_and_columns_are_judged_each() {
    assert_eq!(
        names(&rows(|_, mb| format!(
            "NAME   CPU(cores)   MEMORY(bytes)\na-0   1m   {mb:.0}Mi\nb-0   1m   20Mi\n"
        ))),
        ["a-0", "b-0"]
    );
    assert_eq!(names(&rows(|_, mb| format!("a-0   1m   {mb:.0}Mi\nb-0   1m   20Mi\n"))), ["a-0", "b-0"]);
    assert_eq!(names(&rows(|_, mb| format!("a: {mb:.1}MiB / 23.5GiB\nb: 20MiB / 23.5GiB\n"))), ["a", "b"]);
    let series = |instance: &str| {
        let values = rows(|n, mb| format!("[{n},\"{:.0}\"],", mb * BYTES)).trim_end_matches(',').to_string();
        format!(
            r#"{{"metric":{{"__name__":"process_resident_memory_bytes","job":"svc","instance":"{instance}"}},"values":[{values}]}}"#
        )
    };
    let text = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{},{}]}}}}"#,
        series("a:1"),
        series("b:1")
    );
    assert_eq!(names(&text), ["instance=a:1", "instance=b:1"]);
    assert_eq!(
        names(&format!("time,web_rss_mb,worker_rss_mb\n{}", rows(|n, mb| format!("{n},{mb},20\n")))),
        ["web_rss_mb", "worker_rss_mb"]
    );
    assert_eq!(
        names(&format!("Time,svc-0,svc-1\n{}", rows(|n, mb| format!("18:00:{n:02},{mb} MiB,20 MiB\n")))),
        ["svc-0", "svc-1"]
    );
    // One kind of memory of one process is not two.
    assert_eq!(
        names(&format!("time,rss_mb,vms_mb,memory_mb\n{}", rows(|n, mb| format!("{n},{mb},999,5\n")))),
        [""]
    );
}

#[test]
fn a_tree_of_mprof_is_judged_as_a_whole() {
    let text =
        format!("CMDLINE python3 app.py\n{}", rows(|n, mb| format!("MEM {mb} {n}.5\nCHLD 0 20.0 {n}.5\n")));
    let series = recording(&text).series;
    let names: Vec<&str> = series.iter().filter_map(|series| series.name.as_deref()).collect();
    assert_eq!(names, ["python3 app.py: all 2 processes", "parent", "child 0"]);
    assert_eq!(series[0].after_mb[0], 56.0);
}

#[test]
fn processes_that_follow_each_other_have_no_sum() {
    let text =
        rows(|n, mb| format!("{{\"time\": {n}, \"pid\": {}, \"name\": \"w\", \"rss_mb\": {mb}}}\n", n / 20));
    assert_eq!(names(&text), ["w (pid 0)", "w (pid 1)"]);
}

fn refused(text: &str, wanted: &Selection) -> String {
    let error = of_bytes("t", text.as_bytes(), wanted).unwrap_err();
    format!("{error:?}")
}

#[test]
fn shares_are_refused_with_a_reason_and_never_preferred() {
    for text in [
        "%MEM\n1.4\n1.9\n",
        "pmem\n1.4\n1.9\n",
        "time,memory_percent\n0,1.4\n1,1.9\n",
        "Name,MemPerc\nsvc,1.4%\nsvc,1.9%\n",
        "time,memory\n0,1.4%\n1,1.9 %\n",
        "  PID %MEM COMMAND\n 4711  1.4 x\n 4711  1.9 x\n",
        "{\"mem_percent\": 1.4}\n{\"mem_percent\": 1.9}\n",
        "mem_pct=1.4 a=1\nmem_pct=1.5 a=1\nmem_pct=1.6 a=1\n",
    ] {
        let error = refused(text, &Selection::default());
        assert!(
            error.contains("is a share of the memory of a machine")
                && error.contains("hint: record the amount"),
            "{error}"
        );
    }
    for text in ["%MEM,RSS\n1.4,5000\n1.9,6000\n", "MemPerc,MemUsage\n1.4%,5MiB / 8GiB\n1.9%,6MiB / 8GiB\n"] {
        assert_ne!(recording(text).series[0].column, "%MEM");
        assert_ne!(recording(text).series[0].column, "MemPerc");
    }
    let error =
        refused("%MEM,RSS\n1.4,5000\n", &Selection { column: Some("%MEM".into()), ..Selection::default() });
    assert!(error.contains("is a share"), "{error}");
}

#[test]
fn an_error_shows_the_columns_and_the_nearest_thing_to_do() {
    let error = refused("stamp,pid,usage_of_it\n18:00:00,1,5\n18:00:01,1,6\n", &Selection::default());
    assert!(
        error.contains("it has `stamp`, `pid`, `usage_of_it`")
            || error.contains("has `stamp`, `pid`, `usage_of_it`"),
        "{error}"
    );
    assert!(error.contains("`--column usage_of_it --unit kB`"), "{error}");
    let error = refused("5 9 3\n6 8 4\n7 9 5\n", &Selection::default());
    assert!(error.contains("`5 9 3`") && error.contains("--column 2 --unit kB"), "{error}");
    let wanted =
        Selection { column: Some("2".into()), unit: Some(MemoryUnit::Kilobytes), per: None, thinned: false };
    let recording = of_bytes("t", b"5 9 3\n6 8 4\n7 9 5\n", &wanted).unwrap();
    assert_eq!(recording.series[0].after_mb, [9.0 / KB, 8.0 / KB, 9.0 / KB]);
    let error = refused("rss_mb\n5\n6\n", &Selection { per: Some(Per::Hour), ..Selection::default() });
    assert!(error.contains("no column of times"), "{error}");
}

#[test]
fn what_is_wanted_overrides_what_is_found() {
    let text = format!("time,rss,size\n{}", rows(|n, mb| format!("{n},5,{mb}\n")));
    let wanted = |column: &str, unit| Selection {
        column: Some(column.into()),
        unit,
        per: Some(Per::Task),
        thinned: false,
    };
    let series = of_bytes("t", text.as_bytes(), &wanted("size", Some(MemoryUnit::Gigabytes)))
        .unwrap()
        .series
        .remove(0);
    assert_eq!((series.after_mb[0], &series.at), (36.0 * 1024.0, &Axis::Rows));
}

#[test]
fn any_bytes_are_readings_or_an_error() {
    let corpus: [&[u8]; 5] = [
        b"task,rss_mb\n1,100.5\n2,101.5\n3,102\n",
        b"timestamp;process;memory\n2026-01-01T00:00:00;a;1,5 MiB\n2026-01-01T00:00:01;a;2,5 MiB\n",
        b"{\"status\":\"success\",\"data\":{\"result\":[{\"metric\":{},\"values\":[[1,\"2\"],[2,\"3\"]]}]}}",
        b"  PID USER      RSS COMMAND\n    7 root   10240 python3\n    7 root   10244 python3\n",
        b"VmRSS:\t  1024 kB\nMEM 12.5 1700000000.5\nMEM 13.5 1700000001.5\n",
    ];
    crate::mutation_tests::survives(&corpus, any_bytes);
}
