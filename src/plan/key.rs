//! One key of the configuration: what it holds, and in which range.

use std::fmt;

use figment::value::{Num, Value};

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// True or false.
    Flag,
    /// A whole number, 0 or more.
    Whole,
    /// A finite number.
    Number,
    /// Any text.
    Text,
    /// One of these words, each with what it means.
    Choice(Vec<(String, String)>),
    /// A list of text.
    Words,
    /// A list of whole numbers.
    Wholes,
    /// Any JSON value.
    Json,
}

/// The range of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
    /// True if `min` itself is outside.
    pub(super) above: bool,
}

impl Range {
    /// True if `number` is within the range; NaN never is.
    pub(super) fn holds(self, number: f64) -> bool {
        number <= self.max && if self.above { number > self.min } else { number >= self.min }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.above { "above" } else { "from" };
        let join = if self.above { ", at most" } else { " to" };
        write!(f, "{word} {}{join} {}", self.min, self.max)
    }
}

/// One key: its path, in which `*` stands for a word of the user's, and what it holds.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    /// The range of a number, or of each number of a list.
    pub(super) range: Option<Range>,
    /// True if the key may be absent; an empty environment variable then unsets it.
    pub(super) optional: bool,
    /// What the key means, in Markdown.
    pub(super) meaning: String,
    /// A value to show where there is no default.
    pub(super) example: Option<serde_json::Value>,
}

impl Key {
    /// The path as written in messages, with `*` for a word of the user's.
    pub(super) fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// What a value of this key must be, in words that follow "must be".
    pub(super) fn expected(&self) -> String {
        let what = match &self.kind {
            Kind::Flag => "`true` or `false`".to_string(),
            Kind::Whole => self.quantity("a whole number"),
            Kind::Number => self.quantity("a number"),
            Kind::Text => "text".to_string(),
            Kind::Choice(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
                format!("`{}`", words.join("` or `"))
            }
            Kind::Words => "a list of text".to_string(),
            Kind::Wholes => "a list of whole numbers".to_string(),
            Kind::Json => "JSON".to_string(),
        };
        match self.range {
            Some(range) => format!("{what} {range}"),
            None => what,
        }
    }

    /// The number with its unit, which stands at the end of the key's name.
    fn quantity(&self, number: &str) -> String {
        match self.name() {
            name if name.ends_with("_per_s") => format!("{number} (per second)"),
            name if name.ends_with("_s") => format!("{number} of seconds"),
            name if name.ends_with("_mb") => format!("{number} of megabytes"),
            name if name.ends_with("_percent") => "a percentage".to_string(),
            _ => number.to_string(),
        }
    }

    /// True if `value` is what this key holds, and within its range.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        let in_range = |number: f64| self.range.is_none_or(|range| range.holds(number));
        let whole = |value: &Value| {
            value.to_num().and_then(Num::to_u128_lossy).is_some_and(|number| in_range(number as f64))
        };
        let all =
            |test: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(test));
        match &self.kind {
            Kind::Flag => value.to_bool().is_some(),
            Kind::Whole => whole(value),
            Kind::Number => value.to_num().and_then(number).is_some_and(in_range),
            Kind::Text => value.as_str().is_some(),
            Kind::Choice(words) => {
                value.as_str().is_some_and(|word| words.iter().any(|(known, _)| known == word))
            }
            Kind::Words => all(&|item| item.as_str().is_some()),
            Kind::Wholes => all(&whole),
            Kind::Json => true,
        }
    }
}

fn number(number: Num) -> Option<f64> {
    let whole = || number.to_u128().map(|whole| whole as f64);
    number.to_f64().or_else(whole).or_else(|| number.to_i128().map(|whole| whole as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_belong_to_a_range_unless_it_says_above() {
        let interval = Range { min: 0.01, max: 3600.0, above: false };
        assert!(interval.holds(0.01) && interval.holds(3600.0));
        assert!(!interval.holds(0.009) && !interval.holds(3600.1) && !interval.holds(f64::NAN));
        assert_eq!(interval.to_string(), "from 0.01 to 3600");
        let timeout = Range { min: 0.0, max: 604_800.0, above: true };
        assert!(!timeout.holds(0.0) && timeout.holds(0.001) && !timeout.holds(f64::INFINITY));
        assert_eq!(timeout.to_string(), "above 0, at most 604800");
    }
}
