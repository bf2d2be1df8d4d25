//! Code that several tests share.

pub(crate) mod alone;
pub(crate) mod browser;
pub(crate) mod demo_client;
pub(crate) mod demo_service;
pub(crate) mod expect;
#[cfg(target_os = "linux")]
pub(crate) mod helper;
pub(crate) mod request;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod service;
pub(crate) mod stack;
pub(crate) mod stopping;
