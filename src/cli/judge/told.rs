//! What `judge` says of a file: in words, and as an object for programs. Pure.

use std::path::Path;

use serde::Serialize;

use crate::analysis::{Answer, Growth, Reason, growth};
use crate::console::GrowthNow;
use crate::error::Error;
use crate::readings::{Axis, MemoryUnit, Per, Series, Steps};
use crate::units::{round, significant, span};

/// The verdict on one series.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Judged {
    /// Whose it is, where a file has several.
    pub(in crate::cli) name: Option<String>,
    /// The verdict; per step where `pace` says how long a step is.
    pub(in crate::cli) growth: Growth,
    /// How the steps of the verdict stand to tasks and time.
    pace: Pace,
    /// Readings that were judged.
    readings: usize,
    column: String,
    unit: Option<MemoryUnit>,
    pub(in crate::cli) notes: Vec<String>,
}

/// What a step of the verdict is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    /// A task, or a row.
    Task,
    /// So many tasks.
    Tasks { width: f64 },
    /// So many seconds.
    Seconds { width: f64, span: f64 },
}

impl Judged {
    pub(in crate::cli) fn of(series: &Series, first: Option<usize>) -> Judged {
        let readings = series.readings(first);
        let (judged, pace) = match (series.steps(first), &series.at) {
            (Some(Steps { floors_mb, width }), axis) => {
                let floors = crate::analysis::Readings { after_mb: &floors_mb, beside_mb: &[], ..readings };
                let span = width * floors_mb.len().saturating_sub(1) as f64;
                let pace = match axis {
                    Axis::Seconds(_) => Pace::Seconds { width, span },
                    _ => Pace::Tasks { width },
                };
                (growth(&floors), pace)
            }
            (None, _) => (growth(&readings), Pace::Task),
        };
        let judged = match &series.incomparable {
            None => judged,
            Some(reason) => Growth {
                answer: Answer::Inconclusive,
                reason: Reason::Incomparable(reason.clone()),
                ..judged
            },
        };
        Judged {
            name: series.name.clone(),
            growth: judged,
            pace,
            readings: readings.after_mb.len(),
            column: series.column.clone(),
            unit: series.unit,
            notes: series.notes.clone(),
        }
    }

    /// `rate` of a step in MB per hour or per task.
    fn paced(&self, rate: Option<f64>) -> Option<f64> {
        let factor = match self.pace {
            Pace::Task => 1.0,
            Pace::Tasks { width } => 1.0 / width,
            Pace::Seconds { width, .. } => 3600.0 / width,
        };
        rate.map(|rate| rate * factor)
    }

    fn per(&self) -> &'static str {
        if matches!(self.pace, Pace::Seconds { .. }) { "hour" } else { "task" }
    }

    /// The verdict on `role` so far, where there is a rate.
    pub(in crate::cli) fn so_far(&self, role: &str) -> Option<GrowthNow> {
        let growth = &self.growth;
        Some(GrowthNow {
            role: role.to_string(),
            per: if matches!(self.pace, Pace::Seconds { .. }) { Per::Hour } else { Per::Task },
            rate_mb: self.paced(growth.rate_mb_per_task)?,
            interval_mb: self.paced(growth.low).zip(self.paced(growth.high)),
            answer: growth.answer,
        })
    }

    /// The exit code of the verdict.
    pub(in crate::cli) fn exit_code(&self) -> u8 {
        self.growth.verdict().exit_code()
    }

    /// The verdict and its figures, for programs.
    pub(in crate::cli) fn json(&self) -> serde_json::Value {
        serde_json::to_value(Figures::of(self)).unwrap_or_default()
    }

    /// The verdict in a line.
    pub(in crate::cli) fn sentence(&self, gate_mb: f64) -> String {
        let growth = &self.growth;
        let Pace::Seconds { span: seconds, .. } = self.pace else {
            return self.scaled().sentence(Some(gate_mb));
        };
        let word = growth.answer.word().to_uppercase();
        let figures =
            self.paced(growth.rate_mb_per_task).zip(self.paced(growth.low).zip(self.paced(growth.high)));
        let Some((rate, (low, high))) = figures else { return format!("{word}: {}", growth.reason) };
        let over = format!("over {} ({} readings)", span(seconds), self.readings);
        let interval = format!("98 % interval {} to {}", figure(low), figure(high));
        match growth.answer {
            Answer::Leak => format!("{word}: {} MB per hour ({interval}) {over}", signed(rate)),
            Answer::Clean => {
                format!(
                    "{word}: nothing accumulates {over}; a leak of {} MB per hour would have been seen",
                    figure(high.max(0.01))
                )
            }
            Answer::Inconclusive if growth.growing => format!(
                "{word}: growing {} MB per hour ({interval}) {over}: a leak, unless something is still filling; record for longer",
                signed(rate)
            ),
            Answer::Inconclusive => {
                format!(
                    "{word}: neither flat nor steadily growing {over}: {interval} MB per hour; record for longer"
                )
            }
        }
    }

    /// The verdict with its rates per task.
    fn scaled(&self) -> Growth {
        Growth {
            rate_mb_per_task: self.paced(self.growth.rate_mb_per_task),
            low: self.paced(self.growth.low),
            high: self.paced(self.growth.high),
            detectable_mb_per_task: self.paced(self.growth.detectable_mb_per_task),
            ..self.growth.clone()
        }
    }

    /// Why it is a leak, if it is one.
    pub(super) fn reason_of_leak(&self) -> Option<String> {
        let leak = self.growth.answer == Answer::Leak;
        match self.pace {
            Pace::Task => leak.then(|| self.growth.reason.to_string()),
            // The reason counts tasks, and these are steps.
            Pace::Tasks { .. } | Pace::Seconds { .. } => None,
        }
    }

    /// The figures in a line.
    pub(in crate::cli) fn figures(&self) -> String {
        let shown = |value: Option<f64>| {
            self.paced(value).map_or("unknown".to_string(), |value| match self.pace {
                Pace::Seconds { .. } => figure(value),
                Pace::Task | Pace::Tasks { .. } => round(value, 2).to_string(),
            })
        };
        let Growth { rate_mb_per_task, low, high, detectable_mb_per_task, .. } = self.growth;
        let per = self.per();
        format!(
            "rate {} MB per {per}, 98 % interval {} to {}; {} {} of `{}`; detectable: {} MB per {per}",
            shown(rate_mb_per_task),
            shown(low),
            shown(high),
            self.readings,
            if self.pace == Pace::Task { "tasks" } else { "readings" },
            self.column,
            shown(detectable_mb_per_task)
        )
    }
}

/// A file's verdict for programs: that of its worst series, with all of them where it has several.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    file: String,
    #[serde(flatten)]
    worst: Figures,
    error: Option<String>,
    /// What the file is.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) form: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    series: Vec<Figures>,
    #[serde(skip)]
    pub(super) judged: Vec<Judged>,
}

/// The figures of one series. Per task they have the names that they always had; per hour `low` and `high` are per hour, too.
#[derive(Debug, Clone, Serialize)]
struct Figures {
    verdict: &'static str,
    reason: String,
    rate_mb_per_task: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    tasks: usize,
    tasks_needed: usize,
    detectable_mb_per_task: Option<f64>,
    column: Option<String>,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_mb_per_hour: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detectable_mb_per_hour: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Figures {
    fn of(judged: &Judged) -> Figures {
        // A tenth of a kilobyte; more digits are noise.
        let figure = |value: Option<f64>| judged.paced(value).map(|value| round(value, 4));
        let growth = &judged.growth;
        let seconds = match judged.pace {
            Pace::Seconds { span, .. } => Some(round(span, 3)),
            Pace::Task | Pace::Tasks { .. } => None,
        };
        let per_task = |value: Option<f64>| figure(value).filter(|_| seconds.is_none());
        let per_hour = |value: Option<f64>| figure(value).filter(|_| seconds.is_some());
        Figures {
            verdict: growth.answer.word(),
            reason: if judged.pace == Pace::Task {
                growth.reason.to_string()
            } else {
                without_word(&judged.sentence(f64::MAX))
            },
            rate_mb_per_task: per_task(growth.rate_mb_per_task),
            low: figure(growth.low),
            high: figure(growth.high),
            tasks: judged.readings,
            tasks_needed: growth.tasks_needed,
            detectable_mb_per_task: per_task(growth.detectable_mb_per_task),
            column: Some(judged.column.clone()),
            notes: judged.notes.clone(),
            name: judged.name.clone(),
            unit: judged.unit.map(MemoryUnit::name),
            per: Some(judged.per()),
            rate_mb_per_hour: per_hour(growth.rate_mb_per_task),
            detectable_mb_per_hour: per_hour(growth.detectable_mb_per_task),
            seconds,
        }
    }
}

/// A sentence without the verdict before it, which has a field of its own.
fn without_word(sentence: &str) -> String {
    sentence.split_once(": ").map_or(sentence, |(_, reason)| reason).to_string()
}

impl Told {
    pub(super) fn of(path: &Path, form: &'static str, judged: Vec<Judged>) -> Told {
        let rank = |judged: &&Judged| match judged.growth.answer {
            Answer::Leak => 0,
            Answer::Inconclusive => 1,
            Answer::Clean => 2,
        };
        let worst = judged.iter().min_by_key(rank).map(Figures::of);
        let series: Vec<Figures> =
            if judged.len() > 1 { judged.iter().map(Figures::of).collect() } else { Vec::new() };
        match worst {
            Some(worst) => {
                Told { file: path.display().to_string(), worst, error: None, form, series, judged }
            }
            None => Told::nothing(path, "it has no series".to_string()),
        }
    }

    pub(super) fn unusable(path: &Path, error: &Error) -> Told {
        Told::nothing(path, error.to_string())
    }

    fn nothing(path: &Path, error: String) -> Told {
        let worst = Figures {
            // What could not be read is not known to be clean.
            verdict: Answer::Inconclusive.word(),
            reason: format!("could not be judged: {error}"),
            rate_mb_per_task: None,
            low: None,
            high: None,
            tasks: 0,
            tasks_needed: 20,
            detectable_mb_per_task: None,
            column: None,
            notes: Vec::new(),
            name: None,
            unit: None,
            per: None,
            rate_mb_per_hour: None,
            detectable_mb_per_hour: None,
            seconds: None,
        };
        Told {
            file: path.display().to_string(),
            worst,
            error: Some(error),
            form: "",
            series: Vec::new(),
            judged: Vec::new(),
        }
    }

    /// The exit code of the worst series.
    pub(super) fn exit_code(&self) -> u8 {
        super::worst(self.judged.iter().map(Judged::exit_code).collect())
    }
}

/// A figure with as many digits as count, without zeros behind them.
fn figure(value: f64) -> String {
    let shown = if value < 0.0 { format!("-{}", significant(-value)) } else { significant(value) };
    if shown.contains('.') { shown.trim_end_matches('0').trim_end_matches('.').to_string() } else { shown }
}

fn signed(value: f64) -> String {
    if value < 0.0 { figure(value) } else { format!("+{}", figure(value)) }
}
