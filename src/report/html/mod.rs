//! A run as one page: the verdict, the figures that matter, the pictures, the criteria, and every table, folded. Pure.
//!
//! The page needs nothing but itself: styles and script are in it, and it forbids the browser to load anything. Without
//! the script everything is still there. maud escapes whatever it is given, so that a process or a service cannot put
//! markup into it.

mod tables;

use std::cmp::Reverse;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::doc::{Doc, Extent};
use super::markdown::sections;
use super::pictures::{self, Picture};
use super::{comparison, table::ABSENT};
use crate::analysis::{Change, Comparison, Note, WORKER};
use crate::assessment::Assessment;
use crate::plan::SoakPlan;
use crate::record::{Criterion, Event, Moment, RunData, RunFigures, Samples, Verdict};
use crate::words::headline::{Headfigure, Headline, headfigures, headline};
use crate::words::sentence_case;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of a run.
pub fn page(run: &RunData, report: &Assessment) -> String {
    let judgement = &report.judgement;
    let head = headline(judgement, report.growth.as_ref(), report.soak.as_ref());
    let figures = headfigures(judgement, report.growth.as_ref(), report.soak.as_ref(), peak(run, report));
    let body = html! {
        (facts(report))
        (title(&head))
        (head_figures(&figures))
        @for picture in of_run(run, report) { (picture.section()) }
        (criteria(report))
        (notes(report))
        @let tables = { let mut doc = Doc::default(); sections(&mut doc, report, Extent::Full); doc };
        (tables::folded(&tables))
        footer {
            p {
                "Figures of memory are in MB of 1,048,576 bytes. All of it is in the data files beside this page; judge them again with "
                code { "highwater report " (report.file) }
                "."
            }
        }
    };
    document(&format!("{} {}", head.word, head.text), &body)
}

/// The pictures of a run, in their order.
pub(super) fn of_run(run: &RunData, report: &Assessment) -> Vec<Picture> {
    [
        pictures::memory(run, report),
        pictures::soak(report, soak_cap(run)),
        pictures::timeline(run),
        pictures::ramp(report),
        report.attribution.as_ref().and_then(pictures::grew),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every picture of a run as a file of its own: name and text.
pub fn svg_files(run: &RunData, report: &Assessment) -> Vec<(String, String)> {
    of_run(run, report).iter().flat_map(Picture::alone).collect()
}

/// The page of a comparison.
pub fn compared_page(before: &[RunFigures], after: &[RunFigures], comparison: &Comparison) -> String {
    let verdict = match comparison.verdict {
        Change::Fixed | Change::Better | Change::NoChange => Verdict::Pass,
        Change::Worse => Verdict::Fail,
        Change::NotEnoughData => Verdict::Inconclusive,
    };
    let head = Headline {
        word: format!("{}.", sentence_case(comparison.verdict.word())),
        text: format!("{}.", sentence_case(&comparison.reason.to_string())),
        verdict,
    };
    let mut doc = Doc::default();
    comparison::figures(&mut doc, comparison);
    let body = html! {
        header { p { "highwater · " (comparison.before_files.join(", ")) " → " (comparison.after_files.join(", ")) } }
        (title(&head))
        @if let Some(picture) = pictures::compare(before, after, comparison) { (picture.section()) }
        (tables::plain(&doc))
    };
    document(&format!("{} {}", head.word, head.text), &body)
}

/// The page of processes that were watched.
pub fn watched_page(
    title: &str,
    picture: Option<&Picture>,
    rows: &[Vec<String>],
    columns: &[&str],
) -> String {
    let mut doc = Doc::default();
    let columns: Vec<super::table::Column<'_>> =
        columns.iter().map(|title| super::table::Column::Left(title)).collect();
    doc.table(&columns, rows);
    let body = html! {
        header { p { "highwater watch" } h1 { (title) } }
        @if let Some(picture) = picture { (picture.section()) }
        (tables::plain(&doc))
    };
    document(title, &body)
}

/// Nothing may be loaded from anywhere, whatever a name in the data says.
const POLICY: &str = include_str!("policy.txt");

fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY.trim());
                meta name="generator" content=(format!("highwater {}", env!("CARGO_PKG_VERSION")));
                title { (title) " — highwater" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (body) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    }
}

fn title(head: &Headline) -> Markup {
    html! { h1 class=(class(head.verdict)) { em { (head.word) } " " (head.text) } }
}

/// `highwater · the service · 27 Nov 2026, 20:22 · 61 s · 2 CPUs, 23.5 GB`.
fn facts(report: &Assessment) -> Markup {
    let mut facts = vec!["highwater".to_string(), report.title.clone()];
    facts.extend(report.started.as_ref().map(|time| time.replace('T', " ").chars().take(16).collect()));
    facts.extend(report.duration_s.map(crate::units::span));
    facts.extend(report.machine.as_ref().map(|machine| {
        format!("{} CPUs, {:.1} GB, {}", machine.cpus, machine.memory_mb / 1024.0, machine.os)
    }));
    html! { header { p { (facts.join(" · ")) } } }
}

fn head_figures(figures: &[Headfigure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            dl class="figures" { @for found in figures { div { dt { (found.figure) } dd { (found.meaning) } } } }
        }
    }
}

fn criteria(report: &Assessment) -> Markup {
    let mark = |verdict: Verdict| match verdict {
        Verdict::Pass => "✓ Pass",
        Verdict::Inconclusive => "? Open",
        Verdict::Fail => "✕ Fail",
    };
    // What decides comes first.
    let mut sorted: Vec<&Criterion> = report.judgement.criteria.iter().collect();
    sorted.sort_by_key(|found| Reverse(found.verdict));
    html! {
        section id="criteria" {
            h2 { "Criteria" }
            @if sorted.is_empty() { p { "None was judged." } }
            ul class="criteria" {
                @for found in &sorted {
                    li class=(class(found.verdict)) {
                        b { (mark(found.verdict)) }
                        span { (sentence_case(&found.title)) }
                        small { (found.detail) }
                    }
                }
            }
            @if !report.overridden.is_empty() {
                p { b { "Not the thresholds of the run: " } (report.overridden.join(", ")) }
            }
        }
    }
}

fn notes(report: &Assessment) -> Markup {
    let notes: Vec<&Note> =
        report.observations.iter().filter(|note| !matches!(note, Note::Damage(_))).collect();
    html! {
        @if !notes.is_empty() {
            section id="notes" { h2 { "Notes" } ul class="notes" { @for note in notes { li { (note) } } } }
        }
    }
}

/// The highest memory of the worker, and what it began with.
fn peak(run: &RunData, report: &Assessment) -> Option<(f64, Option<f64>)> {
    let tasks = report.leak_check.iter().filter_map(|row| row.task.worker_rss_peak_mb);
    let levels = report.levels.iter().filter_map(|level| level.memory.peak_mb);
    let soak = report.soak.as_ref().and_then(|soak| soak.peak_mb);
    // Most tasks of a block end between two looks of the sampler; their peaks are those of its samples.
    let sampled = run.samples.iter().flat_map(Samples::series).filter(|series| series.role == WORKER);
    let sampled = sampled.flat_map(|series| &series.points).map(|point| point.1);
    let highest = tasks.chain(levels).chain(soak).chain(sampled).reduce(f64::max)?;
    let began = run.events.iter().find_map(|record| match &record.event {
        Event::Memory { moment: Moment::Start, worker_rss_mb } => *worker_rss_mb,
        _ => None,
    });
    Some((highest, began))
}

/// `soak.cap_mb` of the run; 0 without one.
fn soak_cap(run: &RunData) -> f64 {
    let Some(Event::RunStarted { plan, .. }) = run.start() else { return SoakPlan::default().cap_mb };
    plan.get("soak")
        .and_then(|soak| soak.get("cap_mb"))
        .and_then(serde_json::Value::as_f64)
        .unwrap_or_default()
}

/// A text with its `code` set as such.
fn coded(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part.replace("**", "")) }
        }
    }
}

/// True for a cell without a figure.
fn absent(cell: &str) -> bool {
    cell == ABSENT
}
