//! highwater proves, from outside, that a running service does not leak memory,
//! and finds how much load it can stably take.

pub mod demo;
pub mod error;
pub mod plan;

pub use error::{Error, ErrorKind, Result};
