//! Requests that reached the server by another name than its own, or that a page elsewhere had a browser send, are
//! refused. Pure.
//!
//! The server has no secret. A page elsewhere could otherwise read it through the browser of whoever runs highwater, by
//! a name that it lets point to this machine. An address is no such name.

use std::net::{IpAddr, SocketAddr};

/// The names by which a server may be asked.
pub(super) struct Names {
    /// The host of the address that was asked for.
    host: String,
    /// True if it listens on loopback only.
    loopback: bool,
}

impl Names {
    /// Those of a server that was told to listen on `host` and does so at `bound`.
    pub(super) fn new(host: &str, bound: SocketAddr) -> Names {
        Names { host: host.to_string(), loopback: bound.ip().is_loopback() }
    }

    fn contain(&self, authority: &str) -> bool {
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => authority,
        };
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match address.parse::<IpAddr>() {
            Ok(ip) => !self.loopback || ip.is_loopback(),
            Err(_) => {
                name.eq_ignore_ascii_case("localhost")
                    || (!self.loopback && name.eq_ignore_ascii_case(&self.host))
            }
        }
    }
}

/// Why a request with these headers is refused; `None` if it is not.
pub(super) fn refusal(names: &Names, host: Option<&str>, origin: Option<&str>) -> Option<&'static str> {
    let Some(host) = host.filter(|host| names.contain(host)) else {
        return Some("this server answers to its own address only");
    };
    // A page of its own has its own origin; that of any other is foreign.
    let own =
        |origin: &str| origin.strip_prefix("http://").is_some_and(|place| place.eq_ignore_ascii_case(host));
    origin.is_some_and(|origin| !own(origin)).then_some("this server takes no requests from other origins")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_loopback_may_ask() {
        let names = Names::new("127.0.0.1", "127.0.0.1:9464".parse().unwrap());
        for host in ["127.0.0.1:9464", "localhost", "LOCALHOST:80", "[::1]:80", "127.0.0.1"] {
            assert_eq!(refusal(&names, Some(host), None), None, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.7:9464",
            "",
            "127.0.0.1:80:80",
            "x@localhost",
        ] {
            assert!(refusal(&names, Some(host), None).is_some(), "{host}");
        }
        assert!(refusal(&names, None, None).is_some());
        let from = |origin| refusal(&names, Some("127.0.0.1:9464"), Some(origin));
        assert_eq!(from("http://127.0.0.1:9464"), None);
        for origin in ["https://evil.example", "null", "http://127.0.0.1:80", "https://127.0.0.1:9464"] {
            assert!(from(origin).is_some(), "{origin}");
        }
    }

    #[test]
    fn elsewhere_addresses_and_the_given_name_may_ask() {
        let names = Names::new("bench.lan", "10.0.0.7:9464".parse().unwrap());
        for host in ["bench.lan:9464", "10.0.0.7:9464", "[fe80::1]:9464", "localhost:9464"] {
            assert_eq!(refusal(&names, Some(host), None), None, "{host}");
        }
        assert!(refusal(&names, Some("evil.example:9464"), None).is_some());
    }
}
