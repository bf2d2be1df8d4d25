//! The api process: HTTP towards the clients, a broker towards the workers.

mod broker;
mod guard;
mod http;
mod hub;
mod ledger;
mod stream;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use self::hub::Hub;
use crate::announce::say;
use crate::error::{Error, Result};
use crate::lifeline::Assignment;

/// The api's messages to the supervisor, one per line on its stdout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Notice {
    /// Both doors are open.
    Listening {
        /// Where HTTP is answered.
        http: SocketAddr,
        /// Where workers report.
        broker: SocketAddr,
    },
    /// A worker is connected and idle.
    Connected {
        /// Its process id.
        pid: u32,
    },
}

/// Serves until the process is ended by its lifeline.
///
/// One thread is enough for what passes through here, and keeps the process's
/// memory in one arena.
pub(super) fn run(assignment: &Assignment) -> Result<()> {
    let cannot = |error: std::io::Error| Error::new("the api cannot serve").source(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    runtime.block_on(serve(assignment)).map_err(cannot)
}

async fn serve(assignment: &Assignment) -> std::io::Result<()> {
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    say(&Notice::Listening { http: http.local_addr()?, broker: broker.local_addr()? });
    let hub = Arc::new(Hub::new(assignment.token.clone()));
    let router = http::router(Arc::clone(&hub), &assignment.options);
    let http = http.tap_io(|stream| {
        // Answers are small; a client should not wait for the kernel to fill a packet.
        let _ = stream.set_nodelay(true);
    });
    tokio::try_join!(async { axum::serve(http, router).await }, broker::serve(broker, hub)).map(drop)
}
