//! `highwater completions` and `highwater man`.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::output::say;
use crate::error::{Error, ErrorKind, Result};

pub(super) fn completions(args: &CompletionsArgs) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "highwater", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}

/// Writes a page for highwater and one for each command.
pub(super) fn man(args: &ManArgs) -> Result<u8> {
    let unwritable = |error: io::Error| {
        Error::new(ErrorKind::Io, format!("cannot write manual pages to `{}`", args.directory.display()))
            .source(error)
            .hint("name a directory that can be written")
    };
    fs::create_dir_all(&args.directory).map_err(unwritable)?;
    let mut command = Cli::command();
    command.build();
    page(&command, "highwater", &args.directory).map_err(unwritable)?;
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        let name = format!("highwater-{}", one.get_name());
        page(one, &name, &args.directory).map_err(unwritable)?;
    }
    say!("written to {}", args.directory.display());
    Ok(0)
}

fn page(command: &clap::Command, name: &str, directory: &Path) -> io::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut text)?;
    fs::write(directory.join(format!("{name}.1")), text)
}
