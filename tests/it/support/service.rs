//! A small service on a port of the system's choice, and what else the tests need around one.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A service inside this test; it ends with it.
pub(crate) struct Service {
    pub(crate) url: String,
    serving: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start(router: Router) -> Service {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("the system has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving ends with the test only");
        });
        Service { url: url(address), serving }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The URL of a port on which nothing listens.
pub(crate) fn nobody() -> String {
    let listener = StdListener::bind(("127.0.0.1", 0)).expect("the system has a free port");
    url(listener.local_addr().expect("a bound listener has an address"))
}

/// A process that does nothing, killed when dropped.
pub(crate) struct Idle(Child);

impl Idle {
    /// Starts it with `name` where its command line begins.
    pub(crate) fn start(name: &str) -> Idle {
        use std::os::unix::process::CommandExt;
        let child = Command::new("sleep")
            .arg0(name)
            .arg("600")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sleep` can be started");
        Idle(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
