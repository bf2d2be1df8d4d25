//! The end of `--help`: examples of each command, and its exit codes.
//!
//! The test below parses every example as the program would.

/// Those of a run and of a soak.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0    every criterion passed
  1    at least one criterion failed
  2    inconclusive: the evidence does not suffice (never a pass)
  3    could not run: usage, configuration, service unreachable, worker not found
  130  interrupted (Ctrl+C, SIGTERM, SIGHUP); what was measured is on the disk"
    };
}

/// Of `highwater` itself.
pub(super) const TOP: &str = concat!(
    exit_codes!(),
    "

Try it on the embedded service:
  highwater run --demo
  highwater run --demo -- --leak 300MB      plants a leak: exit code 1
  highwater run --demo -- --crash-at 4      plants a crash at four tasks at once

Then on yours:
  highwater init && $EDITOR highwater.toml
  highwater doctor
  highwater run"
);

pub(super) const RUN: &str = concat!(
    "\
Examples:
  highwater run                                what highwater.toml describes
  highwater run --demo -- --leak 5MB           the embedded service, with a leak
  highwater run --url http://localhost:8080 --preset http --path /summarise --worker-port 8080
  highwater run --only leak --max-delta-mb 20  the leak check, with a threshold of your own
  highwater run --only leak --baseline before  fails only where it grows more than before
  highwater run --dashboard                    with a page that updates meanwhile
  highwater run --json > verdict.json          for programs
  highwater run --resume results/events_20261127_205656.jsonl

",
    exit_codes!()
);

pub(super) const SOAK: &str = concat!(
    "\
Examples:
  highwater soak --concurrency 4 --for 8h --cap-mb 4000
  highwater soak --tasks 10000                 a number of tasks instead of a time
  highwater soak --for 8h --metrics 9464       with figures for a Prometheus that scrapes meanwhile
  highwater soak --demo --for 60s -- --leak 1MB
  highwater soak --resume results/events_20261127_205656.jsonl

",
    exit_codes!()
);

pub(super) const WATCH: &str = "\
Examples:
  highwater watch                          the roles of highwater.toml (or its defaults) that are running
  highwater watch worker                   one role of it
  highwater watch 'postgres: writer'       every process with these words in its command line
  highwater watch --pid 4711 --pid 4712    these two
  highwater watch 'rq worker' --for 8h     a working day under real traffic, with a verdict per hour
  highwater watch nginx --for 10m --interval 100ms --csv nginx.csv
  highwater watch worker -- k6 run load.js  while k6 makes load, with a verdict when it ends
  highwater watch worker --dashboard --metrics 9464  with a page and figures for Prometheus meanwhile
  highwater watch worker --for 30s --json | jq 'select(.event == \"sample\") | .rss_mb'

A process is watched with its descendants, including those that appear later. The end of
a process is reported at once, with its exit code or signal if the kernel reports it.
RSS counts shared pages in each process. Private memory is anonymous memory, resident or
swapped out. Peak is the highest RSS since the process started.

With `--for` or a command, a watch ends with a verdict for each role: does the memory of its processes grow per hour
under the traffic that the service has? Ctrl+C ends a watch with its summary.

Exit codes: 0 without `--for` and without a command; with one of them 0 nothing accumulates, 1 a role leaks or
the command fails, 2 inconclusive; 3 could not watch";

pub(super) const REPORT: &str = "\
Examples:
  highwater report                         the newest run in results
  highwater report results                 every run in it
  highwater report --max-delta-mb 100      the newest, with another threshold
  highwater report --svg figures           its pictures, each as a file
  highwater report --methods               the paragraph for a paper
  highwater report --junit junit.xml       its criteria as test cases";

pub(super) const RESULTS: &str = "\
Examples:
  highwater results                        the runs in results, the newest first
  highwater results results/tests/run_1    those of another directory
  highwater results --json | jq '.[0]'     the newest, for programs";

pub(super) const COMPARE: &str = "\
Verdicts and exit codes:
  fixed            0  it grew before, and no longer grows
  better           0  it grows less than before
  no change        0  the difference is smaller than what matters
  worse            1  it grows, and more than before
  not enough data  2  the difference is not known well enough
  With --expect, a verdict that falls short of it is 1 as well.

Examples. To prove a fix, send both versions the same tasks:
  highwater run --only leak --results before     (the version with the leak)
  highwater run --only leak --results after      (the version with the fix)
  highwater compare before after --expect fixed

Tables with one memory reading per task can be compared as well. A column `kind` or `input` that is the same
in both makes the comparison pairwise:
  highwater compare before.csv after.csv";

pub(super) const JUDGE: &str = "\
A file is the results of a run (memory_leak_stress_test_….jsonl), or what another tool recorded: ps,
pidstat, top, sar, /proc, control groups, docker and podman stats, kubectl top, mprof, psrecord, massif,
nvidia-smi, Prometheus, Grafana, k6, logs of collections, or any CSV, JSON or log with a figure of memory
on each row. `-` is standard input.
The column is found by its name; anonymous memory is best (`anon_kb`, `private_mb`), then RSS (`settled_kb`,
`worker_rss_after_mb`, `rss_mb`, `memory_mb`); what was swapped out is added. A share (`%MEM`) is refused.
With a column of times the rate is per hour. Several processes, containers or columns are judged each, and
those of one role or command also as their sum.

Exit codes, the worst of all files and of all series in them:
  0  clean: nothing accumulates, down to the size that is told
  1  leak
  2  inconclusive: the readings do not decide it
  3  a file (or a directory without readings) could not be judged, and none of the others leaks;
     with --json it is an entry with an `error`, whose verdict is `inconclusive`

Examples:
  highwater judge results/                       every file of a directory
  highwater judge worker.csv --first 40          what was known after 40 tasks
  highwater judge worker.csv --column heap_mb    a column of your own
  pidstat -r -p 4711 5 720 | highwater judge -   an hour of a process
  highwater judge a.csv b.jsonl --json           for programs";

pub(super) const DOCTOR: &str = "\
Examples:
  highwater doctor                         what highwater.toml describes
  highwater doctor --trial                 also sends one task
  highwater doctor --url http://localhost:8080 --preset http --worker-port 8080";

pub(super) const INIT: &str = "\
Examples:
  highwater init                           highwater.toml with every key explained
  highwater init --preset http             only the lines that a service over HTTP needs
  highwater init other.toml --force        another file, also if it exists";

pub(super) const COMPLETIONS: &str = "\
Examples:
  highwater completions bash > ~/.local/share/bash-completion/completions/highwater
  highwater completions zsh > ~/.zfunc/_highwater
  highwater completions fish > ~/.config/fish/completions/highwater.fish";

pub(super) const MAN: &str = "\
Examples:
  highwater man                            the pages in the directory man
  highwater man ~/.local/share/man/man1    where `man highwater` finds them";

#[cfg(feature = "demo")]
pub(super) const DEMO: &str = "\
Examples:
  highwater demo                           a clean service; it prints its address and ends with Ctrl+C
  highwater demo --leak 5MB --workers 2    two workers, each with a leak
  highwater demo --crash-at 4              a worker that is killed at four tasks at once
  highwater demo --cache 8x24MB            what only looks like a leak: a cache that fills";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::args::Cli;

    /// The commands among the examples, without pipes and redirections.
    fn commands(help: &str) -> Vec<Vec<String>> {
        let lines = help.lines().filter(|line| line.starts_with("  "));
        let command = |line: &str| {
            let line = &line[line.find("highwater ")?..];
            let end = ["  ", " | ", " > ", " && "].iter().filter_map(|end| line.find(end)).min();
            Some(words(&line[..end.unwrap_or(line.len())]))
        };
        lines.filter_map(command).collect()
    }

    /// Splits words as a shell does; single quotes keep one together.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('\'').enumerate();
        let words = parts.flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(String::from).collect(),
            _ => vec![part.to_string()],
        });
        words.collect()
    }

    #[test]
    fn every_command_has_examples_and_each_is_valid() {
        let all = Cli::command();
        for one in all.get_subcommands() {
            let help = one.get_after_help().map(ToString::to_string).unwrap_or_default();
            let found = commands(&help);
            let own = found.iter().filter(|words| words.get(1).is_some_and(|word| word == one.get_name()));
            assert!(
                help.contains("Examples") && own.count() >= 2,
                "`{}` has no examples: {help}",
                one.get_name()
            );
            for example in found {
                if let Err(error) = Cli::try_parse_from(&example) {
                    panic!("{example:?}: {error}");
                }
            }
        }
        let top = all.get_after_help().map(ToString::to_string).unwrap_or_default();
        commands(&top)
            .iter()
            .for_each(|example| assert!(Cli::try_parse_from(example).is_ok(), "{example:?}"));
    }
}
