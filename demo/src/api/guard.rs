//! Requests that a web page made a browser send, or that reached this address by another name, are refused.
//!
//! The service listens on loopback and has no secret of its own. A page elsewhere could otherwise drive it through the
//! browser of whoever runs it, also by a name that it lets point here. Pure.

/// Why a request with these headers is refused; `None` if it is not.
pub(super) fn refusal(host: Option<&str>, origin: Option<&str>) -> Option<&'static str> {
    if !host.is_some_and(is_loopback) {
        return Some("this service answers to 127.0.0.1, localhost and [::1] only");
    }
    let foreign = |origin: &str| {
        let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !place.is_some_and(is_loopback)
    };
    origin.is_some_and(foreign).then_some("this service takes no requests from other origins")
}

/// True for the name of this machine, with or without a port.
fn is_loopback(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_may_ask() {
        for host in ["127.0.0.1:4711", "localhost", "LOCALHOST:80", "[::1]:80", "[::1]"] {
            assert_eq!(refusal(Some(host), None), None, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil:80",
            "",
            "127.0.0.1:80:80",
            "x@localhost",
        ] {
            assert!(refusal(Some(host), None).is_some(), "{host}");
        }
        assert!(refusal(None, None).is_some());
        let from = |origin| refusal(Some("127.0.0.1:1"), Some(origin));
        assert_eq!(from("http://localhost:3000"), None);
        for origin in ["https://evil.example", "null", "file://", "http://localhost.evil"] {
            assert!(from(origin).is_some(), "{origin}");
        }
    }
}
