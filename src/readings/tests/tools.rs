//! Tools that look at processes and containers.

use super::*;

#[test]
fn loops_of_ps() {
    for text in [
        rows(|_, mb| format!("{:.0}\n", mb * KB)),
        rows(|_, mb| format!("  {:.0}\r\n\r\n", mb * KB)),
        rows(|_, mb| format!("  RSS\n{:.0}\n", mb * KB)),
        rows(|_, mb| format!("  PID   RSS\n 4711 {:.0}\n", mb * KB)),
        rows(|_, mb| format!(" 4711 {:.0}\n", mb * KB)),
        rows(|_, mb| format!(" 4711 {:.0} python3\n", mb * KB)),
        rows(|_, mb| {
            format!("  PID COMMAND          RSS    VSZ\n 4711 python3 a.py {:8.0} 999999\n", mb * KB)
        }),
        rows(|_, mb| {
            format!(
                "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\nroot        4711  4.5  0.1 999999 {:.0} ?        Sl   18:19   0:00 /usr/bin/python3 app.py --a 1\n",
                mb * KB
            )
        }),
    ] {
        let series = rising(&text);
        assert_eq!((series.unit, &series.at), (Some(MemoryUnit::Kilobytes), &Axis::Rows), "{}", begin(&text));
    }
    for text in [
        rows(|n, mb| format!("18:00:{n:02}\n  PID   RSS COMMAND\n 4711 {:.0} python3\n", mb * KB)),
        rows(|n, mb| format!("Fri Nov 27 18:00:{n:02} UTC 2026\n{:.0}\n", mb * KB)),
        rows(|n, mb| format!("Fri 27 Nov 2026 06:00:{n:02} PM UTC\n 4711 {:.0} python3\n", mb * KB)),
        rows(|n, mb| format!("{} {:.0}\n", 1_795_803_548 + n, mb * KB)),
        rows(|n, mb| format!("{}.123 4711 {:.0}\n", 1_795_803_548 + n, mb * KB)),
        rows(|n, mb| format!("2026-11-27T18:00:{n:02}+01:00,{:.0}\n", mb * KB)),
        rows(|n, mb| format!("    ELAPSED   RSS\n      01:{n:02} {:.0}\n", mb * KB)),
    ] {
        let series = rising_in_time(&text);
        assert_eq!(series.unit, Some(MemoryUnit::Kilobytes), "{}", begin(&text));
    }
}

#[test]
fn pidstat_in_every_form() {
    let prolog = "Linux 6.18.44 (vm) \t11/27/26 \t_x86_64_\t(2 CPU)\n\n";
    for text in [
        // Twelve hours, with the header again before each row, and the processor beside it.
        format!(
            "{prolog}{}Average:        0      4711      1.00      0.00   99999   77777   0.15  python3\n",
            rows(|n, mb| format!(
                "06:00:{n:02} PM   UID       PID    %usr %system  %guest   %wait    %CPU   CPU  Command\n06:00:{n:02} PM     0      4711    1.00    0.00    0.00    0.00    1.00     1  python3\n\n\
             06:00:{n:02} PM   UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n06:00:{n:02} PM     0      4711    514.00      0.00  999999 {:7.0}   0.15  python3\n\n",
                mb * KB
            ))
        ),
        // -h, with everything on one line.
        format!(
            "{prolog}{}",
            rows(|n, mb| format!(
                "#      Time   UID       PID    %usr %system  %guest   %wait    %CPU   CPU  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n {}     0      4711    1.00    0.00    0.00    0.00    1.00     1    514.00      0.00  999999 {:7.0}   0.15  python3\n",
                1_795_803_548 + n,
                mb * KB
            ))
        ),
        // A locale with decimal commas, and a command with arguments (-l).
        format!(
            "{prolog}18:00:00      UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n{}",
            rows(|n, mb| format!(
                "18:00:{n:02}        0      4711    514,00      0,00  999999 {:7.0}   0,15  python3 app.py -x 5\n",
                mb * KB
            ))
        ),
        // Through grep.
        rows(|n, mb| {
            format!(
                "18:00:{n:02}        0      4711    514.00      0.00  999999 {:7.0}   0.15  python3\n",
                mb * KB
            )
        }),
        // --human.
        format!(
            "{prolog}18:00:00      UID       PID  minflt/s  majflt/s     VSZ     RSS   %MEM  Command\n{}",
            rows(|n, mb| format!(
                "18:00:{n:02}        0      4711    514.00      0.00  976.6M {mb:6.1}M   0.2%  python3\n"
            ))
        ),
        // As CSV.
        format!(
            "Time,UID,PID,minflt/s,majflt/s,VSZ,RSS,%MEM,Command\n{}",
            rows(|n, mb| format!("18:00:{n:02},0,4711,0.00,0.00,99999,{:.0},0.05,haproxy\n", mb * KB))
        ),
    ] {
        assert_eq!(rising_in_time(&text).column, "RSS");
    }
}

#[test]
fn screens_of_top() {
    let screen = |n: usize, res: String| {
        format!(
            "top - 18:00:{n:02} up 13 min,  0 user,  load average: 2,66, 2,24, 1,33\nTasks:   1 total,   0 running\n%Cpu(s): 66.7 us\nMiB Mem :  24105.6 total,  19180.0 free\nMiB Swap:      0.0 total\n\n    PID BENUTZER  PR  NI    VIRT    RES    SHR S  %CPU  %MEM    ZEIT+ BEFEHL\n   4711 root      30  10   40132 {res}   6652 S   0,0   0,2   0:00.05 python3\n\n"
        )
    };
    for text in [
        rows(|n, mb| screen(n, format!("{:.0}", mb * KB))),
        rows(|n, mb| screen(n, format!("{mb:.1}m"))),
        rows(|n, mb| screen(n, format!("{:.5}g", mb / KB).replace('.', ","))),
    ] {
        assert_eq!(rising_in_time(&text).column, "RES");
    }
    // Lines of it that went through grep, with the screen's control characters.
    rising(&rows(|_, mb| {
        format!(
            "\u{1b}[K   4711 root      30  10   40132 {:.0}   6652 S   0.0   0.2   0:00.05 python3\u{1b}[m\n",
            mb * KB
        )
    }));
}

#[test]
fn files_of_proc_and_of_control_groups() {
    for text in [
        rows(|_, mb| format!("VmRSS:\t{:8.0} kB\n", mb * KB)),
        rows(|_, mb| {
            format!(
                "Name:\tpython3\nState:\tS (sleeping)\nPid:\t4711\nVmPeak:\t  999999 kB\nVmRSS:\t{:8.0} kB\nVmSwap:\t0 kB\nThreads:\t1\n",
                mb * KB
            )
        }),
        rows(|_, mb| format!("/proc/4711/status:VmRSS:\t{:8.0} kB\n", mb * KB)),
        rows(|_, mb| {
            format!(
                "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:              999999 kB\nPss:   999 kB\nPrivate_Clean:  {:8.0} kB\nPrivate_Dirty:  0 kB\nAnonymous:  {:8.0} kB\nSwap:   0 kB\nSwapPss:  0 kB\n",
                9e5 - mb,
                mb * KB
            )
        }),
        rows(|_, mb| format!("{:.0} {:.0} 1663 1 0 7615 0\n", 99_999.0, mb * 256.0)),
        rows(|_, mb| {
            format!(
                "anon {:.0}\nfile 4096000\nkernel 5000\ninactive_anon 5\nactive_anon {:.0}\ninactive_file 5\n",
                mb * BYTES,
                mb * BYTES
            )
        }),
        rows(|_, mb| format!("{:.0}\n", mb * BYTES)),
    ] {
        assert_eq!(rising(&text).at, Axis::Rows, "{}", begin(&text));
    }
    for text in [
        rows(|n, mb| format!("18:00:{n:02}\nVmRSS:\t{:8.0} kB\n", mb * KB)),
        rows(|n, mb| format!("18:00:{n:02} VmRSS: {:8.0} kB\n", mb * KB)),
        rows(|n, mb| format!("2026-11-27 18:00:{n:02} {:.0}\n", mb * BYTES)),
    ] {
        rising_in_time(&text);
    }
}

#[test]
fn swap_is_added_to_what_is_resident() {
    for text in [
        rows(|_, mb| format!("VmRSS:\t   20480 kB\nVmSwap:\t{:8.0} kB\n", (mb - 20.0) * KB)),
        rows(|_, mb| format!("Anonymous:  20480 kB\nSwap:   {:.0} kB\nSwapPss:  1 kB\n", (mb - 20.0) * KB)),
        format!("rss_mb,swap_mb\n{}", rows(|_, mb| format!("20,{}\n", mb - 20.0))),
        format!("RSS;VmSwap_kB\n{}", rows(|_, mb| format!("20480;{:.0}\n", (mb - 20.0) * KB))),
        rows(|_, mb| format!("{{\"rss\": 20971520, \"swap\": {:.0}}}\n", (mb - 20.0) * BYTES)),
        format!("rss_plus_swap_mb,swap_mb\n{}", rows(|_, mb| format!("{mb},{}\n", mb - 20.0))),
    ] {
        rising(&text);
    }
}

#[test]
fn containers_and_pods() {
    let header = "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT     MEM %     NET I/O           BLOCK I/O         PIDS\n";
    for text in [
        rows(|_, mb| {
            format!(
                "\u{1b}[2J\u{1b}[H{header}3c1b6a58816a   svc       0.10%     {mb:.1}MiB / 23.5GiB   0.3%      1.2kB / 3MB       0B / 0B     1\n"
            )
        }),
        rows(|_, mb| {
            format!(
                "3c1b6a58816a   svc       0.10%     {mb:.1}MiB / 23.5GiB   0.3%      1.2kB / 3MB       0B / 0B     1\n"
            )
        }),
        rows(|_, mb| format!("svc: {mb:.1}MiB / 23.5GiB\n")),
        rows(|_, mb| format!("svc,{mb:.1}MiB / 23.5GiB,0.3%\n")),
        rows(|_, mb| format!("svc\t{mb:.1}MiB / 23.5GiB\t0.3%\n")),
        rows(|_, mb| format!("{mb:.1}MiB / 23.5GiB\n")),
        rows(|_, mb| format!("MEM USAGE / LIMIT\n{mb:.1}MiB / 23.5GiB\n")),
        format!(
            "{}\n",
            rows(|_, mb| format!(
                "{{\"MemPerc\":\"0.3%\",\"MemUsage\":\"{mb:.1}MiB / 23.5GiB\",\"Name\":\"svc\",\"ID\":\"3c1b\"}}\n"
            ))
        ),
        // podman's array for each look.
        rows(|_, mb| {
            format!(
                "[\n {{\n  \"id\": \"3c1b\", \"name\": \"svc\", \"cpu_percent\": \"0.1%\", \"mem_usage\": \"{mb:.1}MB / 25.2GB\", \"mem_percent\": \"0.3%\"\n }}\n]\n"
            )
        }),
        rows(|_, mb| {
            format!(
                "ID            NAME        CPU %       MEM USAGE / LIMIT  MEM %       NET IO      BLOCK IO    PIDS        CPU TIME    AVG CPU %\n3c1b6a58816a  svc         0.10%       {mb:.1}MB / 25.2GB   0.30%       0B / 0B     0B / 0B     1           10.5ms      0.10%\n"
            )
        }),
        rows(|_, mb| format!("NAME    CPU(cores)   MEMORY(bytes)\nsvc-0   1m           {mb:.0}Mi\n")),
        rows(|_, mb| {
            format!("POD     NAME    CPU(cores)   MEMORY(bytes)\nsvc-0   app     1m           {mb:.0}Mi\n")
        }),
        rows(|_, mb| format!("svc-0   1m    {mb:.0}Mi\n")),
        rows(|_, mb| {
            format!(
                "NAME     CPU(cores)   CPU%   MEMORY(bytes)   MEMORY%\nnode-1   250m         12%    {mb:.0}Mi          3%\n"
            )
        }),
    ] {
        assert_eq!(rising(&text).unit, Some(MemoryUnit::Megabytes), "{}", begin(&text));
    }
    // The engine's own statistics.
    let text = rows(|n, mb| {
        format!(
            "{{\"read\":\"2026-11-27T18:00:{n:02}.123456789Z\",\"id\":\"3c1b\",\"name\":\"/svc\",\"memory_stats\":{{\"usage\":{:.0},\"stats\":{{\"cache\":5,\"inactive_file\":7}},\"limit\":25275662336}}}}\n",
            mb * BYTES
        )
    });
    assert_eq!(rising_in_time(&text).unit, Some(MemoryUnit::Bytes));
    let text = rows(|n, mb| format!("18:00:{n:02} svc {mb:.1}MiB / 23.5GiB\n"));
    rising_in_time(&text);
}
