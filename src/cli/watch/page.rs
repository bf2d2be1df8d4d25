//! What is left of a watch besides its CSV: the page, and where to go from here.

use std::path::Path;

use super::show::Show;
use super::tally::Tally;
use crate::error::Result;

/// Writes the page beside the CSV, and names the next step.
pub(super) fn next(show: &Show, tally: &Tally, json: bool) {
    let Some(csv) = show.csv.as_deref() else { return };
    // The figures are safe in the CSV: a page that cannot be written is no reason to fail.
    match write(csv, tally) {
        Ok(Some(page)) => show.aside(&format!("pictures: {page}")),
        Ok(None) => {}
        Err(error) => show.aside(&format!("note: {error}")),
    }
    if !json {
        show.aside(&format!(
            "next: `highwater judge {} --per hour` says whether memory accumulates",
            csv.display()
        ));
    }
}

/// The page of a watch without a reading would show nothing.
#[cfg(feature = "html")]
fn write(csv: &Path, tally: &Tally) -> Result<Option<String>> {
    use std::collections::HashMap;

    use crate::report::{pictures, watched_page};
    use crate::units::span;

    let processes = tally.processes();
    let roles: HashMap<u32, String> = processes.iter().map(|seen| (seen.pid, seen.role.clone())).collect();
    let samples = crate::journal::read_samples(csv, &roles)?;
    let sampled = || samples.processes().iter().rev();
    let last = |pid: u32| sampled().find(|sampled| sampled.pid == pid).map_or(0.0, |sampled| sampled.last_s);
    let ends: Vec<(f64, String, String)> = processes
        .iter()
        .filter(|seen| !seen.child)
        .filter_map(|seen| {
            let how = seen.end.as_ref()?;
            Some((last(seen.pid), seen.role.clone(), format!("{} pid {} {how}", seen.name, seen.pid)))
        })
        .collect();
    let caption = "Each role with all its processes, at every reading.".to_string();
    let picture = pictures::watched(samples, &ends, caption);
    let Some(picture) = picture else { return Ok(None) };
    let table: Vec<Vec<String>> = processes
        .iter()
        .map(|seen| {
            vec![
                seen.role.clone(),
                seen.name.clone(),
                seen.pid.to_string(),
                format!("{:.1} to {:.1}", seen.rss_mb.first, seen.rss_mb.last),
                format!("{:.1}", seen.rss_mb.max),
                seen.cpu_mean_percent.map_or("–".to_string(), |cpu| format!("{cpu:.1}")),
                seen.end.clone().unwrap_or_else(|| "alive".to_string()),
            ]
        })
        .collect();
    let columns = ["role", "process", "pid", "RSS, MB", "highest", "CPU mean, %", "at the end"];
    let title = format!("{} processes, watched for {}", processes.len(), span(tally.elapsed_s));
    let path = csv.with_extension("html");
    crate::session::write_report(&path, &watched_page(&title, Some(&picture), &table, &columns))?;
    Ok(Some(path.display().to_string()))
}

/// Without `html` there are no pictures.
#[cfg(not(feature = "html"))]
fn write(_: &Path, _: &Tally) -> Result<Option<String>> {
    Ok(None)
}
