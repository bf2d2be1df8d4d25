//! The command line, with one file per command.

mod args;
mod compare;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod duration;
mod github;
mod init;
mod judge;
mod junit;
mod misplaced;
mod output;
mod printed;
mod report;
mod results;
mod run;
mod signals;
mod soak;
mod tree;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::error::{Error, ErrorKind, Result};
use args::{Cli, Command};
use output::{failure, lost, say, say_error};

/// Parses the arguments, runs the command, and returns the exit code:
/// 0 pass, 1 fail, 2 inconclusive, 3 could not run, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            // Help and version were asked for; everything else is wrong usage.
            if !error.use_stderr() {
                return ExitCode::SUCCESS;
            }
            if std::env::args().take_while(|word| word != "--").any(|word| word == "--json") {
                say!("{}", failure(&usage(&error)));
            }
            return ExitCode::from(ErrorKind::Config.exit_code());
        }
    };
    let json = cli.command.is_for_programs();
    log();
    allow_many_files();
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Watch(args) => watch::watch(&args),
        Command::Soak(args) => soak::soak(&args),
        Command::Report(args) => report::report(&args),
        Command::Results(args) => results::results(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Judge(args) => judge::judge(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Init(args) => init::init(&args),
        #[cfg(feature = "demo")]
        Command::Demo(options) => demo::demo(&options),
    };
    finish(done, json)
}

/// clap's message about wrong usage, as an error of our own.
fn usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
    Error::new(ErrorKind::Config, what).hint("run `highwater --help`, or `--help` of the command")
}

/// Raises the soft limit of open files: each watched process takes four descriptors, and each task a connection.
/// Most systems set it to 1024 for the sake of programs that use select(2).
#[cfg(unix)]
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
fn allow_many_files() {}

fn finish(done: Result<u8>, json: bool) -> ExitCode {
    if let (Err(error), true) = (&done, json) {
        say!("{}", failure(error));
    }
    // A verdict that could not be written does not count, whatever it was.
    let outcome = match (done, lost()) {
        (Ok(_), Some(loss)) => Err(loss),
        (done, _) => done,
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say_error(format_args!("{}", error.render()));
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// `HIGHWATER_LOG=debug` prints a diagnostic log on stderr.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HIGHWATER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    drop(subscriber.try_init());
}
