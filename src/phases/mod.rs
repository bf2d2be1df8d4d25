//! The phases of a run: the only place where driving and sampling meet.

mod leak;
mod observer;
mod ramp;
mod recorder;
mod rig;
mod settle;
mod task;
mod workers;

pub use leak::leak_check;
pub use observer::{Observer, Silent};
pub use ramp::ramp;
pub use recorder::Recorder;
pub use rig::{Inputs, Rig};
pub use settle::{Settle, Settled};
pub use workers::Workers;
