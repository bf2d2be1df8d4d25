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
mod judged;
mod junit;
mod misplaced;
mod output;
mod pictures;
mod printed;
#[cfg(feature = "png")]
mod raster;
mod report;
mod results;
mod run;
mod serving;
mod signals;
mod soak;
mod tree;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::descriptors;
use crate::error::{Error, ErrorKind, Result};
use args::{Cli, Command};
use output::{failure, lost, say_error, say_json};

/// Parses the arguments, runs the command, and returns the exit code:
/// 0 pass, 1 fail, 2 inconclusive, 3 could not run, 130 interrupted.
pub fn main() -> ExitCode {
    #[cfg(feature = "demo")]
    crate::demo::Embedded::is_this_program();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            // Help and version were asked for; everything else is wrong usage.
            if !error.use_stderr() {
                return ExitCode::SUCCESS;
            }
            if std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json") {
                say_json(&failure(&usage(&error)));
            }
            return ExitCode::from(ErrorKind::Config.exit_code());
        }
    };
    let json = cli.command.is_for_programs();
    if let Err(error) = usable_time_zone(std::env::var_os("TZ").as_deref()) {
        return finish(Err(error), json);
    }
    log();
    descriptors::allow_many();
    if let Err(error) = signals::survive_file_limits() {
        tracing::debug!(%error, "a write beyond the limit of a file's size ends the process");
    }
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

/// Refuses a time zone that is read from anything but a regular file: a device never ends.
fn usable_time_zone(variable: Option<&std::ffi::OsStr>) -> Result<()> {
    let Some(text) = variable.and_then(std::ffi::OsStr::to_str) else { return Ok(()) };
    let path = std::path::Path::new(text.strip_prefix(':').unwrap_or(text));
    let named = [path.to_path_buf(), std::path::Path::new("/usr/share/zoneinfo").join(path)];
    let foreign = |path: &std::path::PathBuf| {
        path.is_absolute() && std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
    };
    if named.iter().any(foreign) {
        let message =
            format!("the environment variable `TZ` names `{}`, which is not a regular file", path.display());
        return Err(Error::new(ErrorKind::Config, message)
            .hint("unset TZ, or set it to a zone such as `Europe/Vienna`"));
    }
    Ok(())
}

/// clap's message about wrong usage, as an error of our own.
fn usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
    Error::new(ErrorKind::Config, what).hint("run `highwater --help`, or `--help` of the command")
}

fn finish(done: Result<u8>, json: bool) -> ExitCode {
    if let (Err(error), true) = (&done, json) {
        say_json(&failure(error));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_is_not_read_from_a_device() {
        let check = |text: &str| usable_time_zone(Some(text.as_ref())).map_err(|error| error.kind());
        assert_eq!(check(":/dev/zero"), Err(ErrorKind::Config));
        assert_eq!(check("/dev/zero"), Err(ErrorKind::Config));
        assert_eq!(check("../../../dev/zero"), Err(ErrorKind::Config));
        for good in ["", "UTC", ":Europe/Vienna", "CET-1CEST", "/not/there"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }
}
