//! `highwater init`.

use super::args::InitArgs;
use super::output::say;
use crate::error::Result;
use crate::plan;

pub(super) fn init(args: &InitArgs) -> Result<u8> {
    let what = match args.preset {
        Some(preset) => {
            plan::write_preset(&args.path, preset.into(), args.force)?;
            "what such a service needs"
        }
        None => {
            plan::write_template(&args.path, args.force)?;
            "every key and its default"
        }
    };
    say!("wrote {}, with {what}; next: `highwater doctor`", args.path.display());
    Ok(0)
}
