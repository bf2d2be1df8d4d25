//! What a tree held at several moments, by one figure for all of them. Pure.

use crate::record::Footprint;

/// Memory at each of several moments, in MB.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    /// Private memory.
    pub(super) private_mb: Vec<f64>,
    /// What was resident beside it (shared, or mapped from files), counted in the same way;
    /// empty where it is not known at each of them.
    pub(super) beside_mb: Vec<f64>,
    /// The field of [`Footprint`] that `private_mb` is.
    pub(super) figure: &'static str,
}

/// By the first of these that every reading has: the tree's private memory (where what processes
/// share after a fork counts once), and the sum of the processes'. They are never mixed,
/// since their difference would be taken for growth.
///
/// `None` where no reading is, or one lacks both.
pub(super) fn held<'a>(readings: impl Iterator<Item = Option<&'a Footprint>> + Clone) -> Option<Held> {
    let all = |figure: fn(&Footprint) -> Option<f64>| {
        let found = readings.clone().map(|reading| figure(reading?));
        found.collect::<Option<Vec<f64>>>().filter(|found| !found.is_empty())
    };
    let with = |figure, private_mb, beside: fn(&Footprint) -> Option<f64>| Held {
        private_mb,
        beside_mb: all(beside).unwrap_or_default(),
        figure,
    };
    if let Some(tree) = all(|held| held.pss_anon_mb) {
        let beside = |held: &Footprint| Some((held.pss_mb? - held.pss_anon_mb?).max(0.0));
        return Some(with("pss_anon_mb", tree, beside));
    }
    all(|held| held.private_mb).map(|sum| with("private_mb", sum, Footprint::beside_mb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_figure_for_all_and_never_two() {
        let of = |pss_anon_mb, private_mb| Footprint {
            rss_mb: Some(120.0),
            pss_mb: Some(110.0),
            private_mb,
            pss_anon_mb,
            ..Footprint::default()
        };
        let tree = [of(Some(90.0), Some(100.0)), of(Some(91.0), Some(100.0))];
        let found = held(tree.iter().map(Some)).unwrap();
        assert_eq!(
            (found.figure, found.private_mb, found.beside_mb),
            ("pss_anon_mb", vec![90.0, 91.0], vec![20.0, 19.0])
        );
        let mixed = [of(Some(90.0), Some(100.0)), of(None, Some(101.0))];
        let found = held(mixed.iter().map(Some)).unwrap();
        assert_eq!(
            (found.figure, found.private_mb, found.beside_mb),
            ("private_mb", vec![100.0, 101.0], vec![20.0, 19.0])
        );
        assert_eq!(held([Some(&of(Some(90.0), None)), Some(&of(None, Some(100.0)))].into_iter()), None);
        assert_eq!(held([Some(&tree[0]), None].into_iter()), None);
        assert_eq!(held(std::iter::empty()), None);
    }
}
