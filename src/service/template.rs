//! Placeholders in requests: `{{n}}`, `{{uuid}}` and `{{random 2000}}`. Pure.
//!
//! A leak that is keyed by its input shows only where inputs differ. A template makes as many different requests
//! as there are tasks, and the same request again where that is asked for: what it renders depends on nothing but
//! the run's seed and the number of the variation.

use std::fmt::Write as _;

/// The longest text that `{{random N}}` makes, in characters.
const MAX_RANDOM: usize = 64 << 20;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The number of the variation.
    Number,
    /// A version 4 UUID (RFC 9562).
    Uuid,
    /// Letters and digits, this many.
    Random(usize),
}

/// Which of the many requests of a template is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variation {
    /// The run's own number, so that a service that outlives the run has not seen its requests before.
    pub(crate) seed: u64,
    /// 0 for the request that is sent again and again, n for the nth new one.
    pub(crate) number: u64,
}

impl Template {
    /// Reads a text with placeholders.
    ///
    /// # Errors
    /// A sentence that names the placeholder that is not known, or not closed.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, tail)) = after.split_once("}}") else {
                return Err(format!(
                    "`{{{{` at byte {} is not closed by `}}}}`",
                    text.len() - after.len() - 2
                ));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_string()));
            }
            pieces.push(Piece::parse(name.trim())?);
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_string()));
        }
        Ok(Template(pieces))
    }

    /// True if two variations differ.
    pub(crate) fn varies(&self) -> bool {
        self.0.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// The text of one variation.
    pub(crate) fn render(&self, variation: Variation) -> String {
        let mut digits = Digits::of(variation);
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                // Writing to a String cannot fail.
                Piece::Number => drop(write!(text, "{}", variation.number)),
                Piece::Uuid => text.push_str(&digits.uuid()),
                Piece::Random(length) => digits.letters(*length, &mut text),
            }
        }
        text
    }
}

impl Piece {
    fn parse(name: &str) -> Result<Piece, String> {
        let mut words = name.split_whitespace();
        let piece = match (words.next(), words.next(), words.next()) {
            (Some("n"), None, _) => Some(Piece::Number),
            (Some("uuid"), None, _) => Some(Piece::Uuid),
            (Some("random"), Some(length), None) => {
                length.parse().ok().filter(|length| *length <= MAX_RANDOM).map(Piece::Random)
            }
            _ => None,
        };
        piece.ok_or_else(|| {
            format!(
                "`{{{{{name}}}}}` is no placeholder: there are `{{{{n}}}}`, `{{{{uuid}}}}` and `{{{{random N}}}}` \
                 with N up to {MAX_RANDOM}"
            )
        })
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct Digits(u64);

impl Digits {
    fn of(variation: Variation) -> Digits {
        let mut digits = Digits(variation.seed ^ variation.number.wrapping_mul(0xd134_2543_de82_ef95));
        digits.next();
        digits
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.next() & !0xf000 | 0x4000, self.next() & (u64::MAX >> 2) | (1 << 63));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Ten letters or digits of each number, six bits each; two of the 64 values repeat a letter.
    fn letters(&mut self, length: usize, text: &mut String) {
        const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789az";
        text.reserve(length);
        let mut left = length;
        while left > 0 {
            let mut bits = self.next();
            for _ in 0..left.min(10) {
                text.push(char::from(LETTERS[(bits & 63) as usize]));
                bits >>= 6;
            }
            left = left.saturating_sub(10);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, number: u64) -> String {
        Template::parse(text).expect("a template").render(Variation { seed: 7, number })
    }

    #[test]
    fn a_text_without_placeholders_is_left_as_it_is() {
        let text = r#"{"a": {"b": "}"}}"#;
        assert_eq!(rendered(text, 3), text);
        assert!(!Template::parse(text).unwrap().varies());
    }

    #[test]
    fn a_variation_is_the_same_each_time_and_unlike_the_others() {
        let text = "/items/{{n}}?key={{uuid}}&text={{ random 25 }}";
        assert_eq!(rendered(text, 4), rendered(text, 4));
        let (four, five) = (rendered(text, 4), rendered(text, 5));
        assert!(four.starts_with("/items/4?key=") && five.starts_with("/items/5?key="), "{four}");
        assert_ne!(four[10..], five[10..]);
        let other_run = Template::parse(text).unwrap().render(Variation { seed: 8, number: 4 });
        assert_ne!(four, other_run, "a service that outlives a run has not seen the next run's requests");
    }

    #[test]
    fn a_uuid_has_the_form_of_version_four() {
        for number in 0..50 {
            let uuid = rendered("{{uuid}}", number);
            let parts: Vec<&str> = uuid.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
            assert!(parts[2].starts_with('4') && "89ab".contains(&parts[3][..1]), "{uuid}");
        }
    }

    #[test]
    fn random_text_has_the_length_that_is_asked_for() {
        for length in [0, 1, 9, 10, 11, 2000] {
            let text = rendered(&format!("{{{{random {length}}}}}"), 1);
            assert_eq!(text.len(), length);
            assert!(text.chars().all(|letter| letter.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn what_is_no_placeholder_is_named() {
        for wrong in ["{{user}}", "{{random}}", "{{random -1}}", "{{random 1e9}}", "{{n 2}}", "{{}}"] {
            let said = Template::parse(wrong).unwrap_err();
            assert!(said.contains("is no placeholder"), "{wrong}: {said}");
        }
        assert!(Template::parse("{\"a\": \"{{n\"}").unwrap_err().contains("at byte 7"));
    }
}
