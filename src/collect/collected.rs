//! What a collection came to, for builds with and without collections.

/// The result of a collection.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Collected {
    /// Heap in use, in MB, if the runtime reports it.
    pub(crate) heap_mb: Option<f64>,
}
