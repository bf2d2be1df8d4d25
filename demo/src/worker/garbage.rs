//! A heap as a runtime has one: it rises by what each task leaves behind, until a collection frees it.

use std::sync::{Arc, Mutex, PoisonError};

use super::leaks::Resident;
use crate::units::ByteSize;

/// A collection begins by itself when the garbage comes to this, in bytes.
const COLLECTED_AT: u64 = 256_000_000;

/// What nobody uses any more and nobody has freed yet. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Garbage(Arc<Mutex<Vec<Resident>>>);

impl Garbage {
    /// Adds `size` to it.
    pub(super) fn leave(&self, size: ByteSize) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.push(Resident::new(size));
        if left.len() as u64 * size.bytes() >= COLLECTED_AT {
            left.clear();
        }
    }

    /// Frees all of it.
    pub(super) fn collect(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_rises_until_it_is_collected() {
        let garbage = Garbage::default();
        let pieces = |garbage: &Garbage| garbage.0.lock().unwrap().len();
        let size = ByteSize::from_bytes(COLLECTED_AT / 3);
        garbage.leave(size);
        garbage.leave(size);
        assert_eq!(pieces(&garbage), 2);
        garbage.collect();
        assert_eq!(pieces(&garbage), 0);
        for _ in 0..4 {
            garbage.leave(size);
        }
        assert_eq!(pieces(&garbage), 0, "the fourth brings it to the bound");
    }
}
