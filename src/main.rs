//! The `highwater` command.

use std::process::ExitCode;

use clap::Parser;
use highwater::demo::{self, DemoOptions};

/// Proves from outside that a running service does not leak memory.
#[derive(Parser)]
#[command(name = "highwater", version)]
enum Cli {
    /// Run the embedded speech service, with real faults planted on request
    Demo(DemoOptions),
}

fn main() -> ExitCode {
    let Cli::Demo(options) = Cli::parse();
    match demo::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.render());
            ExitCode::from(error.kind().exit_code())
        }
    }
}
