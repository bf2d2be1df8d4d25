//! What `run` and `soak` have in common.

use crate::cli::serving::ServeArgs;

/// The subject of the test, and where the output goes.
pub(in crate::cli) struct Target<'a> {
    /// True for the embedded service.
    pub(in crate::cli) demo: bool,
    /// The arguments of that.
    pub(in crate::cli) demo_args: &'a [String],
    /// True for one JSON object on stdout.
    pub(in crate::cli) json: bool,
    /// Lines only, also in a terminal.
    pub(in crate::cli) plain: bool,
    /// The endpoints that are served during the run.
    pub(in crate::cli) serve: &'a ServeArgs,
}
