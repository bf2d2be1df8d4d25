//! Lines and figures of the report.

use super::table::ABSENT;
use crate::units::significant;

/// Writing to a string cannot fail.
macro_rules! put {
    ($text:expr, $($arguments:tt)*) => {
        writeln!($text, $($arguments)*).expect("a String takes all that is written to it")
    };
}
pub(super) use put;

/// A time in seconds, or a rate: as many decimals as three digits take.
pub(super) fn digits(value: Option<f64>) -> String {
    value.map_or(ABSENT.to_string(), significant)
}

pub(super) fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.to_string(), |value| format!("{value:.digits$}"))
}
