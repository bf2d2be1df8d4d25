//! The inputs of a run: a short one and, where length matters, a long one.

use bytes::Bytes;

use super::{Input, Variations};
use crate::error::Result;
use crate::plan::AudioKind;

/// The inputs that the tasks of a run send.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The short input.
    pub short: Input,
    /// The long input; absent for services whose work does not depend on length.
    pub long: Option<Input>,
    /// Where inputs come from that were never sent before.
    pub variations: Variations,
}

impl Inputs {
    /// One input that is not audio: `bytes`, called `name` in the data files.
    pub fn one(name: impl Into<String>, bytes: impl Into<Bytes>) -> Inputs {
        let name = name.into();
        let short = Input {
            kind: AudioKind::Short,
            stem: name.clone(),
            name,
            bytes: bytes.into(),
            seconds: None,
            variation: 0,
        };
        Inputs { short, long: None, variations: Variations::None }
    }

    /// The input of `kind`; the short one where there is no long one.
    pub fn get(&self, kind: AudioKind) -> &Input {
        match kind {
            AudioKind::Short => &self.short,
            AudioKind::Long => self.long.as_ref().unwrap_or(&self.short),
        }
    }

    /// All inputs, the short one first.
    pub fn all(&self) -> impl Iterator<Item = &Input> {
        std::iter::once(&self.short).chain(&self.long)
    }

    /// The `number`th new input in the place of `input`, from 1; absent where there are no more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the file that holds it cannot be read.
    pub fn fresh(&self, input: &Input, number: u64) -> Result<Option<Input>> {
        self.variations.of(input, number)
    }
}
