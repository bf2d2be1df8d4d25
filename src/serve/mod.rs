//! Serves the live state of a run: as text for Prometheus, and as a page for people. Read-only.
//!
//! The server has a thread of its own and ends with the run. It never asks the run for anything: it reads the
//! [`Board`], which the run fills in any case.

mod exposition;
mod guard;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::console::Board;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Verdict;
use guard::{Names, refusal};

/// The current state of the board.
pub(crate) type Source = Arc<dyn Fn() -> Board + Send + Sync>;

/// Connections that are served at once; more wait.
const CONNECTIONS: usize = 32;

/// A connection has one request, which takes no longer.
const LONGEST: Duration = Duration::from_secs(10);

/// The page may run its own script and fetch the state, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("script.js");
const STYLE: &str = include_str!("style.css");

/// A server, which ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// The state that all connections share.
struct Served {
    board: Source,
    names: Names,
    /// True if there is a page besides the metrics.
    page: bool,
}

impl Server {
    /// Serves `/metrics` at `address`: `9464`, `127.0.0.1:9464`, `host:9464`. Without a host it is loopback, and port 0
    /// is one of the system's choice. With `page` also the page.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address that cannot be parsed or bound.
    pub(crate) fn start(address: &str, page: bool, board: Source) -> Result<Server> {
        let (host, port) = parts(address)?;
        let unusable = |error: std::io::Error| {
            Error::new(ErrorKind::Config, format!("cannot listen on `{address}`"))
                .source(error)
                .hint("port 0 is one of the system's choice")
        };
        let resolved: Vec<SocketAddr> = (host.as_str(), port).to_socket_addrs().map_err(unusable)?.collect();
        let listener = TcpListener::bind(resolved.as_slice()).map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let bound = listener.local_addr().map_err(unusable)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
        let stop = CancellationToken::new();
        let (stopped, served) = (stop.clone(), Served { board, names: Names::new(&host, bound), page });
        let serve = move || {
            runtime.block_on(stopped.run_until_cancelled(accept(listener, Arc::new(served))));
        };
        let thread =
            std::thread::Builder::new().name("highwater-serve".to_string()).spawn(serve).map_err(unusable)?;
        Ok(Server { address: bound, stop, thread: Some(thread) })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}

/// Host and port of an address; the host is loopback where there is none.
fn parts(address: &str) -> Result<(String, u16)> {
    let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    match port.parse() {
        Ok(port) => Ok((host.to_string(), port)),
        Err(_) => Err(Error::new(ErrorKind::Config, format!("`{address}` is no address to listen on"))
            .hint("a port, or a host and a port: `9464`, `127.0.0.1:9464`, `[::1]:9464`")),
    }
}

async fn accept(listener: TcpListener, served: Arc<Served>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, "nothing is served"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors: others will be closed.
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let served = Arc::clone(&served);
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<_>| {
                let answered = answer(&served, request.method(), request.uri().path(), request.headers());
                async move { Ok::<_, Infallible>(answered) }
            });
            let serving =
                http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
            // The client may have disconnected, or never send a request.
            drop(tokio::time::timeout(LONGEST, serving).await);
            drop(place);
        });
    }
}

/// The answer to a request.
fn answer(served: &Served, method: &Method, path: &str, headers: &HeaderMap) -> Response<String> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(why) = refusal(&served.names, header(header::HOST), header(header::ORIGIN)) {
        return plain(StatusCode::FORBIDDEN, why);
    }
    if method != Method::GET && method != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "there is nothing to change here");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/metrics" => response(StatusCode::OK, METRICS_TYPE, exposition::text(&(served.board)())),
        "/" if served.page => response(StatusCode::OK, "text/html; charset=utf-8", PAGE.to_string()),
        "/script.js" if served.page => {
            response(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT.to_string())
        }
        "/style.css" if served.page => response(StatusCode::OK, "text/css; charset=utf-8", STYLE.to_string()),
        "/favicon.ico" if served.page => response(StatusCode::NO_CONTENT, "image/x-icon", String::new()),
        "/state" if served.page => match serde_json::to_string(&State::of((served.board)())) {
            Ok(state) => response(StatusCode::OK, "application/json", state),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        _ => plain(StatusCode::NOT_FOUND, "not found; there is /metrics"),
    }
}

/// The board, and the verdict so far.
#[derive(Serialize)]
struct State {
    #[serde(flatten)]
    board: Board,
    verdict: Verdict,
}

impl State {
    fn of(board: Board) -> State {
        State { verdict: board.verdict(), board }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    response(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn serve(page: bool) -> Server {
        let board = Board { title: "a test".to_string(), ..Board::default() };
        Server::start("0", page, Arc::new(move || board.clone())).unwrap()
    }

    /// The status and the body of a request.
    fn ask(server: &Server, request: &str, host: &str, more: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(server.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let status = said.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, said.split_once("\r\n\r\n").unwrap().1.to_string())
    }

    #[test]
    fn an_address_is_loopback_unless_it_says_otherwise() {
        let parts = |address| parts(address).map_err(|error| error.kind());
        assert_eq!(parts("9464"), Ok(("127.0.0.1".to_string(), 9464)));
        assert_eq!(parts(":9464"), Ok(("127.0.0.1".to_string(), 9464)));
        assert_eq!(parts("[::1]:0"), Ok(("::1".to_string(), 0)));
        assert_eq!(parts("0.0.0.0:9464"), Ok(("0.0.0.0".to_string(), 9464)));
        for wrong in ["", "localhost", "1:2:x", "70000"] {
            assert_eq!(parts(wrong), Err(ErrorKind::Config), "{wrong}");
        }
    }

    #[test]
    fn only_reading_is_served_and_only_to_this_machine() {
        let server = serve(true);
        let host = server.address.to_string();
        let (status, text) = ask(&server, "GET /metrics", &host, "");
        assert!(status == 200 && text.ends_with("# EOF\n") && text.contains("title=\"a test\""), "{text}");
        let (status, page) = ask(&server, "GET /", "localhost", "");
        assert!(status == 200 && page.contains("<script src=\"script.js\""), "{page}");
        let (status, state) = ask(&server, "GET /state", &host, &format!("Origin: http://{host}\r\n"));
        assert!(status == 200 && state.contains("\"verdict\":\"inconclusive\""), "{state}");
        assert_eq!(ask(&server, "HEAD /metrics", &host, ""), (200, String::new()));
        assert_eq!(ask(&server, "POST /metrics", &host, "Content-Length: 0\r\n").0, 405);
        assert_eq!(ask(&server, "GET /other", &host, "").0, 404);
        for path in ["/", "/state", "/metrics"] {
            assert_eq!(ask(&server, &format!("GET {path}"), "evil.example", "").0, 403, "{path}");
            let foreign = ask(&server, &format!("GET {path}"), &host, "Origin: http://evil.example\r\n");
            assert_eq!(foreign.0, 403, "{path}");
        }
    }

    #[test]
    fn metrics_alone_have_no_page_and_a_server_ends_when_it_is_dropped() {
        let server = serve(false);
        assert_eq!(ask(&server, "GET /", "localhost", "").0, 404);
        let taken = Server::start(&server.address.to_string(), false, Arc::new(Board::default));
        assert_eq!(taken.err().map(|error| error.kind()), Some(ErrorKind::Config), "the port is taken");
        // One that says nothing must not keep it.
        let _silent = TcpStream::connect(server.address).unwrap();
        let address = server.address;
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
