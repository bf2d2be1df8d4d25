//! Lists all pids, through a descriptor of `/proc` that stays open.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{RawDir, SeekFrom, seek};

use super::parse;

/// The size of the buffer for one call: some thousand entries.
const BUFFER_BYTES: usize = 32 * 1024;

/// `/proc`, ready to be listed repeatedly.
pub(super) struct Listing {
    directory: File,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Listing {
    /// Opens `/proc`.
    pub(super) fn open() -> io::Result<Listing> {
        Ok(Listing { directory: File::open("/proc")?, buffer: vec![MaybeUninit::uninit(); BUFFER_BYTES] })
    }

    /// All pids, without an allocation for each name.
    pub(super) fn pids(&mut self) -> io::Result<Vec<u32>> {
        seek(&self.directory, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(&self.directory, &mut self.buffer);
        let mut pids = Vec::with_capacity(256);
        while let Some(entry) = entries.next() {
            pids.extend(parse::pid(entry?.file_name().to_bytes()));
        }
        Ok(pids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_each_time() {
        let mut listing = Listing::open().expect("`/proc` is there");
        for _ in 0..3 {
            let pids = listing.pids().expect("readable");
            assert!(pids.contains(&std::process::id()), "{pids:?}");
            assert!(pids.is_sorted(), "no pid twice: {pids:?}");
        }
    }
}
