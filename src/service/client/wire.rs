//! What a connection runs over.

use tokio::io::{AsyncRead, AsyncWrite};

/// The byte stream of a connection.
pub(in crate::service) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}
