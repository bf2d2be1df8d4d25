//! The lines of the live block that are the same for a run, a soak and a watch. Pure.

use super::board::{Board, GrowthNow};
use crate::analysis::Answer;
use crate::record::Phase;
use crate::report::sparkline;
use crate::units::significant;

/// The bars of a line of memory.
const BARS: usize = 32;

/// Memory where the phase does not show it itself, growth so far, CPU by role, tasks per second, and warnings.
pub fn lines(board: &Board) -> Vec<String> {
    // The leak check shows memory task by task.
    let by_task = board.phase == Some(Phase::Leak);
    let memory = board.roles.iter().filter_map(|(name, role)| {
        let mb = role.trail.mb();
        let (first, last) = (mb.first()?, mb.last()?);
        Some(format!("memory of {name} {} {first:.0} to {last:.0} MB", sparkline(&mb, BARS)))
    });
    let memory = memory.filter(|_| !by_task);
    let growth = board.growth.iter().map(so_far);
    memory.chain(growth).chain(pace(board)).chain(warnings(board)).collect()
}

/// `worker so far: +3.20 MB per hour (98 % interval 1.10 to 5.00), undecided`.
fn so_far(found: &GrowthNow) -> String {
    let word = match found.answer {
        Answer::Leak => "a leak",
        Answer::Clean => "clean",
        Answer::Inconclusive => "undecided",
    };
    let interval = found
        .interval_mb
        .map_or(String::new(), |(low, high)| format!(" (98 % interval {low:.2} to {high:.2})"));
    format!("{} so far: {:+.2} MB per {}{interval}, {word}", found.role, found.rate_mb, found.per.word())
}

/// `CPU worker 98 %, api 3 % · 1.4 tasks/s`.
fn pace(board: &Board) -> Option<String> {
    let cpu: Vec<String> = board
        .roles
        .iter()
        .filter_map(|(name, role)| Some(format!("{name} {:.0} %", role.cpu_percent?)))
        .collect();
    let cpu = (!cpu.is_empty()).then(|| format!("CPU {}", cpu.join(", ")));
    let rate = board.tasks_per_s.map(|rate| format!("{} tasks/s", significant(rate)));
    let parts: Vec<String> = cpu.into_iter().chain(rate).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// `2 warnings, the last: …`.
fn warnings(board: &Board) -> Option<String> {
    let last = board.last_warning.as_deref()?;
    Some(match board.warnings {
        1 => format!("warning: {last}"),
        count => format!("{count} warnings, the last: {last}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::board::{RoleNow, Trail};
    use super::*;
    use crate::readings::Per;

    fn board() -> Board {
        let mut trail = Trail::default();
        [100.0, 104.0, 108.0].into_iter().enumerate().for_each(|(at, mb)| trail.add(at as f64, mb));
        let worker = RoleNow { cpu_percent: Some(97.6), trail, ..RoleNow::default() };
        let api = RoleNow { cpu_percent: Some(2.0), ..RoleNow::default() };
        Board {
            roles: [("worker".to_string(), worker), ("api".to_string(), api)].into(),
            growth: vec![GrowthNow {
                role: "worker".to_string(),
                per: Per::Hour,
                rate_mb: 3.2,
                interval_mb: Some((1.1, 5.0)),
                answer: Answer::Inconclusive,
            }],
            tasks_per_s: Some(1.42),
            warnings: 2,
            last_warning: Some("the disk fills".to_string()),
            ..Board::default()
        }
    }

    #[test]
    fn the_block_shows_memory_growth_cpu_pace_and_warnings() {
        let expected = [
            "memory of worker ▁▅█ 100 to 108 MB",
            "worker so far: +3.20 MB per hour (98 % interval 1.10 to 5.00), undecided",
            "CPU api 2 %, worker 98 % · 1.42 tasks/s",
            "2 warnings, the last: the disk fills",
        ];
        assert_eq!(lines(&board()), expected);
    }

    #[test]
    fn the_leak_check_shows_its_memory_itself_and_nothing_known_is_no_line() {
        let leak = Board { phase: Some(Phase::Leak), ..board() };
        assert!(lines(&leak)[0].starts_with("worker so far: "), "{:?}", lines(&leak));
        assert_eq!(lines(&Board::default()), Vec::<String>::new());
    }
}
