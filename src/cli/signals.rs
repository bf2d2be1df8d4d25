//! Ctrl+C and SIGTERM: the first ends the run cleanly, the second at once.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why the run was asked to stop; empty while it was not.
pub(super) type Reason = Arc<OnceLock<&'static str>>;

/// Cancels `stop` on the first signal; a second one ends the process with 130.
///
/// Ending at once leaves nothing behind: what was shown is on the disk, and the
/// embedded service ends with its parent.
pub(super) fn watch(stop: CancellationToken) -> std::io::Result<Reason> {
    let reason = Reason::default();
    let told = Arc::clone(&reason);
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let name = signals.next().await;
        // Only this task sets it, and once.
        let _: Result<(), &str> = told.set(name);
        stop.cancel();
        super::say_error(format_args!("\n{name}: ending the run; once more to stop at once"));
        signals.next().await;
        std::process::exit(130);
    });
    Ok(reason)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted (SIGINT)",
            _ = self.terminate.recv() => "interrupted (SIGTERM)",
        }
    }
}

/// Elsewhere only Ctrl+C is known.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "interrupted (Ctrl+C)",
            Err(_) => std::future::pending().await,
        }
    }
}
