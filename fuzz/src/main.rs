//! One program for all readers: `HIGHWATER_FUZZ` names the one that libFuzzer feeds.
#![no_main]

use std::sync::LazyLock;

use highwater::fuzzing::{READERS, Reader};

static READER: LazyLock<Reader> = LazyLock::new(|| {
    let wanted = std::env::var("HIGHWATER_FUZZ").unwrap_or_default();
    let found = READERS.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("HIGHWATER_FUZZ is none of {:?}", READERS.map(|(name, _)| name))).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| READER(bytes));
