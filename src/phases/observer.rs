//! Observers, which are notified of everything that a run records.

use crate::record::{EventRecord, TaskRecord};

/// Notified of every record once it is safely on the disk. The console is one, a test can be.
pub trait Observer: Send + Sync {
    /// An event was recorded.
    fn event(&self, record: &EventRecord);
    /// A task was recorded.
    fn task(&self, record: &TaskRecord);
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &EventRecord) {}
    fn task(&self, _: &TaskRecord) {}
}
