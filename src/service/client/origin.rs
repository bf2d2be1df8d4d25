//! The location of a service: the parts of its base URL, and its addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hyper::Uri;
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};

/// How long the addresses of a name are cached, so that a level of tasks resolves it once.
const BELIEVED: Duration = Duration::from_secs(10);

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) secure: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as in the header `Host`.
    pub(super) authority: String,
}

impl Origin {
    /// # Errors
    /// [`ErrorKind::Config`] if `url` is not a base URL; that of a validated plan is one.
    pub(super) fn of_url(url: &str) -> Result<Origin> {
        let wrong = || Error::new(ErrorKind::Config, format!("`target.url` is no URL: `{url}`"));
        let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| wrong().source(error))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_string();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Origin { secure, host, port, authority: authority.to_string() })
    }
}

/// The addresses of an origin, resolved once and then cached for a while.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<Option<(Instant, Vec<SocketAddr>)>>);

impl Addresses {
    /// All addresses, in the order in which to try them.
    ///
    /// # Errors
    /// If the name cannot be resolved.
    pub(super) async fn of(&self, origin: &Origin) -> std::io::Result<Vec<SocketAddr>> {
        if let Ok(address) = origin.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, origin.port)]);
        }
        let mut known = self.0.lock().await;
        if let Some((when, addresses)) = &*known
            && when.elapsed() < BELIEVED
        {
            return Ok(addresses.clone());
        }
        let found: Vec<SocketAddr> =
            tokio::net::lookup_host((origin.host.as_str(), origin.port)).await?.collect();
        if found.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"));
        }
        *known = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_split() {
        let check = |url: &str, secure, host: &str, port, authority: &str| {
            let host = host.to_string();
            let expected = Origin { secure, host, port, authority: authority.to_string() };
            assert_eq!(Origin::of_url(url).unwrap(), expected);
        };
        check("http://localhost:8000", false, "localhost", 8000, "localhost:8000");
        check("https://asr.example.org/", true, "asr.example.org", 443, "asr.example.org");
        check("http://[::1]:81", false, "::1", 81, "[::1]:81");
        assert!(Origin::of_url("localhost:8000").is_err());
    }
}
