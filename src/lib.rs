//! highwater proves, from outside, that a running service does not leak memory,
//! and finds how much load it can stably take.

pub mod analysis;
pub mod audio;
pub mod cli;
pub mod console;
pub mod demo;
pub mod error;
pub mod journal;
pub mod phases;
pub mod plan;
pub mod record;
pub mod report;
pub mod sampler;
pub mod session;
pub mod suite;
pub mod target;
pub mod units;

pub use error::{Error, ErrorKind, Result};
