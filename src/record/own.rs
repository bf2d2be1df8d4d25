//! What was seen over a stretch of load: of highwater itself, and of the service in a round of a soak.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::footprint::Footprint;

/// highwater and the machine during one level; what could not be read is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct OwnReading {
    /// How late highwater's event loop woke up, in seconds: the 95th percentile…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_p95_s: Option<f64>,
    /// … and the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_max_s: Option<f64>,
    /// CPU of highwater, in percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Share of the time in which the thread that drives the load could have run and waited for a CPU, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_wait_percent: Option<f64>,
    /// RSS of highwater, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<f64>,
    /// Share of the time in which some process of the machine waited for a CPU, in percent.
    /// A service that uses all CPUs makes it high: it is shown and never judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure_percent: Option<f64>,
    /// Share of the time in which all of the machine's work stood still for want of memory, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_pressure_percent: Option<f64>,
    /// What the machine swapped in and out, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped_mb: Option<f64>,
}

/// A round of a soak, at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct SoakRound {
    /// Which, from 1.
    pub round: u32,
    /// Tasks that have ended since the soak began.
    pub tasks: u32,
    /// Seconds since it began.
    pub seconds: f64,
    /// The least private memory of the worker's tree that was seen in the round, in MB (RSS where that
    /// is all that can be read): what is left when the tasks' own memory is least.
    pub floor_mb: Option<f64>,
    /// The most.
    pub peak_mb: Option<f64>,
    /// The least by the anonymous part of the PSS, in MB, where the tree had several processes and it was read:
    /// pages that they share after a fork count once, as in the leak check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_pss_anon_mb: Option<f64>,
    /// The most by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_pss_anon_mb: Option<f64>,
}

impl SoakRound {
    /// Takes one more reading of the worker's tree into account.
    pub fn saw(&mut self, held: &Footprint) {
        let lower = |floor: Option<f64>, mb: f64| Some(floor.map_or(mb, |floor| floor.min(mb)));
        let higher = |peak: Option<f64>, mb: f64| Some(peak.map_or(mb, |peak| peak.max(mb)));
        // RSS counts shared pages in every process: private memory, if possible.
        if let Some(mb) = held.private_mb.or(held.rss_mb) {
            (self.floor_mb, self.peak_mb) = (lower(self.floor_mb, mb), higher(self.peak_mb, mb));
        }
        if let Some(mb) = held.pss_anon_mb {
            self.floor_pss_anon_mb = lower(self.floor_pss_anon_mb, mb);
            self.peak_pss_anon_mb = higher(self.peak_pss_anon_mb, mb);
        }
    }

    /// The floor and the peak by the best figure of the round itself, in MB.
    pub fn best(&self) -> (Option<f64>, Option<f64>) {
        match self.floor_pss_anon_mb {
            Some(floor_mb) => (Some(floor_mb), self.peak_pss_anon_mb),
            None => (self.floor_mb, self.peak_mb),
        }
    }

    /// The rounds of a soak with `floor_mb` and `peak_mb` by one figure for all of them, since the difference of two
    /// figures would be taken for growth: the anonymous part of the PSS, unless it is absent from some round after the
    /// first that has another figure.
    pub fn by_one_figure(rounds: &[SoakRound]) -> Vec<SoakRound> {
        let judged = if rounds.len() > 1 { &rounds[1..] } else { rounds };
        let absent = |round: &SoakRound| round.floor_pss_anon_mb.is_none() && round.floor_mb.is_some();
        let none = judged.iter().all(|round| round.floor_pss_anon_mb.is_none());
        if none || judged.iter().any(absent) {
            return rounds.to_vec();
        }
        let by_tree = |round: &SoakRound| SoakRound {
            floor_mb: round.floor_pss_anon_mb,
            peak_mb: round.peak_pss_anon_mb,
            ..*round
        };
        rounds.iter().map(by_tree).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_keeps_the_least_and_the_most_of_each_figure() {
        let mut round = SoakRound::default();
        for (private_mb, pss_anon_mb) in [(1200.0, Some(610.0)), (600.0, None), (1190.0, Some(605.0))] {
            round.saw(&Footprint { private_mb: Some(private_mb), pss_anon_mb, ..Footprint::default() });
        }
        assert_eq!((round.floor_mb, round.peak_mb), (Some(600.0), Some(1200.0)));
        assert_eq!(round.best(), (Some(605.0), Some(610.0)));
        round.floor_pss_anon_mb = None;
        assert_eq!(round.best(), (Some(600.0), Some(1200.0)));
    }

    #[test]
    fn rounds_are_never_judged_by_two_figures() {
        let round = |floor_mb, floor_pss_anon_mb| SoakRound {
            floor_mb: Some(floor_mb),
            floor_pss_anon_mb,
            ..SoakRound::default()
        };
        let floors = |rounds: &[SoakRound]| -> Vec<Option<f64>> {
            SoakRound::by_one_figure(rounds).iter().map(|round| round.floor_mb).collect()
        };
        // Before the first fork is seen, PSS is not read.
        let tree = [round(9.0, None), round(8.0, Some(5.0)), round(8.0, Some(6.0))];
        assert_eq!(floors(&tree), [None, Some(5.0), Some(6.0)]);
        assert_eq!(floors(&[tree[1], tree[2], tree[0]]), [Some(8.0), Some(8.0), Some(9.0)]);
        assert_eq!(floors(&tree[..1]), [Some(9.0)]);
        assert_eq!(floors(&[]), []);
    }
}
