//! From where on growth is called a leak.

/// What growth has to come to before it is called a leak.
///
/// [`Bounds::default`] is what highwater judges by. Others exist to measure what a
/// bound does: `examples/verdict_table` chooses them anew on a part of the
/// recordings and judges the rest by them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Chance, one-sided, that what does not grow is called certain to, over all looks together.
    pub error: f64,
    /// The later half grows by no less than this share of the earlier.
    pub late: f64,
    /// Each third grows by no less than this share of the whole.
    pub third: f64,
    /// Growth whose trend lies below this many standard deviations is slowing down (`trend::laplace`).
    pub slowing: f64,
    /// A rise beyond what caches, pools and heaps commonly hold, in MB.
    pub large_mb: f64,
    /// The same for a large runtime, whose heap grows to a limit of its own.
    pub large_runtime_mb: f64,
    /// Growth as fast as this, in MB per task, is no cache, whose entries are smaller…
    pub fast_mb: f64,
    /// …if there were so many tasks…
    pub fast_tasks: usize,
    /// …and it rose by this many MB: a warm-up is over after a few tasks.
    pub fast_rise_mb: f64,
    /// Growth of this, in MB per task, and more…
    pub long_mb: f64,
    /// …is a leak after so many tasks: caches that take an entry with every task are full by then…
    pub long_tasks: usize,
    /// …or after so many where it comes in steps of the size of a large cache's entries.
    pub entries_tasks: usize,
    /// Smaller growth is a leak after so many tasks.
    pub small_tasks: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            error: 0.02,
            late: 0.5,
            third: 0.4,
            slowing: -1.0,
            large_mb: 256.0,
            large_runtime_mb: 320.0,
            fast_mb: 4.0,
            fast_tasks: 20,
            fast_rise_mb: 115.0,
            long_mb: 0.9,
            long_tasks: 60,
            entries_tasks: 64,
            small_tasks: 80,
        }
    }
}

impl Bounds {
    /// The rise beyond what fills, in MB.
    pub(super) fn large(&self, runtime: bool) -> f64 {
        if runtime { self.large_runtime_mb } else { self.large_mb }
    }
}
