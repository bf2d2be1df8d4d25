//! The command line: each command in a file of its own.

mod args;
mod demo;
mod doctor;
mod init;
mod report;
mod run;
mod signals;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::error::Result;
use args::{Cli, Command};

/// `println!`, but a reader that has gone away (`| head`) is no reason to panic.
macro_rules! say {
    ($($arguments:tt)*) => { $crate::cli::say_line(format_args!($($arguments)*)) };
}
use say;

fn say_line(line: std::fmt::Arguments<'_>) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        tracing::debug!(%error, "a line was not shown");
    }
}

/// The same on stderr.
fn say_error(line: std::fmt::Arguments<'_>) {
    // Where stderr is gone, there is nobody left to be told.
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Parses the arguments, does what they say, and returns the exit code:
/// 0 pass, 1 fail, 2 inconclusive, 3 could not run, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            // Help and version are what was asked for; everything else is a wrong usage.
            return if error.use_stderr() { ExitCode::from(3) } else { ExitCode::SUCCESS };
        }
    };
    log();
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Report(args) => report::report(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Init(args) => init::init(&args),
        Command::Demo(options) => demo::demo(&options),
    };
    finish(done)
}

fn finish(done: Result<u8>) -> ExitCode {
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say_error(format_args!("{}", error.render()));
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// `HIGHWATER_LOG=debug` shows what goes on inside, on stderr.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HIGHWATER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    drop(subscriber.try_init());
}
