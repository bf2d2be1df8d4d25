//! Monitoring systems, profilers, runtimes, and tables of every kind.

use super::*;

#[test]
fn monitoring_systems() {
    let values = |quote: &str| {
        rows(|n, mb| format!("[{}.781,{quote}{:.0}{quote}],", 1_795_803_548 + n, mb * BYTES))
            .trim_end_matches(',')
            .to_string()
    };
    for text in [
        format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{}]}}]}}}}"#,
            values("\"")
        ),
        rows(|n, mb| {
            format!(
                "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{{\"metric\":{{\"__name__\":\"container_memory_working_set_bytes\",\"pod\":\"svc-0\"}},\"value\":[{}.5,\"{:.0}\"]}}]}}}}\n",
                1_795_803_548 + n,
                mb * BYTES
            )
        }),
        format!("\"Time\",\"svc\"\n{}", rows(|n, mb| format!("2026-11-27 18:00:{n:02},{mb:.1} MiB\n"))),
        format!("Time,svc\n{}", rows(|n, mb| format!("2026-11-27T18:00:{n:02}.000Z,{:.0}\n", mb * BYTES))),
        format!(
            "Series;Time;Value\n{}",
            rows(|n, mb| format!(
                "process_resident_memory_bytes{{instance=\"a\"}};2026-11-27T18:00:{n:02}+00:00;{:.0}\n",
                mb * BYTES
            ))
        ),
        format!(
            "metric_name,timestamp,metric_value,check\n{}",
            rows(|n, mb| format!(
                "http_reqs,{0},1.0,\nserver_memory,{0},{1:.0},\n",
                1_795_803_548 + n,
                mb * BYTES
            ))
        ),
        rows(|n, mb| {
            format!(
                "{{\"metric\":\"http_reqs\",\"type\":\"Point\",\"data\":{{\"time\":\"2026-11-27T18:00:{n:02}.5+01:00\",\"value\":1,\"tags\":{{\"a\":\"{n}\"}}}}}}\n{{\"metric\":\"server_rss\",\"type\":\"Point\",\"data\":{{\"time\":\"2026-11-27T18:00:{n:02}.5+01:00\",\"value\":{:.0},\"tags\":{{}}}}}}\n",
                mb * BYTES
            )
        }),
        format!(
            "\"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)\",\"\\\\HOST\\Process(svc)\\Private Bytes\"\n{}",
            rows(|n, mb| format!("\"11/27/2026 18:00:{n:02}.123\",\"{:.0}\"\n", mb * BYTES))
        ),
        format!(
            "timestamp, name, memory.used [MiB], memory.total [MiB], utilization.memory [%]\n{}",
            rows(|n, mb| format!("2026/11/27 18:00:{n:02}.000, NVIDIA H100, {mb:.0} MiB, 81559 MiB, 3 %\n"))
        ),
        format!(
            "timestamp, pid, used_gpu_memory [MiB]\n{}",
            rows(|n, mb| format!("2026/11/27 18:00:{n:02}.000, 4711, {mb:.0}\n"))
        ),
        rows(|n, mb| format!("2026/11/27 18:00:{n:02}.000, 4711, python3, {mb:.0} MiB\n")),
        format!(
            "# hostname;interval;timestamp;kbmemfree;kbavail;kbmemused;%memused\n{}",
            rows(|n, mb| format!("vm;1;2026-11-27 18:00:{n:02} UTC;999;999;{:.0};5,00\n", mb * KB))
        ),
        format!(
            "Linux 6.18 (vm) \t11/27/26 \t_x86_64_\t(2 CPU)\n\n06:00:00 PM kbmemfree   kbavail kbmemused  %memused kbbuffers\n{}Average:         999       999       999      5.00       999\n",
            rows(|n, mb| format!(
                "06:00:{n:02} PM       999       999  {:.0}      5.00       999\n",
                mb * KB
            ))
        ),
    ] {
        rising_in_time(&text);
    }
}

#[test]
fn profilers_and_runtimes() {
    for text in [
        format!(
            "CMDLINE python3 app.py\n{}FUNC app.main 1.0 2.0 3.0 4.0\n",
            rows(|n, mb| format!("MEM {mb:.6} {}.1234\n", 1_795_803_548 + n))
        ),
        format!(
            "# Elapsed time   CPU (%)     Real (MB)   Virtual (MB)\n{}",
            rows(|n, mb| format!("  {n:10}.000        0.000 {mb:12.3}       99.125\n"))
        ),
        format!(
            "elapsed_time,nproc,cpu,mem_real,mem_virtual\n{}",
            rows(|n, mb| format!("{n}.0,1,0.0,{mb},99.1\n"))
        ),
        rows(|n, mb| {
            format!(
                "{{\"ts\":{},\"rss\":{:.0},\"heapTotal\":5,\"heapUsed\":4,\"external\":1}}\n",
                1_795_803_548_000_u64 + n as u64 * 1000,
                mb * BYTES
            )
        }),
        rows(|n, mb| {
            format!(
                "gc {n} @{n}.012s 2%: 0.018+1.2+0.003 ms clock, 0.1+0/0.3/0+0.2 ms cpu, 90->99->{mb:.0} MB, 99 MB goal, 4 P\n"
            )
        }),
        rows(|n, mb| {
            format!(
                "[{n}.123s][info][gc] GC({n}) Pause Young (Normal) (G1 Evacuation Pause) 240M->{mb:.0}M(256M) 3.456ms\n"
            )
        }),
        rows(|n, mb| {
            format!(
                "[4711:0x5581]  {:8} ms: Mark-sweep (reduce) 99.3 (103.0) -> {mb:.1} (104.0) MB, 0.8 / 0.0 ms  (average mu = 0.9)\n",
                n * 1000
            )
        }),
    ] {
        rising_in_time(&text);
    }
    rising(&rows(|_, mb| format!("{{ rss: {:.0}, heapTotal: 4960256, heapUsed: 3846136 }}\n", mb * BYTES)));
}

#[test]
fn tables_of_every_kind() {
    for text in [
        format!("t;rss_mb\n{}", rows(|n, mb| format!("{n},0;{mb:.1}\n").replace('.', ","))),
        format!(
            "Zeit;Speicher RSS (kB)\n{}",
            rows(|n, mb| format!(
                "27.11.2026 18:00:{n:02};{:.0}.{:03.0}\n",
                (mb * KB / 1000.0).floor(),
                (mb * KB) % 1000.0
            ))
        ),
        format!("t\trss_mb\n{}", rows(|n, mb| format!("{n}\t{mb}\n"))),
        format!("time,memory\n{}", rows(|n, mb| format!("12:00:{n:02} PM,\"{mb:.0} MB\"\n"))),
        format!("memory,time\n{}", rows(|n, mb| format!("{mb:.1}MiB,{n}\n"))),
        format!("| time | RSS |\n|------|-----|\n{}", rows(|n, mb| format!("| 18:00:{n:02} | {mb} MB |\n"))),
        format!("Date,Time,RSS\n{}", rows(|n, mb| format!("11/27/2026,18:00:{n:02},{:.0}\n", mb * KB))),
        format!(
            "elapsed_ms,rss_bytes\r\n{}",
            rows(|n, mb| format!("{},{:.0}\r\n\r\n", n * 1000, mb * BYTES))
        ),
        rows(|n, mb| format!("{n}.0 {mb}.5\n")).replace(".5", ".0"),
        rows(|n, mb| {
            format!("time=2026-11-27T18:00:{n:02}Z level=info msg=\"tick\" rss={:.0} heap=5\n", mb * BYTES)
        }),
        rows(|n, mb| {
            format!("2026-11-27 18:00:{n:02},123 INFO [worker] request {n} done, memory {mb} MB of 512 MB\n")
        }),
        rows(|n, mb| format!("[18:00:{n:02}] holds {mb:.1} MiB\n")),
        format!(
            "ts_ns,rss_mb\n{}",
            rows(|n, mb| format!("{},{mb}\n", 1_795_803_548_000_000_000_u64 + n as u64 * 1_000_000_000))
        ),
        format!("[{}]", rows(|n, mb| format!("[{n}.5, {:.0}],", mb * BYTES)).trim_end_matches(',')),
        format!(
            "{{\"series\": {{\"points\": [{}]}}}}",
            rows(|n, mb| format!("{{\"time\": \"2026-11-27T18:00:{n:02}\", \"rss_mb\": {mb}}},"))
                .trim_end_matches(',')
        ),
    ] {
        rising_in_time(&text);
    }
    for text in [
        format!("rss_mb\n{}", rows(|_, mb| format!("{mb}\n"))),
        format!(
            "task_index,timestamp,rss_mb\n{}",
            rows(|n, mb| format!("{n},2026-11-27 18:00:{n:02},{mb}\n"))
        ),
        format!("kind,timestamp,rss_mb\n{}", rows(|n, mb| format!("short,2026-11-27 18:00:{n:02},{mb}\n"))),
        format!("[{}]", rows(|_, mb| format!("{:.0},", mb * BYTES)).trim_end_matches(',')),
        format!("rss\n{}", rows(|_, mb| format!("{mb:.1}\n").replace('.', ","))),
        format!(
            "RSS\n{}",
            rows(|_, mb| format!("\"{:.0},{:03.0}\"\n", (mb * KB / 1000.0).floor(), (mb * KB) % 1000.0))
        ),
    ] {
        assert_eq!(rising(&text).at, Axis::Rows, "{}", begin(&text));
    }
    // Every hundredth request.
    let text = format!("requests,rss_mb\n{}", rows(|n, mb| format!("{},{mb}\n", n * 100)));
    assert!(matches!(&rising(&text).at, Axis::Tasks(at) if at[1] == 100.0));
}

#[test]
fn the_newest_row_may_come_first() {
    let mut lines: Vec<String> =
        rows(|n, mb| format!("2026-11-27 18:00:{n:02},{mb}\n")).lines().map(str::to_string).collect();
    lines.reverse();
    rising_in_time(&format!("Time,rss_mb\n{}\n", lines.join("\n")));
}

#[test]
fn other_encodings() {
    let utf16: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(rows(|_, mb| format!("{:.0}\r\n", mb * KB)).encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let recording = of_bytes("t", &utf16, &Selection::default()).unwrap();
    assert_eq!(recording.series[0].after_mb.len(), 40);
    let latin: Vec<u8> = b"M\xe9moire RSS (Mo)\n"
        .iter()
        .copied()
        .chain(rows(|_, mb| format!("{mb}\n")).into_bytes())
        .collect();
    let recording = of_bytes("t", &latin, &Selection::default()).unwrap();
    assert_eq!(recording.series[0].unit, Some(MemoryUnit::Megabytes));
    let error = of_bytes("t", &[0; 100], &Selection::default()).unwrap_err();
    assert_eq!(error.to_string(), "`t` is no text");
}
