//! Text that something must be equal to, or a regular expression.

use regex::Regex;

/// What a text is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    /// It must be equal.
    Exact(String),
    /// It must hold a match.
    Regex(Regex),
}

impl Word {
    /// Text between slashes is a regular expression, all other text itself.
    pub(crate) fn new(text: &str) -> Result<Word, regex::Error> {
        match text.strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
            Some(pattern) if !pattern.is_empty() => Regex::new(pattern).map(Word::Regex),
            _ => Ok(Word::Exact(text.to_string())),
        }
    }

    /// True if `text` is what is looked for.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Word::Exact(word) => word == text,
            Word::Regex(regex) => regex.is_match(text),
        }
    }
}

/// True if `text` names a variable of the environment (`${NAME}`).
pub(super) fn names_a_variable(text: &str) -> bool {
    text.contains("${")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_equal_and_between_slashes_a_regular_expression() {
        let fits = |word: &str, text: &str| Word::new(word).unwrap().fits(text);
        assert!(fits("uvicorn", "uvicorn") && !fits("uvicorn", "uvicorn2") && !fits("a.c", "abc"));
        assert!(fits("/^rq:worker:/", "rq:worker:a: b") && !fits("/^rq/", "a rq") && fits("/b+/", "abba"));
        assert!(fits("/usr/bin/python3", "/usr/bin/python3"), "a path is not an expression");
        assert!(fits("//", "//"));
        assert!(Word::new("/(/").is_err());
    }
}
