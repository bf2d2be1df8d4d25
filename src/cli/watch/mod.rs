//! `highwater watch`: looks at processes without testing anything.

pub(super) mod args;
mod page;
mod roles;
mod show;
mod table;
mod tally;
mod trace;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio_util::sync::CancellationToken;

use super::judge::{self, Judged};
use super::{output, signals};
use crate::console::Board;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Override, Plan};
use crate::sampler::{EventKind, ProcessEvent, Sampler, SamplerClient, SamplerOptions, source_of};
use crate::serve::Source;
use args::WatchArgs;
use show::Show;
use tally::Tally;
use trace::Traces;

pub(super) fn watch(args: &WatchArgs) -> Result<u8> {
    let overrides: Vec<Override> =
        args.results.iter().map(|results| Override::value("results", results)).collect();
    let plan = plan::load_with_origin(args.config.as_deref(), &overrides)?.plan;
    let roles = roles::chosen(args, &plan)?;
    // If every process was named by its pid, nothing can follow once all have ended.
    let by_pid_only = roles.values().all(|role| !role.explicit_pids().is_empty());
    let csv = csv_path(args, &plan);
    let options = SamplerOptions {
        interval: args.interval,
        csv: csv.clone(),
        gpu: false,
        ..SamplerOptions::new(roles)
    };
    let source = source_of(&options.roles)?;
    let sampler = Sampler::start(options, source)?;
    roles::check_any(&sampler)?;
    let show = Show::new(args.json, args.plain, csv, args.interval);
    let board: Arc<Mutex<Board>> = Arc::default();
    let seen = Arc::clone(&board);
    let source: Source = Arc::new(move || seen.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let serving = args.serve.start(&source)?;
    serving.lines().iter().for_each(|line| show.aside(line));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, "cannot start the runtime").source(error))?;
    let events = sampler.client().subscribe();
    let watching = Watching {
        client: sampler.client(),
        events,
        tally: Tally::default(),
        traces: Traces::default(),
        problem: None,
        seen: show.is_live() || args.serve.any(),
        show,
        board,
        judged_at_s: 0.0,
        by_pid_only,
        interval: args.interval,
    };
    let Watched { mut tally, traces, mut show, why, problem } = runtime.block_on(watching.run(args))?;
    drop(serving);
    let summary = sampler.stop()?;
    tally.missed_ticks = summary.missed_ticks;
    // Without `--for` the watch ends whenever somebody has seen enough, which is no test.
    let judged = args.for_time.is_some() || !args.command.is_empty();
    let verdicts = if judged { traces.verdicts() } else { Vec::new() };
    show.summary(&tally, &verdicts, &why);
    if let Some(problem) = &problem {
        output::say_error(format_args!("{problem}"));
    }
    page::next(&show, &tally, args.json);
    if let Some(error) = &summary.csv_first_error {
        return Err(Error::new(ErrorKind::Io, "rows of the CSV are missing")
            .source(std::io::Error::other(error.clone()))
            .hint("free some space, or choose another file with `--csv FILE`"));
    }
    if !judged {
        return Ok(0);
    }
    let verdict = judge::worst(verdicts.iter().map(Judged::exit_code).collect());
    // What was not seen, by a command that failed or was cut short or through holes, is no pass.
    let cut_short = !args.command.is_empty() && why != COMMAND_ENDED;
    let holes =
        |role: &crate::sampler::RoleSummary| HOLES * role.sampling.unread_ticks > role.sampling.alive_ticks;
    Ok(match verdict {
        _ if problem.is_some() => 1,
        0 if cut_short || summary.roles.values().any(holes) => 2,
        verdict => verdict,
    })
}

/// A role that could not be read at one tick in so many, or more often, may have done anything meanwhile.
const HOLES: u64 = 20;

/// Why a watch over a command should end.
const COMMAND_ENDED: &str = "the command ended";

/// The output of the command that is shown when it has ended: the last 64 KB.
#[cfg(feature = "command")]
const MOST_OUTPUT: usize = 64 << 10;

/// Runs the command to its end; what went wrong with it, if something did. Without one it never ends.
#[cfg(feature = "command")]
async fn run_command(argv: &[String]) -> Result<Option<String>> {
    if argv.is_empty() {
        return std::future::pending().await;
    }
    let unusable = |error: std::io::Error| {
        Error::new(ErrorKind::Config, format!("cannot run `{}`", argv[0])).source(error)
    };
    let ended = crate::programs::Group::start(argv, &[], None).map_err(unusable)?;
    let ended = ended.finish(&[], MOST_OUTPUT).await.map_err(unusable)?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    if !said.trim().is_empty() {
        output::say_error(format_args!("{}", said.trim_end()));
    }
    let words = ended.last_words().map_or_else(String::new, |words| format!(": {words}"));
    Ok((!ended.status.success()).then(|| format!("`{}` ended with {}{words}", argv[0], ended.how())))
}

#[cfg(not(feature = "command"))]
async fn run_command(argv: &[String]) -> Result<Option<String>> {
    if argv.is_empty() {
        return std::future::pending().await;
    }
    Err(Error::without_feature("a command after `--`", "command"))
}

/// The file for the rows; none with `--no-csv`.
fn csv_path(args: &WatchArgs, plan: &Plan) -> Option<PathBuf> {
    if args.no_csv {
        return None;
    }
    let stamp = jiff::ZonedDateTime::now().strftime("%Y%m%d_%H%M%S").to_string();
    Some(args.csv.clone().unwrap_or_else(|| plan.results.join(format!("watch_{stamp}.csv"))))
}

/// A watch in progress.
struct Watching {
    client: SamplerClient,
    events: Receiver<ProcessEvent>,
    tally: Tally,
    traces: Traces,
    problem: Option<String>,
    show: Show,
    /// The current state of the board.
    board: Arc<Mutex<Board>>,
    /// True if the board is shown or served.
    seen: bool,
    /// When growth was last judged, in seconds.
    judged_at_s: f64,
    by_pid_only: bool,
    interval: Duration,
}

/// Seconds between two judgements of growth, which cost more than a look.
const JUDGED_EVERY_S: f64 = 5.0;

/// A watch that has ended.
struct Watched {
    tally: Tally,
    traces: Traces,
    show: Show,
    /// Why it ended.
    why: String,
    /// What went wrong with the command.
    problem: Option<String>,
}

impl Watching {
    /// Watches until the time is up, a signal comes or nothing is left; says why it ended.
    async fn run(mut self, args: &WatchArgs) -> Result<Watched> {
        let stop = CancellationToken::new();
        let reason = signals::watch(stop.clone())
            .map_err(|error| Error::new(ErrorKind::Io, "cannot watch for signals").source(error))?;
        let started = Instant::now();
        let mut ticks = tokio::time::interval(args.interval);
        // A late reading is not made up for.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let end = async {
            match args.for_time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(end);
        let command = run_command(&args.command);
        tokio::pin!(command);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look(started).await?,
                event = self.events.recv() => {
                    if let Ok(event) = event {
                        self.happened(&event, started);
                    }
                }
                ended = &mut command => {
                    self.problem = ended?;
                    return self.finish(started, COMMAND_ENDED.to_string()).await;
                }
                () = &mut end => return self.finish(started, "the time was up".to_string()).await,
                () = stop.cancelled() => {
                    let why = reason.get().copied().unwrap_or("interrupted").to_string();
                    return self.finish(started, why).await;
                }
            }
            if output::stdout_is_gone() {
                return self.finish(started, "stdout was closed".to_string()).await;
            }
            if self.by_pid_only && self.tally.all_roots_have_ended() {
                return self.finish(started, "every process has ended".to_string()).await;
            }
        }
    }

    async fn finish(mut self, started: Instant, why: String) -> Result<Watched> {
        // The last reading may have been a moment ago.
        if started.elapsed().as_secs_f64() - self.tally.elapsed_s > self.interval.as_secs_f64() / 2.0 {
            self.look(started).await?;
        }
        loop {
            match self.events.try_recv() {
                Ok(event) => self.happened(&event, started),
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        self.tally.elapsed_s = started.elapsed().as_secs_f64();
        Ok(Watched { tally: self.tally, traces: self.traces, show: self.show, why, problem: self.problem })
    }

    async fn look(&mut self, started: Instant) -> Result<()> {
        let boundaries = self.client.boundaries(&[], None).await?;
        let seconds = started.elapsed().as_secs_f64();
        self.traces.take(&boundaries, seconds);
        let rows = self.tally.take(&boundaries, seconds);
        let mut board = Board::default();
        if self.seen {
            let snapshot = self.client.observe().await?;
            let mut shared = self.board.lock().unwrap_or_else(PoisonError::into_inner);
            shared.look(&snapshot.roles, seconds);
            shared.look_closer(&boundaries);
            shared.passed(seconds);
            if seconds - self.judged_at_s >= JUDGED_EVERY_S {
                self.judged_at_s = seconds;
                shared.growth = self.traces.so_far();
            }
            board.clone_from(&shared);
        }
        self.show.rows(&rows, &self.tally, &board, started.elapsed());
        Ok(())
    }

    fn happened(&mut self, event: &ProcessEvent, started: Instant) {
        let told = match &event.kind {
            EventKind::Appeared { cmdline, parent } => {
                json!({"event": "appeared", "command": cmdline, "parent": parent})
            }
            EventKind::Exited { how } => {
                self.tally.ended(event.id, &how.to_string());
                json!({"event": "exited", "how": how.to_string()})
            }
        };
        if event.is_root && matches!(event.kind, EventKind::Appeared { .. }) {
            self.tally.restarted(&event.role);
        }
        self.show.event(event, told, started.elapsed());
    }
}

/// The longest interval, and the longest watch: a week.
const WEEK: Duration = Duration::from_secs(604_800);

/// Parses `--interval` and `--for`.
pub(super) fn duration(text: &str) -> std::result::Result<Duration, String> {
    let hours = text.trim().strip_suffix('h').and_then(|hours| hours.parse::<f64>().ok());
    let time = match hours {
        Some(hours) => Duration::try_from_secs_f64(hours * 3600.0).map_err(|error| error.to_string())?,
        None => super::duration::parse_duration(text)?,
    };
    if time < Duration::from_millis(10) || time > WEEK {
        return Err("from 10ms to 168h".to_string());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert!(duration("1ms").is_err() && duration("soon").is_err() && duration("-1s").is_err());
    }
}
