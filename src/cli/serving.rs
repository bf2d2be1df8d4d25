//! The flags that serve live figures during a run.

use clap::Args;

use crate::error::Result;
use crate::serve::{Server, Source};

#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct ServeArgs {
    /// Serve the figures so far as OpenMetrics text, for Prometheus: a port of this machine, or HOST:PORT
    #[arg(long, value_name = "ADDR", help_heading = "Output")]
    pub(in crate::cli) metrics: Option<String>,

    /// Serve a page that updates while the run goes on, on this machine only; its address is printed
    #[arg(long, help_heading = "Output")]
    pub(in crate::cli) dashboard: bool,
}

/// The servers of live figures. They stop when this is dropped.
pub(in crate::cli) struct Serving(Vec<(Server, &'static str)>);

impl ServeArgs {
    /// True if anything is served.
    pub(in crate::cli) fn any(&self) -> bool {
        self.metrics.is_some() || self.dashboard
    }

    /// Starts to serve `board`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] for an address that cannot be bound.
    pub(in crate::cli) fn start(&self, board: &Source) -> Result<Serving> {
        let mut servers = Vec::new();
        if let Some(address) = &self.metrics {
            servers.push((Server::start(address, false, board.clone())?, "metrics"));
        }
        if self.dashboard {
            servers.push((Server::start("0", true, board.clone())?, "dashboard"));
        }
        Ok(Serving(servers))
    }
}

impl Serving {
    /// The addresses, a line each.
    pub(in crate::cli) fn lines(&self) -> Vec<String> {
        let line = |(server, what): &(Server, &str)| {
            format!("{what}: {}/{}", server.url(), if *what == "metrics" { "metrics" } else { "" })
        };
        self.0.iter().map(line).collect()
    }
}
