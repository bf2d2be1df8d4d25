"""highwater's reading of large files beside duckdb and polars: CPU time and memory, in one run.

    cargo build --release
    python3 benches/analysis/compare.py [--rows 20000000] [--tasks 2000000] [--directory DIR]

Both come from PyPI into a virtual environment below DIR, as do the generated files (two gigabytes). Each program does the
same: per process the number of rows and the least, mean and highest memory of the CSV of samples, or per status the number
of tasks and their median and 95th percentile of the JSON lines. highwater does all that a report has besides.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

STAMP = "20260101_000000"

DUCKDB_CSV = """
import duckdb
duckdb.sql("select process_name, pid, count(*), min(memory_rss_mb), avg(memory_rss_mb), max(memory_rss_mb) "
           "from read_csv('{file}') group by all").fetchall()
"""
DUCKDB_JSON = """
import duckdb
duckdb.sql("select status, count(*), quantile_cont(processing_time, [0.5, 0.95]) "
           "from read_json('{file}', format='newline_delimited') group by status").fetchall()
"""
POLARS_CSV = """
import polars as pl
mb = pl.col('memory_rss_mb')
(pl.scan_csv('{file}').group_by('process_name', 'pid')
 .agg(pl.len(), mb.min().alias('a'), mb.mean().alias('b'), mb.max().alias('c')).collect(engine='streaming'))
"""
POLARS_JSON = """
import polars as pl
t = pl.col('processing_time')
(pl.scan_ndjson('{file}').group_by('status')
 .agg(pl.len(), t.quantile(0.5).alias('a'), t.quantile(0.95).alias('b')).collect(engine='streaming'))
"""


def write_csv(path, rows):
    with open(path, "w") as file:
        file.write("timestamp,elapsed_seconds,process_name,pid,cpu_percent,memory_rss_mb,memory_percent\n")
        names = [("python", 101), ("uvicorn", 102), ("redis-server", 103), ("python", 104)]
        for second in range(rows // len(names)):
            moment = f"2025-12-09T23:{second // 60 % 60:02}:{second % 60:02},{second}.0"
            for name, pid in names:
                cpu, mb = (second * 7 + pid) % 1000 / 10, 600 + (second * 13 + pid) % 997 / 10
                file.write(f"{moment},{name},{pid},{cpu},{mb:.1f},2.1\n")


def write_tasks(path, tasks):
    with open(path, "w") as file:
        for index in range(tasks):
            seconds = 0.01 + index * 7919 % 1000 / 1000
            file.write(
                f'{{"test_id": "short_c16_t{index % 16}_17653221{index % 100:02}", '
                '"timestamp": "2025-12-09T23:15:45.123", "audio_file": "short.wav", "audio_size_mb": 4.7, '
                f'"concurrency": 16, "task_id": "a{index:07}", "status": "success", '
                f'"processing_time": {seconds:.3f}, "rtf": {seconds / 147:.3f}, "worker_rss_before_mb": null, '
                '"worker_rss_after_mb": null, "worker_rss_delta_mb": null, "error": null, '
                f'"phase": "soak", "sequence": {index + 1}}}\n'
            )


def measure(command):
    """CPU seconds and the highest resident memory in MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read().decode(errors="replace")
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1, 2):
        sys.exit(f"{command[0]}: {said}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--tasks", type=int, default=2_000_000)
    parser.add_argument("--directory", type=Path, default=Path("target/analysis"))
    parser.add_argument("--highwater", default="target/release/highwater")
    args = parser.parse_args()
    python = args.directory / "venv/bin/python"
    if not python.exists():
        venv.create(args.directory / "venv", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "duckdb", "polars"], check=True)
    places = {}
    for name, rows, tasks in [("none", 4, 10), ("csv", args.rows, 10), ("jsonl", 4, args.tasks)]:
        place = args.directory / f"{name}-{rows}-{tasks}"
        places[name] = place
        if not place.exists():
            place.mkdir(parents=True)
            write_csv(place / f"system_resources_{STAMP}.csv", rows)
            write_tasks(place / f"memory_leak_stress_test_{STAMP}.jsonl", tasks)

    def report(name):
        return [args.highwater, "report", str(places[name] / f"memory_leak_stress_test_{STAMP}.jsonl")]

    _, base = measure(report("none"))
    print("| file | program | CPU, s | memory, MB | CPU beside highwater |")
    print("| --- | --- | --: | --: | --: |")
    files = [
        ("csv", f"{args.rows:,} rows", f"system_resources_{STAMP}.csv", DUCKDB_CSV, POLARS_CSV),
        ("jsonl", f"{args.tasks:,} tasks", f"memory_leak_stress_test_{STAMP}.jsonl", DUCKDB_JSON, POLARS_JSON),
    ]
    for name, what, file, duckdb, polars in files:
        path = str(places[name] / file)
        own, memory = measure(report(name))
        print(f"| {what} | `highwater report` | {own:.2f} | {memory:.0f} ({memory - base:+.0f}) | 1.0 |")
        for program, text in [("duckdb", duckdb), ("polars", polars)]:
            cpu, memory = measure([python, "-c", text.format(file=path)])
            print(f"| {what} | {program} | {cpu:.2f} | {memory:.0f} | {cpu / own:.1f} |")
        print(f"| {what} | `wc -l` | {measure(['wc', '-l', path])[0]:.2f} | | |")


main()
