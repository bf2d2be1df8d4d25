//! Numbers with units, and plurals.

use crate::units::round;

/// `1 task`, `3 tasks`, `2 long tasks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {}", self::noun(number, noun))
}

/// `task` for one, else `tasks`.
pub(crate) fn noun(number: usize, noun: &str) -> String {
    if number == 1 { noun.to_string() } else { format!("{noun}s") }
}

/// `text` with its first letter in upper case, as the beginning of a paragraph.
pub(crate) fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A figure with `digits` decimals at most: `0.5`, `12`, `-3.25`.
pub(crate) fn figure(value: f64, digits: i32) -> String {
    round(value, digits).to_string()
}

/// `625.3 MB`.
pub(crate) fn mb(value: f64) -> String {
    format!("{value:.1} MB")
}

/// `+45.8 MB`, `-0.3 MB`.
pub(crate) fn signed_mb(value: f64) -> String {
    format!("{value:+.1} MB")
}

/// `4.8 MB`, `52 KB`: an amount of memory per task.
pub(crate) fn amount(value: f64) -> String {
    let kb = value * 1024.0;
    if kb.abs() < 0.01 {
        return "0 KB".to_string();
    }
    if kb.abs() < 1.0 {
        return format!("{} KB", round(kb, 2));
    }
    if value.abs() < 0.1 {
        return format!("{kb:.0} KB");
    }
    if value.abs() < 100.0 { format!("{value:.1} MB") } else { format!("{value:.0} MB") }
}

/// `+4.8 MB a task`.
pub(crate) fn per_task(rate: f64) -> String {
    let amount = amount(rate);
    let sign = if rate < 0.0 || amount.starts_with("0 ") { "" } else { "+" };
    format!("{sign}{amount} a task")
}

/// `+380 MB an hour`.
pub(crate) fn per_hour(rate: f64) -> String {
    let sign = if rate < 0.0 { "" } else { "+" };
    format!("{sign}{} an hour", amount(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_everything_else_is_plural() {
        assert_eq!(
            [count(0, "task"), count(1, "task"), count(2, "long task")],
            ["0 tasks", "1 task", "2 long tasks"]
        );
        assert_eq!((noun(1, "reading"), noun(8, "reading")), ("reading".to_string(), "readings".to_string()));
    }

    #[test]
    fn amounts_are_in_the_unit_that_shows_them() {
        assert_eq!(
            [0.0, -0.000_000_1, 0.000_07, 0.05, 4.77, 181.2].map(amount),
            ["0 KB", "0 KB", "0.07 KB", "51 KB", "4.8 MB", "181 MB"]
        );
        assert_eq!((per_task(4.77), per_task(-0.25)), ("+4.8 MB a task".into(), "-0.2 MB a task".into()));
    }

    #[test]
    fn figures_have_their_sign_and_unit() {
        assert_eq!(
            (mb(625.34), signed_mb(-0.26), figure(-0.001, 2)),
            ("625.3 MB".into(), "-0.3 MB".into(), "0".into())
        );
    }
}
