//! Without the feature `rq` nobody asks Redis; the validation of a plan says so first.

use super::rq::{Registry, shown};

pub(super) fn workers(url: &str, queue: &str) -> Registry {
    Err(format!("cannot ask Redis at {} for the workers of `{queue}` without the feature `rq`", shown(url)))
}

pub(super) fn answers(_url: &str) -> Result<(), String> {
    Ok(())
}
