//! The tests of highwater itself, in one binary: linking takes longer than most of them.
//!
//! A file tests one thing. The service is real, and so are the faults planted in it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod audio;
mod broken;
mod browser;
mod campaign;
mod cgroups;
mod cli;
mod collected;
mod command;
mod containers;
mod corpus;
mod damage;
mod demo;
mod discovery;
mod docs;
mod driver;
mod durability;
mod faults;
mod fixture;
mod full_levels;
mod generator;
#[cfg(target_os = "linux")]
mod gpu;
mod limits;
mod live;
mod millions;
mod module_order;
mod plain_http;
mod public_api;
mod readings;
mod real_stack;
mod real_stack_limits;
mod recovery;
mod recycled;
mod remote;
mod report;
mod resume;
mod sampler;
mod scraped;
mod sentences;
mod streamed;
mod support;
mod targets;
mod tidy;
mod two_hosts;
mod verdict;
mod watch;
mod websocket;
