//! Who is told what happens while it happens.

use crate::record::{EventRecord, TaskRecord};

/// Told of everything once it is safely on the disk: the console, a test.
pub trait Observer: Send + Sync {
    /// An event was recorded.
    fn event(&self, record: &EventRecord);
    /// A task was recorded.
    fn task(&self, record: &TaskRecord);
}

/// An observer that tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &EventRecord) {}
    fn task(&self, _: &TaskRecord) {}
}
