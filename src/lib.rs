//! highwater proves, from outside, that a running service does not leak memory,
//! and finds how many simultaneous tasks it can stably take.
//!
//! A gate for a service of your own is a test in its repository:
//!
//! ```no_run
//! use highwater::plan::Plan;
//! use highwater::suite::Suite;
//! use serde_json::json;
//! # struct Service { url: String }
//! # impl Service {
//! #     fn start() -> Service { unimplemented!() }
//! #     fn pid(&self) -> u32 { unimplemented!() }
//! # }
//!
//! fn gate(service: &Service) -> Suite {
//!     let mut plan = Plan::http(&service.url, "/summarise")
//!         .json(json!({ "text": "The tide came in slowly." }))
//!         .health("/health")
//!         .worker_pid(service.pid());
//!     plan.leak.max_delta_mb = 20.0;
//!     Suite::new(plan)
//! }
//!
//! # // A `#[test]` function is left out of a documentation test; without the attribute it is checked.
//! # macro_rules! checked { ($(#[$attribute:meta] $test:item)*) => { $($test)* } }
//! # checked! {
//! #[tokio::test]
//! async fn summaries_do_not_leak() -> highwater::Result<()> {
//!     let service = Service::start();
//!     gate(&service).leak_check().await?.assert_all_pass();
//!     Ok(())
//! }
//!
//! #[tokio::test]
//! async fn four_summaries_at_once_succeed() -> highwater::Result<()> {
//!     let service = Service::start();
//!     gate(&service).ramp(4).await?.assert_holds(4);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! `Service` is the test's own fixture: it starts the program on a port chosen by
//! the system, and kills it when it is dropped. `examples/own-service` in this
//! repository is the complete crate, with a planted leak and the proof that the
//! gate catches it.
//!
//! # Two ways to use it
//!
//! **In tests.** A [`Suite`](suite::Suite) has a service and a plan.
//! [`leak_check`](suite::Suite::leak_check) and [`ramp`](suite::Suite::ramp) run
//! a phase and return a [`Measured`](suite::Measured), which can assert that all
//! criteria passed, that one criterion passed, or that a level held. A failed
//! assertion names the figures and the path of the data.
//! [`Suite::new`](suite::Suite::new) measures again at every call; it is for
//! services that a test starts. [`Suite::from_environment`](suite::Suite::from_environment)
//! tests the running service that `highwater.toml` names. It measures each phase
//! once for all tests of a run, so that each criterion can be a test of its own.
//!
//! **On the command line.** Each command is a thin layer over this library:
//!
//! | command | what it does | in the library |
//! | --- | --- | --- |
//! | `run` | both phases against a running service; `--resume` continues a run that was stopped | [`session`], [`resume`] |
//! | `soak` | holds a level and judges whether memory accumulates under load | [`phases::soak()`], [`plan::SoakPlan`] |
//! | `judge` | judges any recording of memory over tasks or time | [`readings`], [`analysis::growth()`] |
//! | `compare` | says whether a leak is fixed, or a version is worse | [`baseline`], [`analysis::compare()`] |
//! | `watch` | shows a live table of any processes and writes a CSV | [`sampler`] |
//! | `report` | judges the data of a run again | [`journal::read()`], [`assessment`], [`report`] |
//! | `doctor`, `init` | checks what a run needs; writes a commented `highwater.toml` | [`plan`] |
//! | `demo` | a speech service with real faults on request | [`demo`] |
//!
//! `highwater run --demo` runs both phases against that service.
//!
//! # From a plan to a report
//!
//! ```text
//! plan ──► phases ──► journal ──► analysis ──► report
//!           │   │
//!      target   sampler
//! ```
//!
//! 1. The [`plan`] says what to do: service, processes, load, thresholds. It
//!    comes from code ([`Plan::http`](plan::Plan::http)) or from
//!    `highwater.toml`, `HIGHWATER_…` variables and flags ([`plan::load()`]).
//! 2. The [`phases`] drive the [`service`] over the network and read the
//!    [`sampler`], which watches the processes. The leak check sends one task at
//!    a time and reads the worker's memory around each, once it is quiet, until
//!    [`analysis::growth()`] is sure. The ramp sends levels of 1, 2, 3, … tasks at
//!    once, or doubles and halves them, as [`analysis::search`] asks.
//! 3. Every task and event goes to the [`journal`] when it happens, and is on
//!    the disk before it is shown. The lines are [`record`]s.
//! 4. The [`analysis`] judges what the journal holds. It is pure: a file
//!    from last year is judged by the same functions as a run that has just ended.
//! 5. An [`assessment`] holds all conclusions. The console, the [`report`] in
//!    Markdown and `--json` show this one value.
//!
//! A [`Session`](session::Session) is one run through all of these steps. Suites
//! and the command line are built on it, and your own program can be, too.
//!
//! # A target of your own
//!
//! The built-in targets speak HTTP: submit a file and poll for the result, or
//! one request per task. For anything else implement [`Target`](service::Target)
//! with plain `async fn`s. highwater limits the time of a task and watches the
//! processes; a target only performs one task and says how it ended.
//!
//! ```no_run
//! use highwater::plan::Plan;
//! use highwater::suite::Suite;
//! use highwater::service::{Completion, Input, Inputs, Stage, Target, TaskError};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::TcpStream;
//!
//! /// Takes a text, answers a line.
//! struct LineService(std::net::SocketAddr);
//!
//! impl Target for LineService {
//!     fn describe(&self) -> String {
//!         format!("the line service at {}", self.0)
//!     }
//!
//!     async fn perform(&self, input: &Input) -> Result<Completion, TaskError> {
//!         let transport = |error: std::io::Error| TaskError::io(Stage::Processing, &error);
//!         let mut stream = TcpStream::connect(self.0).await.map_err(transport)?;
//!         stream.write_all(&input.bytes).await.map_err(transport)?;
//!         stream.shutdown().await.map_err(transport)?;
//!         let mut answer = String::new();
//!         stream.read_to_string(&mut answer).await.map_err(transport)?;
//!         if answer.is_empty() {
//!             return Err(TaskError::malformed("the answer is empty"));
//!         }
//!         Ok(Completion::default())
//!     }
//! }
//!
//! # async fn example(address: std::net::SocketAddr, pid: u32) -> highwater::Result<()> {
//! let suite = Suite::new(Plan::default().worker_pid(pid))
//!     .target(LineService(address))
//!     .inputs(Inputs::one("question", "how high is the water?"));
//! suite.leak_check().await?.assert_all_pass();
//! # Ok(())
//! # }
//! ```
//!
//! Without `inputs`, a target of your own receives the recordings of the plan:
//! speech of 147 s and of 734 s, unless `audio.short` and `audio.long` name
//! others. A target can have its own health check,
//! [`Target::health`](service::Target::health).
//!
//! # What a verdict means
//!
//! Every [`Criterion`](record::Criterion) has one of three
//! [`Verdict`](record::Verdict)s, and a run has the worst verdict of its criteria.
//!
//! * **Pass**: the evidence says yes. For growth, the detail says which growth
//!   per task would have been seen.
//! * **Fail**: the evidence says no.
//! * **Inconclusive**: the evidence does not suffice. It is not a pass:
//!   [`assert_passes`](suite::Measured::assert_passes) panics, and the command
//!   line exits with 2.
//!
//! | criterion | passes if |
//! | --- | --- |
//! | `leak.tasks` | every task of the leak check succeeded |
//! | `leak.delta` | no long task kept `leak.max_delta_mb` or more (any task, where none is long) |
//! | `leak.baseline` | memory ended within `leak.baseline_tolerance_mb` of where it was after warm-up, or on a plateau |
//! | `leak.growth` | nothing accumulates, down to the size in the detail ([`analysis::growth`]) |
//! | `worker.alive` | no worker process died or was replaced |
//! | `sampler.complete` | the sampler saw every role at every tick |
//! | `ramp.required` | `ramp.required` simultaneous tasks succeeded |
//! | `ramp.rtf` | up to that concurrency, every task took less than `ramp.max_rtf` of its audio's length |
//!
//! The first task of each kind is warm-up: models load, and pools and arenas are
//! created. It is reported but not judged, because a leak happens again and a load
//! does not.
//!
//! The end of a ramp is a [`Limit`](record::Limit), which is not a verdict: a limit
//! was found, the bound was reached without one, or the limit was not determined.
//! The three are always worded differently.
//!
//! # Where things are
//!
//! | module | what it has |
//! | --- | --- |
//! | [`suite`] | the gate for tests |
//! | [`session`] | one run from start to report |
//! | [`plan`] | the configuration |
//! | [`service`] | the service that is driven |
//! | [`audio`] | the recordings that are sent |
//! | [`sampler`] | finding, measuring and watching processes |
//! | [`phases`] | the leak check, its probes, the ramp and the soak |
//! | [`record`] | the lines of the data files; verdicts |
//! | [`journal`] | writing the data files and reading them back |
//! | [`resume`] | continuing a run that was stopped |
//! | [`baseline`] | the figures of earlier runs, for comparison |
//! | [`readings`] | memory over tasks or time, from results or from what other tools record |
//! | [`analysis`] | judging |
//! | [`assessment`] | everything that is concluded from a run, derived once |
//! | [`report`] | rendering |
//! | [`demo`] | the embedded speech service |
//! | [`cli`], [`console`] | the command line and what it shows |
//! | [`error`], [`units`] | errors with hints; what a megabyte is |

pub mod analysis;
pub mod assessment;
pub mod audio;
pub mod baseline;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "collect")]
mod collect;
#[cfg(not(feature = "collect"))]
#[path = "collect/absent.rs"]
mod collect;
pub mod console;
mod descriptors;
pub mod error;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(feature = "command")]
mod generator;
#[cfg(not(feature = "command"))]
#[path = "generator/absent.rs"]
mod generator;
mod inputs;
pub mod journal;
#[cfg(test)]
mod mutation_tests;
mod outside;
pub mod phases;
pub mod plan;
mod programs;
pub mod readings;
pub mod record;
pub mod report;
pub mod resume;
pub mod sampler;
#[cfg(feature = "cli")]
mod serve;
pub mod service;
pub mod session;
pub mod suite;

pub mod units;
mod words;

#[cfg(feature = "demo")]
pub use highwater_demo as demo;

pub use error::{Error, ErrorKind, Result};
