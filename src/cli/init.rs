//! `highwater init`.

use super::args::InitArgs;
use super::output::say;
use crate::error::Result;
use crate::plan;

pub(super) fn init(args: &InitArgs) -> Result<u8> {
    plan::write_template(&args.path, args.force)?;
    say!("wrote {}, with every key and its default; next: `highwater doctor`", args.path.display());
    Ok(0)
}
