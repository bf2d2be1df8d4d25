//! What could have the figures of a role although no plan says so: for suggestions.

use super::Nearby;

/// The containers that run with the engines of this machine; none without the feature `containers`. Takes seconds at most.
pub(crate) fn nearby_containers() -> Vec<Nearby> {
    #[cfg(feature = "containers")]
    return super::container::nearby();
    #[cfg(not(feature = "containers"))]
    Vec::new()
}

/// True if `url` answers with the memory of a process; false without the feature `remote`. Takes a second at most.
pub(crate) fn nearby_metrics(url: &str) -> bool {
    #[cfg(feature = "remote")]
    {
        use super::Origin;
        let plan = crate::plan::MetricsPlan { url: Some(url.to_string()), ..Default::default() };
        let read = super::metrics::Metrics::of_plan(&plan).map(|mut metrics| metrics.read());
        read.is_ok_and(|read| read.is_ok_and(|sighting| !sighting.figures.is_empty()))
    }
    #[cfg(not(feature = "remote"))]
    {
        let _ = url;
        false
    }
}
