//! Without the feature `https` there is no securing a connection.

use tokio::net::TcpStream;

use super::origin::Origin;
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::service::TaskError;

/// There is none.
pub(super) enum Tls {}

impl Tls {
    pub(super) fn new(_: &Origin, _: &str) -> Result<Tls> {
        Err(Error::without_feature("a `target.url` that begins with `https://`", "https"))
    }

    pub(super) async fn secure(&self, _: TcpStream) -> Result<Box<dyn Wire>, TaskError> {
        match *self {}
    }
}
