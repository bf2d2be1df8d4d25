//! `highwater demo`.

use crate::demo::{self, DemoOptions};
use crate::error::Result;

pub(super) fn demo(options: &DemoOptions) -> Result<u8> {
    demo::run(options)?;
    Ok(0)
}
