//! The phases of a run, the only place that both drives the service and samples its memory.

mod anatomy;
mod arms;
mod block;
mod driver;
mod ends;
mod late;
mod leak;
mod line;
mod memory;
mod observer;
mod probe;
mod ramp;
mod recorder;
mod rig;
mod schedule;
mod settle;
mod slots;
mod soak;
mod stop;
mod task;
mod turnover;
mod worked;
mod workers;

pub use leak::leak_check;
pub use observer::{Observer, Silent};
pub use probe::probe;
pub use ramp::ramp;
pub use recorder::Recorder;
pub use rig::Rig;
pub use settle::{Settle, Settled};
pub use soak::soak;
pub use workers::Workers;
