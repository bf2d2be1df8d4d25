//! The text in which programs expose their figures: that of Prometheus, and OpenMetrics. Pure.

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// By name, in the order of the text.
    pub(super) labels: Vec<(&'a str, String)>,
    pub(super) value: f64,
    /// When it was taken, in seconds since 1970, where the text says so.
    pub(super) taken_s: Option<f64>,
}

impl Sample<'_> {
    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// The figures of `text`.
///
/// # Errors
/// A sentence about the first line that is no figure, in words that follow the address.
pub(super) fn parse(text: &str) -> Result<Vec<Sample<'_>>, String> {
    // Prometheus has milliseconds, OpenMetrics seconds.
    let unit = if text.trim_end().ends_with("# EOF") { 1.0 } else { 0.001 };
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let samples = lines.map(|(index, line)| {
        sample(line, unit).ok_or_else(|| {
            let shown: String = line.chars().take(60).collect();
            format!("answers no metrics: line {} is `{shown}`", index + 1)
        })
    });
    let samples = samples.collect::<Result<Vec<_>, _>>()?;
    if samples.is_empty() { Err("answers no metrics at all".to_string()) } else { Ok(samples) }
}

fn sample(line: &str, unit: f64) -> Option<Sample<'_>> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let name = &line[..end];
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || !name.chars().all(of_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (labels, rest) = match line[end..].strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), &line[end..]),
    };
    // What follows ` # ` is an example, not the figure.
    let rest = rest.split(" # ").next()?;
    let mut words = rest.split_whitespace();
    let value = number(words.next()?)?;
    let taken_s = match words.next() {
        Some(word) => Some(number(word)? * unit),
        None => None,
    };
    words.next().is_none().then_some(Sample { name, labels, value, taken_s })
}

fn number(word: &str) -> Option<f64> {
    match word {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        word => word.parse().ok(),
    }
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut letters = after.trim_start().strip_prefix('"')?.char_indices();
        let inside = after.trim_start().strip_prefix('"')?;
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, letter) => value.push(letter),
            }
        };
        labels.push((name.trim(), value));
        rest = &inside[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_values_and_times_are_read() {
        let text = "# HELP a Something.\n# TYPE a gauge\na 1.5e+06\n\
            b_total{mode=\"user\",path=\"C:\\\\x \\\"y\\\"\",} 3 1700000000500\nc +Inf\nd{} NaN\n";
        let samples = parse(text).unwrap();
        assert_eq!((samples[0].name, samples[0].value, samples[0].taken_s), ("a", 1.5e6, None));
        assert_eq!(samples[1].label("path"), Some("C:\\x \"y\""));
        assert_eq!((samples[1].label("mode"), samples[1].label("none")), (Some("user"), None));
        assert_eq!(samples[1].taken_s, Some(1_700_000_000.5));
        assert!(samples[2].value.is_infinite() && samples[3].value.is_nan());
    }

    #[test]
    fn open_metrics_has_seconds_and_examples() {
        let text = "# TYPE c counter\nc_total{a=\"b\"} 17.0 1700000000.25 # {trace=\"x\"} 0.5\n# EOF\n";
        let sample = &parse(text).unwrap()[0];
        assert_eq!((sample.value, sample.taken_s), (17.0, Some(1_700_000_000.25)));
    }

    #[test]
    fn what_is_no_metrics_is_refused_with_its_line() {
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(refused("<html>\n<body>"), "answers no metrics: line 1 is `<html>`");
        assert_eq!(refused("a 1\nb{c=\"d 1"), "answers no metrics: line 2 is `b{c=\"d 1`");
        assert!(refused("a one").contains("line 1") && refused("a 1 2 3").contains("line 1"));
        assert_eq!(refused("# nothing\n\n"), "answers no metrics at all");
    }
}
