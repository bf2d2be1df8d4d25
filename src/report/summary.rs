//! The summary of a run for the page of a CI job, and the comparison as a comment. Pure.

use std::fmt::Write;

use super::comparison::comparison_text;
use super::doc::Doc;
use super::figures::put;
use super::table::Column::Left;
use crate::analysis::Comparison;
use crate::assessment::Assessment;
use crate::record::Verdict;
use crate::words::headline::{headfigures, headline};

/// The summary of a run: the verdict, the figures that matter, memory in a line, the criteria, and where the page is.
pub fn job_summary(report: &Assessment, page: &str, link: Option<&str>) -> String {
    let mut text = Doc::default();
    let judgement = &report.judgement;
    let head = headline(judgement, report.growth.as_ref(), report.soak.as_ref());
    let mark = match judgement.verdict {
        Verdict::Pass => "✅",
        Verdict::Inconclusive => "❔",
        Verdict::Fail => "❌",
    };
    put!(text, "### {mark} {} {}\n", head.word, head.text.replace('\n', " "));
    let after: Vec<f64> = report.leak_check.iter().filter_map(|row| row.task.worker_rss_after_mb).collect();
    if let (Some(first), Some(last), true) = (after.first(), after.last(), after.len() > 2) {
        put!(text, "Memory task by task: `{}` {first:.0} → {last:.0} MB\n", sparkline(&after, 40));
    }
    let figures = headfigures(judgement, report.growth.as_ref(), report.soak.as_ref(), None);
    let rows: Vec<Vec<String>> = figures.into_iter().map(|found| vec![found.figure, found.meaning]).collect();
    if !rows.is_empty() {
        text.table(&[Left("figure"), Left("meaning")], &rows);
    }
    let rows: Vec<Vec<String>> = judgement
        .criteria
        .iter()
        .map(|found| vec![found.verdict.word().to_string(), found.title.clone(), found.detail.clone()])
        .collect();
    if !rows.is_empty() {
        text.table(&[Left("verdict"), Left("criterion"), Left("figures")], &rows);
    }
    let artefacts =
        link.map_or(String::new(), |link| format!(" ([artefacts of this run]({link}#artifacts))"));
    put!(text, "Pictures and every table: `{page}`{artefacts}");
    text.markdown()
}

/// A comparison as a comment on a change.
pub fn comparison_comment(comparison: &Comparison) -> String {
    let text = comparison_text(comparison);
    let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("### highwater: {}\n\n{head}\n{rest}", comparison.verdict.word())
}

/// `values` as bars of a line: of more than `most`, each bar is the highest of its stretch.
pub(crate) fn sparkline(values: &[f64], most: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let stretch = values.len().div_ceil(most.max(1)).max(1);
    let highs: Vec<f64> =
        values.chunks(stretch).map(|chunk| chunk.iter().copied().fold(f64::MIN, f64::max)).collect();
    let low = highs.iter().copied().fold(f64::INFINITY, f64::min);
    let high = highs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // What wanders by less than a megabyte is flat.
    let span = (high - low).max(1.0);
    highs.iter().map(|value| BARS[(((value - low) / span * 7.0).round() as usize).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_rises_with_its_values_and_keeps_the_peak() {
        assert_eq!(sparkline(&[0.0, 50.0, 100.0], 10), "▁▅█");
        assert_eq!(sparkline(&[5.0, 5.1, 5.0], 10), "▁▂▁");
        let mut many = vec![0.0; 1000];
        many[777] = 90.0;
        let line = sparkline(&many, 40);
        assert_eq!((line.chars().count(), line.matches('█').count()), (40, 1));
        assert_eq!(sparkline(&[], 10), "");
    }
}
