//! Ctrl+C, SIGTERM, SIGQUIT and SIGHUP: the first ends the run cleanly, the second immediately.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why the run was asked to stop; empty until then.
pub(super) type Reason = Arc<OnceLock<&'static str>>;

/// Cancels `stop` on the first signal; a second one ends the process with 130.
///
/// Ending immediately leaves nothing behind: everything shown is on the disk, and the
/// embedded service ends with its parent.
///
/// A separate thread listens, because the run's thread may be busy reading the files back.
pub(super) fn watch(stop: CancellationToken) -> std::io::Result<Reason> {
    let reason = Reason::default();
    let told = Arc::clone(&reason);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    let listen = async move {
        let name = signals.next().await;
        // Only this task sets it, and only once.
        let _: Result<(), &str> = told.set(name);
        stop.cancel();
        super::output::say_error(format_args!("\n{name}: ending the run; once more to stop at once"));
        signals.next().await;
        std::process::exit(130);
    };
    std::thread::Builder::new()
        .name("highwater-signals".to_string())
        .spawn(move || runtime.block_on(listen))?;
    Ok(reason)
}

/// Lets a write beyond the limit of a file's size (`ulimit -f`) fail as one on a full disk does, instead of ending
/// the process.
///
/// # Errors
/// Those of the system.
#[cfg(unix)]
pub(super) fn survive_file_limits() -> std::io::Result<()> {
    /// SIGXFSZ of signal(7), on all architectures but MIPS and PA-RISC.
    const FILE_SIZE_EXCEEDED: i32 = 25;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // The handler stays when this is dropped; it does nothing.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE_EXCEEDED))?);
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn survive_file_limits() -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    /// None if SIGHUP is ignored, as under nohup.
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            // Closing the session must not cost a soak of many hours its report.
            hang_up: if hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) -> &'static str {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted (SIGINT)",
            _ = self.terminate.recv() => "interrupted (SIGTERM)",
            _ = self.quit.recv() => "interrupted (SIGQUIT)",
            () = hang_up => "interrupted (SIGHUP)",
        }
    }
}

/// True if SIGHUP was set to be ignored when highwater was started. Listening for it would undo that.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hang_up(&status)
}

/// `SigIgn` of proc_pid_status(5) is a mask in hexadecimal, whose lowest bit is signal 1.
#[cfg(unix)]
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// On other systems, only Ctrl+C is handled.
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_run_under_nohup_outlives_its_terminal() {
        assert!(ignores_hang_up("Name:\thighwater\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hang_up("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hang_up(""));
    }
}
