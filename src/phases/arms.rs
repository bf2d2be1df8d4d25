//! The two arms of the leak check: one input again and again, and inputs that were never sent before.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::service::{Input, Inputs, Variations};

/// Hands out new inputs, each once.
#[derive(Debug, Default)]
pub(super) struct Arms {
    /// New inputs handed out so far, over all kinds.
    sent: AtomicU64,
}

impl Arms {
    /// `input` itself where `new` is false or there is no new one, else one that was never sent before.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the file that holds it cannot be read.
    pub(super) fn input<'a>(&self, inputs: &Inputs, input: &'a Input, new: bool) -> Result<Cow<'a, Input>> {
        let fresh = if new { self.fresh(inputs, input)? } else { None };
        Ok(fresh.map_or(Cow::Borrowed(input), Cow::Owned))
    }

    /// An input in the place of `input` that was never sent before; absent if there is none.
    ///
    /// # Errors
    /// As [`Arms::input`].
    pub(super) fn fresh(&self, inputs: &Inputs, input: &Input) -> Result<Option<Input>> {
        if matches!(inputs.variations, Variations::None) {
            return Ok(None);
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        inputs.fresh(input, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Inputs;

    #[test]
    fn new_inputs_are_handed_out_once_and_only_where_asked_for() {
        let inputs = Inputs { variations: Variations::Template, ..Inputs::one("request", "x") };
        let arms = Arms::default();
        let number = |new| arms.input(&inputs, &inputs.short, new).unwrap().variation;
        assert_eq!([number(false), number(true), number(false), number(true)], [0, 1, 0, 2]);
        let one = Inputs::one("request", "x");
        assert_eq!(arms.input(&one, &one.short, true).unwrap().variation, 0);
        assert!(arms.fresh(&one, &one.short).unwrap().is_none());
    }
}
