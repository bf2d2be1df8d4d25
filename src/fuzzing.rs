//! What `fuzz/` calls: each reader of what others wrote. Only there with `--cfg fuzzing`.

use std::path::Path;

use crate::{journal, plan, readings, sampler, service};

/// A reader.
pub type Reader = fn(&[u8]);

/// The readers by name: that of their corpus.
pub const READERS: [(&str, Reader); 7] = [
    ("lines", journal::any_lines),
    ("samples", journal::any_samples),
    ("readings", readings::any_bytes),
    ("smaps", sampler::anatomy::any_smaps),
    ("proc", sampler::source::parse::any_bytes),
    ("stream", service::any_stream),
    ("configuration", configuration),
];

fn configuration(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(plan::layer(Some((Path::new("a.toml"), text)), [], &[]));
    }
}
