//! Which figure of memory several readings are compared by.

/// A figure of the memory that a tree of processes retains, the best first.
///
/// Readings are compared by the first that all of them have ([`Retained::common`]). Two figures are never mixed,
/// since their difference would be taken for growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    /// The anonymous part of the PSS: private memory, with pages that processes share after a fork counted once.
    Tree,
    /// The sum of the processes' private memory, where such pages count once for each process.
    Sum,
    /// The sum of their RSS.
    Rss,
}

/// The figures of memory that are known of a tree at one moment, in MB.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MemoryFigures {
    /// The sum of the RSS.
    pub rss_mb: Option<f64>,
    /// The sum of the private memory.
    pub private_mb: Option<f64>,
    /// The sum of the PSS.
    pub pss_mb: Option<f64>,
    /// The sum of its anonymous part.
    pub pss_anon_mb: Option<f64>,
    /// Mapped shared memory ([`super::Footprint::shmem_mb`]).
    pub shmem_mb: Option<f64>,
}

impl Retained {
    /// All of them, the best first.
    pub const ALL: [Retained; 3] = [Retained::Tree, Retained::Sum, Retained::Rss];

    /// The field of [`super::Footprint`] that it is.
    pub fn field(self) -> &'static str {
        match self {
            Retained::Tree => "pss_anon_mb",
            Retained::Sum => "private_mb",
            Retained::Rss => "rss_mb",
        }
    }

    /// The figure of one reading, in MB.
    pub fn of(self, memory: MemoryFigures) -> Option<f64> {
        match self {
            Retained::Tree => memory.pss_anon_mb,
            Retained::Sum => memory.private_mb,
            Retained::Rss => memory.rss_mb,
        }
    }

    /// The shared memory besides it (segments, memfds, files in a tmpfs), in MB. In the RSS it is contained already.
    /// Pages of other files are not in it: the kernel takes them back and reads them again as it likes.
    pub fn shared(self, memory: MemoryFigures) -> Option<f64> {
        match self {
            Retained::Tree | Retained::Sum => memory.shmem_mb,
            Retained::Rss => None,
        }
    }

    /// The best figure that every reading has; `None` if there are no readings, or one lacks all figures.
    pub fn common(readings: impl Iterator<Item = MemoryFigures> + Clone) -> Option<Retained> {
        readings.clone().next()?;
        Retained::ALL.into_iter().find(|figure| readings.clone().all(|reading| figure.of(reading).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_figure_for_all_and_never_two() {
        let of = |pss_anon_mb, private_mb| MemoryFigures {
            rss_mb: Some(120.0),
            pss_mb: Some(110.0),
            private_mb,
            pss_anon_mb,
            shmem_mb: Some(20.0),
        };
        let common = |readings: &[MemoryFigures]| Retained::common(readings.iter().copied());
        assert_eq!(common(&[of(Some(90.0), Some(100.0)), of(Some(91.0), None)]), Some(Retained::Tree));
        assert_eq!(common(&[of(Some(90.0), Some(100.0)), of(None, Some(101.0))]), Some(Retained::Sum));
        assert_eq!(common(&[of(Some(90.0), None), of(None, Some(100.0))]), Some(Retained::Rss));
        assert_eq!(common(&[MemoryFigures::default()]), None);
        assert_eq!(common(&[]), None);
        let shared = |figure: Retained| figure.shared(of(Some(90.0), Some(100.0)));
        assert_eq!(Retained::ALL.map(shared), [Some(20.0), Some(20.0), None]);
    }
}
